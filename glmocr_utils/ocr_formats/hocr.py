"""hOCR: HTML whose elements say which part of the page they are (Breuel, hOCR 1.2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from glmocr_utils.ocr_formats.placed_text import PlacedBlock, placed_blocks, xml_text
from glmocr_utils.records import Box, OcrResult, PageLayout, PageRef, around

XHTML = "http://www.w3.org/1999/xhtml"
CAPABILITIES = (
    "ocr_page ocr_carea ocr_table ocr_photo ocr_header ocr_footer ocr_par ocr_line ocrx_word "
    "ocrp_wconf"
)
# by the layout model's name; what is not here is an area of text
CLASSES = {"table": "ocr_table", "header": "ocr_header", "footer": "ocr_footer"}
DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)


def hocr(
    pages: Sequence[tuple[OcrResult, PageLayout]], texts: Mapping[PageRef, str] | None = None
) -> str:
    """A document as hOCR; `x_wconf` is the lowest probability of a word's tokens, in percent.

    An `ocr_line` is a printed line. A word or line whose box is unclear has no `bbox`. A corrected
    word has an `x_wconf` of 100.

    Args:
        texts: of pages that a person corrected.
    """
    name = Path(pages[0][0].page.document_path).name
    html = ElementTree.Element("html", {"xmlns": XHTML, "lang": "en"})
    head = ElementTree.SubElement(html, "head")
    ElementTree.SubElement(head, "title").text = xml_text(name)
    for key, content in (
        ("ocr-system", f"glmocr_utils, {pages[0][0].model_id}"),
        ("ocr-capabilities", CAPABILITIES),
        ("ocr-number-of-pages", str(len(pages))),
    ):
        ElementTree.SubElement(head, "meta", {"name": key, "content": xml_text(content)})
    body = ElementTree.SubElement(html, "body")
    for number, (result, layout) in enumerate(pages, start=1):
        title = f"bbox 0 0 {layout.width_px} {layout.height_px}; ppageno {result.page.page_index}"
        page = _element(body, "div", "ocr_page", f"page_{number}", title)
        blocks = placed_blocks(result, layout, (texts or {}).get(result.page))
        for count, block in enumerate(blocks, start=1):
            _add_block(page, block, f"{number}_{count}")
    return DOCTYPE + ElementTree.tostring(html, encoding="unicode")


def _add_block(page: ElementTree.Element, block: PlacedBlock, number: str) -> None:
    """The area of a block; of a region, `x_region` says what kind it is."""
    region = block.region
    title = _bbox(block.box)
    if region is None:
        area = _element(page, "div", "ocr_carea", f"block_{number}", title)
    else:
        kind = "ocr_photo" if region.status == "picture" else CLASSES.get(region.label, "ocr_carea")
        title = f"{title}; x_region {xml_text(region.label)}"
        area = _element(page, "div", kind, f"block_{number}", title)
    if not block.lines:
        return
    around_lines = around(line.box for line in block if line.box)
    paragraph = _element(area, "p", "ocr_par", f"par_{number}", _bbox(around_lines))
    for count, line in enumerate(block, start=1):
        own = f"{number}_{count}"
        element = _element(paragraph, "span", "ocr_line", f"line_{own}", _bbox(line.box))
        element.tail = "\n"
        spaces = ["" if word.is_joined else " " for word in line.words[1:]] + [" "]
        for at, (word, space) in enumerate(zip(line.words, spaces, strict=True), start=1):
            title = "; ".join(filter(None, [_bbox(word.box), f"x_wconf {100 * word.prob:.0f}"]))
            span = _element(element, "span", "ocrx_word", f"word_{own}_{at}", title)
            span.text, span.tail = xml_text(word.text), space


def _element(
    parent: ElementTree.Element, tag: str, kind: str, own_id: str, title: str
) -> ElementTree.Element:
    attributes = {"class": kind, "id": own_id} | ({"title": title} if title else {})
    return ElementTree.SubElement(parent, tag, attributes)


def _bbox(box: Box | None) -> str:
    if box is None:
        return ""
    return f"bbox {box.left:.0f} {box.top:.0f} {box.right:.0f} {box.bottom:.0f}"
