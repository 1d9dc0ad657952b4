"""Heads are chosen by looking, kept beside the model, and refused for another one."""

import json
import shutil
from dataclasses import replace

import pytest

from glmocr_utils.cli import main
from glmocr_utils.grounding import Locator
from glmocr_utils.grounding.choice import (
    USUAL_SHARE,
    NoHeadsError,
    choice_path,
    describe_choice,
    load_choice,
    save_choice,
)
from glmocr_utils.grounding.evaluation import choose_for, draw_pages, pages_with_text_layer
from glmocr_utils.grounding.evaluation.choosing import split_pages
from glmocr_utils.grounding.evaluation.heads import choose_heads, score_heads
from glmocr_utils.grounding.head import Head
from glmocr_utils.model import load_model
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import FailedPage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages():
    return draw_pages(4, seed=3)


@pytest.fixture(scope="module")
def scores(bundled_model, pages):
    return score_heads(bundled_model, pages[:2], batch_size=2)


@pytest.fixture
def samples(bundled_folder):
    return bundled_folder.parents[1] / "samples"


@pytest.fixture
def own_copy(bundled_folder, tmp_path):
    """The bundled model in a folder of its own, without a choice."""
    folder = shutil.copytree(bundled_folder, tmp_path / "model")
    (folder / "grounding.json").unlink(missing_ok=True)
    return load_model(str(folder), device_map="cpu")


def test_a_head_that_reads_has_the_best_score(scores):
    assert scores.shape == (7, 6)
    assert scores.max() > 0.8
    assert (scores < 0.1).sum() > 20


def test_the_heads_chosen_are_the_best_alone_or_together(bundled_model, scores, pages):
    heads, score = choose_heads(bundled_model, scores, pages[2:])
    assert 1 <= len(heads) <= 3
    assert scores[heads[0]] == scores.max()
    assert score > 0.8


def test_what_is_chosen_is_found_again(own_copy, pages):
    choice = choose_for(own_copy, pages[:1], pages[1:2], chosen_on="two drawn pages")
    save_choice(choice, choice_path(own_copy))
    assert load_choice(own_copy) == choice
    assert Locator(own_copy).heads == choice.heads
    assert 0.6 < choice.usual_share <= 1


def test_a_choice_that_was_made_before_the_share_was_measured_holds(own_copy):
    save_choice(describe_choice(own_copy, (Head(2, 0),), 0.9, "drawn pages"), choice_path(own_copy))
    record = json.loads(choice_path(own_copy).read_text())
    del record["usual_share"]
    choice_path(own_copy).write_text(json.dumps(record))
    assert load_choice(own_copy).usual_share == USUAL_SHARE


def test_without_a_choice_the_command_is_named(own_copy):
    with pytest.raises(NoHeadsError, match=r"no attention heads are chosen yet.*ground --model-id"):
        load_choice(own_copy)


def test_another_models_choice_is_refused(own_copy):
    choice = describe_choice(own_copy, (Head(2, 0),), 0.9, "drawn pages")
    save_choice(replace(choice, weights=("0" * 64,)), choice_path(own_copy))
    with pytest.raises(NoHeadsError, match="chosen for another model"):
        load_choice(own_copy)


def test_another_revision_of_a_hub_model_is_refused(bundled_model, tmp_path, monkeypatch):
    monkeypatch.setattr("glmocr_utils.grounding.choice.HF_HOME", str(tmp_path))
    from_hub = replace(bundled_model, model_id="somebody/GLM-OCR", revision="a" * 40)
    path = choice_path(from_hub)
    assert path == tmp_path / "glmocr_utils/somebody--GLM-OCR/grounding.json"
    save_choice(describe_choice(from_hub, (Head(2, 0),), 0.9, ""), path)
    assert load_choice(from_hub).heads == (Head(2, 0),)
    with pytest.raises(NoHeadsError, match="chosen for another model"):
        load_choice(replace(from_hub, revision="b" * 40))


def test_a_damaged_choice_is_refused(own_copy):
    choice_path(own_copy).write_text('{"heads": []}')
    with pytest.raises(NoHeadsError, match="contain a choice of heads"):
        load_choice(own_copy)


def test_an_adapter_has_its_own_choice(bundled_model, tmp_path):
    adapted = replace(bundled_model, adapter=str(tmp_path))
    assert choice_path(adapted) == tmp_path / "grounding.json"


def test_the_bundled_model_comes_with_its_choice(bundled_model, bundled_folder):
    assert load_choice(bundled_model).score > 0.8
    # the same wherever the project lies
    assert "model_id" not in json.loads((bundled_folder / "grounding.json").read_text())


