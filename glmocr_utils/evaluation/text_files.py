"""Files with page texts, one reader a kind: text, Markdown, JSON, parquet, hOCR, XML, PDF."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from glmocr_utils.evaluation.engine_files import dolma_pages, engine_pages, is_dolma
from glmocr_utils.evaluation.layout_files import hocr_pages, xml_pages
from glmocr_utils.evaluation.page_text import NO_LAYER, PageText
from glmocr_utils.evaluation.pdf_layers import layer_texts
from glmocr_utils.markdown.text import PAGE_HEAD
from glmocr_utils.records import read_results

PAGE_BREAK = "\f"
TEXT_COLUMNS = ("text", "markdown", "ground_truth", "label", "transcription")
DOCUMENT_COLUMNS = ("document_path", "document", "file_name", "pdf", "source", "id")
LABEL_STATUSES = ("gold", "silver", "draft")
# how notebook 06 marks documents in its Markdown
DOCUMENT_MARK = re.compile(r'^<!-- document: ("(?:[^"\\]|\\.)*"), sha256 \w+ -->$', re.MULTILINE)
LINE_BREAK = re.compile(r"  $", re.MULTILINE)
# `decision_p0003.txt`: a page of a document, as notebooks 01 and 03 name them
# `x_pg1_repeat1.md` is olmOCR-bench's
PAGE_FILE = re.compile(r"(?P<document>.+)_(?:p|pg|page_?)(?P<number>\d+)(?:_repeat\d+)?$")


def from_json_lines(path: Path, text_column: str | None) -> Iterator[PageText]:
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
    """A file of notebook 06, whose comments number its pages, or any other as plain text."""
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


def _from_pdf(path: Path, _column: str | None) -> Iterator[PageText]:
    for index, text in enumerate(layer_texts(path)):
        yield PageText(path.name, index, text, "ok" if text is not None else NO_LAYER)


XML = (".xml",)
READERS: dict[
    tuple[str, ...], Callable[[Path, str | None], Iterator[PageText]]
] = {
    (".jsonl",): from_json_lines,
    (".parquet",): _from_parquet,
    (".hocr", ".hocr.html"): _from_hocr,
    XML: _from_xml,
    ("_content_list.json", "omnidocbench.json"): _from_json,
    (".md", ".txt"): _from_markdown,
    (".html", ".htm"): _from_hocr,
    (".json",): _from_json,
    (".pdf",): _from_pdf,
}  # fmt: skip
