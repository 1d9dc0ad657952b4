"""A collection of made readings with known errors, and a careful reviewer of its audit."""

import random
from pathlib import Path

from make_results import page_of

from glmocr_utils.records import write_results
from glmocr_utils.review import ReviewSession

WORDS = "court appeal held that the order of January was valid and costs follow".split()


def collection(path: Path, num_pages: int = 30, seed: int = 1) -> dict[int, str]:
    """Pages with every ninth word or so misread, the fourth one worse.

    Returns:
        Their true texts by page index.
    """
    rng, results, true = random.Random(seed), [], {}
    for index in range(num_pages):
        words = [rng.choice(WORDS) for _ in range(40)]
        tokens = []
        for number, word in enumerate(words):
            is_wrong = rng.random() < (0.8 if index == 3 else 0.11)
            end = "\n" if number % 8 == 7 else " "
            prob = rng.uniform(0.2, 0.9) if is_wrong else rng.uniform(0.8, 1)
            tokens.append((("x" + word[1:] if is_wrong else word) + end, prob))
        true[index] = "".join(
            word + ("\n" if number % 8 == 7 else " ") for number, word in enumerate(words)
        )
        results.append(page_of(*tokens, index=index))
    write_results(results, path)
    return true


def reviewed(session: ReviewSession, true: dict[int, str]) -> None:
    """Decide everything as a careful reviewer does: the line as it should be, or right."""
    for number, page in enumerate(session.pages):
        lines = true[page.result.page.page_index].split("\n")
        for flag in page.flags:
            if flag.flag_id not in page.decided:
                session.correct_line(number, flag, lines[flag.line_index])
