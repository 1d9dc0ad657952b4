"""`make docs`: the documentation as a site in outputs/site/html, with the notebooks as run.

The pages keep their places relative to each other, so links are the same on the site as in the
project; only notebooks become Markdown. Outputs come from `make demo` or `make demo-full`, from
cells whose code is still the same; without any current ones the demo runs first.
"""

import base64
import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbconvert.filters.ansi import ansi2html
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
SITE = ROOT / "outputs/site"
RUNS = ("outputs/demo_full", "outputs/demo")  # the first that has a notebook is shown
PAGES = ("*.md", "docs/*.md", "data/*/**/README.md", "LICENSE", "CITATION.cff")
NOTEBOOK_LINK = re.compile(r"(\]\([^)\s#]*)\.ipynb\b")
WIDE = "---\nhide: [toc]\n---"
NOT_RUN = "*Without results here: run `make demo-full`, then `make docs` shows them.*"


def copy_pages(target: Path) -> None:
    """Copy all pages and pictures; links to notebooks lead to their pages."""
    for pattern in PAGES:
        for path in ROOT.glob(pattern):
            copy = target / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            copy.write_text(_linked(text) if path.suffix == ".md" else text, encoding="utf-8")
    shutil.copytree(ROOT / "notebooks/figures", target / "notebooks/figures")
    shutil.copy(Path(__file__).with_suffix(".css"), target)


def run_of(notebook: NotebookNode, name: str) -> NotebookNode | None:
    """A notebook as the demo ran it, to its end.

    None if it has no such run, or if its code has changed since; comments and defaults of its
    parameters may differ.

    Args:
        notebook: as committed.
        name: its file name.
    """
    for folder in RUNS:
        path = ROOT / folder / name
        if path.exists():
            run = nbformat.read(path, as_version=4)
            # a notebook that the demo doesn't run, or is still running, has cells without a number
            ran = {cell.id: cell for cell in run.cells if cell.get("execution_count")}
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            compared = [cell for cell in code if "parameters" not in cell.metadata.get("tags", ())]
            if all(cell.id in ran and cell.source == ran[cell.id].source for cell in compared):
                return run
    return None


def notebook_page(notebook: NotebookNode, run: NotebookNode | None, folder: Path) -> str:
    """A notebook as Markdown: its own prose, the code and outputs of its run.

    Args:
        notebook: as committed.
        run: the same with outputs.
        folder: gets its pictures; the page is beside it.
    """
    own = {cell.id: cell.source for cell in notebook.cells}
    parts = [WIDE]
    section = ""
    for cell in (run or notebook).cells:
        text = own.get(cell.id, cell.source)  # papermill adds a cell with the run's parameters
        if cell.cell_type == "markdown":
            section = next(iter(re.findall(r"^#+ (.+)$", text, re.MULTILINE)), section)
            parts.append(_linked(text))
        else:
            parts.append(f"```python\n{text}\n```")
            parts += [_shown(output, section, folder) for output in cell.outputs]
        if len(parts) == 2 and run is None:
            parts.append(NOT_RUN)
    return "\n\n".join(filter(None, parts)) + "\n"


def _linked(text: str) -> str:
    return NOTEBOOK_LINK.sub(r"\1.md", text)


def _shown(output: NotebookNode, section: str, folder: Path) -> str:
    """An output as HTML, the richest form that needs no script."""
    if output.output_type == "stream":
        return _preformatted(output.text)
    data = output.get("data", {})
    if "text/html" in data:
        # the theme styles tables that have no class
        content = data["text/html"].replace("<table>", '<table class="cell-table">')
        return f'<div class="cell-output">{content}</div>'
    if "image/png" in data:
        folder.mkdir(parents=True, exist_ok=True)
        picture = folder / f"{len(list(folder.iterdir())) + 1}.png"
        picture.write_bytes(base64.b64decode(data["image/png"]))
        alt = html.escape(section, quote=True)
        return f'<img class="cell-output" alt="{alt}" src="{folder.name}/{picture.name}">'
    if any("widget" in kind for kind in data):  # a progress bar
        return ""
    return _preformatted(data.get("text/plain", ""))


def _preformatted(text: str) -> str:
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.strip("\n").split("\n")]
    shown = ansi2html("\n".join(lines))
    return f'<pre class="cell-output">{shown}</pre>' if any(lines) else ""


def copy_notebooks(target: Path) -> int:
    """Write the notebooks' pages. Returns how many have a run to show."""
    num_runs = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        run = run_of(notebook, path.name)
        num_runs += run is not None
        page = notebook_page(notebook, run, target / "notebooks" / f"{path.stem}_files")
        (target / "notebooks" / path.with_suffix(".md").name).write_text(page, encoding="utf-8")
    return num_runs


def main() -> int:
    source = SITE / "source"
    shutil.rmtree(SITE, ignore_errors=True)
    copy_pages(source)
    if not copy_notebooks(source):
        subprocess.run([sys.executable, "-m", "glmocr_utils", "demo"], cwd=ROOT, check=False)
        copy_notebooks(source)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=quiet, check=False)
    if built.returncode == 0:
        folder = f"{SITE.relative_to(ROOT)}/html"
        print(f"Open {folder}/index.html in a browser, or with its search:")
        print(f"python -m http.server --directory {folder}")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
