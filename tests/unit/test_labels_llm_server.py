"""Labels from a real endpoint: `transformers serve` with the bundled model, on this machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import free_port, needs_server, transformers_serve

from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.sources.llm import label_with_llm
from glmocr_utils.labels.text_rules import clean_text
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import PageImage

MAX_TOKENS = 160
pytestmark = needs_server


@pytest.fixture(scope="module")
def base_url(bundled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a server that is ended after the tests."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with transformers_serve(bundled_folder, free_port(), log) as base_url:
        yield base_url


def test_the_bundled_model_behind_an_endpoint_says_what_it_says_here(
    base_url: str,
    bundled_folder: Path,
    bundled_model: LoadedModel,
    page_images: list[PageImage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    read = list(read_pages(bundled_model, page_images[:2], max_tokens=MAX_TOKENS))
    for number, page in enumerate(page_images[:2]):
        page.image.save(tmp_path / f"{number}.png")
    store, pages = LabelStore(tmp_path / "labels"), find_pages(tmp_path)
    run = label_with_llm(
        store,
        pages,
        model=str(bundled_folder),
        base_url=base_url,
        prompt=TEXT_RECOGNITION,
        request={"max_tokens": MAX_TOKENS},
        progress=False,
    )
    assert run.labelled + len(run.left_out) == 2
    for page, result in zip(pages, read, strict=True):
        label = store.current(page.key)
        if result.finish_reason == "stop" and result.text.strip():
            assert (label.text, label.status) == (clean_text(result.text), "silver")
            assert label.prompt == TEXT_RECOGNITION
        else:  # an unfinished answer isn't a label
            assert label is None
    for left_out in run.left_out:
        assert "cut off" in left_out.reason or "empty" in left_out.reason
