"""A notebook's parameters: read from its cell, and given the types of its step's options."""

import ast
import json
from pathlib import Path
from typing import Any

from glmocr_utils.notebook_run.errors import show_errors_in_a_box
from glmocr_utils.options import coerce_all, kinds_of


def notebook_parameters(notebook: str | Path) -> dict[str, object]:
    """The parameters of a notebook and their defaults: the literals in its `parameters` cell.

    papermill's own reading goes line by line and stumbles over an equals sign in a comment.

    Raises:
        ValueError: the notebook has no cell with the tag `parameters`.
    """
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            return _literals("".join(cell["source"]))
    raise ValueError(f"{notebook} has no cell with the tag 'parameters', so it takes none")


def take_parameters(namespace: dict[str, object], options: type) -> None:
    """Give a notebook's parameters the types of its step, and show errors in a box from now on.

    papermill guesses a type from what was typed: `-p pages 3` comes as a number, `-p new_run false`
    as text.

    Args:
        namespace: the notebook's `globals()`; changed in place.
        options: the dataclass of the step, whose fields name the types.

    Raises:
        ValueError: a value that its parameter does not take; the message names it.
    """
    # a cell that runs again may have put an object in a parameter's place
    given = {
        name: value
        for name, value in _parameters_in(namespace).items()
        if type(value).__module__ in ("builtins", "datetime") and not callable(value)
    }
    namespace.update(coerce_all(given, kinds_of(options)))
    show_errors_in_a_box()


def _parameters_in(namespace: dict[str, object]) -> dict[str, object]:
    """The parameters among a notebook's variables: what cells of nothing but literals assign.

    When the notebook runs again in the same kernel, other variables are there too, and some have
    the name of a parameter of another notebook.
    """
    if "In" not in namespace:  # no notebook
        return namespace
    names: set[str] = set()
    history: Any = namespace["In"]  # IPython's
    for source in history:
        try:
            assigned = _literals(source)
        except (SyntaxError, ValueError):
            continue
        names |= assigned.keys()
    return {name: namespace[name] for name in names if name in namespace}


def _literals(source: str) -> dict[str, object]:
    """What a cell assigns that does nothing else.

    Raises:
        SyntaxError, ValueError: it does something else.
    """
    values = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = ast.literal_eval(value)
            case _:
                raise ValueError("not an assignment")
    return values
