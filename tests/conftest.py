"""Fixtures for all tests: the bundled small model of GLM-OCR's classes, and pages with text."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from paths import BUNDLED_MODEL, BYTE_MODEL

from glmocr_utils.labels import LabelStore
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

PAGE_TEXTS = (
    "One line.",
    "Grüße an alle, die lesen. Zwei Zeilen füllt das.",
    "A page that is wider and higher than the others, so that a batch of them needs padding. " * 3,
)
PAGE_WIDTHS_PX = (168, 252, 420)


@pytest.fixture(scope="session")
def bundled_folder() -> Path:
    return BUNDLED_MODEL


@pytest.fixture(scope="session")
def bundled_model() -> LoadedModel:
    """Shared by all tests: copy it before changing anything in it."""
    return load_model(str(BUNDLED_MODEL), device_map="cpu")


@pytest.fixture(scope="session")
def byte_model() -> LoadedModel:
    """A model whose tokens are bytes: several make a character, and none is a word."""
    return load_model(str(BYTE_MODEL), device_map="cpu")


@pytest.fixture(scope="session", params=["bytes", "words"])
def any_model(request: pytest.FixtureRequest) -> LoadedModel:
    """A model of each vocabulary: a byte a token, and words."""
    names = {"bytes": "byte_model", "words": "bundled_model"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    """An empty label set."""
    return LabelStore(tmp_path / "labels")


@pytest.fixture
def close_figures() -> Iterator[None]:
    """Figures that a test leaves open would stay in memory."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def page_images() -> list[PageImage]:
    """Three pages of different widths and heights, drawn in a font that comes with matplotlib."""
    font = find_font("DejaVu Sans")
    return [
        PageImage(
            page=PageRef("pages.pdf", "0" * 64, index),
            image=draw_page(
                [Block(text)],
                PageStyle(font, font, width_px=width, height_px=None, margin_px=14),
            ).image,
            scale=2.0,
        )
        for index, (text, width) in enumerate(zip(PAGE_TEXTS, PAGE_WIDTHS_PX, strict=True))
    ]
