"""The documentation as a site: notebooks become pages with their outputs, and links still lead."""

import base64
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from paths import ROOT

from workshop import site

PIXEL = base64.b64encode(b"a picture").decode()


def run_with(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    prose = new_markdown_cell("## 1 Look\n\nNext: [02](02_ocr_explore.ipynb#top)", id="prose")
    code = new_code_cell("look()", id="code", execution_count=1, outputs=list(outputs))
    return new_notebook(cells=[prose, code])


def page_of(run: nbformat.NotebookNode, folder: Path) -> str:
    return site.notebook_page(run, run, folder)


def test_a_page_has_prose_code_and_links_to_pages(tmp_path: Path) -> None:
    page = page_of(run_with(), tmp_path)
    assert "[02](02_ocr_explore.md#top)" in page
    assert "```python\nlook()\n```" in page


def test_html_is_shown_as_it_is_and_tables_are_not_the_themes(tmp_path: Path) -> None:
    shown = new_output("display_data", {"text/html": "<table><td>1</td></table>", "text/plain": ""})
    page = page_of(run_with(shown), tmp_path)
    assert '<div class="cell-output"><table class="cell-table"><td>1</td></table></div>' in page


def test_pictures_become_files_beside_the_page_named_by_their_section(tmp_path: Path) -> None:
    shown = new_output("display_data", {"image/png": PIXEL})
    page = page_of(run_with(shown, shown), tmp_path / "files")
    assert '<img class="cell-output" alt="1 Look" src="files/2.png">' in page
    assert (tmp_path / "files/1.png").read_bytes() == b"a picture"


def test_of_a_progress_line_the_last_state_is_shown_with_its_colours(tmp_path: Path) -> None:
    printed = new_output("stream", name="stdout", text="\r1 of 2\r2 of 2\n\x1b[31m<red>\x1b[0m")
    page = page_of(run_with(printed), tmp_path)
    assert "1 of 2" not in page
    assert "2 of 2\n" in page
    assert '<span class="ansi-red-fg">&lt;red&gt;</span>' in page


def test_widgets_are_left_out(tmp_path: Path) -> None:
    bar = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a bar"}
    assert "a bar" not in page_of(run_with(new_output("display_data", bar)), tmp_path)


def test_a_run_counts_only_for_the_code_that_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "ROOT", tmp_path)
    (tmp_path / "outputs/demo").mkdir(parents=True)
    run = run_with(new_output("stream", name="stdout", text="seen"))
    nbformat.write(run, tmp_path / "outputs/demo/01.ipynb")
    committed = run_with()
    assert site.run_of(committed, "02.ipynb") is None
    assert site.run_of(committed, "01.ipynb").cells[1].outputs[0].text == "seen"
    committed.cells[0].source = "## 1 Other prose"
    page = site.notebook_page(committed, site.run_of(committed, "01.ipynb"), tmp_path)
    assert "Other prose" in page
    assert "seen" in page
    committed.cells[1].source = "look_again()"
    assert site.run_of(committed, "01.ipynb") is None
    assert "make demo-full" in site.notebook_page(committed, None, tmp_path)


def test_a_notebook_that_ran_in_part_has_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "ROOT", tmp_path)
    run = run_with()
    run.cells.append(new_code_cell("look_further()", id="further"))
    for folder in site.RUNS:
        (tmp_path / folder).mkdir(parents=True)
        nbformat.write(run, tmp_path / folder / "01.ipynb")
    assert site.run_of(run, "01.ipynb") is None
    run.cells[-1].execution_count = 2
    nbformat.write(run, tmp_path / site.RUNS[-1] / "01.ipynb")
    assert site.run_of(run, "01.ipynb") is not None


def test_the_menu_has_every_page() -> None:
    entries = [yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]]
    named = set()
    while entries:
        entry = entries.pop()
        if isinstance(entry, str):
            named.add(entry)
        else:
            entries += list(entry.values() if isinstance(entry, dict) else entry)
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    pages |= {f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert pages <= named


@pytest.mark.slow
@pytest.mark.skipif(find_spec("material") is None, reason="needs mkdocs-material: the extra docs")
def test_the_site_is_built_and_no_link_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "outputs/site/source"
    site.copy_pages(source)
    site.copy_notebooks(source)
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    home = (tmp_path / "outputs/site/html/index.html").read_text(encoding="utf-8")
    assert 'href="notebooks/01_render.html"' in home
