"""From the model's probabilities to shares of right tokens, and to errors to expect on a page."""

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from glmocr_utils.confidence.correctness import MarkedPage
from glmocr_utils.files import write_file
from glmocr_utils.records import OcrResult

Method = Literal["isotonic", "platt"]
# Isotonic regression follows any rising curve and needs many errors for it; Platt's has two
# numbers to fit.
ISOTONIC_MIN_WRONG = 100
MIN_WRONG = 5
FILE_NAME = "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps the model's probability of a token to the share of such tokens that are right.

    Attributes:
        method: `isotonic` (Zadrozny and Elkan 2002) or `platt` (Platt 1999, on the log-odds).
        stated, right: the curve's points, rising, 0 to 1; between them it is straight.
        model_id, revision, adapter: of the model it was fitted on; it holds for no other.
        num_tokens, num_wrong: what it was fitted on.
        dtype, attention: with which those pages were read; None where that is not known, or they
            differ. Rounding moves probabilities, so others are warned about.
    """

    method: Method
    stated: tuple[float, ...]
    right: tuple[float, ...]
    model_id: str
    revision: str | None
    adapter: str | None
    num_tokens: int
    num_wrong: int
    dtype: str | None = None
    attention: str | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(f"method must be isotonic or platt, got {self.method!r}")
        if not self.stated or len(self.stated) != len(self.right):
            raise ValueError("a calibration needs as many right shares as stated probabilities")

    def __call__(self, probs: Sequence[float] | np.ndarray) -> np.ndarray:
        """Calibrated probabilities, of the same shape as `probs`."""
        return np.asarray(np.interp(probs, self.stated, self.right))

    def check_fits(self, result: OcrResult) -> None:
        """Raises ValueError when `result` was read by another model; warns of another dtype."""
        fitted = (self.model_id, self.revision, self.adapter)
        if fitted != (result.model_id, result.revision, result.adapter):
            raise ValueError(
                f"this calibration was fitted on {_name(*fitted)}, and the page was read by "
                f"{_name(result.model_id, result.revision, result.adapter)}; fit one for it"
            )
        for name in ("dtype", "attention"):
            mine, other = getattr(self, name), getattr(result, name)
            if mine and other and mine != other:
                warnings.warn(
                    f"this calibration was fitted on pages read with {name} {mine}, and these were "
                    f"read with {other}, which moves probabilities a little: fit one for it",
                    stacklevel=3,
                )


@dataclass(frozen=True, slots=True)
class ExpectedErrors:
    """Wrong tokens to expect on a page; `is_calibrated` separates an estimate from a mere sum.

    Attributes:
        mean: sum of the tokens' chances to be wrong; infinite where nothing was read of a page
            with ink, so that it leads every ranking.
        deviation: standard deviation, were tokens wrong independently of each other.
    """

    mean: float
    deviation: float
    is_calibrated: bool

    @property
    def is_known(self) -> bool:
        """False for a page with ink of which nothing was read."""
        return math.isfinite(self.mean)

    def __str__(self) -> str:
        if not self.is_known:
            return "errors on this page: not known, nothing was read"
        kind = (
            "estimated errors on this page" if self.is_calibrated else "uncalibrated sum of doubt"
        )
        return f"{kind}: {self.mean:.0f} ± {math.ceil(self.deviation)}"


def can_calibrate(pages: Sequence[MarkedPage]) -> bool:
    """Whether enough tokens of these pages are wrong, and not all, to fit a calibration on them."""
    num_wrong = sum(page.num_wrong for page in pages)
    return MIN_WRONG <= num_wrong < sum(len(page.is_wrong) for page in pages)


def fit_calibration(pages: Sequence[MarkedPage]) -> Calibration:
    """Fit on pages whose true text is known, all read by one model.

    Isotonic regression from 100 wrong tokens on, Platt scaling below.

    Raises:
        ValueError: fewer than 5 wrong tokens, or pages of different models.
    """
    models = {(page.result.model_id, page.result.revision, page.result.adapter) for page in pages}
    if len(models) != 1:
        names = "; ".join(sorted(_name(*model) for model in models)) or "no page"
        raise ValueError(f"a calibration belongs to one model, these pages have: {names}")
    probs = np.array([token.prob for page in pages for token in page.result.tokens])
    is_right = np.array([not wrong for page in pages for wrong in page.is_wrong])
    num_wrong = int((~is_right).sum())
    if not can_calibrate(pages):
        raise ValueError(
            f"{num_wrong} of {len(is_right)} tokens are wrong, which is too few of one kind to "
            f"fit a calibration on; add checked pages until {MIN_WRONG} are"
        )
    method: Method = "isotonic" if num_wrong >= ISOTONIC_MIN_WRONG else "platt"
    stated, right = (_isotonic if method == "isotonic" else _platt)(probs, is_right)
    # a share of exactly 1 would promise that no token is ever wrong
    limit = 1 / (2 * len(probs))
    [model] = models
    return Calibration(
        method,
        tuple(map(float, stated)),
        tuple(map(float, right.clip(limit, 1 - limit))),
        *model,
        num_tokens=len(probs),
        num_wrong=num_wrong,
        dtype=_only({page.result.dtype for page in pages}),
        attention=_only({page.result.attention for page in pages}),
    )


def _only(names: set[str | None]) -> str | None:
    return names.pop() if len(names) == 1 else None


def _isotonic(probs: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.isotonic import IsotonicRegression  # seconds, and few runs fit anything

    fitted = IsotonicRegression(out_of_bounds="clip").fit(probs, is_right)
    return fitted.X_thresholds_, fitted.y_thresholds_


def _platt(probs: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As points close enough that straight lines between them stay within 0.001."""
    from sklearn.linear_model import LogisticRegression

    def log_odds(prob: np.ndarray) -> np.ndarray:
        prob = prob.clip(1e-6, 1 - 1e-6)
        return np.log(prob / (1 - prob))[:, None]

    fitted = LogisticRegression(C=1e6).fit(log_odds(probs), is_right)
    stated = 1 / (1 + np.exp(-np.linspace(-14, 14, 561)))
    return stated, fitted.predict_proba(log_odds(stated))[:, 1]


