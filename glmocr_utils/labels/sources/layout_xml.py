"""Labels from transcriptions in PAGE XML or ALTO beside the images.

Transkribus, eScriptorium, OCR-D and the libraries' digitisation programs write them: a file for
each page, beside its image or in a folder `page` or `alto` there, with the name of the image.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.markup import unspaced_script
from glmocr_utils.records import Label, LabelStatus, PageFile

ROOTS = {"page": "PcGts", "alto": "alto"}
FOLDERS = {"page": ("page", "PAGE"), "alto": ("alto", "ALTO")}
SUFFIXES = (".xml", ".alto.xml", ".page.xml")

Line = str | None  # None is an untranscribed line


def label_from_page_xml(
    store: LabelStore,
    pages: Sequence[PageFile],
    *,
    status: LabelStatus = "gold",
    progress: bool = True,
) -> LabelRun:
    """Label pages with PAGE XML: lines in reading order, a blank line between regions.

    A page with a line without text is left out, since its label would lack that line.
    """
    return _label_from(store, pages, "page", page_regions, status, progress)


def label_from_alto(
    store: LabelStore,
    pages: Sequence[PageFile],
    *,
    status: LabelStatus = "gold",
    progress: bool = True,
) -> LabelRun:
    """Label pages with ALTO: lines in the order of the file, a blank line between blocks."""
    return _label_from(store, pages, "alto", alto_blocks, status, progress)


def _label_from(
    store: LabelStore,
    pages: Sequence[PageFile],
    source: str,
    read: Callable[[Element], list[list[Line]]],
    status: LabelStatus,
    progress: bool,
) -> LabelRun:
    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for page in missing:
            try:
                yield make_label(page, _text(page, source, read), status, source)
            except ValueError as why:
                yield LeftOut(page.page, str(page.image_file), source, str(why))

    return store.record(source, pages, label_pages, progress=progress)


def _text(page: PageFile, source: str, read: Callable[[Element], list[list[Line]]]) -> str:
    """Raises ValueError where there is no file, or one that does not give the whole page."""
    path, root = _transcription(page.image_file, source)
    blocks = read(root)
    lines = [line for block in blocks for line in block]
    empty = sum(not line for line in lines)
    if not lines:
        raise ValueError(f"{path.name} has no lines of text")
    if empty:
        raise ValueError(f"{path.name} has {empty} of {len(lines)} lines without text")
    return "\n\n".join("\n".join(filter(None, block)) for block in blocks if block)


def _transcription(image: Path, source: str) -> tuple[Path, Element]:
    folders = [image.parent, *(image.parent / name for name in FOLDERS[source])]
    names = [start + suffix for start in (image.stem, image.name) for suffix in SUFFIXES]
    for path in (folder / name for folder in folders for name in names):
        if not path.is_file():
            continue
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise ValueError(f"{path.name} is not sound XML ({error})") from error
        if _name(root) == ROOTS[source]:
            return path, root
    raise ValueError(
        f"there is no {image.stem}.xml in {'PAGE XML' if source == 'page' else 'ALTO'} beside the "
        f"image or in a folder {FOLDERS[source][0]} there"
    )


def alto_blocks(root: Element) -> list[list[Line]]:
    """The lines of each block of an ALTO file, in its order."""
    blocks = [element for element in root.iter() if _name(element) == "TextBlock"]
    return [[_alto_line(line) for line in block if _name(line) == "TextLine"] for block in blocks]


def _alto_line(line: Element) -> Line:
    """Words and what is between them; where a line has no `SP` at all, a space is."""
    parts = [part for part in line if _name(part) in ("String", "SP", "HYP")]
    has_spaces = any(_name(part) == "SP" for part in parts)
    text = ""
    for part in parts:
        content = part.get("CONTENT") or ""
        if _name(part) == "SP":
            text += " "
        elif _name(part) == "HYP":
            text += content.replace("\u00ad", "-") or "-"
        else:
            needs_space = text and not has_spaces and not unspaced_script(content[:1] or " ")
            text += " " + content if needs_space else content
    return text.strip() or None


def page_regions(root: Element) -> list[list[Line]]:
    """The lines of each text region of a PAGE file, in reading order as far as it gives one."""
    regions = [element for element in root.iter() if _name(element) == "TextRegion"]
    rank = {own_id: number for number, own_id in enumerate(_reading_order(root))}
    # what the order does not name follows what is before it in the file
    positions, last = [], -1
    for number, region in enumerate(regions):
        last = rank.get(region.get("id", ""), last)
        positions.append((last, number))
    ordered = [region for _, region in sorted(zip(positions, regions, strict=True), key=_first)]
    return [lines for lines in map(_lines_of_region, ordered) if lines]


def _first(pair: tuple[tuple[int, int], Element]) -> tuple[int, int]:
    return pair[0]


def _reading_order(root: Element) -> Iterator[str]:
    for order in (element for element in root.iter() if _name(element) == "ReadingOrder"):
        yield from _references(order)


def _references(group: Element) -> Iterator[str]:
    for child in sorted(group, key=lambda child: int(child.get("index") or 0)):
        if reference := child.get("regionRef"):
            yield reference
        yield from _references(child)


def _lines_of_region(region: Element) -> list[Line]:
    lines = [child for child in region if _name(child) == "TextLine"]
    if lines:
        return [_text_of(line) for line in lines]
    text = _equivalent(region)
    has_regions = any(_name(child) == "TextRegion" for child in region)
    return [] if has_regions or not text else [line for line in text.splitlines() if line.strip()]


def _text_of(line: Element) -> Line:
    text = _equivalent(line)
    if not text:
        words = [_equivalent(child) for child in line if _name(child) == "Word"]
        text = " ".join(filter(None, words))
    return " ".join(text.split()) or None


def _equivalent(element: Element) -> str:
    """Its text; of several, that with the lowest index."""
    found = [child for child in element if _name(child) == "TextEquiv"]
    if not found:
        return ""
    best = min(found, key=lambda child: int(child.get("index") or 0))
    return next((child.text or "" for child in best if _name(child) == "Unicode"), "")


def _name(element: Element) -> str:
    """Without its namespace; comments have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
