"""ALTO XML, version 4.4: the archives' format for text with its boxes (Library of Congress)."""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from glmocr_utils.ocr_formats.placed_text import (
    PlacedBlock,
    baseline_of,
    placed_blocks,
    polygon_of,
    xml_text,
)
from glmocr_utils.records import Box, OcrResult, PageLayout, PageRef, Region

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


def alto(
    pages: Sequence[tuple[OcrResult, PageLayout]],
    image_name: str | None = None,
    texts: Mapping[PageRef, str] | None = None,
) -> str:
    """One page or several of a document as ALTO, in pixels of the page images.

    `WC` is the lowest probability of a word's tokens. What has no clear box has no position,
    which version 4 allows. Regions are blocks whose tag says their kind; pictures are
    illustrations.

    Args:
        image_name: `fileName` of the source image: the name of the page's image file. None gives
            the document's name, as for several pages, for which ALTO has only one. The document is
            named as `documentIdentifier` in both cases.
        texts: of pages that a person corrected; `CS` marks their words.
    """
    first, _ = pages[0]
    root = ElementTree.Element(
        "alto",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": INSTANCE,
            "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
            "SCHEMAVERSION": "4.4",
        },
    )
    _add_description(root, first, image_name)
    _add_tags(root, pages)
    layout_element = ElementTree.SubElement(root, "Layout")
    for number, (result, layout) in enumerate(pages, start=1):
        page = ElementTree.SubElement(
            layout_element,
            "Page",
            {
                "ID": f"page_{number}",
                "PHYSICAL_IMG_NR": str(result.page.page_number),
                "WIDTH": str(layout.width_px),
                "HEIGHT": str(layout.height_px),
            },
        )
        whole = Box(0, 0, layout.width_px, layout.height_px)
        space = ElementTree.SubElement(page, "PrintSpace", _position(whole))
        blocks = placed_blocks(result, layout, (texts or {}).get(result.page))
        for count, block in enumerate(blocks, start=1):
            _add_block(space, block, f"{number}_{count}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        root, encoding="unicode"
    )


def _add_description(root: ElementTree.Element, first: OcrResult, image_name: str | None) -> None:
    description = ElementTree.SubElement(root, "Description")
    ElementTree.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ElementTree.SubElement(description, "sourceImageInformation")
    name = first.page.document_name
    ElementTree.SubElement(source, "fileName").text = xml_text(image_name or name)
    ElementTree.SubElement(source, "documentIdentifier").text = xml_text(name)
    processing = ElementTree.SubElement(description, "Processing", {"ID": "reading"})
    ElementTree.SubElement(processing, "processingCategory").text = "contentGeneration"
    software = ElementTree.SubElement(processing, "processingSoftware")
    ElementTree.SubElement(software, "softwareName").text = xml_text(first.model_id)


def _add_block(space: ElementTree.Element, block: PlacedBlock, number: str) -> None:
    region = block.region
    attributes = {"ID": f"block_{number}"} | _position(block.box)
    if region is not None:
        attributes["TAGREFS"] = _tag_of(region)
    if region is not None and region.status == "picture":
        ElementTree.SubElement(space, "Illustration", attributes)
        return
    element_of_block = ElementTree.SubElement(space, "TextBlock", attributes)
    for count, line in enumerate(block, start=1):
        own = f"{number}_{count}"
        attributes = {"ID": f"line_{own}"} | _position(line.box)
        if line.box:
            attributes["BASELINE"] = _points(baseline_of(line))
        element = ElementTree.SubElement(element_of_block, "TextLine", attributes)
        if line.box:
            shape = ElementTree.SubElement(element, "Shape")
            ElementTree.SubElement(shape, "Polygon", {"POINTS": _points(polygon_of(line.box))})
        for at, word in enumerate(line.words, start=1):
            if at > 1 and not word.is_joined:
                ElementTree.SubElement(element, "SP")
            attributes = {"ID": f"word_{own}_{at}"} | _position(word.box)
            attributes |= {"CONTENT": xml_text(word.text), "WC": f"{word.prob:.4f}"}
            if word.is_corrected:
                attributes["CS"] = "true"
            ElementTree.SubElement(element, "String", attributes)


def _add_tags(root: ElementTree.Element, pages: Sequence[tuple[OcrResult, PageLayout]]) -> None:
    """The kinds of regions that the pages have."""
    labels = {region.label: region for result, _ in pages for region in result.regions}
    if labels:
        tags = ElementTree.SubElement(root, "Tags")
        for label, region in sorted(labels.items()):
            tag = {"ID": _tag_of(region), "TYPE": "region", "LABEL": xml_text(label)}
            ElementTree.SubElement(tags, "LayoutTag", tag)


def _tag_of(region: Region) -> str:
    return "region_" + re.sub(r"\W", "_", region.label)


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)


def _position(box: Box | None) -> dict[str, str]:
    if box is None:
        return {}
    return {
        "HPOS": f"{box.left:.1f}",
        "VPOS": f"{box.top:.1f}",
        "WIDTH": f"{box.right - box.left:.1f}",
        "HEIGHT": f"{box.bottom - box.top:.1f}",
    }
