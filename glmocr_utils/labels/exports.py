"""The label set for other programs: imagefolder, text files, a saved dataset.

ShareGPT JSON is written by `sharegpt`.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glmocr_utils.files import write_file
from glmocr_utils.labels.image_copies import copy_images, turned_png
from glmocr_utils.labels.splits import Split
from glmocr_utils.records import Label

if TYPE_CHECKING:
    import datasets

METADATA = "metadata.jsonl"
KINDS = {"page_index": "int64", "scale": "float64", "angle": "int64"}  # of columns; others are text
EXPORTED = ".exported"  # the names that `export_sidecars` wrote last


def export_imagefolder(
    labels: Iterable[Label], directory: str | Path, split: Split | None = None
) -> None:
    """Write images and a `metadata.jsonl` that `load_dataset("imagefolder", data_dir=…)` reads.

    Each line has `file_name`, `text`, `status`, `split` (`train`, `test`, or null), where the label
    comes from, `scale` (pixels per PDF point, or null) and `angle` (degrees clockwise by which the
    image was turned, as it was read). A folder that was exported before is brought up to date.

    Raises:
        ValueError: the folder holds other files.
    """
    labels, directory = list(labels), Path(directory)
    outdated = _exported_before(directory)
    names = copy_images(labels, directory)
    lines = [
        json.dumps({"file_name": name, **_row(label, split)}, ensure_ascii=False) + "\n"
        for label, name in zip(labels, names, strict=True)
    ]
    write_file(directory / METADATA, "".join(lines))
    for name in outdated - set(names):  # `datasets` takes every image that lies there
        (directory / name).unlink(missing_ok=True)


def export_sidecars(labels: Iterable[Label], directory: str | Path) -> None:
    """Write images and, beside each, its text: `page.png` and `page.txt`.

    What an earlier export left there of pages that have no label any more is removed.

    Raises:
        ValueError: a page has texts for two tasks, and only one fits beside its image.
    """
    labels, directory = list(labels), Path(directory)
    pages = {label.page.key for label in labels}
    if len(pages) < len(labels):
        raise ValueError("a page has two labels; choose those of one task before exporting")
    names = copy_images(labels, directory)
    for label, name in zip(labels, names, strict=True):
        path = (directory / name).with_suffix(".txt")
        path.write_text(label.text + "\n", encoding="utf-8")
    record = directory / EXPORTED
    before = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    for name in set(before) - set(names):
        (directory / name).unlink(missing_ok=True)
        (directory / name).with_suffix(".txt").unlink(missing_ok=True)
    record.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def to_dataset(labels: Sequence[Label], split: Split | None = None) -> "datasets.DatasetDict":
    """The labels as a dataset with the columns of the imagefolder; `save_to_disk` keeps it.

    Returns:
        The splits `train` and `test`; without `split` all is `train`.
    """
    import datasets  # it takes a second

    rows = [{"image": _image(label), **_row(label, split)} for label in labels]
    features = datasets.Features(
        {
            name: datasets.Image() if name == "image" else datasets.Value(KINDS.get(name, "string"))
            for name in (rows[0] if rows else {})
        }
    )
    names = ("train",) if split is None else ("train", "test")
    return datasets.DatasetDict(
        {
            name: datasets.Dataset.from_list(
                [row for row in rows if split is None or row["split"] == name], features=features
            )
            for name in names
        }
    )


def _image(label: Label) -> str | dict[str, object]:
    if label.angle == 0:
        return str(label.file.image_file)
    return {"path": label.file.image_file.name, "bytes": turned_png(label)}


def _row(label: Label, split: Split | None) -> dict[str, str | int | float | None]:
    return {
        "text": label.text,
        "status": label.status,
        "split": None if split is None else split.of(label),
        "source": label.source,
        "reviewer": label.reviewer,
        "model_id": label.model_id,
        "prompt": label.prompt,
        "task": label.file.task,
        "time": label.time,
        "document": label.page.document_path,
        "document_sha256": label.page.document_sha256,
        "page_index": label.page.page_index,
        "sha256": label.file.image_sha256,
        "scale": label.file.scale,
        "angle": label.angle,
    }


def _exported_before(directory: Path) -> set[str]:
    """The file names of an earlier export into this folder."""
    if not directory.is_dir() or not any(directory.iterdir()):
        return set()
    try:
        with (directory / METADATA).open(encoding="utf-8") as metadata:
            rows = [json.loads(line) for line in metadata]
        return {row["file_name"] for row in rows if row["status"]}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{str(directory)!r} contains files that aren't exported labels; choose an empty folder"
        ) from error
