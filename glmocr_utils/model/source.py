"""Where a model is: folder, local cache or hub; and which base an adapter belongs to."""

import hashlib
import json
from pathlib import Path

from huggingface_hub import HfApi, try_to_load_from_cache

from glmocr_utils.options import DEFAULT_MODEL

HUB_TIMEOUT_SECONDS = 10


class ModelLoadError(ValueError):
    """A model or adapter that cannot be loaded; the message says why and what to do."""


def resolve_adapter(model_id: str, adapter: str | None) -> tuple[str, str | None]:
    """An adapter folder given as the model stands for its base with the adapter on top."""
    config_file = Path(model_id) / "adapter_config.json"
    if not config_file.is_file():
        return model_id, None if adapter is None else str(adapter)
    if adapter is not None:
        raise ModelLoadError(
            f"{model_id} is itself an adapter, so {adapter} cannot be added to it. "
            "Pass the full model as model_id and one adapter."
        )
    try:
        base = json.loads(config_file.read_text()).get("base_model_name_or_path")
    except json.JSONDecodeError as error:
        raise ModelLoadError(
            f"{config_file} is damaged: {error}. Save or download the adapter again."
        ) from error
    if not base:
        raise ModelLoadError(
            f"{config_file} names no base model. Pass the base as model_id and {model_id} as "
            "adapter."
        )
    if (Path(base) / "adapter_config.json").is_file():
        raise ModelLoadError(
            f"The adapter {model_id} was trained on {base}, which is itself an adapter. Merge that "
            f"one into its model, and pass the merged model as model_id and {model_id} as adapter."
        )
    return base, model_id


def find_model(
    model_id: str, config_name: str, revision: str | None
) -> dict[str, str | bool | None]:
    """Make sure that the model is there before anything is loaded, and say where from.

    Returns:
        Arguments for `from_pretrained`. Without a connection a model in the local cache is taken
        as it is; the hub client alone would first try for minutes.

    Raises:
        ModelLoadError: it is neither a folder, nor on the hub, nor in the cache.
    """
    if Path(model_id).is_dir():
        if not (Path(model_id) / config_name).is_file():
            raise ModelLoadError(
                f"The folder {model_id} contains no model or adapter: it lacks {config_name}. Pass "
                "the folder that training or the download wrote."
            )
        return {}
    if model_id.startswith((".", "/", "~")) or model_id.count("/") != 1 or Path(model_id).exists():
        raise ModelLoadError(
            f"There is no model folder {model_id}. Check the path, or pass a hub id such as "
            f"{DEFAULT_MODEL}."
        )
    try:
        HfApi().model_info(model_id, revision=revision, timeout=HUB_TIMEOUT_SECONDS)
    except Exception as error:  # the transport's errors have no base class that the hub names
        if isinstance(try_to_load_from_cache(model_id, config_name, revision=revision), str):
            return {"revision": revision, "local_files_only": True}
        raise ModelLoadError(
            f"The model {model_id} cannot be downloaded, and no copy is in the local cache: "
            f"{first_line(error)}. Check its name and the internet connection (a private model "
            "needs HF_TOKEN in the environment), or pass the folder of a local copy."
        ) from error
    return {"revision": revision}


def find_revision(model_id: str) -> str | None:
    """The commit of a hub id: that of the copy in the local cache, otherwise the newest one.

    None for a folder.

    Raises:
        ModelLoadError: it is not there.
    """
    if Path(model_id).is_dir():
        return None
    if commit := cached_commit(model_id, None):
        return commit
    find_model(model_id, "config.json", None)
    return HfApi().model_info(model_id, timeout=HUB_TIMEOUT_SECONDS).sha


def weights_sha256(folder: str) -> str | None:
    """One hash of all weights in a folder, 64 hex digits; None where it is none, or has none."""
    files = sorted(Path(folder).glob("*.safetensors"))
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else None


def cached_commit(model_id: str, revision: str | None) -> str | None:
    """The commit of the copy in the local cache, where each load from the hub leaves one."""
    config_file = try_to_load_from_cache(model_id, "config.json", revision=revision)
    return Path(config_file).parent.name if isinstance(config_file, str) else None


def first_line(error: Exception) -> str:
    """The start of a library's message, which is often pages long."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[:2])
