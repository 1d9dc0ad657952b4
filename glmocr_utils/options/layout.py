"""Reading by regions: what finds them, which prompt each kind gets, where furniture goes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from glmocr_utils.options.option import Options, option
from glmocr_utils.prompt import FORMULA_RECOGNITION, TABLE_RECOGNITION, TEXT_RECOGNITION
from glmocr_utils.records.region import (
    FORMULA_LABELS,
    PICTURE_LABELS,
    TABLE_LABELS,
    Furniture,
)

OFFICIAL_LAYOUT = "PaddlePaddle/PP-DocLayoutV3_safetensors"
PICTURE = "picture"  # instead of a prompt: keep an image, and do not read it


@dataclass(frozen=True, slots=True)
class Tasks:
    """A prompt for each kind of region.

    Attributes:
        prompts: by class name; the others have the official defaults.
        text: the prompt of every other kind.
    """

    prompts: Mapping[str, str] = field(default_factory=dict)
    text: str = TEXT_RECOGNITION

    def of(self, label: str) -> str | None:
        """The prompt for a kind of region; None where it is kept as a picture."""
        prompt = self.prompts.get(label, self._default(label))
        return None if prompt == PICTURE else prompt

    def to_record(self) -> dict[str, str]:
        return {**self.prompts, "text": self.prompts.get("text", self.text)}

    def _default(self, label: str) -> str:
        if label in PICTURE_LABELS:
            return PICTURE
        if label in TABLE_LABELS:
            return TABLE_RECOGNITION
        return FORMULA_RECOGNITION if label in FORMULA_LABELS else self.text


def parse_tasks(tasks: str | Mapping[str, str] | None, text: str = TEXT_RECOGNITION) -> Tasks:
    """Read the parameter `tasks`.

    Args:
        tasks: a mapping from kind to prompt, or the same as JSON, such as
            `{"chart": "Table Recognition:", "seal": "picture"}`; None takes the official defaults.
        text: the prompt of text regions.

    Raises:
        ValueError: it isn't such a mapping.
    """
    if not tasks:
        return Tasks(text=text)
    if isinstance(tasks, str):
        try:
            tasks = json.loads(tasks)
        except ValueError:
            tasks = None
    if not isinstance(tasks, Mapping) or not all(
        isinstance(each, str) and each for pair in tasks.items() for each in pair
    ):
        raise ValueError(
            "tasks maps kinds of regions to prompts, as JSON: "
            '{"chart": "Table Recognition:", "seal": "picture"}'
        )
    return Tasks(dict(tasks), text)


def resolve_layout(layout: str | None) -> str | None:
    """The id or folder that the parameter `layout` names: `auto` is the official checkpoint.

    Returns:
        None for None, an empty name or `none`: pages are read as a whole.
    """
    if layout is None or str(layout).lower() in ("", "none"):
        return None
    return OFFICIAL_LAYOUT if str(layout) == "auto" else str(layout)


@dataclass(frozen=True)
class LayoutOptions(Options):
    """Options of reading by regions; without a `layout`, pages are read as a whole."""

    layout: str | None = option(
        None,
        'read by regions: "auto", or id or folder of a layout model; None: whole pages',
        detail=f"auto is {OFFICIAL_LAYOUT}; any PP-DocLayout V3 or V4 works",
    )
    tasks: str | Mapping[str, str] | None = option(
        None,
        'prompts by kind of region, as JSON: {"chart": "picture"}; None: the official ones',
        detail="picture keeps an image instead of reading it",
    )
    furniture: Furniture = option(
        "apart", 'headers, footers, notes: "apart" (after the body), "in" place, "out" of texts'
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_tasks(self.tasks)
