"""What a command is made of: its step's options, and how argparse reads them."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from glmocr_utils.options import (
    OFFICIAL_LAYOUT,
    ModelOptions,
    kinds_of,
    resolve_layout,
    text_reader,
)
from glmocr_utils.options.values import members_of
from glmocr_utils.records import FailedPage

PROGRAM = "glmocr"
# options that name files or folders
PATHS = """input_path results readings other_readings references documents calibration
    review_log""".split()
DATA_SETS = ("dataset_name", "retention_dataset")
SERVED = ("model_id", "adapter")  # with engine="server", names that the server knows
HUB_IDS = ("model_id", "model_name", "adapter", "layout", *DATA_SETS)  # or folders
DEFAULT_MODEL = ModelOptions.model_id


@dataclass(frozen=True, slots=True)
class Shorthand:
    """A switch that is short for a value of an option.

    Attributes:
        name: with underscores.
        sets: the option's name.
        to: its value.
    """

    name: str
    sets: str
    to: object


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the terminal.

    Attributes:
        name: as typed, and the module in `cli` whose `run` takes the options.
        about: one line.
        options: the dataclass of its step.
        example: what to type.
        takes_input: whether the first option has no dashes.
        input_is_path: whether it is a file or folder, if its name says so; a hub id may be none.
        input_option: an option that may be given instead of the first, such as `--image`.
        shorthands: switches beside the options.
        more: a sentence below the help.
    """

    name: str
    about: str
    options: type
    example: str
    takes_input: bool = True
    input_is_path: bool = True
    input_option: str | None = None
    shorthands: Sequence[Shorthand] = ()
    more: str = ""

    @property
    def fields(self) -> list[Field[Any]]:
        """The options that the command has; some are only in its notebook."""
        return [each for each in fields(self.options) if each.metadata.get("only") != "notebook"]

    def parse(self, arguments: Sequence[str]) -> Any:
        """The options of these arguments.

        Raises:
            ValueError: an option is unknown, or cannot work, or nothing can be written to
                `output_dir`.
        """
        spelled = list(map(_with_dashes, arguments))
        given, unknown = self.parser().parse_known_intermixed_args(spelled)
        if unknown:
            options = self.fields[self.takes_input :]
            names = [each.name for each in options] + [each.name for each in self.shorthands]
            raise no_such_option(unknown[0], ["--" + _dashed(name) for name in names])
        values = vars(given)
        if self.takes_input:
            first = self.fields[0].name
            values[first] = self._settled(values[first], values.pop("other_input", None))
        if values.get("output_dir") is not None:
            check_output_dir(values["output_dir"])
        return self.options(**values)

    def check_input(self, options: Any) -> None:
        """Name a missing file at once, not after the libraries of a model were loaded.

        Raises:
            ValueError: a path that was given is not there.
        """
        for name, default in self._names_and_defaults():
            given = getattr(options, name, None)
            if name == "layout":  # auto is a hub id, and none is none
                given = resolve_layout(given)
            on_a_server = name in SERVED and getattr(options, "engine", None) == "server"
            if given is None or given == default or on_a_server:
                continue
            for path in [given] if isinstance(given, (str, Path)) else given:
                if not Path(path).exists():
                    _refuse_missing(name, str(path))

    def check_names(self, arguments: Sequence[str]) -> None:
        """The same for a command whose further options are not known here.

        Raises:
            ValueError: a path that was given is not there.
        """
        given, _ = self.parser().parse_known_args(list(map(_with_dashes, arguments)))
        self.check_input(given)

    def _names_and_defaults(self) -> list[tuple[str, object]]:
        """Of the options that name what has to be there; the first one's default counts, too."""
        found = []
        for number, item in enumerate(self.fields):
            is_first = self.takes_input and number == 0
            if is_first and not self.input_is_path:
                continue
            if item.name in PATHS or item.name in HUB_IDS:
                found.append((item.name, None if is_first else item.default))
        return found

    def parser(self) -> "Parser":
        """A parser of the options, each of which may be left out."""
        options = self.fields
        first = options.pop(0) if self.takes_input else None
        parser = Parser(
            usage=" ".join(
                [PROGRAM, self.name, *([f"[{first.name} …]"] if first else []), "[options]"]
            ),
            description=self.about,
            epilog="\n\n".join(filter(None, (self.more, f"example: {self.example}"))),
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )
        if first:
            parser.add_argument(first.name, nargs="*", help=_help_of(first))
        kinds = kinds_of(self.options)
        for item in options:
            _add(parser, item, kinds[item.name])
        for switch in self.shorthands:
            parser.add_argument(
                "--" + _dashed(switch.name), dest=switch.sets, action="store_const",
                const=switch.to, help=f"the same as --{_dashed(switch.sets)} {switch.to}",
            )  # fmt: skip
        if self.input_option and first:
            same = f"the same as {first.name}"
            parser.add_argument(self.input_option, dest="other_input", metavar="PATH", help=same)
        return parser

    def _settled(self, given: list[str], other: str | None) -> list[str] | str | None:
        """The input: a list if several may be given, otherwise one path or None."""
        name = self.fields[0].name
        if other is not None:
            if given:
                raise ValueError(f"give {name} or {self.input_option}, not both")
            given = [other]
        if any(get_origin(kind) is not None for kind in members_of(kinds_of(self.options)[name])):
            return given or None
        if len(given) > 1:
            raise ValueError(
                f"{self.name} takes one {name}, got {len(given)}; for several documents "
                "give a folder, or a .txt list with a path a line"
            )
        default: Any = self.fields[0].default
        return given[0] if given else default


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, without all the options before it."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; --help lists all options")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)


