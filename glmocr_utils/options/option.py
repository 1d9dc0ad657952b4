"""How an option is written down: its type, default and help text in a field of a dataclass."""

from dataclasses import Field, dataclass, field, fields
from inspect import cleandoc
from typing import Any, Literal

from glmocr_utils.options.values import check_at_least, coerced, kinds_of

Door = Literal["notebook", "command"]


def option(
    default: object,
    help: str,
    *,
    detail: str = "",
    only: Door | None = None,
    at_least: int | None = None,
    aliases: tuple[str, ...] = (),
    repr: bool = True,
) -> Any:
    """A field of an options dataclass.

    Args:
        help: its meaning, with the unit, short enough for a line of a notebook.
        detail: added in the help of a command and in the documentation.
        only: the one door that has this option; None: both.
        at_least: the least that a number can be.
        aliases: other spellings in the terminal, with their dashes.
        repr: False for what must not be shown.
    """
    more = {"detail": detail, "only": only, "at_least": at_least, "aliases": list(aliases)}
    metadata = {"help": help, **{name: value for name, value in more.items() if value}}
    return field(default=default, metadata=metadata, repr=repr)


def same_as(options: type, name: str, **changes: Any) -> Any:
    """The field of another dataclass, with its default and its texts.

    Args:
        changes: what differs, such as `default`, `help` or `only`.
    """
    known = field_of(options, name)
    default = changes.pop("default", known.default)
    return field(default=default, metadata={**known.metadata, **changes}, repr=known.repr)


def field_of(options: type, name: str) -> Field[Any]:
    return next(each for each in fields(options) if each.name == name)


class Described:
    """Its docstring lists the options with their help texts, for Shift-Tab and `?`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = [(name, each) for name, each in vars(cls).items() if isinstance(each, Field)]
        if own:
            lines = [f"    {name}: {each.metadata['help']}" for name, each in own]
            cls.__doc__ = "\n".join([cleandoc(cls.__doc__ or ""), "", "Options:", *lines])


@dataclass(frozen=True)
class Options(Described):
    """The options of a step. Each value is read by its field's type, as from a terminal.

    Raises:
        ValueError: a value of another type, or out of its range; the message names it.
    """

    def __post_init__(self) -> None:
        kinds = kinds_of(type(self))  # type: ignore[arg-type]  # a class is hashable
        for item in fields(self):
            value = coerced(item.name, getattr(self, item.name), kinds[item.name])
            object.__setattr__(self, item.name, value)
            least = item.metadata.get("at_least")
            if least is not None and isinstance(value, int):
                check_at_least(least, item.name, value)
