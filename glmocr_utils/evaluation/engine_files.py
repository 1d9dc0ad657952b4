"""Page texts as other engines and benchmarks keep them in JSON: MinerU, olmOCR, OmniDocBench."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# What OmniDocBench leaves out of a page's text, beside what it marks with `ignore`.
NOT_TEXT = frozenset(
    """abandon figure header footer page_number page_footnote header_mask footer_mask need_mask
    text_mask table_mask equation_mask organic_chemical_formula_mask algorithm_mask list_group
    equation_semantic""".split()
)


def engine_pages(path: Path) -> Iterator[tuple[str, int, str]]:
    """(document, page_index, text) of each page of a JSON file.

    Raises:
        ValueError: it is none of the known kinds.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error})") from error
    first = records[0] if isinstance(records, list) and records else None
    if isinstance(first, dict) and "layout_dets" in first:
        yield from map(_omnidocbench_page, records)
    elif isinstance(first, dict) and "page_idx" in first:
        document = path.name.removesuffix("_content_list.json").removesuffix(".json")
        yield from _mineru_pages(document, records)
    else:
        raise ValueError(
            f"{path} is neither a content_list.json of MinerU nor annotations of OmniDocBench"
        )


def is_dolma(record: Mapping[str, object]) -> bool:
    """Whether a record is a document as olmOCR writes it: one text, with the pages' limits."""
    attributes = record.get("attributes")
    return isinstance(attributes, dict) and "pdf_page_numbers" in attributes


def dolma_pages(record: Mapping) -> Iterator[tuple[str, int, str]]:
    """(document, page_index, text) of each page of an olmOCR document."""
    document = str(record.get("metadata", {}).get("Source-File") or record.get("id"))
    for start, stop, number in record["attributes"]["pdf_page_numbers"]:
        yield document, int(number) - 1, record["text"][start:stop].strip("\n")


def _mineru_pages(document: str, records: Sequence[Mapping]) -> Iterator[tuple[str, int, str]]:
    pages: dict[int, list[str]] = {}
    for record in records:
        parts = pages.setdefault(int(record["page_idx"]), [])
        text = str(record.get("text") or "")
        level = int(record.get("text_level") or 0)
        parts += [f"{'#' * level} {text}" if level and text else text]
        for name in ("table_caption", "image_caption", "table_body", "table_footnote",
                     "image_footnote", "list_items"):  # fmt: skip
            value = record.get(name) or ()
            parts += [value] if isinstance(value, str) else [str(each) for each in value]
    for index, parts in sorted(pages.items()):
        yield document, index, "\n\n".join(filter(None, parts))


def _omnidocbench_page(record: Mapping) -> tuple[str, int, str]:
    """Its blocks in reading order; page furniture and what it does not judge are left out."""
    blocks = [
        block
        for block in record["layout_dets"]
        if block.get("order") is not None
        and not block.get("ignore")
        and block.get("category_type") not in NOT_TEXT
    ]
    texts = [
        block.get("html") or block.get("latex") or block.get("text") or ""
        for block in sorted(blocks, key=lambda block: block["order"])
    ]
    name = Path(record["page_info"]["image_path"]).name
    return name, 0, "\n\n".join(filter(None, texts))
