"""A checkpoint of the training → a model in bfloat16, without waiting for the training's end.

`python -m workshop.tiny_model.export CHECKPOINT FOLDER` takes the mean of the last weights.
"""

import argparse
import json
from pathlib import Path

from workshop.tiny_model.train import AVERAGE, load, read_curve, save


def export(checkpoint: Path, folder: Path, before: Path | None = None) -> Path:
    """Write model, processor and curve to `folder`.

    Args:
        checkpoint: `checkpoint-N` of a training.
        before: folder of the model that the training began with; its curve comes first.

    Raises:
        FileNotFoundError: the checkpoint has no mean of the weights; take another one.
    """
    average = checkpoint / AVERAGE
    if not (average / "config.json").is_file():
        raise FileNotFoundError(f"{average} is missing or incomplete; take another checkpoint")
    curve = read_curve(before) if before else []
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    curve += [row for row in state["log_history"] if "loss" in row]
    save(*load(average), curve, folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--before", type=Path, help="folder of the model that it began with")
    options = parser.parse_args()
    print(f"The model is in {export(options.checkpoint, options.folder, options.before)}.")


if __name__ == "__main__":
    main()
