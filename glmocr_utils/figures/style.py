"""One palette and one frame for all figures."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from glmocr_utils.confidence import step_of
from glmocr_utils.records import TokenProb

# One hue at rising strength, for the five steps of probability; the last step is also bold and
# underlined, so that colour is never the only sign.
TINTS = (None, "#fdf0e2", "#fbd9b5", "#f6b26b", "#e8853a")
WORST_INK = "#b00020"
COVERAGE_INK, COVERAGE_TINT = "#286ee6", "#d4e2fa"  # what was left out, or made up
INK = "#1f1f1f"
MONOSPACE = "DejaVu Sans Mono"
MONOSPACE_ADVANCE_EM = 0.602  # the width of each of its characters


def without_frame(figure: Figure) -> Figure:
    """The figure with axes at the left and at the bottom only."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def nothing_to_draw(why: str) -> Figure:
    """A figure that says why it is empty."""
    figure, ax = plt.subplots(figsize=(6, 0.6), layout="constrained")
    ax.text(0, 0.5, why, va="center", color=INK)
    ax.set_axis_off()
    return figure


def tint(token: TokenProb) -> str | None:
    """The fill for a token's probability; None for the surest step."""
    return TINTS[step_of(token.prob)]
