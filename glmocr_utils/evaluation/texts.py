"""Sets of page texts, from wherever they come: runs, labels, text files, other engines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from glmocr_utils.evaluation.layout_files import is_layout_xml
from glmocr_utils.evaluation.page_text import PageText, TextSet, text_set
from glmocr_utils.evaluation.text_files import PAGE_FILE, READERS, XML, from_json_lines
from glmocr_utils.labels import LabelStore
from glmocr_utils.records.page_row import parts_of, read_rows, to_result

LABELS = "labels.jsonl"


def load_sets(paths: Sequence[str | Path], text_column: str | None = None) -> list[TextSet]:
    """The page texts under several paths, as `load_texts` takes them, in sets of different names.

    Runs are often named alike: `old/06_mass_infer` and `new/06_mass_infer` keep their parents.
    """
    return [
        load_texts(path, text_column, name)
        for path, name in zip(paths, _different_names(paths), strict=True)
    ]


def load_texts(
    path: str | Path, text_column: str | None = None, name: str | None = None
) -> TextSet:
    """The page texts under a path.

    Args:
        path: the folder of a run of notebook 06; a `.jsonl` of 02 or a folder of them; lines of
            JSON with `file_name`, `page_index` and `text`; a label set of 04 or its exported
            `dataset/` (the label that counts; gold only where there is gold); a folder of `.txt` or
            `.md` files, one a document with form feeds or page comments between pages, or one a
            page; a `.parquet` file or a folder of them; hOCR, ALTO or PAGE XML; what olmOCR and
            MinerU write; annotations of OmniDocBench; PDFs, for the pages whose text layer can be
            trusted. In a folder of several kinds, the files of other documents are named.
        text_column: of parquet files and JSON lines; None takes the first of `text`, `markdown`,
            `ground_truth`, `label`, `transcription` that is there.
        name: of the set; None takes the folder's or the file's.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: nothing under the path is a text, or a column is missing; the message names it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there are no texts at {path}; check the path")
    name = name or _name(path)
    if path.is_dir() and parts_of(path):
        return text_set(name, _from_run(path))
    if path.is_dir() and (path / LABELS).is_file():
        return text_set(name, _from_labels(path))
    if path.is_dir() and (path / "metadata.jsonl").is_file():
        return text_set(name, from_json_lines(path / "metadata.jsonl", text_column))
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    kinds = [
        (of_kind, read)
        for suffixes, read in READERS.items()
        if (of_kind := _of_kind(files, suffixes))
    ]
    if not kinds:
        raise ValueError(
            f"nothing under {path} is a text; expected a run of notebook 06, .jsonl, .txt, .md, "
            ".parquet, hOCR, ALTO or PAGE files, or PDFs with a text layer"
        )
    (chosen, read), *others = kinds
    found = text_set(name, (page for file in chosen for page in read(file, text_column)))
    left = [file for of_kind, _ in others for file in of_kind if file.suffix not in BESIDE]
    unused = _unused(found, [file for file in left if file not in set(chosen)])
    return replace(found, problems=(*found.problems, *unused))


def _name(path: Path) -> str:
    whole = path.absolute()
    return (whole.stem if whole.is_file() else whole.name) or str(path)


def _different_names(paths: Sequence[str | Path]) -> list[str]:
    """A name each, with as many folders as it takes; the same path again gets a number."""
    whole = [(*Path(path).absolute().parts[1:-1], _name(Path(path))) for path in paths]
    names = []
    for number, own in enumerate(whole):
        others = [other for other in whole if other != own]
        depth = 1
        while any(other[-depth:] == own[-depth:] for other in others):
            depth += 1
        before = whole[:number].count(own)
        names.append("/".join(own[-depth:]) + (f" ({before + 1})" if before else ""))
    return names


def _of_kind(files: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    of_kind = [file for file in files if file.name.lower().endswith(suffixes)]
    if suffixes == XML:  # a folder may contain other XML, such as METS
        return [file for file in of_kind if is_layout_xml(file)]
    return of_kind


def _unused(found: TextSet, files: Sequence[Path]) -> list[str]:
    """The files of another kind whose documents are not among the pages, in a sentence."""
    known = {document for document, _ in found.pages}
    alone = [file for file in files if known.isdisjoint(_documents_of(file))]
    if not alone:
        return []
    count = "1 file" if len(alone) == 1 else f"{len(alone)} files"
    names = "; ".join(file.name for file in alone[:5])
    return [
        f"{count} in {found.name} not read, since others are of another kind: put each kind into "
        f"a folder of its own ({names}{'; …' if len(alone) > 5 else ''})"
    ]


def _documents_of(file: Path) -> set[str]:
    """The documents that a file may be of, by its name."""
    whole = PageText(file.name, 0, None).key[0]
    of_a_page = PAGE_FILE.fullmatch(whole)
    return {whole, of_a_page["document"]} if of_a_page else {whole}


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


# files of these kinds lie beside texts for other reasons: reports, the documents themselves
BESIDE = (".html", ".htm", ".json", ".pdf")
