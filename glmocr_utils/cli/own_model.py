"""The model that read some pages, for commands that ask it where the words are."""

from collections.abc import Sequence

from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.options import ModelOptions
from glmocr_utils.records import OcrResult


def load_model_of(
    results: Sequence[OcrResult],
    model_id: str | None,
    adapter: str | None,
    *,
    attn: str = ModelOptions.attn,
    device_map: str = ModelOptions.device_map,
    dtype: str = ModelOptions.dtype,
) -> LoadedModel:
    """The model that is named, or the one that read the pages.

    Raises:
        ValueError: none is named, and several read them.
    """
    revision = None
    if model_id is None:
        readers = {(result.model_id, result.adapter, result.revision) for result in results}
        if len(readers) > 1:
            names = ", ".join(sorted({name for name, _, _ in readers}))
            raise ValueError(
                f"these pages were read by several models ({names}); give the results of one, "
                "or name model_id"
            )
        model_id, own_adapter, revision = readers.pop()
        adapter = adapter or own_adapter
    model = load_model(
        model_id, adapter, attn=attn, device_map=device_map, dtype=dtype, revision=revision
    )
    print(model.describe(), flush=True)
    return model
