"""Run a notebook without a browser, and record results for scripts."""

import json
import logging
from pathlib import Path

from glmocr_utils.files import write_file
from glmocr_utils.notebook_run.parameters import notebook_parameters

# Sockets of this user alone, where the default is TCP ports that all users of a machine reach.
KERNEL_CONFIG = {"KernelManager": {"transport": "ipc"}}


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
    _sign(Path(output))
    return Path(output)


def _sign(notebook: Path) -> None:
    """Have Jupyter trust what was run here: it shows no styled output of a notebook otherwise."""
    import nbformat
    from nbformat.sign import NotebookNotary

    NotebookNotary().sign(nbformat.read(notebook, as_version=4))


def _further_parameters(notebook: str | Path) -> frozenset[str]:
    """Notebook 05 takes every option of TRL's SFTConfig, more than its parameters cell can list."""
    if Path(notebook).stem != "05_finetune":
        return frozenset()
    from glmocr_utils.finetune import option_names  # importing TRL takes seconds

    return option_names()


def record_results(output_dir: str | Path, **results: object) -> Path:
    """Write a notebook's results as `results.json` in its output folder, for scripts and tests.

    Args:
        results: names and JSON values.

    Returns:
        The path of the file, which appears complete or not at all.
    """
    text = json.dumps(results, ensure_ascii=False, indent=2) + "\n"
    return write_file(Path(output_dir) / "results.json", text)
