"""The label set as figures: what they show, not how they look."""

from collections import Counter

import pytest
from label_inputs import a_label

from glmocr_utils.figures.labels import label_overview
from glmocr_utils.labels.report import Agreement, LabelReport

pytestmark = pytest.mark.usefixtures("close_figures")


def a_report(**changes: object) -> LabelReport:
    fields = {
        "pages": Counter({("text_layer", "gold"): 5, ("llm:org/$m", "silver"): 2}),
        "left_out": (),
        "agreements": (Agreement("llm:$m", "text_layer", 3, 0.125),),
        "duplicates": (),
        "characters": Counter("Grüße $ \n\u0301"),
        "split_characters": {"ü": 2, "ß": 2},
        "num_tokens": (100, 120, 300),
        "budget": 200,
        "over_budget": (a_label(),),
    }
    return LabelReport(**{**fields, **changes})


def bars(ax) -> list[float]:
    return [max(bar.get_width(), 0) for bar in ax.patches]


def test_the_four_views():
    figure = label_overview(a_report())
    figure.canvas.draw()
    sources, agreements, characters, lengths = figure.axes
    assert [text.get_text() for text in sources.get_legend().get_texts()] == [
        "gold, 5",
        "silver, 2",
    ]
    assert bars(agreements) == [12.5]
    assert "pages: 3" in agreements.texts[0].get_text()
    assert characters.get_title() == "9 characters, 2 of them split by the tokenizer"
    signs = [label.get_text() for label in characters.get_xticklabels()]
    assert set(signs[:2]) == {"ü", "ß"}
    assert {"␣", "⏎", "0301", r"\$"} <= set(signs)
    assert lengths.get_title() == "pages over budget: 1"
    assert any("budget 200" in text.get_text() for text in lengths.texts)


def test_an_empty_set_has_pictures_too():
    empty = a_report(
        pages=Counter(), agreements=(), characters=Counter(), split_characters={},
        num_tokens=(), budget=None, over_budget=(),
    )  # fmt: skip
    figure = label_overview(empty)
    figure.canvas.draw()
    assert "no page has labels of two sources" in figure.axes[1].texts[0].get_text()


def test_a_large_inventory_shows_what_is_split_first():
    many = Counter({chr(0x4E00 + n): 1000 - n for n in range(500)})
    figure = label_overview(a_report(characters=many, split_characters={chr(0x4E00 + 499): 3}))
    signs = [label.get_text() for label in figure.axes[2].get_xticklabels()]
    assert len(signs) == 32
    assert signs[0] == chr(0x4E00 + 499)
