"""The terminal's door: `python -m glmocr_utils render`, `ocr`, `label`, `finetune`, `infer`, …

Each command is a module of its own, with `main(arguments)`; it takes the names and defaults of its
notebook's parameters, with dashes or underscores.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from glmocr_utils.cli.command import ABOUT, PROGRAM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 if a page failed, 2 if nothing could be done."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="GLM-OCR over your documents; --help after a command says more."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in ABOUT.items():
        commands.add_parser(name, help=about, add_help=False)
    name = parser.parse_args(arguments[:1]).command
    try:
        # only now, since importing all commands takes seconds
        return import_module(f"{__name__}.{name}").main(arguments[1:])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was written so far is kept", file=sys.stderr)
        return 130
