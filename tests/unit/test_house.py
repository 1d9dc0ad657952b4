"""The house rules: floors of the package, tidy notebooks, one list of dependencies."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.version import Version
from paths import ROOT

import glmocr_utils
from workshop import install_cell

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}


# The package


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import-linter is not installed")
def test_modules_import_only_from_floors_below_and_never_in_a_circle() -> None:
    script = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    linted = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_no_module_has_a_name_that_says_nothing() -> None:
    modules = (ROOT / "glmocr_utils").rglob("*.py")
    names = {part for path in modules for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not names & NAMES_THAT_SAY_NOTHING


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, glmocr_utils; "
        "print([name for name in ('torch', 'numpy', 'PIL') if name in sys.modules])"
    )
    imported = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert imported.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["01_render", "03_probs_viz", "04_labels", "07_evaluate"])
def test_importing_for_a_notebook_loads_no_model_library(name: str) -> None:
    cells = code_cells(nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4))
    heavy = ("torch", "transformers", "sklearn", "datasets")
    script = f"{cells[2].source}\nimport sys; print([n for n in {heavy} if n in sys.modules])"
    imported = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert imported.stdout.strip() == "[]"


@pytest.mark.parametrize("name", glmocr_utils.__all__)
def test_each_name_at_the_front_door_leads_to_its_room(name: str) -> None:
    value = getattr(glmocr_utils, name)
    assert value.__name__ == name
    assert value.__module__.startswith("glmocr_utils.")
    assert name in dir(glmocr_utils)


def test_the_rooms_are_behind_the_front_door() -> None:
    script = (
        "import glmocr_utils as glm; "
        "print(glm.options.OcrOptions.__name__, glm.metrics.cer.__name__, 'review' in dir(glm))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["OcrOptions", "cer", "True"]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="read_page"):
        glmocr_utils.read_page  # noqa: B018


# Notebooks


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def test_a_notebook_is_committed_without_what_running_it_leaves(
    notebook: nbformat.NotebookNode,
) -> None:
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.source
        assert cell.execution_count is None, cell.source
    assert "widgets" not in notebook.metadata
    assert "papermill" not in notebook.metadata


@pytest.mark.parametrize("tag", ["parameters", "results"])
def test_a_notebook_has_one_cell_for_parameters_and_one_for_results(
    notebook: nbformat.NotebookNode, tag: str
) -> None:
    tagged = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    assert [cell.cell_type for cell in tagged] == ["code"]


def story_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells without the one that installs."""
    return [
        cell for cell in notebook.cells if install_cell.TAG not in cell.metadata.get("tags", [])
    ]


def test_a_notebook_has_15_to_30_cells(notebook: nbformat.NotebookNode) -> None:
    assert 15 <= len(story_of(notebook)) <= 30


def test_a_notebook_imports_in_at_most_12_lines(notebook: nbformat.NotebookNode) -> None:
    _, _, cell = code_cells(notebook)[:3]  # after those that install and that take parameters
    imports = cell.source
    assert "from glmocr_utils" in imports
    assert len([line for line in imports.splitlines() if line.strip()]) <= 12


def test_a_notebook_has_at_most_150_lines_of_code(notebook: nbformat.NotebookNode) -> None:
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 150


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_begins_with_the_cell_that_installs(path: Path) -> None:
    first = code_cells(nbformat.read(path, as_version=4))[0]
    assert first.metadata.tags == [install_cell.TAG], "run python -m workshop.install_cell"
    assert first.source == install_cell.install_source(path.stem)


def imported_in(notebook: nbformat.NotebookNode) -> set[str]:
    """Names of the packages outside the standard library that a notebook's own code imports."""
    code = "\n".join(cell.source for cell in code_cells(notebook)[1:])
    return imported_names(ast.parse(code)) - sys.stdlib_module_names - NOT_INSTALLED


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_cell_installs_what_the_notebook_imports(path: Path) -> None:
    [extras] = re.findall(r"\.\.\[([\w,]+)\]", install_cell.install_source(path.stem))
    asked = requirements()
    declared = {each.name for extra in ("", *extras.split(",")) for each in asked[extra]}
    distributions = importlib.metadata.packages_distributions()
    missing = {
        name
        for name in imported_in(nbformat.read(path, as_version=4))
        if not names_of(distributions.get(name, [name])) & names_of(list(declared))
    }
    assert missing == set()


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_cell_that_installs_does_so_where_the_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    magics: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda *magic: magics.append(magic))
    if not is_installed:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code = TransformerManager().transform_cell(install_cell.install_source("05_finetune"))
    exec(code, {"get_ipython": lambda: shell})
    installed = [("pip", 'install --quiet "..[notebooks,train]"')]
    assert magics == ([] if is_installed else installed)


def test_a_notebook_defines_no_class(notebook: nbformat.NotebookNode) -> None:
    sources = "\n".join(cell.source for cell in code_cells(notebook))
    assert not re.search(r"^\s*class\s+\w+", sources, flags=re.MULTILINE)


# Dependencies


PROGRAMS = {"python", "pip", "make"}  # conda installs them, PyPI does not


