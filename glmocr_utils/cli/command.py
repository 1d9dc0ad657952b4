"""What a command is made of: its options, and how argparse reads them."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glmocr_utils.records import FailedPage

PROGRAM = "python -m glmocr_utils"
ABOUT = {
    "render": "documents → PNG files and metadata.jsonl",
    "ocr": "documents → text with token probabilities",
    "label": "page images → labels with their origin, split and exported",
    "finetune": "labels → a model that reads these pages better, proved by reading",
    "infer": "a whole collection → every page read or accounted for, resumable",
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
        default: None or False also say how it is parsed: as text, or as a switch.
        help: what it means, with its unit.
        type: of its value.
        aliases: other spellings.
    """

    name: str
    default: object
    help: str
    type: Callable[[str], object] = str
    aliases: tuple[str, ...] = ()

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        names = dict.fromkeys((_dashed(self.name), "--" + self.name, *self.aliases))
        if isinstance(self.default, bool):
            parser.add_argument(
                *names, dest=self.name, nargs="?", const=True, default=self.default, type=_boolean,
                metavar="True|False", help=self.help,
            )  # fmt: skip
        else:
            shown = "" if self.default is None else f" (default: {self.default})"
            parser.add_argument(
                *names, dest=self.name, default=self.default, type=self.type,
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
        input_option: an option that may be given instead of it, such as `--image`.
        shorthands: switches beside the options.
    """

    name: str
    options: Sequence[Option]
    run: Callable[[argparse.Namespace], int]
    input_help: str = INPUT_PATH
    input_name: str = "input_path"
    input_option: str | None = None
    shorthands: Sequence[Shorthand] = ()

    def main(self, arguments: Sequence[str]) -> int:
        """Parse the arguments and run. Returns the exit code."""
        parser = parser_of(self.name)
        parser.add_argument(self.input_name, nargs="?", default=None, help=self.input_help)
        for option in (*self.options, *self.shorthands):
            option.add_to(parser)
        if self.input_option:
            same = f"the same as {self.input_name}"
            parser.add_argument(self.input_option, dest="other_input", metavar="PATH", help=same)
        options = parser.parse_args(arguments)
        if self.input_option and options.other_input is not None:
            if getattr(options, self.input_name) is not None:
                parser.error(f"give {self.input_name} or {self.input_option}, not both")
            setattr(options, self.input_name, options.other_input)
        return self.run(options)


def parser_of(name: str) -> argparse.ArgumentParser:
    """A parser for the command of this name, without options."""
    return argparse.ArgumentParser(prog=f"{PROGRAM} {name}", description=ABOUT[name])


def report_failures(failed: Sequence[FailedPage]) -> int:
    """Say which pages failed and why. Returns the exit code."""
    for page in failed:
        print(f"{page.status}: {page.reason}", file=sys.stderr)
    return 1 if failed else 0


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-")


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise argparse.ArgumentTypeError(f"expected True or False, got {text!r}")
