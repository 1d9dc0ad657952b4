"""JupyterLab in a browser: a server on a folder like a clone, and one notebook open in it.

With GLMOCR_SCREENSHOTS=folder the tests leave pictures there.
"""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from paths import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def playwright_api():
    if "CI" in os.environ:  # where nothing is skipped
        return importlib.import_module("playwright.sync_api")
    return pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def screenshots() -> Path | None:
    folder = os.environ.get("GLMOCR_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else None


def project_with(folder: Path, name: str, **parameters: object) -> Path:
    """A folder that looks like a clone, with one notebook, set to these parameters."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "glmocr_utils").symlink_to(ROOT / "glmocr_utils")
    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    [cell] = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    nbformat.write(notebook, folder / f"notebooks/{name}.ipynb")
    return folder


@contextmanager
def jupyterlab(folder: Path):
    """A server on a project folder; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["--no-browser", f"--port={port}", "--IdentityProvider.token=", "--allow-root"]
    settings += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class="
                 "jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyter", "lab", *settings]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1)
                break
            except OSError:
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.25)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing happened within 10 s")


class OpenNotebook:
    """A notebook in an open JupyterLab page.

    Args:
        widget: a CSS selector that matches the notebook's widget once it is ready for keys.
        widget_cell: words in the cell that shows it.
    """

    def __init__(
        self, page, address: str, folder: Path, name: str, widget: str, widget_cell: str
    ) -> None:
        self.page = page
        self.folder = folder
        self.name = name
        self.widget = widget
        self.widget_cell = widget_cell
        page.set_default_timeout(90_000)
        page.goto(f"{address}/lab/tree/notebooks/{name}.ipynb")

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs" / self.name

    def run_all(self) -> None:
        # the notebook's own indicator is idle before there is a kernel, and cells run then are lost
        self.page.get_by_text("(ipykernel) | Idle").wait_for()
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        self.page.wait_for_selector(self.widget)

    def run_widget_cell(self) -> float:
        """Run the widget's cell by keys; returns the milliseconds until a key can be pressed."""
        self._leave_widget()
        self.page.evaluate(
            """(widget) => {
                const before = document.querySelector(widget);
                window.opened = null;
                document.addEventListener("keydown", (event) => {
                    if (event.key !== "Enter" || window.opened !== null) return;
                    const start = performance.now();
                    new MutationObserver((_, observer) => {
                        const root = document.querySelector(widget);
                        if (!root || root === before) return;
                        if (!root.contains(document.activeElement)) return;
                        window.opened = performance.now() - start;
                        observer.disconnect();
                    }).observe(document.body, { subtree: true, childList: true, attributes: true });
                }, true);
            }""",
            self.widget,
        )
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function("window.opened !== null")
        return self.page.evaluate("window.opened")

    def saved(self) -> nbformat.NotebookNode:
        """The notebook's file after Ctrl+S, with outputs."""
        self._leave_widget()
        self.page.keyboard.press("Control+s")
        read: list[nbformat.NotebookNode] = []

        def is_saved() -> bool:
            try:
                read[:] = [nbformat.read(self.folder / f"notebooks/{self.name}.ipynb", 4)]
            except nbformat.reader.NotJSONError:  # JupyterLab is writing it
                return False
            return any(cell.get("outputs") for cell in read[0].cells)

        wait_for(is_saved)
        return read[0]

    def _leave_widget(self) -> None:
        """Give the keys to the notebook, with the widget's cell selected."""
        cell = self.page.locator(".jp-CodeCell", has_text=self.widget_cell)
        cell.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Escape")

    def screenshot(self, name: str) -> None:
        if folder := screenshots():
            self.page.screenshot(path=folder / f"{name}.png")


# Shows a widget's script in a page of its own; messages from and to its kernel are carried by hand.
WIDGET_ALONE = """async ([source, style]) => {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  document.head.append(sheet);
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const listeners = [];
  window.sent = [];
  window.answer = (message, buffers) => {
    const views = buffers.map((bytes) => new DataView(new Uint8Array(bytes).buffer));
    listeners.forEach((listener) => listener(message, views));
  };
  widget.render({ el: document.body, model: {
    send: (message) => {
      if (window.isDead) throw new Error("Kernel is dead");
      window.sent.push(message);
    },
    widget_manager: { kernel: { statusChanged: {
      connect: (listener) => { window.kernelSays = listener; },
      disconnect: () => {},
    } } },
    on: (event, listener) => { if (event === "msg:custom") listeners.push(listener); },
    off: () => {},
  } });
}"""


class WidgetAlone:
    """A widget in a browser page, with its kernel's side; messages are carried by hand.

    Args:
        page: of the browser.
        widget: the kernel's side.
    """

    def __init__(self, page, widget) -> None:
        self.page = page
        self.widget = widget
        page.set_default_timeout(20_000)
        widget.send = self._answer
        page.set_content("<body></body>")
        page.evaluate(WIDGET_ALONE, [str(widget._esm), str(widget._css)])
        self.carry()

    def _answer(self, message: dict, buffers: list | None = None) -> None:
        self.page.evaluate(
            "([message, buffers]) => window.answer(message, buffers)",
            [message, [list(buffer) for buffer in buffers or []]],
        )

    def carry(self) -> None:
        """Give the kernel what the browser sent, until there is no more."""
        while messages := self.page.evaluate("() => window.sent.splice(0)"):
            for message in messages:
                self.widget._receive(self.widget, message, [])

    def press(self, *keys: str) -> None:
        """Press keys; each is carried to the kernel before the next."""
        for key in keys:
            self.page.keyboard.press(key)
            self.carry()

    def screenshot(self, name: str) -> None:
        if folder := screenshots():
            self.page.screenshot(path=folder / f"{name}.png")
