"""The project's own errors in a notebook: one box with the message, the rest on request.

An error that the package raises says what happened and what to set; two hundred lines of traceback
around it hide that.
"""

import html
import linecache
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from glmocr_utils.notebook_host import is_kernel_of_a_person

PACKAGE = Path(__file__).parents[1]
BOX = (
    "border-left:4px solid #c0392b;padding:.6em 1em;margin:.3em 0;"
    "background:rgba(192,57,43,.08);font-family:system-ui,sans-serif"
)


def show_errors_in_a_box() -> None:
    """From now on, in a notebook that a person uses; papermill keeps the traceback."""
    if not is_kernel_of_a_person():
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((Exception,), _show)


def is_own(error: BaseException) -> bool:
    """Whether the package raised it on purpose, so that its message says what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    if last is None or not Path(last.filename).is_relative_to(PACKAGE):
        return False
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    return line.startswith("raise ")


def error_html(error: BaseException) -> str:
    """The message in a box; the traceback opens below it."""
    lines = "".join(traceback.format_exception(error))
    message = html.escape(str(error)).replace("\n", "<br>")
    return (
        f'<div style="{BOX}"><b>{message}</b><details><summary>Where it happened '
        f"({type(error).__name__})</summary><pre>{html.escape(lines)}</pre></details></div>"
    )


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str] | None:
    if not is_own(error):
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return None
    from IPython.display import HTML, display

    display(HTML(error_html(error)))
    return [f"{kind.__name__}: {error}"]
