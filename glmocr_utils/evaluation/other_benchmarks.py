"""Readings in the form that benchmarks and tools of others expect.

| form | what is written | what scores it |
|---|---|---|
| `omni-parse-bench` | `predictions/<page_id>.json` with `html` | `score_omni_parse` |
| `olmocr-bench` | `<name>/<pdf>_pg1_repeat1.md` | `python -m olmocr.bench.benchmark --dir …` |
| `omnidocbench` | `predictions/<image>.md` | `pdf_validation.py` of its repository |
| `hub` | `readings.parquet`: `markdown`, `inference_info` | viewers and judges on the hub |

A page of the benchmark that was not read is written as empty, and named: it counts as wrong. Boxes
of regions are not written, so layout tests have nothing to judge. Annotations of OmniDocBench are
references as well: give them to `load_texts`.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from glmocr_utils.evaluation.page_text import PageText, TextSet
from glmocr_utils.files import replacing, write_file
from glmocr_utils.markup import Table, tables

HEADING = re.compile(r"(#{1,6}) +(.*)", re.DOTALL)
BOLD = re.compile(r"\*\*(\S(?:[^*]*\S)?)\*\*")


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        path: the folder, or the file.
        pages: that the benchmark has.
        problems: which of them were not read, in sentences.
    """

    path: Path
    pages: int
    problems: tuple[str, ...]


def write_omni_parse(readings: TextSet, benchmark: str | Path, output_dir: str | Path) -> Written:
    """A JSON file with `html` for each page of Omni Parse Bench.

    Args:
        benchmark: its dataset: `manifest.parquet`, `pages/`, `gold/`.
    """
    pages = {page_id: _key(document) for page_id, document in _omni_parse_pages(Path(benchmark))}
    folder = Path(output_dir) / "predictions"
    found = _texts(readings, pages)
    for page_id, text in found.items():
        outputs = {"html": html_of(text or "")}
        write_file(folder / f"{page_id}.json", json.dumps(outputs, ensure_ascii=False) + "\n")
    return Written(folder, len(pages), _missing(found))


def score_omni_parse(predictions: str | Path, benchmark: str | Path) -> dict[str, object]:
    """The scores of Omni Parse Bench by its own package; layout tests are left out.

    Raises:
        ImportError: the package is not installed; the message says how to get it.
    """
    try:
        from omni_parse_bench import gold, score, summarize
    except ImportError as error:
        raise ImportError(
            "scores need the scorer of Omni Parse Bench: pip install 'glmocr-utils[benchmarks]'"
        ) from error
    benchmark, verdicts, tests = Path(benchmark), [], []
    for page_id, _ in _omni_parse_pages(benchmark):
        of_page = gold.read(benchmark / "gold" / f"{page_id}.json")
        outputs = json.loads((Path(predictions) / f"{page_id}.json").read_text(encoding="utf-8"))
        verdicts += score(outputs, of_page, unsupported={"blocks"})
        tests += of_page
    return summarize(verdicts, tests)


def write_olmocr_bench(
    readings: TextSet, benchmark: str | Path, name: str | None = None
) -> Written:
    """Markdown files beside the PDFs of olmOCR-bench, in a folder of their own.

    Args:
        benchmark: its `bench_data`: `pdfs/` and the tests as `.jsonl`.
        name: of the folder; that of the readings.

    Raises:
        ValueError: there are no PDFs.
    """
    benchmark = Path(benchmark)
    documents = sorted(
        path.relative_to(benchmark / "pdfs") for path in benchmark.rglob("pdfs/**/*.pdf")
    )
    if not documents:
        raise ValueError(f"{benchmark} has no pdfs/; give the bench_data of olmOCR-bench")
    pages = {(document.as_posix(), 1) for document in documents}
    for tests in sorted(benchmark.glob("*.jsonl")):
        for line in filter(str.strip, tests.read_text(encoding="utf-8").splitlines()):
            test = json.loads(line)
            pages.add((test["pdf"], int(test["page"])))
    folder = benchmark / (name or readings.name)
    files = {
        f"{pdf.removesuffix('.pdf')}_pg{page}_repeat1.md": _key(pdf, page - 1)
        for pdf, page in sorted(pages)
    }
    return _write_markdown(readings, folder, files)


def write_omnidocbench(readings: TextSet, benchmark: str | Path, output_dir: str | Path) -> Written:
    """A Markdown file for each image of OmniDocBench.

    Args:
        benchmark: `OmniDocBench.json`, or its folder.
    """
    benchmark = Path(benchmark)
    path = benchmark / "OmniDocBench.json" if benchmark.is_dir() else benchmark
    records = json.loads(path.read_text(encoding="utf-8"))
    images = [Path(record["page_info"]["image_path"]).name for record in records]
    files = {f"{Path(image).stem}.md": _key(image) for image in images}
    return _write_markdown(readings, Path(output_dir) / "predictions", files)


