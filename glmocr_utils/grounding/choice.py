"""The heads that were chosen for a model, kept beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from huggingface_hub.constants import HF_HOME

from glmocr_utils.files import write_file
from glmocr_utils.grounding.head import Head
from glmocr_utils.model import weights_sha256

FILE_NAME = "grounding.json"
COMMAND = "glmocr ground"
# of the first model that it was measured for; for choices that were made before
USUAL_SHARE = 0.967


class Model(Protocol):
    """What identifies a model; it need not be loaded."""

    @property
    def model_id(self) -> str: ...

    @property
    def adapter(self) -> str | None: ...

    @property
    def revision(self) -> str | None: ...


class NoHeadsError(ValueError):
    """No heads are chosen for this very model; the message says what to do."""


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """The heads of one model that look at the text they read.

    Attributes:
        heads: the mean of their attention is taken; the best comes first.
        score: how often its strongest image token touched the character that was read, 0 to 1,
            on pages with which no head was chosen.
        revision: of the model on the hub; None for a folder.
        weights: for each part of the model, base and adapter, that is a folder: the hash of its
            weights.
        chosen_on: the pages, in words.
        usual_share: of the attention that goes to where the text is (and half an image token
            around it): three quarters of all stretches of 16 characters reach it.
    """

    heads: tuple[Head, ...]
    score: float
    revision: str | None
    weights: tuple[str, ...]
    chosen_on: str
    usual_share: float = USUAL_SHARE

    def __post_init__(self) -> None:
        if not self.heads:
            raise ValueError("a choice names at least one head")
        if not 0 < self.usual_share <= 1:
            raise ValueError(f"usual_share is above 0 and at most 1, got {self.usual_share}")


def choice_path(model: Model) -> Path:
    """Where the choice for a model is kept.

    In the folder of its adapter, otherwise of the model. For one from the hub, whose files are not
    to be changed, in `glmocr_utils` under the home of the hub's own cache (`HF_HOME`).
    """
    own = model.adapter or model.model_id
    if Path(own).is_dir():
        return Path(own) / FILE_NAME
    return Path(HF_HOME) / "glmocr_utils" / own.replace("/", "--") / FILE_NAME


def describe_choice(
    model: Model,
    heads: tuple[Head, ...],
    score: float,
    chosen_on: str,
    usual_share: float = USUAL_SHARE,
) -> HeadChoice:
    """A choice for this very model."""
    return HeadChoice(heads, score, model.revision, _weights(model), chosen_on, usual_share)


def save_choice(choice: HeadChoice, path: Path) -> None:
    """Write the choice, all or nothing."""
    record = asdict(choice) | {"heads": [list(head) for head in choice.heads]}
    write_file(path, json.dumps(record, indent=1) + "\n")


def load_choice(model: Model) -> HeadChoice:
    """The choice that was made for this model.

    Raises:
        NoHeadsError: there is none, or it was made for other weights.
    """
    path = choice_path(model)
    name = model.model_id if model.adapter is None else f"{model.model_id} + {model.adapter}"
    options = f"--model-id {model.model_id}"
    options += f" --adapter {model.adapter}" if model.adapter else ""
    advice = f"Choose them with: {COMMAND} {options}"
    if not path.is_file():
        raise NoHeadsError(
            f"Tokens of {name} cannot be located, because no attention heads are chosen yet: "
            f"there is no {path}. {advice}"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        heads = tuple(Head(*head) for head in record.pop("heads"))
        choice = HeadChoice(heads, weights=tuple(record.pop("weights")), **record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoHeadsError(
            f"{path} doesn't contain a choice of heads ({error}). {advice}"
        ) from error
    if (choice.revision, choice.weights) != (model.revision, _weights(model)):
        raise NoHeadsError(
            f"The heads in {path} were chosen for another model, with other weights than {name}, "
            f"whose own may look elsewhere. {advice}"
        )
    return choice


def _weights(model: Model) -> tuple[str, ...]:
    """Hashes of what is in folders: model, adapter. What is on the hub has its revision."""
    hashes = (weights_sha256(part) for part in (model.model_id, model.adapter) if part)
    return tuple(filter(None, hashes))
