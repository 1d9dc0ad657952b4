"""Which prompt each kind of region gets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from glmocr_utils.prompt import FORMULA_RECOGNITION, TABLE_RECOGNITION, TEXT_RECOGNITION
from glmocr_utils.records.region import FORMULA_LABELS, PICTURE_LABELS, TABLE_LABELS

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
        ValueError: it is no such mapping.
    """
    if not tasks:
        return Tasks(text=text)
    if isinstance(tasks, str):
        try:
            tasks = json.loads(tasks)
        except ValueError:
            tasks = None
    is_mapping = isinstance(tasks, Mapping) and all(
        isinstance(each, str) and each for pair in tasks.items() for each in pair
    )
    if not is_mapping:
        raise ValueError(
            "tasks maps kinds of regions to prompts, as JSON: "
            '{"chart": "Table Recognition:", "seal": "picture"}'
        )
    return Tasks(dict(tasks), text)
