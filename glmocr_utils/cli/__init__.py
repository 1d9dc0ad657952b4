"""The terminal's door: `glmocr render`, `ocr`, `label`, `finetune`, `infer`, … ; also
`python -m glmocr_utils …`.

Each command is a module of its own, whose `run` takes the options of its step; a command has the
names and defaults of its notebook's parameters, with dashes or underscores.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from glmocr_utils.cli.command import PROGRAM
from glmocr_utils.cli.commands import COMMANDS

# Of the packages that not every command needs, which extra of this package brings them.
EXTRA_OF = {
    **dict.fromkeys(["jupyterlab", "IPython", "ipywidgets", "anywidget"], "notebooks"),
    **dict.fromkeys(["matplotlib", "papermill", "nbformat", "traitlets"], "notebooks"),
    **dict.fromkeys(["trl", "peft", "bitsandbytes", "datasets"], "train"),
    "docling_core": "docling",
    "openai": "server",
    "ray": "ray",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 if a page failed, 2 if nothing could be done."""
    # threads that spin slow each other down on a busy machine; OpenMP reads it when it is loaded
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run GLM-OCR on your documents. Use --help after a command for its options.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS.values():
        commands.add_parser(command.name, help=command.about, add_help=False)
    command = COMMANDS[parser.parse_args(arguments[:1]).command]
    try:
        return _run(command.name, arguments[1:])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f"error: {command.name} needs the package {error.name}, which is not installed: "
            f"pip install 'glmocr-utils[{extra}]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("stopped; what was written so far is kept", file=sys.stderr)
        return 130


class _Version(argparse.Action):
    """Looks for the version when it is asked for: that takes as long as all the rest of --help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from glmocr_utils import __version__

        parser.exit(0, f"{parser.prog} {__version__}\n")


def _run(name: str, arguments: Sequence[str]) -> int:
    """Parse first: help and mistakes must not wait for the libraries of the command's module."""
    asks_for_help = not {"-h", "--help"}.isdisjoint(arguments)
    if name == "finetune" and not asks_for_help:  # which has all of TRL's options besides
        COMMANDS[name].check_names(arguments)
        return import_module(f"{__name__}.finetune").main(arguments)
    options = COMMANDS[name].parse(arguments)
    COMMANDS[name].check_input(options)
    return import_module(f"{__name__}.{name}").run(options)
