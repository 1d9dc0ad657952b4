"""PAGE XML, version 2019-07-15: the format of Transkribus, eScriptorium and OCR-D (PRImA)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree

from glmocr_utils.ocr_formats.placed_text import (
    PlacedBlock,
    baseline_of,
    placed_blocks,
    polygon_of,
    text_of,
    xml_text,
)
from glmocr_utils.ocr_formats.placed_words import PlacedWord
from glmocr_utils.records import Box, OcrResult, PageLayout, Region

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
SCHEMA = f"{NAMESPACE}/pagecontent.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
# kinds of regions by the layout model's name; what is not here is a paragraph
TYPES = {
    "doc_title": "heading",
    "paragraph_title": "heading",
    "header": "header",
    "footer": "footer",
    "number": "page-number",
    "footnote": "footnote",
    "aside_text": "marginalia",
    "figure_title": "caption",
    "table": "other",
    "display_formula": "other",
    "formula_number": "other",
}


def page_xml(
    result: OcrResult, layout: PageLayout, image_name: str, text: str | None = None
) -> str:
    """A page as PAGE XML, in pixels of its image.

    `conf` of a word is the lowest probability of its tokens. The format asks for coordinates of
    everything: a line whose box is unclear has those of its region, a region those of the page,
    and a word whose box is unclear is only in the text of its line.

    Args:
        image_name: the name of the page's image file.
        text: what the page says after a person corrected it; None: what was read.
    """
    root = ElementTree.Element(
        "PcGts",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": INSTANCE,
            "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
        },
    )
    metadata = ElementTree.SubElement(root, "Metadata")
    ElementTree.SubElement(metadata, "Creator").text = xml_text(f"glmocr_utils, {result.model_id}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    ElementTree.SubElement(metadata, "Created").text = now
    ElementTree.SubElement(metadata, "LastChange").text = now
    page = ElementTree.SubElement(
        root,
        "Page",
        {
            "imageFilename": xml_text(image_name),
            "imageWidth": str(layout.width_px),
            "imageHeight": str(layout.height_px),
        },
    )
    blocks = placed_blocks(result, layout, text)
    if blocks:
        order = ElementTree.SubElement(page, "ReadingOrder")
        group = ElementTree.SubElement(order, "OrderedGroup", {"id": "reading_order"})
        for number in range(1, len(blocks) + 1):
            reference = {"index": str(number - 1), "regionRef": f"region_{number}"}
            ElementTree.SubElement(group, "RegionRefIndexed", reference)
    whole = Box(0, 0, layout.width_px, layout.height_px)
    for number, block in enumerate(blocks, start=1):
        _add_region(page, block, number, whole)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        root, encoding="unicode"
    )


def _add_region(page: ElementTree.Element, block: PlacedBlock, number: int, whole: Box) -> None:
    own_id = {"id": f"region_{number}"}
    box = block.box or whole
    if block.region is not None and block.region.status == "picture":
        name = "ChartRegion" if block.region.label == "chart" else "ImageRegion"
        _add_coords(ElementTree.SubElement(page, name, own_id), box)
        return
    attributes = own_id if block.region is None else own_id | _kind(block.region)
    region = ElementTree.SubElement(page, "TextRegion", attributes)
    _add_coords(region, box)
    for count, line in enumerate(block, start=1):
        own = f"{number}_{count}"
        element = ElementTree.SubElement(region, "TextLine", {"id": f"line_{own}"})
        _add_coords(element, line.box or box)
        if line.box:
            ElementTree.SubElement(element, "Baseline", {"points": _points(baseline_of(line))})
        for at, word in enumerate(line.words, start=1):
            if word.box:
                _add_word(element, word, f"word_{own}_{at}")
        _add_text(element, text_of(line))
    _add_text(region, "\n".join(map(text_of, block)))


def _kind(region: Region) -> dict[str, str]:
    """The type of a region of text, as far as the format has one; the layout model's own name."""
    custom = f"structure {{type:{xml_text(region.label)};}}"
    return {"custom": custom, "type": TYPES.get(region.label, "paragraph")}


def _add_word(line: ElementTree.Element, word: PlacedWord, own_id: str) -> None:
    element = ElementTree.SubElement(line, "Word", {"id": own_id})
    if word.box:
        _add_coords(element, word.box)
    _add_text(element, word.text, conf=f"{word.prob:.4f}")


def _add_coords(element: ElementTree.Element, box: Box) -> None:
    ElementTree.SubElement(element, "Coords", {"points": _points(polygon_of(box))})


def _add_text(element: ElementTree.Element, text: str, **attributes: str) -> None:
    equivalent = ElementTree.SubElement(element, "TextEquiv", attributes)
    ElementTree.SubElement(equivalent, "Unicode").text = xml_text(text)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
