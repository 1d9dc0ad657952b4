"""An exported folder → a repository on the hub. The token comes from HF_TOKEN and nowhere else."""

import os
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils import validate_repo_id

from glmocr_utils.confidence.calibration import FILE_NAME
from glmocr_utils.model.source import first_line


def open_hub(repo_id: str) -> HfApi:
    """Make sure that a model can be pushed, before anything is made that would be pushed.

    Args:
        repo_id: such as `user/name`.

    Raises:
        ValueError: no such name can be, there is no token, or the hub cannot be reached with it.
    """
    validate_repo_id(repo_id)
    if repo_id.count("/") != 1:
        raise ValueError(f"push_to_hub needs a name such as user/name, got {repo_id!r}.")
    token = os.environ.get("HF_TOKEN")
    if not token:
        raise ValueError(
            f"Pushing to {repo_id} needs a token: set HF_TOKEN in the environment "
            "(huggingface.co/settings/tokens, with write access)."
        )
    hub = HfApi(token=token)
    try:
        hub.whoami()
    except Exception as error:  # the transport's errors have no base class that the hub names
        raise ValueError(
            f"Nothing can be pushed to {repo_id}: {first_line(error)}. Check the connection and "
            "HF_TOKEN, or export without push_to_hub."
        ) from error
    return hub


def push(hub: HfApi, folder: Path, repo_id: str) -> str:
    """Upload an exported folder; a repository that is not there yet is made, as a private one.

    The training report goes along, with the names of data and folders that it has. The calibration
    stays behind: it is bound to the folder, and a commit's name is not known before it is made.

    Returns:
        The repository's address.

    Raises:
        ValueError: the upload failed; the folder is complete all the same.
    """
    try:
        address = hub.create_repo(repo_id, private=True, exist_ok=True)
        hub.upload_folder(repo_id=repo_id, folder_path=folder, ignore_patterns=[FILE_NAME])
    except Exception as error:  # as above
        raise ValueError(
            f"The export in {folder} is complete, and the upload to {repo_id} failed: "
            f"{first_line(error)}. Try again: hf upload {repo_id} {folder}"
        ) from error
    return str(address)
