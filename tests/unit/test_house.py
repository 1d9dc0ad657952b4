"""The house rules: floors of the package, tidy notebooks, one list of dependencies."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = "glmocr_utils"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# A module or sub-package imports only from floors below its own.
FLOORS = {
    "files": 1,
    "markup": 1,
    "metrics": 2,
    "prompt": 1,
    "token_text": 1,
    "endpoint": 1,
    "text_layer": 1,
    "synth": 1,
    "records": 2,
    "model": 2,
    "render": 3,
    "confidence": 3,
    "decoding": 3,
    "ocr": 4,
    "labels": 5,
    "mass_infer": 5,
    "model_export": 5,
    "grounding": 6,
    "display": 6,
    "finetune": 6,
    "ocr_formats": 7,
    "review": 7,
    "figures": 7,
    "notebook_run": 8,
    "cli": 9,
    "__main__": 10,
}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def imported_names(name: str, path: Path) -> Iterator[str]:
    """Every module that `path` names in an import, wherever in it, with the names taken from it."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def own_module(name: str) -> str | None:
    """The longest part of a dotted name that is a module of the package."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def imports_of(name: str, path: Path) -> set[str]:
    found = {own_module(imported) for imported in imported_names(name, path)}
    return found - {None, name}


IMPORTS = {name: imports_of(name, path) for name, path in MODULES.items()}


def room(name: str) -> str:
    """`glmocr_utils.render.pool` → `render`."""
    return name.split(".")[1] if "." in name else ""


def test_the_package_is_found() -> None:
    assert f"{PACKAGE}.records" in IMPORTS[f"{PACKAGE}.ocr.pages"]
    assert f"{PACKAGE}.render.options" in IMPORTS[f"{PACKAGE}.render"]


@pytest.mark.parametrize("name", [name for name in MODULES if name != PACKAGE])
def test_every_module_has_a_floor(name: str) -> None:
    assert room(name) in FLOORS, (
        f"{name} has no floor yet: give {room(name)!r} one in FLOORS of this test, above all that "
        "it imports"
    )


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in FLOORS])
def test_a_module_imports_only_from_floors_below(name: str) -> None:
    floor = FLOORS[room(name)]
    other_rooms = {other for other in IMPORTS[name] if room(other) != room(name)}
    too_high = {other for other in other_rooms if FLOORS.get(room(other), -1) >= floor}
    assert not too_high, f"{name} is on floor {floor} and imports {sorted(too_high)}"


def test_the_package_itself_imports_nothing() -> None:
    assert IMPORTS[PACKAGE] == set()


def test_no_module_imports_itself_through_others() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            # what a package's own modules import from it is not a circle unless they name it
            for other in IMPORTS[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {part for module in MODULES for part in module.split(".")}
    assert not names & NAMES_THAT_SAY_NOTHING


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


def test_a_notebook_has_15_to_30_cells(notebook: nbformat.NotebookNode) -> None:
    assert 15 <= len(notebook.cells) <= 30


def test_a_notebook_has_at_most_150_lines_of_code(notebook: nbformat.NotebookNode) -> None:
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 150


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
    if not environment_file.exists():
        pytest.skip("environment.yml does not exist yet")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = yaml.safe_load(environment_file.read_text(encoding="utf-8"))["dependencies"]
    from_pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    from_conda = [entry for entry in entries if isinstance(entry, str)]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    in_environment = names_of(from_conda + from_pip) - PROGRAMS
    assert names_of(project["dependencies"]) <= in_environment
    assert in_environment <= names_of(project["dependencies"] + extras)
