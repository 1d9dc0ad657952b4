"""The first code cell of every notebook: Colab and Kaggle lack the package.

`python -m workshop.install_cell` writes it.
"""

import json
from typing import Any

from glmocr_utils.files import write_file
from glmocr_utils.notebook_run import project_root

TAG = "install"
SOURCE = """\
# Colab, Kaggle: installs what is missing (docs/colab.md). Elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("glmocr_utils") is None:
    %pip install --quiet "..[{extras}]"
"""
TRAINING = "05_finetune"  # TRL and PEFT are many and large, and no other notebook needs them


def install_source(notebook: str) -> str:
    """The cell of a notebook, by its file's name without suffix."""
    extras = "notebooks,train" if notebook == TRAINING else "notebooks"
    return SOURCE.format(extras=extras).rstrip("\n")


def main() -> None:
    for path in sorted((project_root() / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = _with_install_cell(notebook["cells"], path.stem)
        write_file(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _with_install_cell(cells: list[dict[str, Any]], notebook: str) -> list[dict[str, Any]]:
    others = [cell for cell in cells if TAG not in cell["metadata"].get("tags", [])]
    install = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install",
        "metadata": {"tags": [TAG]},
        "outputs": [],
        "source": install_source(notebook).splitlines(keepends=True),
    }
    return [others[0], install, *others[1:]]


if __name__ == "__main__":
    main()