def _add(parser: argparse.ArgumentParser, item: Field[Any], kind: object) -> None:
    names = ["--" + _dashed(item.name), *item.metadata.get("aliases", ())]
    switch: dict[str, Any] = {"nargs": "?", "const": True} if bool in members_of(kind) else {}
    parser.add_argument(
        *names,
        dest=item.name,
        default=item.default,
        type=text_reader(item.name, kind),
        metavar=_metavar(kind),
        help=_help_of(item),
        **switch,
    )


def _help_of(item: Field[Any]) -> str:
    text = "; ".join(filter(None, (item.metadata["help"], item.metadata.get("detail"))))
    if item.default not in (None, ""):
        text += f" (default: {item.default})"
    return text.replace("%", "%%")


def _metavar(kind: object) -> str:
    """`X` or `N` for numbers, the words of a `Literal`, otherwise `TEXT`."""
    members = members_of(kind)
    words = [
        word for each in members if get_origin(each) is Literal for word in map(str, get_args(each))
    ]
    kinds = {bool: "True|False", float: "X", int: "N"}
    simple = [shown for each, shown in kinds.items() if each in members][:1]
    return "|".join([*simple, *words]) or "TEXT"


def no_such_option(argument: str, known: Sequence[str]) -> ValueError:
    """The error for an option that is not there, with the one that may have been meant."""
    close = get_close_matches(argument.partition("=")[0], known, n=1)
    hint = f"did you mean {close[0]}?" if close else "--help lists all options"
    return ValueError(f"there is no option {argument}; {hint}")


def check_output_dir(path: str | Path) -> None:
    """Refuse a folder that cannot be written to, before there is something to write.

    Raises:
        ValueError: it, or what it would be made in, is a file or write-protected.
    """
    path = Path(path)
    found = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not found.is_dir():
        raise ValueError(f"output_dir {path}: {found} is a file; name a folder")
    if not os.access(found, os.W_OK):
        raise ValueError(f"output_dir {path}: {found} cannot be written to; name another folder")


def counted(number: int, noun: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_typed(input_path: str | Path | Sequence[str] | None) -> str:
    """The inputs as they are typed in a shell; nothing where the default was taken."""
    return shlex.join(str(path) for path in inputs_of(input_path) if path is not None)


def inputs_of(input_path: str | Path | Sequence[str] | None) -> list[str | Path | None]:
    """The inputs that were named; one that is None where none was."""
    if input_path is None or isinstance(input_path, (str, Path)):
        return [input_path]
    return list(input_path)


def report_failures(failed: Sequence[FailedPage]) -> int:
    """Say which pages failed and why. Returns the exit code."""
    for page in failed:
        print(f"{page.status}: {page.reason}", file=sys.stderr)
    return 1 if failed else 0


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _with_dashes(argument: str) -> str:
    """`--max_tokens=8` → `--max-tokens=8`; a value or a path stays as it is."""
    name, equals, value = argument.partition("=")
    return (_dashed(name) if name.startswith("--") else name) + equals + value


def _refuse_missing(option: str, name: str) -> None:
    """Say what is not there; what may be an id on the hub is not known yet.

    Raises:
        ValueError: it can only be a file or folder.
    """
    if option not in HUB_IDS:
        raise ValueError(f"{option}: {name} does not exist; check the path")
    is_data = option in DATA_SETS  # an id on the hub may lack its owner
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or ("/" not in name and not is_data):
        kind = "data set" if is_data else "layout model" if option == "layout" else "model"
        known = OFFICIAL_LAYOUT if option == "layout" else DEFAULT_MODEL
        example = "" if is_data else f" such as {known}"
        raise ValueError(
            f"There is no {kind} folder {name}. Check the path, or pass a hub id{example}"
        )
