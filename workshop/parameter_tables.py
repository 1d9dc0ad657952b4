"""`python -m workshop.parameter_tables`: the options' fields → docs/parameters.md and notebooks.

A notebook keeps the order of its parameters; a parameter that is new comes last.
"""

import json
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

from glmocr_utils.cli.commands import COMMANDS
from glmocr_utils.notebook_run import notebook_parameters
from glmocr_utils.options import (
    EvaluateOptions,
    FinetuneOptions,
    ImagefolderOptions,
    InferOptions,
    LabelOptions,
    OcrOptions,
    ReviewOptions,
)

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "docs/parameters.md"
NOTEBOOKS: dict[str, type] = {
    "01_render": ImagefolderOptions,
    "02_ocr_explore": OcrOptions,
    "03_probs_viz": ReviewOptions,
    "04_labels": LabelOptions,
    "05_finetune": FinetuneOptions,
    "06_mass_infer": InferOptions,
    "07_evaluate": EvaluateOptions,
}
# Notebook 05 shows the parameters that most runs set, and takes all others too.
NOT_IN_CELL = {
    "05_finetune": {
        *"lora_alpha lora_dropout attn prompt_style label_statuses scale max_pixels".split(),
        *"eval_pages early_stopping_patience per_device_eval_batch_size".split(),
        *"load_best_model_at_end metric_for_best_model train_sampling_strategy".split(),
        *"remove_unused_columns logging_first_step".split(),
    }
}
INTRODUCTION = """\
# Parameters

<!-- Made by `python -m workshop.parameter_tables` from glmocr_utils/options; change it there. -->

Notebooks take them under papermill (`-p scale 3.0`), commands as options (`--scale 3.0`, with \
dashes or underscores). Both read a value by the parameter's type, whatever papermill guesses it \
to be (`-p pages 3`, `-p show_probs false`), and refuse one of another type by name. A password of \
digits has to come as text (`-r password 0123`), since papermill drops leading zeros. Commands \
refuse an option that they do not know, and name the one that may have been meant; papermill only \
warns of it in its first lines, and writes all values into the notebook that it makes, a password \
too.
"""


def parameters_of(notebook: str) -> dict[str, Field[Any]]:
    """The parameters of a notebook's cell, by name."""
    left_out = NOT_IN_CELL.get(notebook, set())
    return {
        item.name: item
        for item in fields(NOTEBOOKS[notebook])
        if item.metadata.get("only") != "command" and item.name not in left_out
    }


def parameters_cell(notebook: str) -> str:
    """The source of a notebook's `parameters` cell."""
    items = parameters_of(notebook)
    order = dict.fromkeys([*notebook_parameters(path_of(notebook)), *items])
    return "\n".join(_line(items[name]) for name in order if name in items)


def parameter_tables() -> str:
    """The content of docs/parameters.md."""
    command_of = {command.options: command.name for command in COMMANDS.values()}
    notebook_of = {options: notebook for notebook, options in NOTEBOOKS.items()}
    parts = [INTRODUCTION]
    for options in dict.fromkeys([*notebook_of, *command_of]):
        rows = [_row(item) for item in fields(options)]
        if rows:
            parts.append(_heading(notebook_of.get(options), command_of.get(options)))
            parts.append("\n".join(["| parameter | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def path_of(notebook: str) -> Path:
    return ROOT / f"notebooks/{notebook}.ipynb"


def _line(item: Field[Any]) -> str:
    return f"{item.name} = {_literal(item.default)}  # {item.metadata['help']}"


def _row(item: Field[Any]) -> str:
    meaning = "; ".join(filter(None, (item.metadata["help"], item.metadata.get("detail"))))
    if only := item.metadata.get("only"):
        meaning += f" (only in the {only})"
    escaped = meaning.replace("|", r"\|")
    return f"| `{item.name}` | `{_literal(item.default)}` | {escaped} |"


def _literal(default: object) -> str:
    """A default as Python has it, text in the quotes that ruff writes."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


def _heading(notebook: str | None, command: str | None) -> str:
    doors = [
        f"[{notebook}](../notebooks/{notebook}.ipynb)" if notebook else None,
        f"`glmocr {command}`" if command else None,
    ]
    more = f"\n\n{COMMANDS[command].more}" if command and COMMANDS[command].more else ""
    return "## " + " · ".join(filter(None, doors)) + more


def main() -> None:
    TABLES.write_text(parameter_tables(), encoding="utf-8")
    for notebook in NOTEBOOKS:
        path = path_of(notebook)
        content = json.loads(path.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if "parameters" in cell["metadata"].get("tags", ()):
                cell["source"] = parameters_cell(notebook).splitlines(keepends=True)
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
