"""Running notebooks from a script: strict parameters, a place for results."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from glmocr_utils.finetune import option_names
from glmocr_utils.notebook_run import (
    demo,
    notebook_parameters,
    project_root,
    record_results,
    run_demo,
    run_notebook,
)
from glmocr_utils.notebook_run.errors import error_html, is_own


@pytest.fixture
def notebook(tmp_path):
    """A notebook whose only work is to write down its parameter."""
    parameters = new_code_cell("pages = 3  # a comment with x = 1 in it\nname = None")
    parameters.metadata["tags"] = ["parameters"]
    work = new_code_cell("if pages < 0:\n    raise ValueError('no')\nprint(pages, name)")
    path = tmp_path / "small.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=[parameters, work], metadata=kernel), path)
    return path


def test_parameters_are_the_literals_of_the_tagged_cell(notebook):
    assert notebook_parameters(notebook) == {"pages": 3, "name": None}


def test_a_run_takes_parameters_and_keeps_outputs(notebook, tmp_path):
    output = run_notebook(notebook, tmp_path / "new/out.ipynb", {"pages": 5})
    printed = [
        out["text"] for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", [])
    ]
    assert printed == ["5 None\n"]


def test_an_unknown_parameter_is_an_error_before_anything_runs(notebook, tmp_path):
    with pytest.raises(ValueError, match=r"no parameter page; it has pages, name"):
        run_notebook(notebook, tmp_path / "out.ipynb", {"page": 5})
    assert not (tmp_path / "out.ipynb").exists()


def test_a_failing_cell_raises_and_leaves_the_notebook(notebook, tmp_path):
    with pytest.raises(PapermillExecutionError, match="ValueError"):
        run_notebook(notebook, tmp_path / "out.ipynb", {"pages": -1})
    assert (tmp_path / "out.ipynb").is_file()


def test_project_root_is_found_from_below_and_else_it_is_where_one_is(tmp_path):
    root = Path(__file__).parents[2]
    assert project_root(root / "notebooks/figures") == root
    assert project_root(tmp_path) == tmp_path.resolve()


def test_results_are_json_that_appears_whole(tmp_path):
    path = record_results(tmp_path / "new", pages=2, text="größer")
    assert json.loads(path.read_text(encoding="utf-8")) == {"pages": 2, "text": "größer"}
    with pytest.raises(TypeError):
        record_results(tmp_path / "new", pages=object())
    assert json.loads(path.read_text(encoding="utf-8"))["pages"] == 2


@pytest.fixture
def small_demo(notebook, tmp_path, monkeypatch):
    """The folder of a project whose demo runs one notebook."""
    (tmp_path / "notebooks/figures").mkdir(parents=True)
    (tmp_path / "notebooks/figures/01.png").write_bytes(b"png")
    (tmp_path / "glmocr_utils").mkdir()
    with_folder = notebook.read_text().replace("name = None", r"name = None\noutput_dir = None")
    (tmp_path / "notebooks/01.ipynb").write_text(with_folder)
    (tmp_path / "data/samples").mkdir(parents=True)
    for name in demo.FEW_DOCUMENTS:
        (tmp_path / "data/samples" / name).touch()
    for model in (demo.BUNDLED_MODEL, demo.BUNDLED_LAYOUT):
        (tmp_path / model).mkdir(parents=True)
        (tmp_path / model / "model.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # so that it is restored
    monkeypatch.setattr(demo, "DEMO", (("01", {"output_dir": "demo/01"}),))

    def run_and_write(notebook, output, parameters):
        run_notebook(notebook, output, parameters)
        Path(parameters["output_dir"]).mkdir(parents=True, exist_ok=True)
        for name in (".lock", "results.json"):
            Path(parameters["output_dir"], name).touch()

    monkeypatch.setattr(demo, "run_notebook", run_and_write)
    return tmp_path


def test_the_demo_puts_the_notebooks_pictures_where_their_links_point(small_demo, tmp_path, capsys):
    assert run_demo() == 0
    assert (tmp_path / "demo/figures/01.png").read_bytes() == b"png"
    printed = capsys.readouterr().out
    assert printed.index("1. 01") < printed.index("── 01 (1 of 1)")  # the plan comes first
    assert "Open demo/index.html" in printed
    page = (tmp_path / "demo/index.html").read_text(encoding="utf-8")
    links = re.findall('href="([^"]*)"', page)
    assert links == ["01.ipynb", "01/results.json"]
    assert all((tmp_path / "demo" / link).is_file() for link in links)


def test_the_same_demo_resumes_and_one_of_another_model_is_put_aside(small_demo, capsys):
    assert run_demo() == 0
    Path("demo/01/review.jsonl").touch()
    assert run_demo() == 0
    assert Path("demo/01/review.jsonl").exists()
    assert "demo_before" not in capsys.readouterr().out
    Path(demo.BUNDLED_MODEL, "model.safetensors").write_bytes(b"other weights")
    assert run_demo() == 0
    assert Path("demo_before_1/01/review.jsonl").exists()
    assert not Path("demo/01/review.jsonl").exists()
    assert "demo_before_1" in capsys.readouterr().out


@pytest.mark.parametrize("steps", [demo.DEMO, demo.FULL_DEMO], ids=["demo", "demo-full"])
def test_the_demo_says_what_each_of_its_steps_does(steps):
    folders = ["/".join(Path(parameters["output_dir"]).parts[-2:]) for _, parameters in steps]
    assert [folder for folder in folders if folder not in demo.STEPS_TOLD] == []


def test_the_full_demo_runs_every_notebook_with_the_bundled_model():
    root = Path(__file__).parents[2]
    names = {path.stem for path in (root / "notebooks").glob("*.ipynb")}
    assert {name for name, _ in demo.FULL_DEMO} == names
    for name, given in (*demo.FULL_DEMO, *demo.DEMO):
        known = notebook_parameters(root / f"notebooks/{name}.ipynb")
        assert given.keys() - known.keys() <= (option_names() if "finetune" in name else set())
        assert given.get("model_id", demo.BUNDLED_MODEL) == demo.BUNDLED_MODEL


@pytest.mark.parametrize("steps", [demo.DEMO, demo.FULL_DEMO])
def test_every_link_of_what_a_demo_made_leads_somewhere(steps, tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    folder = Path(steps[0][1]["output_dir"]).parent
    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    for link in ("glmocr_utils", "data"):
        (tmp_path / link).symlink_to(root / link)
    monkeypatch.chdir(tmp_path)

    def not_run(notebook, output, parameters):
        Path(parameters["output_dir"]).mkdir(parents=True, exist_ok=True)
        shutil.copy(notebook, output)

    monkeypatch.setattr(demo, "run_notebook", not_run)
    monkeypatch.setattr(demo, "project_root", lambda: tmp_path)
    assert run_demo(full=steps is demo.FULL_DEMO) == 0
    for notebook in (tmp_path / folder).glob("*.ipynb"):
        sources = "".join(cell.source for cell in nbformat.read(notebook, 4).cells)
        for target in re.findall(r"\]\(([\w/.]+\.(?:ipynb|png))\)", sources):
            assert (tmp_path / folder / target).exists(), f"{notebook.name}: {target}"


def test_what_was_run_is_trusted(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    output = run_notebook(notebook, tmp_path / "out.ipynb")
    notary = NotebookNotary()
    assert notary.check_signature(nbformat.read(output, 4))
    assert not notary.check_signature(nbformat.read(notebook, 4))


class TestErrors:
    def test_an_error_of_the_package_is_a_box_with_its_message(self, tmp_path):
        nbformat.write(new_notebook(), tmp_path / "empty.ipynb")
        with pytest.raises(ValueError) as caught:
            notebook_parameters(tmp_path / "empty.ipynb")
        assert is_own(caught.value)
        box = error_html(caught.value)
        message, details = box.split("<details>")
        assert "has no cell with the tag" in message and "Traceback" not in message
        assert "Traceback" in details and "notebook_parameters" in details

    def test_other_errors_keep_their_traceback(self):
        with pytest.raises(TypeError) as caught:
            record_results("somewhere", pages=object())
        assert not is_own(caught.value)
        with pytest.raises(ZeroDivisionError) as caught:
            1 / 0  # noqa: B018
        assert not is_own(caught.value)

    def test_a_message_runs_nothing(self):
        assert "<script>" not in error_html(ValueError("<script>alert(1)</script>"))