def test_pages_are_split_without_sharing_any(pages):
    to_score, to_combine, to_judge = split_pages(pages, seed=1)
    assert sorted(page.name for part in (to_score, to_combine, to_judge) for page in part) == (
        sorted(page.name for page in pages)
    )
    assert to_score and to_combine and to_judge
    with pytest.raises(ValueError, match="3 are the least"):
        split_pages(pages[:2], seed=1)


def test_a_located_page_is_as_in_a_batch(bundled_model, page_images):
    results = list(read_pages(bundled_model, page_images, max_tokens=60))
    locator = Locator(bundled_model)
    together = list(locator.locate_all(list(zip(results, page_images, strict=True))))
    alone = [locator.locate(r, i.image) for r, i in zip(results, page_images, strict=True)]
    for one, other in zip(together, alone, strict=True):
        for a, b in zip(one.tokens, other.tokens, strict=True):
            assert a.certainty == pytest.approx(b.certainty, abs=0.01)
            assert a.box.centre == pytest.approx(b.box.centre, abs=2)
    for layout, result, image in zip(together, results, page_images, strict=True):
        assert len(layout.tokens) == len(result.tokens)
        assert (layout.page, layout.width_px) == (result.page, image.width_px)


def test_another_models_tokens_are_refused(bundled_model, page_images):
    (result,) = read_pages(bundled_model, page_images[:1], max_tokens=4)
    strange = replace(result.tokens[0], token_id=50_000)
    result = replace(result, tokens=(strange, *result.tokens[1:]), model_id="somebody/else")
    with pytest.raises(ValueError, match="Load the model that read it"):
        Locator(bundled_model).locate(result, page_images[0].image)


def test_a_servers_reading_is_refused_for_it_has_no_token_ids(bundled_model, page_images):
    (result,) = read_pages(bundled_model, page_images[:1], max_tokens=4)
    result = replace(result, tokens=tuple(replace(each, token_id=-1) for each in result.tokens))
    with pytest.raises(ValueError, match="read by a server, which gives no token ids"):
        Locator(bundled_model).locate(result, page_images[0].image)


def test_characters_of_a_text_layer_lie_on_their_ink(samples):
    (page,) = pages_with_text_layer([samples / "letter.pdf"])
    grey = page.image.convert("L")
    dark = [
        min(grey.crop(tuple(map(int, box))).tobytes(), default=255) < 128
        for box, character in zip(page.boxes, page.text, strict=True)
        if character.isalnum()
    ]
    assert sum(dark) > 0.99 * len(dark)
    assert page.text.count("\n") > 10


def test_a_page_that_is_turned_to_be_upright(samples):
    (page,) = pages_with_text_layer([samples / "rotated.pdf"])
    grey = page.image.convert("L")
    first = next(n for n, character in enumerate(page.text) if character.isalnum())
    assert min(grey.crop(tuple(map(int, page.boxes[first]))).tobytes()) < 128


def test_pages_without_a_text_layer_say_why(samples):
    scan, *_ = pages_with_text_layer([samples / "decision_scan.pdf"])
    picture, *_ = pages_with_text_layer([samples / "receipt.png"])
    assert isinstance(scan, FailedPage)
    assert "no text layer" in scan.reason
    assert "isn't a PDF" in picture.reason


def test_the_command_judges_a_pdf_and_refuses_a_scan(bundled_folder, samples, capsys):
    options = ("--model-id", str(bundled_folder), "--choose", "False", "--with-reading", "False")
    assert main(["ground", str(samples / "letter.pdf"), *options]) == 0
    printed = capsys.readouterr().out
    rows = [line.split("|") for line in printed.splitlines() if line.startswith("| ")][1:]
    assert [row[2].strip() for row in rows] == [
        "true text",
        "true text, reflowed",
        "n-th token at n-th position",
    ] * 2
    right, near = (float(rows[0][column].strip(" %")) for column in (5, 6))
    assert right >= 98
    assert near >= 95
    assert float(rows[2][5].strip(" %")) < 80
    assert main(["ground", str(samples / "decision_scan.pdf"), *options]) == 2
    assert "has a text layer" in capsys.readouterr().err


def test_the_command_chooses_on_drawn_pages(own_copy, capsys):
    arguments = ("--model-id", own_copy.model_id, "--num-pages", "4", "--with-reading", "False")
    assert main(["ground", *arguments]) == 0
    assert load_choice(own_copy).chosen_on == "drawn pages"
    assert "written to" in capsys.readouterr().out
