"""Values of parameters: what papermill and a terminal give, read by the parameter's type."""

import datetime
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Literal

import nbformat
import pytest
from papermill.cli import _resolve_type as from_papermill

from glmocr_utils.cli import main
from glmocr_utils.cli.commands import COMMANDS
from glmocr_utils.finetune import FinetuneConfig
from glmocr_utils.labels.workflow import SOURCES
from glmocr_utils.model import load_model
from glmocr_utils.model.loading import DTYPES
from glmocr_utils.notebook_run import notebook_parameters, take_parameters
from glmocr_utils.ocr import read_documents, read_pages
from glmocr_utils.ocr_formats import FORMATS
from glmocr_utils.options import (
    FinetuneOptions,
    ImagefolderOptions,
    InferOptions,
    LabelOptions,
    ModelOptions,
    OcrOptions,
    ReadingOptions,
    RenderOptions,
    ReviewOptions,
    kinds_of,
    text_reader,
)
from glmocr_utils.options.option import field_of
from glmocr_utils.options.values import coerced
from workshop.parameter_tables import (
    NOTEBOOKS,
    TABLES,
    parameter_tables,
    parameters_cell,
    path_of,
)

STEPS = [ImagefolderOptions, OcrOptions, ReviewOptions, LabelOptions, InferOptions]
KINDS = {name: kind for step in STEPS for name, kind in kinds_of(step).items()}
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


def cell_of(notebook: str, has: str) -> str:
    cells = nbformat.read(path_of(notebook), as_version=4).cells
    [source] = [cell.source for cell in cells if cell.cell_type == "code" and has in cell.source]
    return source


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_names_defaults_and_comments_of_a_notebook_are_those_of_its_options(notebook):
    cell = cell_of(notebook, "output_dir = ")
    assert cell == parameters_cell(notebook), "run python -m workshop.parameter_tables"
    defaults = notebook_parameters(path_of(notebook))
    taken = dict(defaults)
    take_parameters(taken, NOTEBOOKS[notebook])
    assert taken == defaults


def test_the_tables_in_the_documentation_are_up_to_date():
    tables = TABLES.read_text(encoding="utf-8")
    assert tables == parameter_tables(), "run python -m workshop.parameter_tables"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_takes_its_parameters_before_anything_else(notebook):
    options = "FinetuneConfig" if notebook == "05_finetune" else NOTEBOOKS[notebook].__name__
    set_up = cell_of(notebook, "os.chdir(project_root())").splitlines()
    spellings = (options, f"glm.{options}", f"glm.options.{options}")
    at = set_up.index("os.chdir(project_root())")
    assert set_up[at + 1] in [f"take_parameters(globals(), {each})" for each in spellings]


@pytest.mark.parametrize(
    ("options", "name", "words"),
    [
        (LabelOptions, "source", SOURCES),
        (OcrOptions, "formats", FORMATS),
        (OcrOptions, "dtype", DTYPES),
    ],
)
def test_the_help_of_an_option_names_all_that_it_takes(options, name, words):
    item = field_of(options, name)
    named = set(re.findall(r"[\w-]+", f"{item.metadata['help']} {item.default}"))
    assert named >= set(words)


def test_parameters_change_in_the_notebook_and_nothing_else_does():
    calibration = object.__new__(InferOptions)  # what an earlier run of a cell may have left
    namespace = {"input_path": 3, "new_run": "false", "__name__": "x", "calibration": calibration}
    take_parameters(namespace, InferOptions)
    assert namespace == {
        "input_path": "3", "new_run": False, "__name__": "x", "calibration": calibration,
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
    take_parameters(namespace, OcrOptions)
    assert (namespace["scale"], namespace["max_tokens"]) == (2.0, 7)
    assert (namespace["pages"], namespace["seed"]) == (["a page"], "x")
    with pytest.raises(ValueError, match="max_tokens is a whole number"):
        take_parameters({**namespace, "max_tokens": "many"}, OcrOptions)


def test_trainings_own_options_have_their_types():
    namespace = {"learning_rate": "1e-5", "dry_run": "false", "weight_decay": 0, "optim": "sgd"}
    take_parameters(namespace, FinetuneConfig)
    assert namespace == {
        "learning_rate": 1e-5, "dry_run": False, "weight_decay": 0.0, "optim": "sgd",
    }  # fmt: skip
    with pytest.raises(ValueError, match="lora_rank is a whole number"):
        take_parameters({"lora_rank": "many"}, FinetuneConfig)


def test_defaults_of_functions_are_those_of_the_options():
    for function in (read_pages, read_documents, load_model):
        for name, parameter in inspect.signature(function).parameters.items():
            for options in (ReadingOptions, ModelOptions):
                if name in kinds_of(options):
                    assert parameter.default == getattr(options, name)


def test_shift_tab_shows_each_option_with_its_help_and_default():
    for options in (InferOptions, OcrOptions, FinetuneOptions, RenderOptions):
        shown = inspect.signature(options).parameters
        for item in fields(options):
            assert f"{item.name}: {item.metadata['help']}" in options.__doc__
            assert shown[item.name].default == item.default


def test_an_options_value_has_its_type_and_range():
    assert OcrOptions(max_tokens="8", scale=3).max_tokens == 8
    for wrong, said in (
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"dtype": "float8"}, "dtype is 'auto' or 'float32'"),
        ({"pages": True}, "pages is text or None"),
    ):
        with pytest.raises(ValueError, match=said):
            OcrOptions(**wrong)


def test_a_command_takes_names_with_underscores_and_leaves_values_alone():
    arguments = ["my_pages.pdf", "a_b", "--output_dir", "my_out", "--model_id=my_lora"]
    options = COMMANDS["ocr"].parse(arguments)
    assert options.input_path == ["my_pages.pdf", "a_b"]
    assert (options.output_dir, options.model_id) == ("my_out", "my_lora")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ocr", LETTER, "--show-probs", "maybe"], "--show-probs: invalid bool value"),
        (["infer", LETTER, "--batch-size", "many"], "invalid int value"),
        (["label", LETTER, "--test-size", "some"], "invalid float value"),
    ],
)
def test_a_command_names_the_option_and_the_type(arguments, said, capsys):
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert said in errors and len(errors.strip().splitlines()) == 1
