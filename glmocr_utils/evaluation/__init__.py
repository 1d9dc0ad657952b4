"""How good are these readings, and is the other set better?

    readings = load_texts("outputs/06_mass_infer")
    scores = score(readings, load_texts("truth/"))
    print(scores.headline)  # CER with its 95 % interval
    compare(score(readings, references), score(other_readings, references)).verdict

Pages are matched by the name of their document and their number. What has no partner, two of them,
or no text is counted and named, never dropped.
"""

from glmocr_utils.evaluation.bootstrap import Comparison, Estimate, paired_bootstrap
from glmocr_utils.evaluation.comparison import SetComparison, compare
from glmocr_utils.evaluation.page_text import PageText, TextSet
from glmocr_utils.evaluation.scores import PageScore, SetScore, score
from glmocr_utils.evaluation.tables import teds
from glmocr_utils.evaluation.texts import load_sets, load_texts

__all__ = [
    "Comparison",
    "Estimate",
    "PageScore",
    "PageText",
    "SetComparison",
    "SetScore",
    "TextSet",
    "compare",
    "load_sets",
    "load_texts",
    "paired_bootstrap",
    "score",
    "teds",
]
