"""Labels edited by hand: a page image beside a text area.

As in the review, all state is the label set's. Nothing of it is kept in the widget's traits, so a
saved notebook holds neither texts nor images; the browser asks for what it shows.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from IPython.display import HTML

from glmocr_utils.display import labelled_page_html, show
from glmocr_utils.labels import LabelStore, PageFile
from glmocr_utils.labels.exports import METADATA
from glmocr_utils.labels.pages import UNNAMED, make_label
from glmocr_utils.notebook_host import allow_widgets
from glmocr_utils.records import Label, PageImage
from glmocr_utils.render import decode_image
from glmocr_utils.review.attended import is_attended
from glmocr_utils.review.browser_widget import KERNEL_LINK, BrowserWidget
from glmocr_utils.review.widget import ReviewWidget

HERE = Path(__file__).parent
SOURCE = "hand"
DATASET = "dataset"  # where notebook 04 exports the labels, below the label set's folder
MAX_IMAGE_WIDTH_PX = 2000  # enough to read small print when zoomed in


class LabelEditing:
    """Pages whose labels a person writes, without a screen.

    Args:
        store: gets a gold label for each page that is saved, and keeps all others.
        pages: in the order in which they are to be done.
        reviewer: who edits.
    """

    def __init__(self, store: LabelStore, pages: Sequence[PageFile], reviewer: str = "") -> None:
        if not pages:
            raise ValueError("there is no page to edit; give page images of notebook 01")
        self.store = store
        self.pages = list(pages)
        self.reviewer = reviewer or UNNAMED
        self.saved_at: datetime | None = None
        # page, the label that counted before, and the one that was saved, if it was a save
        self._undoable: list[tuple[int, Label | None, Label | None]] = []
        self._changed_at: dict[int, float] = {}  # by page, in seconds since 1970

    def label(self, number: int) -> Label | None:
        """The label of page `number` that counts."""
        return self.store.current(self.pages[number].key)

    def image(self, number: int) -> PageImage:
        """The image of page `number`, turned as its text was read.

        Raises:
            OSError: it cannot be read.
        """
        page, label = self.pages[number], self.label(number)
        upright = PageImage(page.page, decode_image(page.image_file), scale=1.0)
        return upright.turned(label.angle if label else 0)

    def save(self, number: int, text: str) -> Label:
        """The page says `text`: a gold label, on the disk when this returns."""
        before = self.label(number)
        label = make_label(
            self.pages[number],
            text,
            "gold",
            SOURCE,
            reviewer=self.reviewer,
            model_id=before.model_id if before else None,
            angle=self.pages[number].angle + (before.angle if before else 0),
        )
        self.store.add(label)
        self.saved_at = datetime.now()
        self._undoable.append((number, before, label))
        self._note_change(number)
        return label

    def undo(self) -> int | None:
        """Take back the last save or rejection of this session: the label before it counts again.

        Returns:
            The page's number, or None when there is nothing left to take back.
        """
        if not self._undoable:
            return None
        number, before, saved = self._undoable.pop()
        key = self.pages[number].key
        if saved is not None:
            self.store.reject(saved, self.reviewer)
        if before is not None and self.store.current(key) != before:
            # a rejection took it away, too, if it has the same text
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.store.add(replace(before, time=now))
        self.saved_at = datetime.now()
        self._note_change(number)
        return number

    def num_newer(self) -> int:
        """Pages whose label changed here since the data set was last exported."""
        exported = self._exported_at()
        return sum(when > exported for when in self._changed_at.values())

    def reject(self, number: int) -> bool:
        """The label that counts is wrong; False when there is none. What it hid counts again."""
        label = self.label(number)
        if label is None:
            return False
        self.store.reject(label, self.reviewer)
        self.saved_at = datetime.now()
        self._undoable.append((number, label, None))
        self._note_change(number)
        return True

    def _note_change(self, number: int) -> None:
        self._changed_at[number] = time.time()

    def _exported_at(self) -> float:
        """When the data set was written, in seconds since 1970; infinite where it never was."""
        path = self.store.directory / DATASET / METADATA
        return path.stat().st_mtime if path.exists() else math.inf

    def num_gold(self) -> int:
        """Pages whose label is gold."""
        labels = map(self.label, range(len(self.pages)))
        return sum(label is not None and label.status == "gold" for label in labels)

    def __str__(self) -> str:
        return f"{self.num_gold()} of {len(self.pages)} pages have a gold label"


def show_editor(editing: LabelEditing, edit: bool | str = "auto") -> "LabelEditor | HTML":
    """The widget if a user can use it; otherwise the first page. Never blocks.

    Args:
        edit: as in `is_attended`.
    """
    if is_attended(edit):
        allow_widgets()
        return LabelEditor(editing)
    return show(labelled_page_html(editing.image(0), editing.label(0)))


class LabelEditor(BrowserWidget):
    """`editing` for JupyterLab, Notebook and VS Code.

    Messages from the browser are `{"do": name, "number": page, ...}`; answers are `{"show": "page"
    | "image" | "refused", ...}`.
    """

    _esm = KERNEL_LINK.read_text("utf-8") + (HERE / "label_editor.js").read_text("utf-8")
    REFUSAL = "Not done"
    # the frame, the buttons and the colours are the review's
    _css = ReviewWidget._css + (HERE / "label_editor.css").read_text("utf-8")

    def __init__(self, editing: LabelEditing) -> None:
        super().__init__(
            {
                "open": self._open,
                "image": self._send_image,
                "save": self._save,
                "undo": self._undo,
                "reject": self._reject,
            }
        )
        self.editing = editing

    def _open(self, number: int) -> None:
        """Show a page; beyond the last one, and before the first, is that one."""
        self._show(min(max(number, 0), len(self.editing.pages) - 1))

    def _save(self, number: int, text: str) -> None:
        self.editing.save(number, text)
        self._show(min(number + 1, len(self.editing.pages) - 1), saved=number)

    def _undo(self, number: int) -> None:
        undone = self.editing.undo()
        self._show(number if undone is None else undone, saved=undone)

    def _reject(self, number: int) -> None:
        self.editing.reject(number)
        self._show(number, saved=number)

    def _send_image(self, number: int) -> None:
        data = self.editing.image(number).jpeg(MAX_IMAGE_WIDTH_PX, quality=85)
        self.send({"show": "image", "number": number}, buffers=[data])

    def _show(self, number: int, saved: int | None = None) -> None:
        """Show a page; `saved` is one whose unsaved text the browser can forget."""
        editing, page, label = self.editing, self.editing.pages[number], self.editing.label(number)
        self.send(
            {
                "show": "page",
                "number": number,
                "num_pages": len(editing.pages),
                "num_gold": editing.num_gold(),
                "num_newer": editing.num_newer(),
                "name": page.page.document_name,
                "page_number": page.page.page_number,
                "text": label.text if label else "",
                "status": label.status if label else None,
                "source": label.source if label else None,
                "reviewer": label.reviewer if label else None,
                "saved": saved,
                "saved_at": editing.saved_at and editing.saved_at.strftime("%H:%M"),
            }
        )
