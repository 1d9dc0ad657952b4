"""Values of parameters: what papermill and a terminal give, read by the parameter's type."""

import datetime
from importlib import import_module
from pathlib import Path
from typing import Literal

import nbformat
import pytest
from papermill.cli import _resolve_type as from_papermill

from glmocr_utils.cli import main
from glmocr_utils.finetune import FinetuneConfig
from glmocr_utils.mass_infer import InferOptions
from glmocr_utils.notebook_run import notebook_parameters, take_parameters
from glmocr_utils.parameters import KINDS, coerced, kinds_of, text_reader

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
OPTIONS = {"05_finetune": FinetuneConfig, "06_mass_infer": InferOptions}
LETTER = str(Path(__file__).parents[2] / "data/samples/letter.pdf")


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [
        ("pages", "3", "3"),
        ("pages", "1-3", "1-3"),
        ("pages", "None", None),
        ("input_path", "2023", "2023"),
        ("password", "secret", "secret"),
        ("password", "0x1F", "0x1F"),
        ("show_probs", "false", False),
        ("show_probs", "True", True),
        ("scale", "2", 2.0),
        ("scale", "1e0", 1.0),
        ("num_pages", "7", 7),
        ("num_pages", "None", None),
        ("test_size", "5", 5),
        ("test_size", "0.25", 0.25),
        ("review", "auto", "auto"),
        ("review", "false", False),
        ("seed", "7", 7),
    ],
)
def test_what_is_typed_means_the_same_to_papermill_and_to_a_command(name, typed, meant):
    value = coerced(name, from_papermill(typed), KINDS[name])
    assert (value, type(value)) == (meant, type(meant))
    if meant is not None:  # a command leaves an option out
        assert text_reader(name, KINDS[name])(typed) == meant


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("password", 123, "zeros at its front are lost.*-r password VALUE"),
        ("password", 1e5, "-r password VALUE"),
        ("password", True, "-r password VALUE"),
        ("input_path", 2023.1, "input_path is text or None, got 2023.1.*-r input_path VALUE"),
        ("pages", True, "pages is text or None, got True"),
        ("pages", datetime.date(2023, 1, 2), "pages is text or None"),
        ("pages", [1, 2], "pages is text or None"),
        ("show_probs", 1, "show_probs is True or False, got 1"),
        ("show_probs", "maybe", "show_probs is True or False, got 'maybe'"),
        ("seed", True, "seed is a whole number, got True"),
        ("seed", 1.5, "seed is a whole number"),
        ("scale", "big", "scale is a number, got 'big'"),
        ("scale", None, "scale is a number, got None.*Leave it out"),
        ("review", "yes", "review is True or False or 'auto', got 'yes'"),
        ("num_pages", "many", "num_pages is a whole number or None"),
    ],
)
def test_anything_else_is_refused_by_name(name, value, said):
    with pytest.raises(ValueError, match=said):
        coerced(name, value, KINDS[name])


def test_a_password_is_not_repeated():
    with pytest.raises(ValueError) as error:
        coerced("password", 90210, KINDS["password"])
    assert "90210" not in str(error.value)


def test_types_with_other_parts_hold_numbers_to_the_simple_ones():
    assert coerced("report_to", ["a", "b"], list[str] | str | None) == ["a", "b"]
    assert coerced("retry", "looped", list[str] | str | None) == "looped"
    assert coerced("batch_size", "8", int | Literal["auto"]) == 8
    with pytest.raises(ValueError, match="eval_strategy is text, got False"):
        coerced("eval_strategy", False, dict | str)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_parameter_of_a_notebook_has_a_type_that_its_default_has(notebook):
    options = OPTIONS.get(notebook.stem)
    kinds = {**KINDS, **(kinds_of(options) if options else {})}
    defaults = notebook_parameters(notebook)
    assert defaults.keys() <= kinds.keys()
    taken = dict(defaults)
    take_parameters(taken, options)
    assert taken == defaults


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_takes_its_parameters_before_anything_else(notebook):
    [set_up] = [
        cell.source.splitlines()
        for cell in nbformat.read(notebook, as_version=4).cells
        if "os.chdir(project_root())" in cell.source
    ]
    options = OPTIONS.get(notebook.stem)
    arguments = f"globals(), {options.__name__}" if options else "globals()"
    assert set_up[1] == f"take_parameters({arguments})"


def test_parameters_change_in_the_notebook_and_nothing_else_does():
    calibration = object.__new__(InferOptions)  # what an earlier run of a cell may have left
    namespace = {"pages": 3, "new_run": "false", "__name__": "x", "calibration": calibration}
    take_parameters(namespace, InferOptions)
    assert namespace == {
        "pages": "3", "new_run": False, "__name__": "x", "calibration": calibration,
    }  # fmt: skip
    with pytest.raises(ValueError, match="engine"):
        take_parameters({"engine": 3}, InferOptions)


def test_a_notebook_that_runs_again_keeps_variables_named_like_other_parameters():
    history = [
        "",
        "scale = 2.0\nmax_tokens = 5  # why",
        "import os",
        "pages = read()",
        "max_tokens = '7'",
    ]
    namespace = {"In": history, "scale": 2, "max_tokens": "7", "pages": ["a page"], "seed": "x"}
    take_parameters(namespace)
    assert (namespace["scale"], namespace["max_tokens"]) == (2.0, 7)
    assert (namespace["pages"], namespace["seed"]) == (["a page"], "x")
    with pytest.raises(ValueError, match="max_tokens is a whole number"):
        take_parameters({**namespace, "max_tokens": "many"})


def test_trainings_own_options_have_their_types():
    namespace = {"learning_rate": "1e-5", "dry_run": "false", "weight_decay": 0, "optim": "sgd"}
    take_parameters(namespace, FinetuneConfig)
    assert namespace == {
        "learning_rate": 1e-5, "dry_run": False, "weight_decay": 0.0, "optim": "sgd",
    }  # fmt: skip
    with pytest.raises(ValueError, match="lora_rank is a whole number"):
        take_parameters({"lora_rank": "many"}, FinetuneConfig)


@pytest.mark.parametrize(
    "command", ["diff", "evaluate", "export", "ground", "infer", "label", "ocr", "render"]
)
def test_each_option_of_a_command_has_a_type(command):
    command = import_module(f"glmocr_utils.cli.{command}").COMMAND
    assert {option.name for option in command.options} <= command.kinds.keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ocr", LETTER, "--show-probs", "maybe"], "--show-probs/--show_probs: invalid bool value"),
        (["infer", LETTER, "--batch-size", "many"], "invalid int value"),
        (["label", LETTER, "--test-size", "some"], "invalid float value"),
    ],
)
def test_a_command_names_the_option_and_the_type(arguments, said, capsys):
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert said in errors and len(errors.strip().splitlines()) == 1
