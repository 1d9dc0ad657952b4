"""Advice can be followed: an option that a message names exists where the message is shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT

from glmocr_utils.cli.commands import COMMANDS
from glmocr_utils.finetune import FinetuneConfig
from glmocr_utils.mass_infer import InferOptions
from glmocr_utils.notebook_run import notebook_parameters
from glmocr_utils.options import kinds_of
from glmocr_utils.render import RenderOptions

PACKAGE = ROOT / "glmocr_utils"
ADVICE = re.compile(
    r"\b(?:set|raise|lower|choose|name|needs?|check|pass|give|leave out|with|another|or|and) "
    r"((?:an? |the )?(?:[a-z0-9]+(?:_[a-z0-9]+)+|timeout))\b"
    r"|--([a-z][a-z_-]+)"
)
# Python's own names, of functions that no command or notebook calls with other values
NO_OPTIONS = {"rename_column"}


def options_of(command: str) -> set[str]:
    return {option.name for option in COMMANDS[command].fields}


def parameters_of(notebook: str) -> set[str]:
    return set(notebook_parameters(ROOT / f"notebooks/{notebook}.ipynb"))


# Whose messages a room's are: each of these has to have the option.
SHOWN_BY = {
    "render": [
        options_of("render"),
        options_of("ocr"),
        options_of("infer"),
        parameters_of("01_render"),
        parameters_of("02_ocr_explore"),
        parameters_of("06_mass_infer"),
    ],
    "mass_infer": [options_of("infer"), parameters_of("06_mass_infer")],
    "labels": [options_of("label"), parameters_of("04_labels")],
    "finetune": [set(kinds_of(FinetuneConfig))],
}
OPTIONS = {*kinds_of(FinetuneConfig), *kinds_of(InferOptions), *kinds_of(RenderOptions)}.union(
    *(names for doors in SHOWN_BY.values() for names in doors)
)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module but for its docstrings, with `…` for what is put in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    passed_over = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(part) for part in node.values}
            parts = (getattr(part, "value", "…") for part in node.values)
            yield node.lineno, "".join(part if isinstance(part, str) else "…" for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def advised(text: str) -> set[str]:
    """The options that a message asks its reader to set."""
    names = {(word or flag).split()[-1] for word, flag in ADVICE.findall(text)}
    return {name.replace("-", "_") for name in names} & OPTIONS - NO_OPTIONS


def test_advice_is_found_in_messages():
    assert advised("too many; raise max_pixels, or set too_long='skip'") == {
        "max_pixels", "too_long",
    }  # fmt: skip
    assert advised("stopped after 3 s; raise timeout") == {"timeout"}
    assert advised("give --model-name") == {"model_name"}
    assert advised("a worker of the max_pixels kind") == set()


@pytest.mark.parametrize("room", SHOWN_BY)
def test_each_option_that_a_message_names_is_one_where_it_is_shown(room):
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} in {text!r}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for line, text in messages(path)
        for name in sorted(advised(text))
        if not all(name in options for options in SHOWN_BY[room])
    ]
    assert not wrong, "\n".join(wrong)
