"""Page texts from hOCR, ALTO and PAGE XML: what other engines and transcribers write.

Lines are lines of the text, blocks have a blank line between them. A page with an untranscribed
line has no text: it isn't a reference, and is named.
"""

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from glmocr_utils.labels.sources.layout_xml import Line, alto_blocks, page_regions

PAGE_CLASSES = ("ocr_page",)
BLOCK_CLASSES = ("ocr_carea", "ocr_par", "ocr_column", "ocr_table")
LINE_CLASSES = ("ocr_line", "ocr_header", "ocr_footer", "ocr_caption", "ocr_textfloat", "ocrx_line")
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
PAGE_NUMBER = re.compile(r"\bppageno\s+(\d+)")

Block = list[Line]


def hocr_pages(path: Path) -> list[tuple[int, str]]:
    """(page_index, text) of each page; the index is that of `ppageno`, or counts."""
    parser = _Hocr()
    parser.feed(path.read_bytes().decode("utf-8-sig", "replace"))
    parser.close()
    return [
        (index if number is None else number, _text(blocks) or "")
        for index, (number, blocks) in enumerate(parser.pages)
    ]


def xml_pages(path: Path) -> Iterator[tuple[int, str | None]]:
    """(page_index, text) of each page of an ALTO or PAGE file; None for an incomplete text.

    Raises:
        ValueError: the file is neither.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f"{path} is not sound XML ({error})") from error
    kind = _name(root)
    if kind == "PcGts":
        yield 0, _text(page_regions(root))
    elif kind == "alto":
        pages = [element for element in root.iter() if _name(element) == "Page"]
        yield from ((index, _text(alto_blocks(page))) for index, page in enumerate(pages))
    else:
        raise ValueError(f"{path} is neither ALTO nor PAGE XML: its root is <{kind}>")


def is_layout_xml(path: Path) -> bool:
    """Whether a file begins like ALTO or PAGE XML."""
    head = path.open("rb").read(4096)
    return re.search(rb"<(?:\w+:)?(?:alto|PcGts)\b", head) is not None


def _text(blocks: Sequence[Block]) -> str | None:
    if any(line is None for block in blocks for line in block):
        return None
    return "\n\n".join("\n".join(filter(None, block)) for block in blocks if block)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


class _Hocr(HTMLParser):
    """Collects the lines of hOCR, block by block.

    Attributes:
        pages: (`ppageno` or None, blocks) of each page.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[tuple[int | None, list[Block]]] = []
        self._open: list[bool] = []  # for each open element, whether it is a line
        self._line: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        classes = (values.get("class") or "").split()
        if any(name in PAGE_CLASSES for name in classes):
            number = PAGE_NUMBER.search(values.get("title") or "")
            self.pages.append((int(number[1]) if number else None, []))
        elif self.pages and any(name in BLOCK_CLASSES for name in classes):
            self.pages[-1][1].append([])
        is_line = bool(self.pages) and any(name in LINE_CLASSES for name in classes)
        if is_line:
            self._line = []
        if tag not in VOID:
            self._open.append(is_line)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self._open:
            return
        if self._open.pop() and self._line is not None:
            blocks = self.pages[-1][1]
            if not blocks:
                blocks.append([])
            if text := " ".join("".join(self._line).split()):
                blocks[-1].append(text)
            self._line = None

    def handle_data(self, data: str) -> None:
        if self._line is not None:
            self._line.append(data)
