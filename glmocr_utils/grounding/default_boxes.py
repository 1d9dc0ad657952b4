"""Whether tokens are located without being asked to: where it costs little and can be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glmocr_utils.grounding.choice import NoHeadsError, load_choice
from glmocr_utils.model import ModelLoadError, resolve_adapter
from glmocr_utils.model.source import cached_commit
from glmocr_utils.records import OcrResult

MOST_PAGES = 50  # each takes a pass of the model


@dataclass(frozen=True, slots=True)
class BoxesChoice:
    """Whether boxes are shown, and why, as a sentence."""

    shown: bool
    why: str


@dataclass(frozen=True, slots=True)
class _Identity:
    model_id: str
    adapter: str | None
    revision: str | None


def choose_boxes(
    boxes: bool | Literal["auto"],
    results: Sequence[OcrResult],
    model_id: str,
    adapter: str | None = None,
) -> BoxesChoice:
    """What `boxes` comes to.

    Args:
        boxes: `auto` shows them where the model is on this machine and its heads are chosen, for at
            most 50 pages that this very model has read.
        results: what was read before; empty where pages are read now.
    """
    if boxes != "auto":
        return BoxesChoice(boxes, f"boxes={boxes}")
    if len(results) > MOST_PAGES:
        why = f"{len(results):,} pages are more than {MOST_PAGES}; set boxes=True to locate them"
        return BoxesChoice(False, f"no boxes: {why}")
    try:
        base, adapter = resolve_adapter(model_id, adapter)
    except ModelLoadError as error:
        return BoxesChoice(False, f"no boxes: {error}")
    if not Path(base).is_dir() and cached_commit(base, None) is None:
        return BoxesChoice(False, f"no boxes: {base} is not on this machine")
    others = {each.model_id for each in results if not _same(each, base, adapter)}
    if others:
        why = f"the pages were read by {', '.join(sorted(others))}; set model_id and adapter to it"
        return BoxesChoice(False, f"no boxes: {why}")
    revision = None if Path(base).is_dir() else cached_commit(base, None)
    try:
        load_choice(_Identity(base, adapter, revision))
    except NoHeadsError as error:
        return BoxesChoice(False, f"no boxes: {error}")
    return BoxesChoice(True, "boxes are shown: the model and its heads are on this machine")


def _same(result: OcrResult, model_id: str, adapter: str | None) -> bool:
    return all(
        given == read or (given and read and Path(given).resolve() == Path(read).resolve())
        for given, read in ((model_id, result.model_id), (adapter, result.adapter))
    )
