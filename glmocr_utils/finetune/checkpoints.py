"""Checkpoints of a run that was killed while it saved one."""

import json
import shutil
import zipfile
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME

PREFIX = "checkpoint-"


def remove_incomplete_checkpoints(output_dir: Path) -> None:
    """Remove incomplete checkpoints, with a message; the run resumes at the last complete one.

    Transformers writes a checkpoint in place and resumes at the newest, complete or not.
    """
    for folder in sorted(output_dir.glob(PREFIX + "*")):
        if folder.name.removeprefix(PREFIX).isdigit() and not _is_complete(folder):
            print(
                f"{folder} is incomplete: the run was stopped as it was saved. Removed", flush=True
            )
            shutil.rmtree(folder)


def _is_complete(folder: Path) -> bool:
    # the main process writes its state last; of the others it does not wait for the
    # random states, which are zip archives with their directory at the end
    try:
        json.loads((folder / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return all(zipfile.is_zipfile(file) for file in folder.glob("rng_state_*.pth"))
