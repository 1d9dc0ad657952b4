"""Sets of page texts, from wherever they come: runs, labels, text files, other engines."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glmocr_utils.evaluation.engine_files import dolma_pages, engine_pages, is_dolma
from glmocr_utils.evaluation.layout_files import hocr_pages, is_layout_xml, xml_pages
from glmocr_utils.labels import LabelStore
from glmocr_utils.markdown.text import PAGE_HEAD
from glmocr_utils.records import OcrResult, read_results
from glmocr_utils.records.page_row import parts_of, read_rows, to_result

PAGE_BREAK = "\f"
TEXT_COLUMNS = ("text", "markdown", "ground_truth", "label", "transcription")
DOCUMENT_COLUMNS = ("document_path", "document", "file_name", "pdf", "source", "id")
LABELS = "labels.jsonl"
LABEL_STATUSES = ("gold", "silver", "draft")
# how notebook 06 marks documents in its Markdown
DOCUMENT_MARK = re.compile(r'^<!-- document: ("(?:[^"\\]|\\.)*"), sha256 \w+ -->$', re.MULTILINE)
LINE_BREAK = re.compile(r"  $", re.MULTILINE)
# `decision_p0003.txt`: a page of a document, as notebooks 01 and 03 name them
# `x_pg1_repeat1.md` is olmOCR-bench's
PAGE_FILE = re.compile(r"(?P<document>.+)_(?:p|pg|page_?)(?P<number>\d+)(?:_repeat\d+)?$")

# What a page is known by: its document's name without folder and suffix, and its index from 0.
PageKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of one page, as written.

    Attributes:
        document: file name of its document, or of the file with its text.
        page_index: from 0.
        text: None where the page was not read.
        status: of a run's ledger; `ok` elsewhere.
        result: with token probabilities, where there are any.
    """

    document: str
    page_index: int
    text: str | None
    status: str = "ok"
    result: OcrResult | None = None

    @property
    def key(self) -> PageKey:
        name = Path(self.document).name
        for suffix in (".gt.txt", ".alto.xml", ".page.xml", ".searchable.pdf"):
            name = name.removesuffix(suffix)
        return Path(name).stem.casefold() if "." in name else name.casefold(), self.page_index

    @property
    def name(self) -> str:
        """For people; pages count from 1."""
        return f"{Path(self.document).name}, page {self.page_index + 1}"


@dataclass(frozen=True, slots=True)
class TextSet:
    """Pages by their key.

    Attributes:
        name: where they come from, for people.
        pages: one text a page.
        problems: what was found and is not among the pages, in sentences.
    """

    name: str
    pages: Mapping[PageKey, PageText]
    problems: tuple[str, ...] = field(default=())


def text_set(name: str, pages: Iterable[PageText]) -> TextSet:
    """One text a page; of two different ones for a page neither counts, and both are named."""
    kept: dict[PageKey, PageText] = {}
    twice: dict[PageKey, None] = {}
    for page in pages:
        first = kept.setdefault(page.key, page)
        if first is not page and (first.text, first.status) != (page.text, page.status):
            twice[page.key] = None
    problems = [
        f"{kept[key].name} has two different texts in {name}; neither counts" for key in twice
    ]
    for key in twice:
        del kept[key]
    return TextSet(name, kept, tuple(problems))


