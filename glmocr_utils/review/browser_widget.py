"""The kernel's side of a widget: messages from the browser, answered by methods."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget

# What the scripts of all widgets begin with: messages to a kernel that may be gone.
KERNEL_LINK = Path(__file__).parent / "kernel_link.js"


class BrowserWidget(anywidget.AnyWidget):
    """A widget whose browser side sends `{"do": name, ...}`; the rest are a method's arguments.

    What cannot be done is answered with `{"show": "refused", "reason": ...}`: a full disk must not
    look like something saved.

    Args:
        doings: the methods by their names.
    """

    REFUSAL = "Not saved"

    def __init__(self, doings: Mapping[str, Callable[..., None]]) -> None:
        super().__init__()
        self._doings = dict(doings)
        self.on_msg(self._receive)

    def _receive(self, _widget: object, message: dict, _buffers: list) -> None:
        self.receive(message)

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a message of the browser asks for."""
        arguments = dict(message)
        doing = self._doings.get(arguments.pop("do", None))
        if doing is None:
            return
        try:
            doing(**arguments)
        except (OSError, ValueError) as error:
            self.send({"show": "refused", "reason": f"{self.REFUSAL}: {error}"})
