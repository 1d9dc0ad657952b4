"""The terminal's door: `python -m glmocr_utils render|ocr|label|finetune|export|demo`.

Each command is a module of its own; it takes the names and defaults of its notebook's parameters,
with dashes or underscores.
"""

import argparse
import sys
from collections.abc import Sequence

from glmocr_utils.cli import export, finetune, label, ocr, render
from glmocr_utils.model import ModelLoadError
from glmocr_utils.notebook_run import run_demo

COMMANDS = (render.COMMAND, ocr.COMMAND, label.COMMAND, export.COMMAND)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 if a page failed, 2 if nothing could be done."""
    parser = argparse.ArgumentParser(prog="python -m glmocr_utils", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add_to(subparsers)
    finetune.add_to(subparsers)
    demo = subparsers.add_parser("demo", help="run the notebooks on data/samples, offline")
    demo.set_defaults(run=lambda _: run_demo())
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if arguments[:1] == [finetune.NAME]:  # hundreds of options, parsed by Transformers
            return finetune.run(arguments[1:])
        options = parser.parse_args(arguments)
        return options.run(options)
    except (FileNotFoundError, ValueError, ModelLoadError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was written so far is kept", file=sys.stderr)
        return 130
