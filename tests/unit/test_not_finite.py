"""Numbers that are NaN or infinite cost one page, and say what to load the model with."""

import math

import datasets
import pytest
import torch
from scripted_model import not_finite_on

from glmocr_utils.decoding import NotFiniteError, PageDecoder
from glmocr_utils.finetune.evaluation import read_held_out, scores
from glmocr_utils.mass_infer.in_flight import Failure, InFlightReader
from glmocr_utils.mass_infer.request import Reading, Request
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.ocr import PageReader, read_documents, read_pages, score_text
from glmocr_utils.prompt import TEXT_RECOGNITION, encode_prompt
from glmocr_utils.records import FailedPage, OcrResult, PageImage

pytestmark = pytest.mark.slow

MAX_TOKENS = 40
REASON = r"NaN or infinite on this page, in float32 with attention sdpa; try attn='eager'"


def patches_of(model: LoadedModel, page: PageImage) -> int:
    return len(encode_prompt(model.processor, [page.image])["pixel_values"])


@pytest.fixture(scope="module")
def whole(any_model: LoadedModel, page_images: list[PageImage]) -> list[OcrResult]:
    return list(read_pages(any_model, page_images, max_tokens=MAX_TOKENS))


@pytest.mark.parametrize("spoilt", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_of_three_pages_fails_and_two_are_read(
    any_model, page_images, whole, spoilt, batch_size, value
):
    failed = []
    with not_finite_on(any_model, patches_of(any_model, page_images[spoilt]), value):
        results = list(
            read_pages(
                any_model,
                page_images,
                max_tokens=MAX_TOKENS,
                batch_size=batch_size,
                on_failure=lambda page, error: failed.append((page, error)),
            )
        )
    [(page, error)] = failed
    assert page is page_images[spoilt] and isinstance(error, NotFiniteError)
    expected = [result for result in whole if result.page != page.page]
    assert [(r.page, r.text) for r in results] == [(r.page, r.text) for r in expected]


def test_without_on_failure_it_is_raised_by_its_name(any_model, page_images):
    with (
        not_finite_on(any_model, patches_of(any_model, page_images[0])),
        pytest.raises(NotFiniteError, match=REASON),
    ):
        list(read_pages(any_model, page_images[:1], max_tokens=3))


@pytest.mark.parametrize(
    ("dtype", "remedy"), [("float16", "dtype='bfloat16'"), ("bfloat16", "dtype='float32'")]
)
def test_the_remedy_fits_the_dtype(bundled_folder, page_images, dtype, remedy):
    model = load_model(str(bundled_folder), device_map="cpu", dtype=getattr(torch, dtype))
    with (
        not_finite_on(model, patches_of(model, page_images[0])),
        pytest.raises(NotFiniteError, match=f"in {dtype} with attention sdpa.*{remedy}"),
    ):
        list(read_pages(model, page_images[:1], max_tokens=3))


def test_what_such_a_page_left_in_memory_does_not_reach_the_next(any_model, page_images, whole):
    """A weight of 0 times NaN is NaN: rows of the cache are used again."""
    widest = max(page_images, key=lambda page: page.width_px)
    pages = [widest, page_images[0], page_images[1]]
    inputs = [encode_prompt(any_model.processor, [page.image]) for page in pages]
    decoder = PageDecoder(any_model.model, 1, lambda ids: "ab" * len(ids))
    with not_finite_on(any_model, patches_of(any_model, widest)):
        decoder.enter("short", inputs[1], 2)
        decoder.enter("spoilt", inputs[0], MAX_TOKENS)  # moves into the row of the one before
        decoder.enter("other", inputs[2], MAX_TOKENS)
        ended = dict(decoder.step())
        while "short" not in ended or "spoilt" not in ended:
            ended |= dict(decoder.step())
        decoder.enter("late", inputs[1], MAX_TOKENS)
        while len(decoder):
            ended |= dict(decoder.step())
    assert isinstance(ended["spoilt"], NotFiniteError)
    alone = [[token.token_id for token in result.tokens] for result in whole]
    assert ended["late"].token_ids.tolist() == alone[0]
    assert ended["other"].token_ids.tolist() == alone[1]


def test_a_document_is_read_to_its_end_after_such_a_page(any_model, page_images, tmp_path):
    paths = []
    for number, page in enumerate(page_images):
        paths.append(tmp_path / f"{number}.png")
        page.image.save(paths[-1])
    with not_finite_on(any_model, patches_of(any_model, page_images[1])):
        pages = list(read_documents(any_model, paths, max_tokens=3, batch_size=3))
    [failed] = [page for page in pages if isinstance(page, FailedPage)]
    assert failed.document_path == str(paths[1]) and failed.status == "failed"
    assert "float32" in failed.reason and "attn='eager'" in failed.reason
    assert len(pages) == 3


def test_a_mass_run_reads_the_others(any_model, page_images, whole):
    reader = InFlightReader(any_model, TEXT_RECOGNITION, None, 3)
    with not_finite_on(any_model, patches_of(any_model, page_images[0])):
        works = iter(
            [reader.prepare(n, Request(page, MAX_TOKENS)) for n, page in enumerate(page_images)]
        )
        read = dict(reader.read(lambda _wait: next(works, None)))
    assert isinstance(read[0], Failure) and "in float32" in read[0].reason
    assert [read[n].text for n in (1, 2)] == [whole[n].text for n in (1, 2)]
    assert all(isinstance(read[n], Reading) for n in (1, 2))


def test_a_result_that_cannot_be_built_costs_its_page(any_model, page_images, monkeypatch):
    build = PageReader._result

    def fails_once(reader, page, *others):
        if page is page_images[1]:
            raise KeyError("no such token")
        return build(reader, page, *others)

    monkeypatch.setattr(PageReader, "_result", fails_once)
    failed = []
    results = read_pages(
        any_model,
        page_images,
        max_tokens=3,
        batch_size=3,
        on_failure=lambda page, error: failed.append(page),
    )
    assert len(list(results)) == 2 and failed == [page_images[1]]


def test_a_text_cannot_be_scored_either(any_model, page_images):
    with (
        not_finite_on(any_model, patches_of(any_model, page_images[0])),
        pytest.raises(NotFiniteError, match=REASON),
    ):
        score_text(any_model, page_images[0].image, "text")


def test_in_evaluation_such_a_page_counts_as_empty(any_model, page_images):
    rows = [
        {
            "document": f"{n}.png",
            "page_index": 7,
            "text": "label",
            "prompt": TEXT_RECOGNITION,
            "image": page.image,
            "length": n,
        }
        for n, page in enumerate(page_images)
    ]
    features = datasets.Features(
        {
            "document": datasets.Value("string"),
            "page_index": datasets.Value("int64"),
            "text": datasets.Value("string"),
            "prompt": datasets.Value("string"),
            "image": datasets.Image(),
            "length": datasets.Value("int64"),
        }
    )
    pages = datasets.Dataset.from_list(rows, features=features).cast_column(
        "image", datasets.Image(decode=False)
    )
    with (
        not_finite_on(any_model, patches_of(any_model, page_images[1])),
        pytest.warns(UserWarning, match=r"1.png: .*in float32.*counts as empty"),
    ):
        readings = read_held_out(
            any_model, pages, batch_size=2, max_tokens=4, prompt_style="default"
        )
    assert [reading.document for reading in readings] == ["0.png", "1.png", "2.png"]
    assert readings[1].result.text == "" and readings[0].result.text != ""
    assert readings[1].result.page.page_index == 7
    assert scores(readings[1:2])["cer"] == 1.0 and scores(readings[1:2])["stop_rate"] == 0.0
