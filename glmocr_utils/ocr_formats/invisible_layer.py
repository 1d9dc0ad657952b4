"""The invisible text that an OCR program laid over a PDF's pages, taken out of them."""

from collections.abc import Iterable
from typing import Any

import pikepdf

INVISIBLE = 3  # text render mode
SHOWING = frozenset({"Tj", "TJ", "'", '"'})
MAX_DEPTH = 8  # of forms within forms


def remove_invisible_text(pdf: pikepdf.Pdf, page_indices: Iterable[int]) -> None:
    """Take text of render mode 3 out of pages and of the forms that they draw.

    A text object that shows other text, too, stays as it is, since its parts set each other's
    positions.
    """
    seen: set[tuple[int, int]] = set()
    for index in page_indices:
        page = pdf.pages[index]
        kept = _visible(page.obj)
        if kept is not None:
            page.obj.Contents = pdf.make_stream(pikepdf.unparse_content_stream(kept))
        _clean_forms(page.resources, seen, MAX_DEPTH)


def _clean_forms(resources: pikepdf.Object, seen: set[tuple[int, int]], depth: int) -> None:
    objects = resources.get("/XObject")
    if not isinstance(objects, pikepdf.Dictionary) or not depth:
        return
    for name in list(objects.keys()):
        form = objects[name]
        is_form = isinstance(form, pikepdf.Stream) and form.get("/Subtype") == "/Form"
        if not is_form or form.objgen in seen:
            continue
        seen.add(form.objgen)
        kept = _visible(form)
        if kept is not None:
            form.write(pikepdf.unparse_content_stream(kept))
        own = form.get("/Resources")
        if isinstance(own, pikepdf.Dictionary):
            _clean_forms(own, seen, depth - 1)


def _visible(drawn: pikepdf.Object) -> list[Any] | None:
    """The instructions without invisible text; None where there is none, or they are damaged."""
    try:
        instructions = list(pikepdf.parse_content_stream(drawn))
    except pikepdf.PdfError:
        return None
    kept: list[Any] = []
    start, modes = 0, set[int]()  # of the text object that is open, and in which it shows something
    mode, saved = 0, list[int]()
    is_changed = False
    for instruction in instructions:
        operator = str(instruction.operator)
        kept.append(instruction)
        if operator == "BT":
            start, modes = len(kept), set()
        elif operator in SHOWING:
            modes.add(mode)
        elif operator == "Tr":
            mode = _number(instruction.operands)
        elif operator == "q":
            saved.append(mode)
        elif operator == "Q":
            mode = saved.pop() if saved else 0
        elif operator == "ET" and modes == {INVISIBLE}:
            # what else it says, such as its font, counts for the next one, too
            kept[start:] = [each for each in kept[start:] if str(each.operator) not in SHOWING]
            is_changed = True
    return kept if is_changed else None


def _number(operands: Any) -> int:
    try:
        return int(operands[0])
    except (IndexError, TypeError, ValueError):
        return 0
