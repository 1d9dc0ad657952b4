"""Running notebooks without a browser: papermill with strict parameters, and what a run records."""

import ast
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from glmocr_utils.files import write_file
from glmocr_utils.options import coerce_all, kinds_of

# Sockets of this user alone, where the default is TCP ports that all users of a machine reach.
KERNEL_CONFIG = {"KernelManager": {"transport": "ipc"}}

# What `make demo` runs: notebooks and their parameters, in this order.
BUNDLED_MODEL = "data/models/glm-ocr-tiny"
_FINETUNE: dict[str, Any] = {
    "dataset_name": "outputs/demo/04_labels/dataset",
    "model_id": BUNDLED_MODEL,
    "gradient_accumulation_steps": 1,
    "gradient_checkpointing": False,  # it saves memory that so small a model does not need
    "eval_steps": 24,
    "max_tokens": 1024,
    "report_to": "none",
}
DEMO: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "01_render",
        {
            "input_path": "data/samples",
            "model_id": BUNDLED_MODEL,
            "output_dir": "outputs/demo/01_render",
        },
    ),
    (
        "02_ocr_explore",
        {
            "input_path": "data/samples/decision_scan.pdf",
            "model_id": BUNDLED_MODEL,
            "max_tokens": 1024,
            "batch_size": 2,
            "show_tokens": True,
            "show_probs": True,
            "formats": "hocr,alto,pdf",
            "output_dir": "outputs/demo/02_ocr_explore",
        },
    ),
    (
        "03_probs_viz",
        {
            "results": "outputs/demo/02_ocr_explore",
            "model_id": BUNDLED_MODEL,
            "references": "data/samples/truth.jsonl",
            "boxes": True,
            "output_dir": "outputs/demo/03_probs_viz",
        },
    ),
    (
        "04_labels",
        {
            "input_path": "outputs/demo/01_render",
            "source": "text_layer,model,review",
            "results": "outputs/demo/02_ocr_explore",
            "review_log": "data/samples/review.jsonl",
            "model_id": BUNDLED_MODEL,
            "max_scored": 8,
            "test_size": 0.2,
            "seed": 34,  # puts aside three chapters in black letter and three other documents
            "output_dir": "outputs/demo/04_labels",
        },
    ),
    # the bundled model learns to read black letter, first with an adapter, then with all weights
    (
        "05_finetune",
        {
            **_FINETUNE,
            "use_lora": True,
            "lora_rank": 16,
            "learning_rate": 2e-3,
            "num_train_epochs": 6,
            "output_dir": "outputs/demo/05_finetune",
        },
    ),
    (
        "05_finetune",
        {
            **_FINETUNE,
            "learning_rate": 1e-3,
            "num_train_epochs": 4,
            "output_dir": "outputs/demo/05_finetune_full",
        },
    ),
    (
        "06_mass_infer",
        {
            "input_path": "data/samples",
            "model_id": BUNDLED_MODEL,
            "max_tokens": 1024,
            "calibration": "outputs/demo/03_probs_viz/calibration.json",
            "output_dir": "outputs/demo/06_mass_infer",
        },
    ),
    # the held-out pages, as the model read them before and after training
    (
        "07_evaluate",
        {
            "readings": "outputs/demo/05_finetune_full/readings/before.jsonl",
            "other_readings": "outputs/demo/05_finetune_full/readings/after.jsonl",
            "references": "outputs/demo/04_labels/dataset",
            "documents": "data/samples",
            "output_dir": "outputs/demo/07_evaluate",
        },
    ),
)


