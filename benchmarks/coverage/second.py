"""`python -m benchmarks.coverage.second`: how well wrong words are found, with second readers.

`long.pdf`, scanned at strength .6, read by the bundled model; folds by page.
"""

from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from glmocr_utils.confidence import MarkedPage, fit_risk, mark_tokens, suspicions, wrong_words
from glmocr_utils.confidence.words import PageTokens
from glmocr_utils.coverage import page_coverage
from glmocr_utils.grounding import Locator
from glmocr_utils.grounding.evaluation import pages_with_text_layer, scanned
from glmocr_utils.model import load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.second_reader import load_reader, second_reading

READERS = ("rapidocr", "tesseract:eng+deu")
STRENGTH = 0.6
FOLDS = 6
SEED = 977  # other scans than those that thresholds were chosen with


def main() -> None:
    torch.set_num_threads(1)
    pages = _marked()
    wrong = np.concatenate([wrong_words(page) for page in pages])
    print(f"{len(pages)} pages, {len(wrong)} words, {wrong.mean():.1%} of them wrong")
    for reader in READERS:
        times = [
            second.seconds
            for page in pages
            for second in page.result.second_readings
            if second.reader == reader
        ]
        print(f"{reader}: {np.mean(times):.2f} s a page")
    print("| what is known | AUROC | wrong words in the first 5 % | in the first 10 % |")
    print("|---|---:|---:|---:|")
    plain = np.concatenate([_doubt(page) for page in pages])
    print(_row("the lowest probability of the word", plain, wrong), flush=True)
    for readers in ((), READERS[:1], READERS[1:], READERS):
        name = " and ".join(["risk: model and coverage", *readers])
        print(_row(name, _out_of_fold(pages, readers), wrong), flush=True)


def _marked() -> list[MarkedPage]:
    model = load_model(str(project_root() / BUNDLED_MODEL), device_map="cpu")
    locator = Locator(model)
    readers = [load_reader(name) for name in READERS]
    known = list(islice(pages_with_text_layer([project_root() / "data/samples/long.pdf"]), 24))
    scans = [scanned(page, STRENGTH, SEED + n) for n, page in enumerate(known)]
    images = [PageImage(PageRef("long", "0" * 64, n), s.image, 2.0) for n, s in enumerate(scans)]
    pages = []
    for result, image, truth in zip(read_pages(model, images), images, known, strict=True):
        layout = locator.locate(result, image.image)
        result = replace(
            result,
            coverage=page_coverage(image.image, result, layout),
            second_readings=tuple(
                second_reading(reader, result.text, image.image, layout) for reader in readers
            ),
        )
        pages.append(mark_tokens(result, truth.text))
    return pages


def _doubt(page: MarkedPage) -> np.ndarray:
    tokens = PageTokens(page.result)
    doubt = suspicions(page.result)["probability"]
    return np.array([doubt[list(tokens.tokens_of(*word))].max() for word in tokens.words])


def _out_of_fold(pages: list[MarkedPage], readers: tuple[str, ...]) -> np.ndarray:
    """The risk of each word, fitted without its page."""
    risks: list[np.ndarray] = [np.empty(0)] * len(pages)
    for fold in range(FOLDS):
        others = [page for n, page in enumerate(pages) if n % FOLDS != fold]
        risk = fit_risk(others, readers)
        for n in range(fold, len(pages), FOLDS):
            risks[n] = risk(pages[n].result)
    return np.concatenate(risks)


def _row(name: str, risk: np.ndarray, wrong: np.ndarray) -> str:
    order = np.argsort(-risk, kind="stable")
    found = np.cumsum(wrong[order]) / wrong.sum()
    shares = [found[round(share * len(wrong)) - 1] for share in (0.05, 0.10)]
    return f"| {name} | {roc_auc_score(wrong, risk):.3f} | {shares[0]:.0%} | {shares[1]:.0%} |"


if __name__ == "__main__":
    main()
