"""One loader for data sets of page images and texts, whatever form they have on the disk or hub."""

from pathlib import Path

import datasets
import huggingface_hub

from glmocr_utils.labels.sources.sharegpt import read_sharegpt

TEXT_COLUMNS = ("label", "text", "ground_truth")
IMAGE_NAMES = ("image", "images", "img", "page", "page_image")  # of a column that is plain bytes
BYTES = ("binary", "large_binary")
SAVED = ("state.json", "dataset_dict.json")  # what `save_to_disk` writes


def load_splits(name: str) -> datasets.DatasetDict:
    """All splits of a data set, images not decoded.

    Args:
        name: hub id; folder of an imagefolder, of notebook 04, of `save_to_disk` or with parquet
            files, as a hub has them; a `.parquet` file; or a ShareGPT `.json` file.

    Raises:
        ValueError: there is no such data set, it cannot be read, or lacks images or texts.
    """
    try:
        splits = _load(name)
    except IndexError as error:  # how the library says that nothing was saved
        raise ValueError(f"{name} has no pages to train on; add some") from error
    except (
        OSError,  # no connection to the hub is one too
        ValueError,
        datasets.exceptions.DatasetsError,
        datasets.exceptions.DatasetGenerationError,
        huggingface_hub.errors.HfHubHTTPError,
    ) as error:
        raise ValueError(
            f"the data set {name!r} cannot be loaded: {_first_line(error)}. Give a hub id, a "
            "folder that notebook 04 wrote, an imagefolder, a folder with parquet files, or a "
            "ShareGPT .json file"
        ) from error
    for split, rows in splits.items():
        image_column, _ = find_columns(rows)
        splits[split] = rows.cast_column(image_column, datasets.Image(decode=False))
    return splits


def find_columns(dataset: datasets.Dataset) -> tuple[str, str]:
    """The names of a data set's image column and text column.

    An image is an `Image`, or what parquet has in its place: bytes and path, or bytes alone.

    Raises:
        ValueError: it has no such columns.
    """
    images = [name for name, kind in dataset.features.items() if _is_image(name, kind)]
    texts = [
        name
        for name in TEXT_COLUMNS
        if getattr(dataset.features.get(name), "dtype", None) in ("string", "large_string")
    ]
    if not images or not texts:
        raise ValueError(
            f"the dataset has the columns {', '.join(dataset.column_names)}; it needs one of "
            f"images, and one of texts named {', '.join(TEXT_COLUMNS)}. Rename the column with "
            "dataset.rename_column"
        )
    return ("image" if "image" in images else images[0]), texts[0]


def _load(name: str) -> datasets.DatasetDict:
    path = Path(name)
    if path.is_file() and path.suffix == ".parquet":
        return datasets.load_dataset("parquet", data_files=name)
    if path.suffix == ".json":
        return datasets.DatasetDict({"train": _sharegpt(path)})
    if any((path / file).is_file() for file in SAVED):
        saved = datasets.load_from_disk(name)
        if isinstance(saved, datasets.DatasetDict):
            return saved
        return datasets.DatasetDict({"train": saved})
    if path.is_dir():
        if _has_parquet(path):
            return datasets.load_dataset(name)
        return datasets.load_dataset("imagefolder", data_dir=name)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise FileNotFoundError("no such folder, and no .json or .parquet file")
    return datasets.load_dataset(name)


def _has_parquet(folder: Path) -> bool:
    """Whether it has parquet files at any depth, but for hidden folders."""
    found = (path.relative_to(folder) for path in folder.rglob("*.parquet"))
    return any(not any(part.startswith(".") for part in path.parts) for path in found)


def _is_image(name: str, kind: object) -> bool:
    if isinstance(kind, datasets.Image):
        return True
    if isinstance(kind, dict):
        return "bytes" in kind and getattr(kind["bytes"], "dtype", None) in BYTES
    return name in IMAGE_NAMES and getattr(kind, "dtype", None) in BYTES


def _sharegpt(path: Path) -> datasets.Dataset:
    pages = read_sharegpt(path)
    rows = [
        {"image": str(page.image_file), "text": text, "prompt": page.task} for page, text in pages
    ]
    kinds = {"text": datasets.Value("string"), "prompt": datasets.Value("string")}
    return datasets.Dataset.from_list(
        rows, features=datasets.Features({"image": datasets.Image(), **kinds})
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
