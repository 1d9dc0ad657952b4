"""`make demo` and `make demo-full`: notebooks on samples, offline, then one page to open."""

import html
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glmocr_utils.files import write_file
from glmocr_utils.notebook_run.running import project_root, run_notebook

Steps = tuple[tuple[str, dict[str, Any]], ...]  # notebooks and their parameters, in this order

BUNDLED_MODEL = "data/models/glm-ocr-tiny"
BUNDLED_LAYOUT = "data/models/doclayout-tiny"
_FINETUNE: dict[str, Any] = {
    "dataset_name": "outputs/demo_full/04_labels/dataset",
    "model_id": BUNDLED_MODEL,
    "gradient_accumulation_steps": 1,
    "gradient_checkpointing": False,  # it saves memory that so small a model does not need
    "eval_steps": 24,
    "max_tokens": 1024,
    "report_to": "none",
}
_COLUMNS: dict[str, Any] = {
    "input_path": "data/samples/columns/bulletin.pdf",
    "model_id": BUNDLED_MODEL,
    "max_tokens": 1024,
    "batch_size": 8,
}
FULL_DEMO: Steps = (
    (
        "01_render",
        {
            "input_path": "data/samples",
            "model_id": BUNDLED_MODEL,
            "output_dir": "outputs/demo_full/01_render",
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
            "output_dir": "outputs/demo_full/02_ocr_explore",
        },
    ),
    (
        "03_probs_viz",
        {
            "results": "outputs/demo_full/02_ocr_explore",
            "model_id": BUNDLED_MODEL,
            "references": "data/samples/truth.jsonl",
            "boxes": True,
            "output_dir": "outputs/demo_full/03_probs_viz",
        },
    ),
    (
        "04_labels",
        {
            "input_path": "outputs/demo_full/01_render",
            "source": "text_layer,model,review",
            "results": "outputs/demo_full/02_ocr_explore",
            "review_log": "data/samples/review.jsonl",
            "model_id": BUNDLED_MODEL,
            "max_scored": 8,
            "test_size": 0.2,
            "seed": 34,  # puts aside three chapters in black letter and three other documents
            "output_dir": "outputs/demo_full/04_labels",
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
            "num_train_epochs": 9,
            "output_dir": "outputs/demo_full/05_finetune",
        },
    ),
    (
        "05_finetune",
        {
            **_FINETUNE,
            "learning_rate": 1e-3,
            "num_train_epochs": 8,
            "output_dir": "outputs/demo_full/05_finetune_full",
        },
    ),
    (
        "06_mass_infer",
        {
            "input_path": "data/samples",
            "model_id": BUNDLED_MODEL,
            "max_tokens": 1024,
            "calibration": "outputs/demo_full/03_probs_viz/calibration.json",
            "output_dir": "outputs/demo_full/06_mass_infer",
        },
    ),
    # the held-out pages, as the model read them before and after training
    (
        "07_evaluate",
        {
            "readings": "outputs/demo_full/05_finetune_full/readings/before.jsonl",
            "other_readings": "outputs/demo_full/05_finetune_full/readings/after.jsonl",
            "references": "outputs/demo_full/04_labels/dataset",
            "documents": "data/samples",
            "output_dir": "outputs/demo_full/07_evaluate",
        },
    ),
    # a page in two columns, read as a whole and by regions, and what that changes
    ("02_ocr_explore", {**_COLUMNS, "output_dir": "outputs/demo_full/02_columns_whole"}),
    (
        "02_ocr_explore",
        {
            **_COLUMNS,
            "layout": BUNDLED_LAYOUT,
            "furniture": "in",  # as in the reference
            "output_dir": "outputs/demo_full/02_columns_regions",
        },
    ),
    (
        "07_evaluate",
        {
            "readings": "outputs/demo_full/02_columns_whole",
            "other_readings": "outputs/demo_full/02_columns_regions",
            "references": "data/samples/columns/bulletin.md",
            "documents": "data/samples/columns",
            "output_dir": "outputs/demo_full/07_columns",
        },
    ),
)