def load_texts(path: str | Path, text_column: str | None = None) -> TextSet:
    """The page texts under a path.

    Args:
        path: the folder of a run of notebook 06; a `.jsonl` of 02 or a folder of them; lines of
            JSON with `file_name`, `page_index` and `text`; a label set of 04 or its exported
            `dataset/` (the label that counts; gold only where there is gold); a folder of `.txt` or
            `.md` files, one a document with form feeds or page comments between pages, or one a
            page; a `.parquet` file or a folder of them; hOCR, ALTO or PAGE XML; what olmOCR and
            MinerU write; annotations of OmniDocBench.
        text_column: of parquet files and JSON lines; None takes the first of `text`, `markdown`,
            `ground_truth`, `label`, `transcription` that is there.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: nothing under the path is a text, or a column is missing; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there are no texts at {path}; check the path")
    name = (path.stem if path.is_file() else path.name) or str(path)
    if path.is_dir() and parts_of(path):
        return text_set(name, _from_run(path))
    if path.is_dir() and (path / LABELS).is_file():
        return text_set(name, _from_labels(path))
    if path.is_dir() and (path / "metadata.jsonl").is_file():
        return text_set(name, _from_json_lines(path / "metadata.jsonl", text_column))
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for suffixes, read in READERS.items():
        of_kind = [file for file in files if file.name.lower().endswith(suffixes)]
        if suffixes == XML:  # a folder may contain other XML, such as METS
            of_kind = [file for file in of_kind if is_layout_xml(file)]
        if of_kind:
            return text_set(name, (page for file in of_kind for page in read(file, text_column)))
    raise ValueError(
        f"nothing under {path} is a text; expected a run of notebook 06, .jsonl, .txt, .md, "
        ".parquet, hOCR, ALTO or PAGE files"
    )


def _from_run(path: Path) -> Iterator[PageText]:
    run = json.loads((path / "run.json").read_text(encoding="utf-8"))
    for row in read_rows(path):
        yield PageText(
            row.document_path, row.page_index or 0, row.text, row.status, to_result(row, run)
        )


def _from_labels(path: Path) -> Iterator[PageText]:
    labels = LabelStore(path).current_labels()
    gold = [label for label in labels if label.status == "gold"]
    for label in gold or labels:
        yield PageText(label.page.document_path, label.page.page_index, label.text)


def _from_json_lines(path: Path, text_column: str | None) -> Iterator[PageText]:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    try:
        is_result = "tokens" in json.loads(first or "{}")
    except ValueError as error:
        raise ValueError(f"{path}, line 1 is not JSON ({error})") from error
    if is_result:
        for result in read_results(path):
            page = result.page
            yield PageText(page.document_path, page.page_index, result.text, "ok", result)
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                if is_dolma(record):
                    yield from (PageText(*page) for page in dolma_pages(record))
                else:
                    yield _from_record(record, text_column)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: {error}") from error


def _from_parquet(path: Path, text_column: str | None) -> Iterator[PageText]:
    table = pq.read_table(path)
    wanted = [name for name in table.column_names if name not in ("image", "images")]
    for number, record in enumerate(table.select(wanted).to_pylist(), start=1):
        try:
            yield _from_record(record, text_column, number)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, row {number}: {error}") from error


def _from_record(record: Mapping[str, Any], text_column: str | None, number: int = 0) -> PageText:
    text_name = text_column or next((name for name in TEXT_COLUMNS if name in record), None)
    if text_name is None or text_name not in record:
        missing = text_column or " or ".join(TEXT_COLUMNS)
        raise ValueError(f"there is no column {missing}; set text_column to one of {[*record]}")
    document = next((str(record[name]) for name in DOCUMENT_COLUMNS if record.get(name)), None)
    index = record.get("page_index")
    if index is None and "page_number" in record:
        index = int(record["page_number"]) - 1
    document = document if document is not None else f"row {number}"
    status = str(record.get("status") or "ok")
    status = "ok" if status in LABEL_STATUSES else status
    return PageText(document, int(index or 0), record[text_name], status)


def _from_text(path: Path, _column: str | None) -> Iterator[PageText]:
    """One page, or several with form feeds between."""
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    stem = path.name.removesuffix(".gt.txt") if path.name.endswith(".gt.txt") else path.stem
    of_a_page = PAGE_FILE.fullmatch(stem)
    if of_a_page and PAGE_BREAK not in text:
        yield PageText(of_a_page["document"], int(of_a_page["number"]) - 1, text)
        return
    for index, page in enumerate(text.split(PAGE_BREAK)):
        yield PageText(path.name, index, page)


def _from_markdown(path: Path, _column: str | None) -> Iterator[PageText]:
    """A file of notebook 06, whose comments number its pages, or any other as one page."""
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    marks = list(PAGE_HEAD.finditer(text))
    if not marks:
        yield from _from_text(path, None)
        return
    head = DOCUMENT_MARK.search(text)
    document = json.loads(head[1]) if head else path.name
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        yield PageText(
            document,
            int(mark["number"]) - 1,
            LINE_BREAK.sub("", text[mark.end() : end].strip("\n")),
            mark["status"] or "ok",
        )


def _from_hocr(path: Path, _column: str | None) -> Iterator[PageText]:
    pages = hocr_pages(path)
    yield from (PageText(*_page_of_file(path, index, len(pages)), text) for index, text in pages)


def _from_xml(path: Path, _column: str | None) -> Iterator[PageText]:
    pages = list(xml_pages(path))
    yield from (PageText(*_page_of_file(path, index, len(pages)), text) for index, text in pages)


def _page_of_file(path: Path, index: int, num_pages: int) -> tuple[str, int]:
    """Document and page: of a file with one page its name may give the number."""
    stem = path.name
    for suffix in (".xml", ".hocr", ".html", ".alto", ".page"):
        stem = stem.removesuffix(suffix)
    of_a_page = PAGE_FILE.fullmatch(stem)
    if num_pages == 1 and of_a_page:
        return of_a_page["document"], int(of_a_page["number"]) - 1
    return stem, index


def _from_json(path: Path, _column: str | None) -> Iterator[PageText]:
    yield from (PageText(*page) for page in engine_pages(path))


XML = (".xml",)
READERS: dict[
    tuple[str, ...], Callable[[Path, str | None], Iterator[PageText]]
] = {
    (".jsonl",): _from_json_lines,
    (".parquet",): _from_parquet,
    (".hocr", ".hocr.html"): _from_hocr,
    XML: _from_xml,
    ("_content_list.json", "omnidocbench.json"): _from_json,
    (".md",): _from_markdown,
    (".txt",): _from_text,
    (".html", ".htm"): _from_hocr,
    (".json",): _from_json,
}  # fmt: skip
