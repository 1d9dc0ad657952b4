"""What a command is made of: its options, and how argparse reads them."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from glmocr_utils.parameters import KINDS, text_reader
from glmocr_utils.records import FailedPage

PROGRAM = "python -m glmocr_utils"
ABOUT = {
    "render": "documents → PNG files and metadata.jsonl",
    "ocr": "documents → text with token probabilities",
    "label": "page images → labels with their origin, split and exported",
    "finetune": "labels → a model that reads these pages better, proved by reading",
    "infer": "a whole collection → every page read or accounted for, resumable",
    "evaluate": "readings against true texts, and one set of readings against another",
    "certify": "how many errors a whole collection has, from 200 flags that a person checks",
    "diff": "where two sets of readings disagree, without any reference",
    "predictions": "readings → the files that benchmarks and hub tools of others expect",
    "ground": "which heads of a model tell where on the page a token came from, and how well",
    "export": "adapter or checkpoint → a model to serve, shown to read the same",
    "demo": "run the notebooks on data/samples, offline",
}
INPUT_PATH = "a PDF, an image, a folder of them, or a .txt list of paths"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command, and parameter of its notebook.

    Attributes:
        name: with underscores, as in the notebook.
        default: what it is where it is not given.
        help: what it means, with its unit.
        aliases: other spellings.
    """

    name: str
    default: object
    help: str
    aliases: tuple[str, ...] = ()

    def add_to(self, parser: argparse.ArgumentParser, kinds: Mapping[str, object] = KINDS) -> None:
        """Add it to a parser; `kinds` has its type."""
        names = dict.fromkeys((_dashed(self.name), "--" + self.name, *self.aliases))
        read = text_reader(self.name, kinds[self.name])
        if isinstance(self.default, bool):
            parser.add_argument(
                *names, dest=self.name, nargs="?", const=True, default=self.default, type=read,
                metavar="True|False", help=self.help,
            )  # fmt: skip
        else:
            shown = "" if self.default is None else f" (default: {self.default})"
            parser.add_argument(
                *names, dest=self.name, default=self.default, type=read,
                help=self.help + shown.replace("%", "%%"),
            )  # fmt: skip


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

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            _dashed(self.name), "--" + self.name, dest=self.sets, action="store_const",
            const=self.to, help=f"the same as {_dashed(self.sets)} {self.to}",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the terminal.

    Attributes:
        name: as typed, one of `ABOUT`.
        options: its options.
        run: takes the parsed options and returns the exit code.
        input_help: what its positional argument may be.
        input_name: of that argument.
        takes_several: of it may stand there; they come as a list.
        input_option: an option that may be given instead of it, such as `--image`.
        shorthands: switches beside the options.
        kinds: the types of the options, by name.
    """

    name: str
    options: Sequence[Option]
    run: Callable[[argparse.Namespace], int]
    input_help: str = INPUT_PATH
    input_name: str = "input_path"
    takes_several: bool = False
    input_option: str | None = None
    shorthands: Sequence[Shorthand] = ()
    kinds: Mapping[str, object] = field(default_factory=lambda: KINDS)

    def main(self, arguments: Sequence[str]) -> int:
        """Parse the arguments and run. Returns the exit code.

        Raises:
            ValueError: an option is unknown, or nothing can be written to `output_dir`.
        """
        parser = parser_of(self.name)
        parser.add_argument(self.input_name, nargs="*", help=self.input_help)
        for option in self.options:
            option.add_to(parser, self.kinds)
        for shorthand in self.shorthands:
            shorthand.add_to(parser)
        if self.input_option:
            same = f"the same as {self.input_name}"
            parser.add_argument(self.input_option, dest="other_input", metavar="PATH", help=same)
        options, unknown = parser.parse_known_intermixed_args(arguments)
        if unknown:
            known = [_dashed(each.name) for each in (*self.options, *self.shorthands)]
            raise no_such_option(unknown[0], known)
        self._settle_input(options)
        if hasattr(options, "output_dir"):
            check_output_dir(options.output_dir)
        return self.run(options)

    def _settle_input(self, options: argparse.Namespace) -> None:
        """What is to be read: a list where several may be given, else one path or None."""
        given = getattr(options, self.input_name)
        if self.input_option and options.other_input is not None:
            if given:
                raise ValueError(f"give {self.input_name} or {self.input_option}, not both")
            given = [options.other_input]
        if self.takes_several:
            setattr(options, self.input_name, given)
        elif len(given) > 1:
            raise ValueError(
                f"{self.name} takes one {self.input_name}, got {len(given)}; for several documents "
                "give a folder, or a .txt list with a path a line"
            )
        else:
            setattr(options, self.input_name, given[0] if given else None)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, without all the options before it."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; --help lists all options")


def parser_of(name: str) -> Parser:
    """A parser for the command of this name, without options."""
    return Parser(prog=f"{PROGRAM} {name}", description=ABOUT[name], allow_abbrev=False)


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


def report_failures(failed: Sequence[FailedPage]) -> int:
    """Say which pages failed and why. Returns the exit code."""
    for page in failed:
        print(f"{page.status}: {page.reason}", file=sys.stderr)
    return 1 if failed else 0


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-")
