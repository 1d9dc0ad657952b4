"""A person corrects labels in JupyterLab, by keys."""

import pytest
from lab import ROOT, OpenNotebook, jupyterlab, project_with, wait_for

from glmocr_utils.labels import LabelStore
from glmocr_utils.render import render_document, write_imagefolder


@pytest.fixture
def project(tmp_path, bundled_folder):
    """A project with notebook 04 on the two pages of the decision, which have a text layer."""
    parameters = {"input_path": "pages", "max_scored": 0, "reviewer": "ada"}
    folder = tmp_path / "project"
    project_with(folder, "04_labels", model_id=str(bundled_folder), **parameters)
    write_imagefolder(render_document(ROOT / "data/samples/decision.pdf"), folder / "pages")
    return folder


def test_a_person_corrects_a_label_by_keys(browser, project):
    with jupyterlab(project) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        notebook = OpenNotebook(
            page,
            address,
            project,
            "04_labels",
            widget=".glmocr-editor[aria-busy=false]",
            widget_cell="show_editor(editing, edit)",
        )
        notebook.run_all()
        notebook.run_widget_cell()
        editor = page.locator(".glmocr-editor")
        area = editor.locator("textarea")
        cells = page.locator(".jp-Notebook-cell").count()
        assert "Page 1 of 2" in editor.inner_text()
        before = area.input_value()

        page.keyboard.press("Control+Home")
        page.keyboard.type("dd aa Größe 北京\n")  # letters that delete and insert cells outside
        assert area.input_value() == f"dd aa Größe 北京\n{before}"
        editor.locator("img").wait_for()
        notebook.screenshot("editor_1_typing")
        page.keyboard.press("Escape")
        assert area.input_value() == before
        page.keyboard.press("Control+Home")
        page.keyboard.type("§ ")
        page.keyboard.press("Control+Enter")
        wait_for(lambda: "Page 2 of 2" in editor.inner_text())
        notebook.screenshot("editor_2_next_page")

        labels = LabelStore(notebook.outputs).labels()
        [written] = [label for label in labels if label.source != "text_layer"]
        assert (len(labels), written.source) == (3, "hand")
        assert (written.status, written.reviewer) == ("gold", "ada")
        assert written.text == f"§ {before}"
        assert page.locator(".jp-Notebook-cell").count() == cells
        assert "widgets" not in notebook.saved().metadata
        page.close()
