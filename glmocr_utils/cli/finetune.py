"""`glmocr finetune`: labels → a model that reads these pages better.

All options are fields of `FinetuneConfig`, so those of TRL's SFTConfig are among them. Works under
`accelerate launch -m glmocr_utils finetune …` too.
"""

from collections.abc import Sequence
from typing import NoReturn

from transformers import HfArgumentParser

from glmocr_utils.cli.command import check_output_dir, no_such_option
from glmocr_utils.finetune import FinetuneConfig, check, finetune, summary_lines


class Parser(HfArgumentParser):
    """Its options are the fields of a dataclass, hundreds of them."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)  # argparse would print them all before it


def main(arguments: Sequence[str]) -> int:
    """Train, or only check with `--dry_run`. Returns the exit code.

    Raises:
        ValueError: an option is unknown or cannot work, nothing can be written to `output_dir`, or
            the preflight found something to fix.
        ModelLoadError: the model cannot be loaded.
    """
    parser = Parser(FinetuneConfig)
    _, unknown = parser.parse_known_args(arguments)
    if unknown:
        known = [name for action in parser._actions for name in action.option_strings]
        raise no_such_option(unknown[0], known)
    [config] = parser.parse_args_into_dataclasses(arguments)
    check_output_dir(config.output_dir)
    checked = check(config)
    if config.process_index == 0:
        print(checked, flush=True)
    if config.dry_run:
        return 1 if checked.problems else 0
    result = finetune(config, checked=checked)
    if config.process_index == 0:
        print("", *summary_lines(result), f"model and report are in {result.output_dir}", sep="\n")
    return 0