def write_hub_table(readings: TextSet, output_dir: str | Path) -> Written:
    """A parquet file with a row a page: `document`, `page_index`, `markdown`, `inference_info`.

    `inference_info` is a JSON list with what filled which column, as scripts on the hub write it.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [
        {
            "document": Path(page.document).name,
            "page_index": page.page_index,
            "status": page.status,
            "markdown": page.text,
            "inference_info": json.dumps([_inference_info(page, readings.name, now)]),
        }
        for page in readings.pages.values()
    ]
    path = Path(output_dir) / "readings.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows), partial, compression="zstd")
    unread = {page.name: page.text for page in readings.pages.values()}
    return Written(path, len(rows), _missing(unread))


# (readings, the benchmark's folder, output_dir); the hub's table needs no benchmark
FORMS: dict[str, Callable[[TextSet, str | Path, str | Path], Written]] = {
    "omni-parse-bench": write_omni_parse,
    "olmocr-bench": lambda readings, benchmark, _: write_olmocr_bench(readings, benchmark),
    "omnidocbench": write_omnidocbench,
    "hub": lambda readings, _, output_dir: write_hub_table(readings, output_dir),
}


def html_of(markdown: str) -> str:
    """GLM-OCR's Markdown as HTML: headings, paragraphs, and tables; LaTeX stays as it is."""
    parts: list[str] = []
    position = 0
    for table in tables(markdown):
        parts += _blocks_html(markdown[position : table.start])
        parts.append(_table_html(markdown, table))
        position = table.stop
    return "\n".join([*parts, *_blocks_html(markdown[position:])])


def _blocks_html(text: str) -> Iterable[str]:
    for block in re.split(r"\n\s*\n", text):
        if not block.strip():
            continue
        heading = HEADING.fullmatch(block.strip())
        level, content = (f"h{len(heading[1])}", heading[2]) if heading else ("p", block.strip())
        content = BOLD.sub(r"<b>\1</b>", html.escape(content, quote=False))
        yield f"<{level}>{content.replace(chr(10), '<br>' + chr(10))}</{level}>"


def _table_html(markdown: str, table: Table) -> str:
    written = markdown[table.start : table.stop]
    if written.lstrip().startswith("<"):
        return written
    rows: dict[int, list[str]] = {}
    for cell in table.cells:
        text = html.escape(markdown[cell.start : cell.stop].strip(), quote=False)
        rows.setdefault(cell.row, []).append(f"<td>{text}</td>")
    joined = "".join(f"<tr>{''.join(rows[row])}</tr>" for row in sorted(rows))
    return f"<table>{joined}</table>"


def _omni_parse_pages(benchmark: Path) -> list[tuple[str, str]]:
    """(page_id, document) of each page."""
    manifest = benchmark / "manifest.parquet"
    if not manifest.is_file():
        raise ValueError(f"{benchmark} has no manifest.parquet; give Omni Parse Bench's dataset")
    rows = pq.read_table(manifest, columns=["page_id", "doc_path"]).to_pylist()
    return [(row["page_id"], row["doc_path"]) for row in rows]


def _key(document: str, page_index: int = 0) -> tuple[str, int]:
    return PageText(document, page_index, None).key


def _texts(readings: TextSet, pages: Mapping[str, tuple[str, int]]) -> dict[str, str | None]:
    """The text of each page of a benchmark, by its name there; None where it was not read."""
    found = {name: readings.pages.get(key) for name, key in pages.items()}
    return {name: None if page is None else page.text for name, page in found.items()}


def _missing(texts: Mapping[str, str | None]) -> tuple[str, ...]:
    missing = [name for name, text in texts.items() if text is None]
    if not missing:
        return ()
    names = "; ".join(missing[:5]) + ("; …" if len(missing) > 5 else "")
    return (f"{len(missing)} of {len(texts)} pages were not read, written as empty: {names}",)


def _write_markdown(
    readings: TextSet, folder: Path, files: Mapping[str, tuple[str, int]]
) -> Written:
    found = _texts(readings, files)
    for name, text in found.items():
        write_file(folder / name, text or "")
    return Written(folder, len(files), _missing(found))


def _inference_info(page: PageText, name: str, now: str) -> dict[str, object]:
    result = page.result
    known = {} if result is None else {
        "revision": result.revision, "adapter": result.adapter, "prompt": result.prompt,
        "scale": result.scale,
    }  # fmt: skip
    model_id = name if result is None else result.model_id
    return {"column_name": "markdown", "model_id": model_id, "timestamp": now, **known}
