"""Train the bundled layout model from nothing: `make tiny-layout`.

Seeded and resumable: a run that was stopped (SIGTERM ends it after the batch at hand) continues at
its last checkpoint. In each round the learning rate stays level and falls at the end; a running
mean of the weights is a usable model at any time (`--export FOLDER` writes it).
"""

import argparse
import copy
import json
import math
import signal
import time
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn
from transformers import PPDocLayoutV3ForObjectDetection

from glmocr_utils.layout import LayoutModel
from workshop.tiny_layout.architecture import (
    INPUT_PX,
    LABELS,
    build_model,
    build_processor,
    with_masks,
    without_masks,
)
from workshop.tiny_layout.batches import Batches
from workshop.tiny_layout.evaluate import draw, measure
from workshop.tiny_layout.loss import LayoutLoss
from workshop.tiny_layout.pages import trained_kind, unseen_kind

# The rounds end at these steps. In the first, three cells a region learn its class, which is quick;
# in the second only one, so that fewer regions are found twice.
ROUNDS = (5000, 9000)
CELLS_A_REGION = (3, 1)
RATE_OF_ROUND = (1.0, 0.7)
RATES = (1.2e-3, 3e-3)  # of AdamW and Muon
WARM_UP, DECAY = 150, 0.3  # steps; share of a round, its last
SMALL_PX, SMALL_STEPS = 320, 2475  # pages are small at first, which is twice as fast
# matrices outside the layers' inside: AdamW moves them
HEADS = ("embed", "score_head", "bbox_head", "sampling_offsets", "attention_weights")
AVERAGE_DECAY = 0.998
SCANNED, MAX_STRENGTH = 0.35, 0.7
SAVE_EVERY, LOG_EVERY = 200, 25
CHECKED_PAGES = 16