# five pages: a scan, a photo of a receipt, a page that lies on its side, and one without ink
FEW_DOCUMENTS = ("decision_scan.pdf", "receipt.png", "rotated.pdf", "blank.pdf")
DOCUMENTS = "outputs/demo/documents"
DEMO: Steps = (
    (
        "01_render",
        {
            "input_path": DOCUMENTS,
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
            "show_probs": True,
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
        "06_mass_infer",
        {
            "input_path": DOCUMENTS,
            "model_id": BUNDLED_MODEL,
            "max_tokens": 1024,
            "output_dir": "outputs/demo/06_mass_infer",
        },
    ),
)

# What each notebook does here, and how many seconds it took on two cores of which one was idle.
STEPS_TOLD: dict[str, tuple[str, int | None]] = {
    "demo/01_render": ("documents → page images", 15),
    "demo/02_ocr_explore": ("two scanned pages → text with probabilities", 20),
    "demo/03_probs_viz": ("where the model was unsure, beside the page", 15),
    "demo/06_mass_infer": ("a small collection → its ledger, every page accounted for", 20),
    "demo_full/01_render": ("all samples → page images", None),
    "demo_full/02_ocr_explore": ("two scanned pages → text, hOCR, ALTO, PDF", None),
    "demo_full/03_probs_viz": ("where the model was unsure, beside the page", None),
    "demo_full/04_labels": ("text layers, readings and a review → labels", None),
    "demo_full/05_finetune": ("train an adapter on black letter", 330),
    "demo_full/05_finetune_full": ("train all weights on black letter", 320),
    "demo_full/06_mass_infer": ("all samples → a ledger, every page accounted for", None),
    "demo_full/02_columns_whole": ("a page in two columns, read as a whole", None),
    "demo_full/02_columns_regions": ("the same page, read by regions", None),
    "demo_full/07_columns": ("what regions change on that page", None),
    "demo_full/07_evaluate": ("held-out pages before and after training", None),
}


def run_demo(full: bool = False) -> int:
    """Run notebooks on the samples with the bundled model, offline.

    Args:
        full: all seven on all samples, training twice; otherwise those that read, on five pages.

    Returns:
        0, or 1 when a notebook failed.
    """
    from papermill.exceptions import PapermillExecutionError

    os.environ["HF_HUB_OFFLINE"] = "1"  # for the notebooks' kernels
    root = project_root()
    os.chdir(root)
    steps = FULL_DEMO if full else DEMO
    folder = Path(steps[0][1]["output_dir"]).parent
    _put_aside_what_others_made(folder, steps)
    # the notebooks link to these pictures, and so does what comes of them
    shutil.copytree(root / "notebooks/figures", folder / "figures", dirs_exist_ok=True)
    if not full:
        Path(DOCUMENTS).mkdir(parents=True, exist_ok=True)
        for document in FEW_DOCUMENTS:
            shutil.copy(f"data/samples/{document}", DOCUMENTS)
    print(_plan(steps, "about 20 minutes" if full else "one to two minutes"), flush=True)
    for number, (name, parameters) in enumerate(steps, start=1):
        output = Path(parameters["output_dir"]).with_suffix(".ipynb")
        print(f"── {output.stem} ({number} of {len(steps)}) ──", flush=True)
        begun = time.perf_counter()
        try:
            run_notebook(root / "notebooks" / f"{name}.ipynb", output, parameters)
        except PapermillExecutionError as error:
            print(f"{output.stem} failed: {error}\nIts outputs so far are in {output}")
            return 1
        print(f"{output.stem} took {time.perf_counter() - begun:.0f} s", flush=True)
    _copy_the_others(root / "notebooks", folder)
    page = write_file(folder / "index.html", _index(folder, steps), durable=False)
    print(f"\nOpen {page} in a browser: it links to all that was made.")
    return 0


def _put_aside_what_others_made(folder: Path, steps: Steps) -> None:
    """Rename the folder of a demo with another model, other versions or other parameters.

    The notebooks would refuse to add to its results, and a newer version of the project comes
    with just such changes. The same demo resumes where it was interrupted.
    """
    from glmocr_utils.model import weights_sha256  # PyTorch takes seconds

    made_with = {
        "steps": steps,
        "models": {model: weights_sha256(model) for model in (BUNDLED_MODEL, BUNDLED_LAYOUT)},
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers")},
    }
    written = json.dumps(made_with, indent=1)
    record = folder / ".made_with.json"
    if folder.exists() and (not record.exists() or record.read_text() != written):
        number = 1
        while (aside := folder.with_name(f"{folder.name}_before_{number}")).exists():
            number += 1
        folder.rename(aside)
        print(f"An earlier demo was made with another model or version: it is in {aside} now.")
    write_file(record, written, durable=False)


def _copy_the_others(notebooks: Path, folder: Path) -> None:
    """Notebooks that were not run, as they are: those that were link to them."""
    for notebook in notebooks.glob("*.ipynb"):
        if not (folder / notebook.name).exists():
            shutil.copy(notebook, folder)


def _plan(steps: Steps, all_in_all: str) -> str:
    """What is about to run, a line each, with the time it takes where that is known."""
    lines = [f"Runs with the small bundled model, offline; {all_in_all} on two idle cores:"]
    for number, (_, parameters) in enumerate(steps, start=1):
        output = Path(parameters["output_dir"])
        what, seconds = STEPS_TOLD.get(f"{output.parent.name}/{output.name}", ("", None))
        took = f", about {seconds} s" if seconds else ""
        lines.append(f"  {number}. {output.name}: {what}{took}")
    return "\n".join(lines)


def _index(folder: Path, steps: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """A page with what to look at, the pages beside their text first."""
    first = [
        _link(folder, path, what)
        for what, pattern in (
            ("Two pages beside their text, doubtful words tinted", "03_probs_viz/*.html"),
            ("The collection at a glance", "06_mass_infer/index.html"),
            ("Before and after training, page by page", "07_evaluate/evaluation.html"),
            ("Two columns as a whole and by regions", "07_columns/evaluation.html"),
        )
        for path in sorted(folder.glob(pattern))
    ]
    rows = []
    for _, parameters in steps:
        output = Path(parameters["output_dir"])
        files = " · ".join(_link(folder, path, path.name) for path in _files(output))
        notebook = _link(folder, output.with_suffix(".ipynb"), "notebook")
        rows.append(f"<li>{html.escape(output.name)}: {notebook} · {files}</li>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>GLM-OCR demo</title>'
        "<style>:root{color-scheme:light dark;font-family:system-ui}"
        "body{max-width:60rem;margin:2rem auto;padding:0 1rem;line-height:1.6}</style>"
        f"<h1>What the demo made</h1><h2>Look at first</h2><ul><li>{'<li>'.join(first)}</ul>"
        f"<h2>Step by step</h2><ul>{''.join(rows)}</ul>"
        "<p>The bundled model is small and there for demos and tests: for your own documents, "
        "use <code>zai-org/GLM-OCR</code>.</p>"
    )


def _link(folder: Path, path: Path, text: str) -> str:
    target = html.escape(os.path.relpath(path, folder))
    return f'<a href="{target}">{html.escape(text)}</a>'


def _files(output_dir: Path) -> list[Path]:
    """The files of a step, or its folder where there are many."""
    files = sorted(
        path for path in output_dir.iterdir() if path.is_file() and not path.name.startswith(".")
    )
    return files if len(files) <= 8 else [output_dir]