def project_root(start: Path | None = None) -> Path:
    """The folder that holds `notebooks/` and `glmocr_utils/`, from here upwards.

    Notebooks go there first, so that the same relative paths work from JupyterLab, which starts a
    notebook in its own folder, and from papermill, which starts it where the user is. Outside a
    clone, where the package is installed (Colab, Kaggle), paths are relative to `start`.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "notebooks").is_dir() and (folder / "glmocr_utils").is_dir():
            return folder
    return start


def notebook_parameters(notebook: str | Path) -> dict[str, object]:
    """The parameters of a notebook and their defaults: the literals in its `parameters` cell.

    papermill's own reading goes line by line and stumbles over an equals sign in a comment.

    Raises:
        ValueError: the notebook has no cell with the tag `parameters`.
    """
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            return _literals("".join(cell["source"]))
    raise ValueError(f"{notebook} has no cell with the tag 'parameters', so it takes none")


def take_parameters(namespace: dict[str, object], options: type) -> None:
    """Give a notebook's parameters the types that its commands take them for.

    papermill guesses a type from what was typed: `-p pages 3` comes as a number, `-p new_run false`
    as text.

    Args:
        namespace: the notebook's `globals()`; changed in place.
        options: the dataclass of the step, whose fields name the types.

    Raises:
        ValueError: a value that its parameter does not take; the message names it.
    """
    # a cell that runs again may have put an object in a parameter's place
    given = {
        name: value
        for name, value in _parameters_in(namespace).items()
        if type(value).__module__ in ("builtins", "datetime") and not callable(value)
    }
    namespace.update(coerce_all(given, kinds_of(options)))


def _parameters_in(namespace: dict[str, object]) -> dict[str, object]:
    """The parameters among a notebook's variables: what cells of nothing but literals assign.

    When the notebook runs again in the same kernel, other variables are there too, and some have
    the name of a parameter of another notebook.
    """
    if "In" not in namespace:  # no notebook
        return namespace
    names: set[str] = set()
    history: Any = namespace["In"]  # IPython's
    for source in history:
        try:
            assigned = _literals(source)
        except (SyntaxError, ValueError):
            continue
        names |= assigned.keys()
    return {name: namespace[name] for name in names if name in namespace}


def _literals(source: str) -> dict[str, object]:
    """What a cell assigns that does nothing else.

    Raises:
        SyntaxError, ValueError: it does something else.
    """
    values = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = ast.literal_eval(value)
            case _:
                raise ValueError("not an assignment")
    return values


def run_notebook(
    notebook: str | Path, output: str | Path, parameters: dict[str, object] | None = None
) -> Path:
    """Run a notebook from top to bottom and save it with its outputs; progress goes to stderr.

    papermill only warns of a parameter that the notebook does not have; here it is an error, so
    that a typing mistake does not run for hours on a default.

    Returns:
        The path of the notebook with its outputs, which is also written when a cell fails.

    Raises:
        ValueError: an unknown parameter.
        papermill.PapermillExecutionError: a cell failed.
    """
    import papermill  # seconds, and no notebook needs it to run itself
    from traitlets.config import Config

    parameters = parameters or {}
    known = notebook_parameters(notebook)
    unknown = sorted(parameters.keys() - known.keys() - _further_parameters(notebook))
    if unknown:
        raise ValueError(
            f"{Path(notebook).name} has no parameter {', '.join(unknown)}; "
            f"it has {', '.join(known)}"
        )
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    # its warning of parameters that the cell does not list; those were just checked
    logging.getLogger("papermill").setLevel(logging.ERROR)
    papermill.execute_notebook(
        str(notebook),
        str(output),
        parameters,
        language="python",
        kernel_name="python3",
        config=Config(KERNEL_CONFIG),
    )
    return Path(output)


def _further_parameters(notebook: str | Path) -> frozenset[str]:
    """Notebook 05 takes every option of TRL's SFTConfig, more than its parameters cell can list."""
    if Path(notebook).stem != "05_finetune":
        return frozenset()
    from glmocr_utils.finetune import option_names  # importing TRL takes seconds

    return option_names()


def record_results(output_dir: str | Path, **results: object) -> Path:
    """Write what a notebook found as `results.json` in its output folder, for scripts and tests.

    Args:
        results: names and JSON values.

    Returns:
        The path of the file, which appears complete or not at all.
    """
    text = json.dumps(results, ensure_ascii=False, indent=2) + "\n"
    return write_file(Path(output_dir) / "results.json", text)


def run_demo() -> int:
    """Run every notebook on the samples with the bundled model, offline.

    Returns:
        0, or 1 when a notebook failed.
    """
    from papermill.exceptions import PapermillExecutionError

    os.environ["HF_HUB_OFFLINE"] = "1"  # for the notebooks' kernels
    root = project_root()
    os.chdir(root)
    # the notebooks link to these pictures, and so does what comes of them
    for outputs in {Path(parameters["output_dir"]).parent for _, parameters in DEMO}:
        shutil.copytree(root / "notebooks/figures", outputs / "figures", dirs_exist_ok=True)
    made: list[str] = []
    for name, parameters in DEMO:
        folder = Path(parameters["output_dir"])
        output = folder.with_suffix(".ipynb")
        print(f"── {folder.name} ──", flush=True)
        try:
            run_notebook(root / "notebooks" / f"{name}.ipynb", output, parameters)
        except PapermillExecutionError as error:
            print(f"{folder.name} failed: {error}\nIts outputs so far are in {output}")
            return 1
        made += [str(output), *_files_to_look_at(folder)]
    print("\nLook at:")
    print("\n".join(f"  {path}" for path in made))
    return 0


def _files_to_look_at(output_dir: Path) -> list[str]:
    """The files of a step, or its folder where there are many."""
    files = sorted(
        path for path in output_dir.iterdir() if path.is_file() and not path.name.startswith(".")
    )
    return [str(path) for path in files] if len(files) <= 6 else [f"{output_dir}/"]