def save_calibration(calibration: Calibration, folder: str | Path) -> Path:
    """Write `calibration.json` into `folder`, which may be the model's own; returns its path."""
    return write_file(Path(folder) / FILE_NAME, json.dumps(asdict(calibration), indent=1) + "\n")


def load_calibration(path: str | Path) -> Calibration:
    """Inverse of `save_calibration`; takes the file or its folder.

    Raises:
        ValueError: the file isn't a calibration.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record |= {"stated": tuple(record["stated"]), "right": tuple(record["right"])}
        return Calibration(**record)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't a calibration ({error}); fit and save one again") from error


def expected_errors(result: OcrResult, calibration: Calibration | None = None) -> ExpectedErrors:
    """Wrong tokens to expect on a page; without a calibration, the sum of the model's doubt.

    Returns:
        Mean and standard deviation, in tokens.

    Raises:
        ValueError: the calibration belongs to another model.
    """
    probs = np.array([token.prob for token in result.tokens])
    if calibration:
        calibration.check_fits(result)
        probs = calibration(probs)
    if result.status == "empty":
        return ExpectedErrors(math.inf, 0.0, is_calibrated=False)
    return ExpectedErrors(
        mean=float((1 - probs).sum()),
        deviation=float(np.sqrt((probs * (1 - probs)).sum())),
        is_calibrated=calibration is not None,
    )


def unseen_errors(pages: Sequence[MarkedPage]) -> list[ExpectedErrors]:
    """Wrong tokens to expect on each page, by a calibration that was fitted without it.

    Every other page is one half; each half is estimated from the other. Where too few tokens of a
    half are wrong, the estimates from it stay uncalibrated.

    Raises:
        ValueError: the pages are of different models.
    """
    others = pages[1::2], pages[::2]
    fitted = [fit_calibration(half) if can_calibrate(half) else None for half in others]
    return [expected_errors(page.result, fitted[n % 2]) for n, page in enumerate(pages)]


def _name(model_id: str, revision: str | None, adapter: str | None) -> str:
    return " ".join(
        filter(None, [model_id, revision and f"@{revision}", adapter and f"with {adapter}"])
    )
