"""The training pages and the held-out pages: any data set with images and texts, in one form.

`load_pages` gives Hugging Face datasets with the columns `image` (path or bytes, not decoded),
`text`, `document`, `page_index`, `prompt` and, where the data set has them, `scale`, `kind` (of
page, such as `black letter`) and `source` (of the label).
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

from glmocr_utils.finetune.config import FinetuneConfig
from glmocr_utils.labels.sources.loading import TEXT_COLUMNS, find_columns, load_splits
from glmocr_utils.labels.splits import split_by_document
from glmocr_utils.render import decode_image as decode_image_file

KEPT_COLUMNS = ("scale", "kind", "source")


@dataclass(frozen=True, slots=True)
class Pages:
    """Training pages and held-out pages.

    Attributes:
        train: pages to train on.
        held_out: pages to evaluate on, of other documents; None without evaluation.
        text_column: which column of the data set the texts came from.
        left_out: how many rows were left out, by reason.
        notes: remarks on how the pages were split.
    """

    train: datasets.Dataset
    held_out: datasets.Dataset | None
    text_column: str
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()


def load_pages(config: FinetuneConfig) -> Pages:
    """Load the data set and part it.

    Raises:
        ValueError: it is not there, has no images or texts, a row lacks one, or nothing is left to
            train on. The message names the row and what to do.
    """
    splits = load_splits(config.dataset_name)
    if config.train_split not in splits:
        raise ValueError(
            f"{config.dataset_name} has no split {config.train_split!r} to train on; it has "
            f"{', '.join(splits)}. Set train_split"
        )
    rows = splits[config.train_split]
    if not len(rows):
        raise ValueError(f"{config.dataset_name} has no pages to train on; add some")
    left_out: Counter[str] = Counter()
    rows = _with_status(rows, config, left_out)
    notes: list[str] = []
    put_aside = rows.select(_rows_of_own_split(rows, "test"))
    if len(put_aside):
        left_out.update(f"split {name}" for name in rows["split"] if name not in ("train", "test"))
        rows = rows.select(_rows_of_own_split(rows, "train"))
        if not len(rows):
            raise ValueError(
                f"{config.dataset_name} has put all its pages aside for testing, so none is left "
                "to train on; add pages of other documents, or split again with a smaller test_size"
            )
    if config.eval_split is not None:
        if config.eval_split not in splits:
            raise ValueError(
                f"{config.dataset_name} has no split {config.eval_split!r} to evaluate on; it has "
                f"{', '.join(splits)}. Set eval_split, or leave it out and set eval_split_size"
            )
        held_out = _with_status(splits[config.eval_split], config, left_out)
        notes.append(f"evaluation on the split {config.eval_split!r} of the data set")
    elif config.eval_split_size == 0 or (config.eval_strategy == "no" and not len(put_aside)):
        held_out = None
    elif len(put_aside):
        held_out = put_aside
        notes.append("evaluation on the pages that the label set put aside for it")
    else:
        rows, held_out = _part(rows, config)
        notes.append(f"evaluation on {config.eval_split_size:.0%} of the documents, drawn by seed")
    if len(put_aside) and held_out is not put_aside:
        notes.append(f"{len(put_aside)} pages that the label set put aside are not trained on")
    text_column = find_columns(rows)[1]
    return Pages(
        train=_in_one_form(rows, config),
        held_out=None if held_out is None else _in_one_form(held_out, config),
        text_column=text_column,
        left_out=dict(left_out),
        notes=tuple(notes),
    )


def load_whole(name: str, config: FinetuneConfig) -> datasets.Dataset:
    """All rows of a data set's first split, in the form of `load_pages`.

    Raises:
        ValueError: as `load_pages`.
    """
    splits = load_splits(name)
    return _in_one_form(next(iter(splits.values())), config)


def decode_image(image: Mapping[str, Any]) -> Image.Image:
    """A row's image as RGB pixels, turned as its EXIF data say.

    Raises:
        OSError, ValueError: it isn't an image, or a damaged one.
    """
    return decode_image_file(image["path"] if image["bytes"] is None else image["bytes"])


def data_hash(*parts: datasets.Dataset | None) -> str:
    """SHA-256 over images, texts and prompts: whether two runs saw the same data."""
    digest = hashlib.sha256()
    for rows in parts:
        for row in rows or ():
            image = row["image"]
            content = image["bytes"] or Path(image["path"]).read_bytes()
            digest.update(hashlib.sha256(content).digest())
            digest.update(f"{row['text']}\0{row['prompt']}\0".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _with_status(
    rows: datasets.Dataset, config: FinetuneConfig, left_out: Counter[str]
) -> datasets.Dataset:
    """Only the labels that are trusted; a data set without statuses is taken whole."""
    if "status" not in rows.column_names:
        return rows
    wanted = {status.strip() for status in config.label_statuses.split(",")}
    statuses = rows["status"]
    kept = [number for number, status in enumerate(statuses) if status in wanted]
    left_out.update(f"status {status}" for status in statuses if status not in wanted)
    if not kept:
        raise ValueError(
            f"no label of {config.dataset_name} has a status among {config.label_statuses}; it "
            f"has {dict(Counter(statuses))}. Review some pages, or set label_statuses"
        )
    return rows.select(kept)


def _rows_of_own_split(rows: datasets.Dataset, name: str) -> list[int]:
    if "split" not in rows.column_names:
        return []
    return [number for number, split in enumerate(rows["split"]) if split == name]


def _part(
    rows: datasets.Dataset, config: FinetuneConfig
) -> tuple[datasets.Dataset, datasets.Dataset]:
    documents = _documents(rows, ("document_sha256", "document"))
    if len(set(documents)) < 2:
        raise ValueError(
            f"{config.dataset_name} has one document, and a held-out page of the document that is "
            "trained on proves nothing. Add a document, name an eval_split, or set "
            "eval_split_size=0 and eval_strategy='no'"
        )
    split = split_by_document(
        documents, config.eval_split_size, config.seed, group=lambda document: document
    )
    of_row = [split.of_group[document] for document in documents]
    train, test = (
        [number for number, name in enumerate(of_row) if name == wanted]
        for wanted in ("train", "test")
    )
    return rows.select(train), rows.select(test)


def _in_one_form(rows: datasets.Dataset, config: FinetuneConfig) -> datasets.Dataset:
    image_column, text_column = find_columns(rows)
    texts = _texts(rows, text_column)
    prompts = _prompts(rows, config)
    columns = {
        "text": texts,
        "document": _documents(rows),
        "page_index": rows["page_index"] if "page_index" in rows.column_names else [0] * len(rows),
        "prompt": prompts,
    }
    columns |= {name: rows[name] for name in KEPT_COLUMNS if name in rows.column_names}
    formed = rows.select_columns([image_column])
    if image_column != "image":
        formed = formed.rename_column(image_column, "image")
    for number, image in enumerate(formed["image"]):
        if not image or not (image["bytes"] or image["path"]):
            raise ValueError(f"row {number} has no image; remove the row, or add its image")
    for name, values in columns.items():
        formed = formed.add_column(name, values)
    return formed


def _texts(rows: datasets.Dataset, column: str) -> list[str]:
    texts = list(rows[column])
    missing = [number for number, text in enumerate(texts) if text is None]
    if not missing:
        return texts
    number = missing[0]
    elsewhere = [
        name
        for name in TEXT_COLUMNS
        if name != column and name in rows.column_names and rows[name][number] is not None
    ]
    if elsewhere:
        raise ValueError(
            f"row {number} has its text in the column {elsewhere[0]!r} and others have it in "
            f"{column!r}; put all texts into one column"
        )
    raise ValueError(
        f"row {number} has no text in the column {column!r} ({len(missing)} rows have none); "
        'write "" for an empty page, or remove the row'
    )


def _prompts(rows: datasets.Dataset, config: FinetuneConfig) -> list[str]:
    """Each row's own task, as label sets (`task`) and ShareGPT files have it."""
    for name in ("prompt", "task"):
        if name in rows.column_names and (name == "task" or "task" not in rows.column_names):
            return [prompt or config.prompt for prompt in rows[name]]
    return [config.prompt] * len(rows)


def _documents(rows: datasets.Dataset, columns: tuple[str, ...] = ("document",)) -> list[str]:
    """The document of each row, from the first of these columns that says it."""
    there = [rows[name] for name in columns if name in rows.column_names]
    return [
        str(next((each for each in values if each is not None), f"row {number}"))
        for number, values in enumerate(zip(*there, strict=True) if there else [()] * len(rows))
    ]