class Training:
    """Model, its running mean, optimizer and place in the run."""

    def __init__(self, folder: Path, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.folder, self.steps, self.seed = folder, steps, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = build_model().to(memory_format=torch.channels_last)
        config = self.model.config
        # the detection class makes it a row too short for the denoising that it inherits
        self.model.model.denoising_class_embed = nn.Embedding(
            config.num_labels + 1, config.d_model, padding_idx=config.num_labels
        )
        self.masks = without_masks(self.model)  # these stay on the CPU
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model)
        self.loss = LayoutLoss(config.num_labels)
        self.optimizers = build_optimizers(self.model)
        self.batches = Batches(trained_kind(), seed, SCANNED, MAX_STRENGTH)
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.asked_to_stop = False

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def side(self) -> int:
        """Of the input in pixels."""
        return SMALL_PX if self.step < SMALL_STEPS else INPUT_PX

    def run(self) -> bool:
        """Train to the end, or until SIGTERM; False for the latter."""
        if self.checkpoint.is_file():
            self.load()
        signal.signal(signal.SIGTERM, self._ask)
        losses: dict[str, float] = defaultdict(float)
        start = time.time()
        while self.step < self.steps and not self.asked_to_stop:
            for name, loss in self.train_step().items():
                losses[name] += loss / LOG_EVERY
            self.step += 1
            if self.step % LOG_EVERY == 0:
                row = {name: round(loss, 4) for name, loss in losses.items()}
                seconds = round((time.time() - start) / LOG_EVERY, 2)
                self._note({"step": self.step, **row, "seconds": seconds})
                losses.clear()
                start = time.time()
            if self.step % SAVE_EVERY == 0:
                self.save()
            if self.step % (2 * SAVE_EVERY) == 0:
                self._check()
                start = time.time()
        self.save()
        return self.step >= self.steps

    def _ask(self, *_signal: object) -> None:
        self.asked_to_stop = True

    def train_step(self) -> dict[str, float]:
        self.model.train()
        torch.manual_seed(self.seed * 1_000_003 + self.step)  # the noise of denoising
        pixels, labels = self.batches.batch(self.step, self.side)
        pixels = pixels.to(self.device)
        labels = [{name: each.to(self.device) for name, each in page.items()} for page in labels]
        for optimizer, rate in zip(self.optimizers, RATES, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_at(self.step)
        loss, by_name = self.loss(
            self.model.model(pixels, labels=labels), labels, CELLS_A_REGION[round_at(self.step)]
        )
        if math.isfinite(loss.item()):
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
            for optimizer in self.optimizers:
                optimizer.step()
        self.model.zero_grad()
        self._average_weights()
        return by_name

    @torch.no_grad()
    def _average_weights(self) -> None:
        decay = min(AVERAGE_DECAY, (1 + self.step) / (20 + self.step))
        mine, others = self.average.state_dict(), self.model.state_dict()
        for name, weight in mine.items():
            if weight.is_floating_point():
                weight.lerp_(others[name], 1 - decay)
            else:
                weight.copy_(others[name])

    def _check(self) -> None:
        average = copy.deepcopy(self.average).cpu().eval()
        with_masks(average, self.masks)
        labels = dict(enumerate(LABELS))
        processor = build_processor(self.side)
        layout = LayoutModel(average, processor, "average", None, labels)
        for name, kind in (("seen fonts", trained_kind()), ("other fonts", unseen_kind(scale=2.0))):
            tally = measure(layout, draw(kind, CHECKED_PAGES, "check"))
            self._note({
                "step": self.step,
                "check": name,
                "recall": round(tally.matched / tally.true, 3),
                "precision": round(tally.matched / max(1, tally.found), 3),
                "class": round(tally.right_class / max(1, tally.matched), 3),
                "order": round(tally.right_order / tally.pages, 3),
                "missed": tally.missed.most_common(5),
            })  # fmt: skip

    def _note(self, row: dict[str, object]) -> None:
        self.curve.append(row)
        print(json.dumps(row), flush=True)

    def save(self) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "masks": {name: module.state_dict() for name, module in self.masks.items()},
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "curve": self.curve,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.checkpoint.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self.checkpoint)

    def load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=False)
        self.step, self.curve = state["step"], state["curve"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for name, module in self.masks.items():
            module.load_state_dict(state["masks"][name])
        for optimizer, before in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(before)

    def export(self, folder: Path) -> None:
        """Write the mean of the last weights, processor and curve, for plain Auto classes."""
        if self.checkpoint.is_file():
            self.load()
        model: PPDocLayoutV3ForObjectDetection = copy.deepcopy(self.average).cpu().eval()
        with_masks(model, self.masks)
        rows = model.model.denoising_class_embed.weight[: model.config.num_labels]
        model.model.denoising_class_embed = nn.Embedding.from_pretrained(rows.detach().clone())
        model.to(memory_format=torch.contiguous_format).save_pretrained(folder)
        build_processor(self.side).save_pretrained(folder)
        curve = "\n".join(json.dumps(row) for row in self.curve)
        (folder / "training_curve.jsonl").write_text(curve + "\n", encoding="utf-8")


def round_at(step: int) -> int:
    """The number of the round, from 0."""
    return min(bisect_right(ROUNDS, step), len(ROUNDS) - 1)


def rate_at(step: int) -> float:
    """Share of the learning rate: in each round up, level, and down over its last steps."""
    number = round_at(step)
    start, end = (0, *ROUNDS)[number : number + 2]
    left = (end - step) / (DECAY * (end - start))
    return RATE_OF_ROUND[number] * max(0.01, min(1.0, (step - start + 1) / WARM_UP, left))


def build_optimizers(model: nn.Module) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """AdamW for all, but Muon for the matrices of encoder and decoder layers; rates are `RATES`.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) needs fewer steps.
    """
    inner, outer, plain = [], [], []
    for name, parameter in model.named_parameters():
        is_head = any(part in name for part in HEADS)
        in_layer = parameter.ndim == 2 and not is_head
        (inner if in_layer else outer if parameter.ndim > 1 else plain).append(parameter)
    groups = [{"params": outer, "weight_decay": 1e-3}, {"params": plain, "weight_decay": 0.0}]
    return (
        torch.optim.AdamW(groups, lr=RATES[0], betas=(0.9, 0.99)),
        torch.optim.Muon(inner, lr=RATES[1], weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("outputs/tiny-layout"))
    parser.add_argument("--steps", type=int, default=ROUNDS[-1], help="in all, also when resumed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--export", type=Path, help="write the model of the checkpoint, and end")
    options = parser.parse_args()
    training = Training(options.output, options.steps, options.seed)
    if options.export:
        training.export(options.export)
    elif training.run():
        training.export(options.output / "model")


if __name__ == "__main__":
    main()