def names_of(requirements: list[str]) -> set[str]:
    """`torch >=2` → `torch`. A line such as `-e .` is an option, not a name."""
    names = {re.match(r"[\w.-]+", line.strip()) for line in requirements if line[0] != "-"}
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in names}


def test_names_are_read_from_requirements() -> None:
    assert names_of(["torch>=2,<3", "Huggingface_Hub [x]", "-e ."]) == {"torch", "huggingface-hub"}


def test_pyproject_and_environment_name_the_same_dependencies() -> None:
    environment_file = ROOT / "environment.yml"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = yaml.safe_load(environment_file.read_text(encoding="utf-8"))["dependencies"]
    from_pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    from_conda = [entry for entry in entries if isinstance(entry, str)]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    in_environment = names_of(from_conda + from_pip) - PROGRAMS
    assert names_of(project["dependencies"]) <= in_environment
    assert in_environment <= names_of(project["dependencies"] + extras)


def requirements() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: by extra, and under "" what every installation has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines[extra]] for extra in lines}


def test_environment_has_the_bounds_of_pyproject() -> None:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    [lines] = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    asked = [each for many in requirements().values() for each in many]
    known = {(each.name, str(each.specifier)) for each in asked}
    named = [Requirement(line) for line in lines if not line.startswith("-")]
    assert named and {(each.name, str(each.specifier)) for each in named} <= known


# Of Colab's list of preinstalled packages (googlecolab/backend-info), 2026-08-19.
ON_COLAB = {
    "accelerate": "1.14.0", "anywidget": "0.9.21", "datasets": "4.0.0", "filelock": "3.32.3",
    "fonttools": "4.63.0", "ipykernel": "6.17.1", "ipython": "7.34.0", "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0", "nbformat": "5.11.1", "numpy": "2.1.3",
    "opencv-python-headless": "5.0.0.93", "pandas": "2.2.3", "pillow": "11.3.0",
    "psutil": "5.9.5", "pyarrow": "18.1.0", "safetensors": "0.8.0", "scikit-learn": "1.6.1",
    "scipy": "1.16.3", "threadpoolctl": "3.6.0", "torch": "2.11.0", "torchvision": "0.26.0",
    "tqdm": "4.67.3", "traitlets": "5.7.1",
}  # fmt: skip


def test_the_notebooks_replace_nothing_that_colab_has_loaded() -> None:
    asked = [each for extra in ("", "notebooks") for each in requirements()[extra]]
    too_old = [
        each.name
        for each in asked
        if each.name in ON_COLAB and not each.specifier.contains(Version(ON_COLAB[each.name]))
    ]
    assert too_old == []
    new = {each.name for each in asked} - ON_COLAB.keys()
    assert {"pypdfium2", "transformers"} <= new and len(new) < 12  # small, and not loaded before


NOT_INSTALLED = {"glmocr_utils", "google"}  # itself, and what only Colab has


def imported_names(tree: ast.Module) -> set[str]:
    """Names of the packages that a module imports anywhere."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def imported_packages() -> set[str]:
    """Names of all packages outside the standard library that the package imports anywhere."""
    paths = (ROOT / "glmocr_utils").rglob("*.py")
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    return set().union(*map(imported_names, trees)) - sys.stdlib_module_names - NOT_INSTALLED


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = [line for name in extras if name != "dev" for line in extras[name]]
    declared = names_of(project["dependencies"] + optional)
    distributions = importlib.metadata.packages_distributions()
    undeclared = {
        name
        for name in imported_packages()
        if not declared & names_of(distributions.get(name, [name]))
    }
    assert undeclared == set()


# Runs a command as on a machine without the packages of the extras.
WITHOUT_EXTRAS = """
import sys
from importlib.machinery import PathFinder
class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {absent} else super().find_spec(name, path, target)
sys.meta_path[:] = [Hiding if finder is PathFinder else finder for finder in sys.meta_path]
from glmocr_utils.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run_without_extras(*arguments: str) -> subprocess.CompletedProcess[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    own = names_of([line for name in extras for line in extras[name]])
    own -= names_of(project["dependencies"]) | {"glmocr-utils"}
    distributions = importlib.metadata.packages_distributions()
    absent = {name for name in distributions if own & names_of(distributions[name])}
    code = WITHOUT_EXTRAS.format(absent=sorted(absent))
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["render", "ocr", "infer"])
def test_rendering_and_reading_need_no_extra(tmp_path: Path, command: str) -> None:
    model = [] if command == "render" else ["--model", "data/models/glm-ocr-tiny"]
    sample = "data/samples/receipt.png"
    done = run_without_extras(command, sample, *model, "--output-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["finetune", "--dataset-name", "data"], "train"),
        (["infer", "--engine", "server", "--base-url", "http://localhost:9/v1"], "server"),
        (["infer", "--engine", "ray", "--model", "data/models/glm-ocr-tiny"], "ray"),
        (["demo"], "notebooks"),
    ],
)
def test_what_needs_an_extra_names_it(tmp_path: Path, arguments: list[str], extra: str) -> None:
    if arguments[0] == "infer":
        arguments = [*arguments, "data/samples/receipt.png", "--output-dir", str(tmp_path)]
    done = run_without_extras(*arguments)
    assert done.returncode == 2
    assert f"pip install 'glmocr-utils[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
