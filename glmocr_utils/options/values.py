"""What values a parameter takes: one reading of them for notebooks and commands.

A notebook's values come from papermill, which guesses their types from the text: `-p pages 3` comes
as a number, `-p new_run false` as text. A command's come as text. Both are read by the parameter's
type, and other values are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

# As numbers these lose leading zeros, and no later error would show it.
SECRETS = frozenset({"password"})

TEXT: tuple[type, ...] = (str, Path)
SIMPLE: tuple[type, ...] = (float, bool, int, *TEXT, NoneType)
NAMES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "text",
    NoneType: "None",
}


@cache
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
        ValueError: the value is of another type, or what was typed is ambiguous.
    """
    parts, words = _members(kind)
    members = [part for part in SIMPLE if part in parts]
    if len(members) < len(parts) and not (members and isinstance(value, (bool, int, float))):
        return value
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

    simple = [member.__name__ for member in SIMPLE[:-1] if member in members_of(kind)]
    read.__name__ = simple[0] if simple else "text"
    return read


def coerce_all(values: Mapping[str, object], kinds: Mapping[str, object]) -> dict[str, object]:
    """The values whose types are known, each as `coerced`."""
    return {name: coerced(name, values[name], kinds[name]) for name in values if name in kinds}


def members_of(kind: object) -> tuple[object, ...]:
    """The parts of a union; a type that is none alone."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _members(kind: object) -> tuple[list[object], list[str]]:
    """The types of a union, and the words of a `Literal` in it."""
    parts = members_of(kind)
    literals = [part for part in parts if get_origin(part) is Literal]
    words = [word for part in literals for word in get_args(part)]
    return [part for part in parts if part not in literals], words


def _from_text(
    name: str, text: str, members: list[type], words: list[str], takes_text: bool
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
    raise ValueError(_refusal(name, text, members, words, takes_text))


def _refusal(
    name: str, value: object, members: list[type], words: list[str], takes_text: bool
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


def check_at_least_one(**options: int) -> None:
    """Refuse options below 1, before a model is loaded for them.

    Raises:
        ValueError: one of them is; the message names it.
    """
    for name, value in options.items():
        check_at_least(1, name, value)


def check_at_least(least: int, name: str, value: int) -> None:
    """Raises ValueError where an option is below the least that it can be."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
