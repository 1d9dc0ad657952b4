"""What values a parameter takes: one reading of them for notebooks and commands.

A notebook's values come from papermill, which guesses their types from the text: `-p pages 3` comes
as a number, `-p new_run false` as text. A command's come as text. Both mean what the parameter's
type says, and nothing else is let through.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

AUTO = Literal["auto"]
# As numbers these lose leading zeros, and no later error would show it.
SECRETS = frozenset({"password"})

# Of the steps whose options are no dataclass yet. A type has the form of a dataclass field's.
KINDS: dict[str, object] = {
    **dict.fromkeys(
        """adapter audited base base_url benchmark calibration certificate check_pages collection
        documents formats input_path llm_base_url llm_model llm_prompt other_readings pages password
        push_to_hub readings references results review_log text_column trained_model""".split(),
        str | None,
    ),
    **dict.fromkeys(
        "attn device_map dtype form model_id output_dir prompt reviewer source".split(), str
    ),
    **dict.fromkeys(
        """audit batch_size context_tokens max_flags max_length max_scored max_tokens seed top_k
        worst_n worst_pages""".split(),
        int,
    ),
    **dict.fromkeys(
        "boxes choose scores show_probs show_tokens start_over with_reading".split(), bool
    ),
    "edit": bool | AUTO,
    "num_flags": int,
    "num_pages": int | None,
    "review": bool | AUTO,
    "scale": float,
    "silver_above": float | None,
    "test_size": float | int,
}

NOTEBOOKS_OWN: dict[str, object] = {"model_name": str | None}  # another name for model_id

TEXT = (str, Path)
SIMPLE = (bool, int, float, *TEXT, NoneType)
NAMES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "text",
    NoneType: "None",
}


def kinds_of(options: type) -> dict[str, object]:
    """The types of a dataclass's fields, by name."""
    if not is_dataclass(options):
        raise TypeError(f"options come from a dataclass, got {options!r}")
    hints = get_type_hints(options)
    return {field.name: hints[field.name] for field in fields(options) if field.init}


def coerced(name: str, value: object, kind: object) -> object:
    """`value` as the parameter's type has it.

    Args:
        name: of the parameter, for the message.
        kind: its type, such as `int | None`. Where a part of it is not simple, as in
            `dict | str`, only numbers and booleans are held to the simple parts.

    Raises:
        ValueError: the value is of another type, or what was typed cannot be told from it.
    """
    members, words = _members(kind)
    simple = [member for member in members if member in SIMPLE]
    if len(simple) < len(members) and not (simple and isinstance(value, (bool, int, float))):
        return value
    members = simple
    takes_text = any(member in TEXT for member in members)
    if isinstance(value, Path) and takes_text:
        return value
    if isinstance(value, str):
        return _from_text(name, value, members, words, takes_text)
    if type(value) in members:
        return value
    if type(value) is int and float in members:
        return float(value)
    if type(value) is int and takes_text and name not in SECRETS:
        return str(value)
    raise ValueError(_refusal(name, value, members, words, takes_text))


def text_reader(name: str, kind: object) -> Callable[[str], object]:
    """A function that reads the parameter from a command's text; named for argparse's message."""

    def read(text: str) -> object:
        return coerced(name, text, kind)

    members, _ = _members(kind)
    read.__name__ = next((member.__name__ for member in members if member is not NoneType), "text")
    return read


def coerce_all(values: Mapping[str, object], kinds: Mapping[str, object]) -> dict[str, object]:
    """The values whose types are known, each as `coerced`."""
    return {name: coerced(name, values[name], kinds[name]) for name in values if name in kinds}


def _members(kind: object) -> tuple[list[object], list[str]]:
    """The types of a union, and the words of a `Literal` in it."""
    parts = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    literals = [part for part in parts if get_origin(part) is Literal]
    words = [word for part in literals for word in get_args(part)]
    return [part for part in parts if part not in literals], words


def _from_text(
    name: str, text: str, members: list[object], words: list[str], takes_text: bool
) -> object:
    if takes_text or text in words:
        return text
    if bool in members and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        if number in members:
            try:
                return number(text)
            except ValueError:
                continue
    if not members:  # the step names the words itself
        return text
    raise ValueError(_refusal(name, text, members, words, takes_text))


def _refusal(
    name: str, value: object, members: list[object], words: list[str], takes_text: bool
) -> str:
    if name in SECRETS and value is not None:
        return (
            f"{name} came as {type(value).__name__}, not as text: zeros at its front are lost. "
            f"Give it as text: -r {name} VALUE under papermill, in quotes in a notebook"
        )
    kinds = dict.fromkeys([*(NAMES[member] for member in members), *map(repr, words)])
    said = f"{name} is {' or '.join(kinds)}, got {value!r} ({type(value).__name__})"
    if value is None:
        return f"{said}. Leave it out to get the default"
    if takes_text:
        return f"{said}. Give it as text: -r {name} VALUE under papermill, in quotes in a notebook"
    return said
