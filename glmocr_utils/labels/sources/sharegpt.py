"""The official fine-tuning format, both ways: ShareGPT JSON.

A list of `{"messages": [user, assistant], "images": [path]}`. The user says `<image>` and the
task; the path is relative to the JSON file's folder.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from glmocr_utils.labels.image_copies import copy_images
from glmocr_utils.labels.pages import LeftOut, make_label, page_of_image
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label, LabelKey, LabelStatus, PageFile

SOURCE = "sharegpt"
IMAGE_MARK = "<image>"


def label_from_sharegpt(
    store: LabelStore, path: str | Path, *, status: LabelStatus = "gold", progress: bool = True
) -> LabelRun:
    """Take over the pairs of a ShareGPT file; each image's prompt is kept as its task.

    Raises:
        ValueError: an example is not one image, one question and one answer, its image is missing,
            or two examples give different answers. Nothing is taken over then.
    """
    pairs = read_sharegpt(path)
    texts = {page.key: text for page, text in pairs}

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for page in missing:
            yield make_label(page, texts[page.key], status, SOURCE)

    return store.record(SOURCE, [page for page, _ in pairs], label_pages, progress=progress)


def read_sharegpt(path: str | Path) -> list[tuple[PageFile, str]]:
    """The pages of a ShareGPT file, each with its text; a page's task is the example's question.

    Raises:
        ValueError: as `label_from_sharegpt`; the message names the example.
    """
    path = Path(path)
    texts: dict[LabelKey, str] = {}
    pairs = []
    for number, example in enumerate(_read_examples(path), start=1):
        try:
            page, text = _parse_example(example, path.parent)
            if texts.setdefault(page.key, text) != text:
                raise ValueError("an earlier example gives another answer for its image")
        except (ValueError, OSError) as error:
            raise ValueError(
                f"{str(path)!r}, example {number}: {error}; correct or remove it"
            ) from error
        pairs.append((page, text))
    return pairs


def export_sharegpt(labels: Iterable[Label], path: str | Path) -> None:
    """Write labels as ShareGPT JSON, and their images into a folder of the same name beside it."""
    path = Path(path)
    labels = list(labels)
    names = copy_images(labels, path.with_suffix(""))
    examples = [
        {
            "messages": [
                {"role": "user", "content": IMAGE_MARK + label.file.task},
                {"role": "assistant", "content": label.text},
            ],
            "images": [f"{path.stem}/{name}"],
        }
        for label, name in zip(labels, names, strict=True)
    ]
    path.write_text(json.dumps(examples, ensure_ascii=False, indent=2), encoding="utf-8")


def _read_examples(path: Path) -> list:
    try:
        examples = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not JSON ({error}); give a ShareGPT file") from error
    if not isinstance(examples, list):
        raise ValueError(f"{str(path)!r} is not a list of examples; give a ShareGPT file")
    return examples


def _parse_example(example: Any, folder: Path) -> tuple[PageFile, str]:
    try:
        (image,) = example["images"]
        question, answer = example["messages"]
        roles = (question["role"], answer["role"])
        content, text = question["content"], answer["content"]
        if roles != ("user", "assistant") or not isinstance(text, str):
            raise ValueError
        if not content.startswith(IMAGE_MARK) or content.count(IMAGE_MARK) != 1:
            raise ValueError
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(
            f"it is not one image, one question that begins with {IMAGE_MARK} and one answer"
        ) from error
    return page_of_image(folder / image, content.removeprefix(IMAGE_MARK)), text
