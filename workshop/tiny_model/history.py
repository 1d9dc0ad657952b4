"""Practice for a reader that errs: some of what it "has written" before is made wrong.

In training a model sees the true text up to the next character; when it reads on its own it sees
what it wrote itself. One that never met a wrong character loses its line at the first one (exposure
bias: Bengio et al. 2015, arXiv:1506.03099). So wrong characters are put into the text it looks back
at, one by one and in runs, while what it has to write stays true: it learns to find its place by
where it looked last, and not only by what it wrote.
"""

import random

import torch

from glmocr_utils.finetune.examples import IGNORED

UNTOUCHED = 0.3  # share of the pages that are left as they are
LONGEST_RUN = 12
RUNS_PER_TOKEN = 1 / 250


def misremember(
    batch: dict[str, torch.Tensor | int], rng: random.Random, max_share: float
) -> dict[str, torch.Tensor | int]:
    """A batch of `collate` in which some of the label tokens are wrong where they are input.

    Args:
        max_share: of a page's tokens that are wrong one by one; each page draws its own share up
            to it. Runs of up to `LONGEST_RUN` come on top.

    Returns:
        The batch with other `input_ids`; `labels` stay the true ones.
    """
    input_ids = batch["input_ids"].clone()
    for tokens, labels in zip(input_ids, batch["labels"], strict=True):
        written = [n - len(labels) for n in (labels != IGNORED).nonzero().flatten().tolist()]
        written.pop()  # nothing comes after the stop token
        if not written or rng.random() < UNTOUCHED:
            continue
        share = rng.uniform(0, max_share)
        wrong = {position for position in written if rng.random() < share}
        for start in written:
            if rng.random() < RUNS_PER_TOKEN:
                wrong.update(range(start, min(start + rng.randint(2, LONGEST_RUN), -1)))
        # characters of the same page, so that they look like print
        found = tokens[written].tolist()
        for position in wrong:
            tokens[position] = rng.choice(found)
    return {**batch, "input_ids": input_ids}
