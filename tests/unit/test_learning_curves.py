"""Learning curves of a choice and of chance: what counts, and how many labels a choice saves."""

import numpy as np
import pytest

from benchmarks.learning_curves import CHANCE, curves, draw, needed, table

BUDGETS = (16, 32, 64)


def rows_of(choice: str, hard: tuple[float, ...], seed: int = 0, budgets=BUDGETS) -> list[dict]:
    """A curve whose CER over all text is a quarter of that in the hard font."""
    return [
        {
            "model": "m", "font": "script", "form": "lines", "part": "decoder", "choice": choice,
            "budget": budget, "seed": seed, "hard_labelled": budget // 4,
            "before_all": 0.2, "before_hard": 0.8, "before_plain": 0.0,
            "after_all": rate / 4, "after_hard": rate, "after_plain": 0.0,
        }
        for budget, rate in zip(budgets, hard, strict=True)
    ]  # fmt: skip


def only(rows: list[dict]):
    [curve] = curves(rows)
    return curve


def test_half_as_many_labels_for_the_same_rate():
    curve = only(rows_of("chosen", (0.5, 0.3, 0.1)) + rows_of(CHANCE, (0.6, 0.4, 0.3)))
    for kind in ("all", "hard"):
        assert needed(curve, kind).count == pytest.approx(32)
    assert str(needed(curve)) == "32 chosen for 64 at random (50%; one seed)"


@pytest.mark.parametrize(
    ("chosen", "says"),
    [((0.5, 0.45, 0.4), "more than 64 chosen"), ((0.2, 0.2, 0.1), "at most 16 chosen")],
)
def test_what_was_not_measured_is_not_extrapolated(chosen, says):
    curve = only(rows_of("chosen", chosen) + rows_of(CHANCE, (0.6, 0.4, 0.3)))
    assert str(needed(curve)).startswith(says)


def test_a_lucky_point_is_not_the_answer():
    lucky = only(rows_of("chosen", (0.28, 0.5, 0.2)) + rows_of(CHANCE, (0.6, 0.4, 0.3)))
    assert 32 < needed(lucky).count < 64


def test_seeds_that_disagree_give_a_wide_interval():
    rows = [
        row
        for seed, chosen in enumerate(((0.4, 0.2, 0.1), (0.5, 0.4, 0.2), (0.6, 0.5, 0.35)))
        for row in rows_of("chosen", chosen, seed) + rows_of(CHANCE, (0.6, 0.4, 0.3), seed)
    ]
    found = needed(only(rows))
    assert 16 < found.low < found.count < found.high
    assert np.isinf(found.high) and "95 %" in str(found)


def test_a_seed_that_is_half_measured_does_not_count():
    rows = rows_of("chosen", (0.5, 0.3, 0.1)) + rows_of(CHANCE, (0.6, 0.4, 0.3))
    begun = rows_of("chosen", (0.9, 0.9), 1, BUDGETS[1:]) + rows_of(CHANCE, (0.9,), 1, (64,))
    curve = only(rows + begun)
    assert (curve.seeds, list(curve.budgets)) == ((0,), [16, 32, 64])
    later = begun + rows_of(CHANCE, (0.9,), 1, (32,))
    curve = only(rows + later)  # as many points as possible: four are more than three
    assert (curve.seeds, list(curve.budgets)) == ((0, 1), [32, 64])


def test_the_table_compares_the_same_seeds_also_with_half_the_labels():
    rows = rows_of("chosen", (0.5, 0.3, 0.1)) + rows_of(CHANCE, (0.6, 0.4, 0.3))
    rows += rows_of(CHANCE, (0.9, 0.9, 0.9), 1)
    text = "\n".join(table(rows))
    assert "| chosen | 64 (16) | 2.5 % | 10.0 % | 0.0 % | 1 |" in text
    assert "| random | 64 (16) | 15.0 ± 10.6 % | 60.0 ± 42.4 % | 0.0 ± 0.0 % | 2 |" in text
    assert "- 32 chosen − 64 random: all held-out text +0.0, the hard font +0.0" in text
    assert "- 16 chosen − 64" not in text


def test_the_figure_has_a_column_a_font():
    rows = rows_of("chosen", (0.5, 0.3, 0.1)) + rows_of(CHANCE, (0.6, 0.4, 0.3))
    other = [row | {"font": "black letter"} for row in rows]
    assert len(draw(rows + other).axes) == 2 * len(draw(rows).axes)
    assert "nothing was measured" in draw([]).axes[0].texts[0].get_text()
