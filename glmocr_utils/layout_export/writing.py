"""Pages that were read → files with the places of their words, one a document and format."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from glmocr_utils.grounding import Locator
from glmocr_utils.layout_export.alto import alto
from glmocr_utils.layout_export.hocr import hocr
from glmocr_utils.layout_export.searchable_pdf import write_searchable_pdf
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef
from glmocr_utils.render import safe_stem

SUFFIXES = {"hocr": ".hocr", "alto": ".alto.xml", "pdf": ".searchable.pdf"}
FORMATS = tuple(SUFFIXES)

Placed = tuple[OcrResult, PageLayout, PageImage]


def check_formats(formats: str | None) -> tuple[str, ...]:
    """`hocr,alto` → the formats, in their order; none for None.

    Raises:
        ValueError: there is no such format.
    """
    wanted = [name.strip() for name in (formats or "").split(",") if name.strip()]
    if strange := [name for name in wanted if name not in FORMATS]:
        raise ValueError(f"export is some of {', '.join(FORMATS)}, with commas; got {strange[0]!r}")
    return tuple(dict.fromkeys(wanted))


def export_layouts(
    locator: Locator,
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage],
    output_dir: str | Path,
    formats: Sequence[str],
    *,
    batch_size: int = 1,
) -> Iterator[Path]:
    """Say where the words of read pages stand, and write it, document by document.

    Args:
        results: pages; those of a document follow each other.
        images: of the pages; a page without one is left out.
        formats: some of `FORMATS`.

    Yields:
        Each file when it is complete: `{document}.hocr`, `.alto.xml`, `.searchable.pdf`.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for document, of_document in groupby(results, key=lambda result: result.page.document_path):
        pages = [(r, image) for r in of_document if (image := images.get(r.page)) is not None]
        if not pages:
            continue
        layouts = locator.locate_all(pages, batch_size)
        placed = [(r, layout, i) for (r, i), layout in zip(pages, layouts, strict=True)]
        name = safe_stem(document)
        if name.casefold() in taken:
            name = f"{name}_{pages[0][0].page.document_sha256[:8]}"
        taken.add(name.casefold())
        for form in formats:
            yield _write(placed, folder / (name + SUFFIXES[form]), form)


def _write(pages: Sequence[Placed], path: Path, form: str) -> Path:
    if form == "pdf":
        write_searchable_pdf(pages, path)
        return path
    texts = [(result, layout) for result, layout, _ in pages]
    partial = path.with_name(path.name + ".partial")
    partial.write_text({"hocr": hocr, "alto": alto}[form](texts), encoding="utf-8")
    partial.replace(path)
    return path
