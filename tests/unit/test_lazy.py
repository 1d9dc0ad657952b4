"""Rooms that import a name when it is first used."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import glmocr_utils
from glmocr_utils.lazy import lazy_names

PACKAGE = Path(glmocr_utils.__file__).parent
ROOMS = ("decoding", "grounding", "layout", "model", "ocr")


def named_for_editors(room: str) -> dict[str, str]:
    """What the `__init__` imports for type checkers: name → module of the room."""
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.name: node.module.removeprefix(f"glmocr_utils.{room}.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("room", ROOMS)
def test_editors_see_the_names_that_there_are(room: str) -> None:
    package = import_module(f"glmocr_utils.{room}")
    assert named_for_editors(room) == package._HOME
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    find = lazy_names("glmocr_utils.model", {"LoadedModel": "loaded"})
    assert find("LoadedModel").__name__ == "LoadedModel"
    with pytest.raises(AttributeError, match="no attribute 'load'"):
        find("load")


def test_light_modules_of_a_room_load_no_pytorch() -> None:
    light = (
        "decoding.repetition", "grounding.ink", "grounding.locating", "layout.crops",
        "model.loaded", "ocr.progress", "ocr.results",
    )  # fmt: skip
    lines = "\n".join(f"import glmocr_utils.{name}" for name in light)
    script = f"{lines}\nimport sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
