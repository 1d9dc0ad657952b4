"""Records check themselves, survive JSON, and reach the disk complete or not at all."""

import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image

from glmocr_utils.records import (
    Alternative,
    FailedPage,
    OcrResult,
    PageImage,
    PageRef,
    Region,
    TokenProb,
    from_json,
    in_text_order,
    read_results,
    to_json,
    write_results,
)

PAGE = PageRef("a.pdf", "0" * 64, 0)
TOKENS = (
    TokenProb(5, "Gr", -0.25, (Alternative(5, "Gr", -0.25), Alternative(9, "\ufffd", -2.5))),
    TokenProb(6, "", -0.125),
    TokenProb(7, "ü€\U0001f600\u2028\n", -3.0),
)


def make_result(**changes: object) -> OcrResult:
    values = {
        "page": PAGE,
        "text": "".join(token.text for token in TOKENS),
        "tokens": TOKENS,
        "finish_reason": "stop",
        "prompt": "Text Recognition:",
        "model_id": "some/model",
        "revision": "abc",
        "adapter": None,
        "scale": 2.0,
        "seconds": 1.5,
        "num_image_tokens": 12,
    }
    return OcrResult(**{**values, **changes})


def test_a_result_survives_json() -> None:
    line = to_json(make_result())
    assert "\n" not in line
    assert from_json(line) == make_result()
    known = make_result(dtype="bfloat16", attention="sdpa")
    assert from_json(to_json(known)) == known


def test_a_result_of_before_dtypes_were_recorded_loads() -> None:
    record = json.loads(to_json(make_result()))
    del record["dtype"], record["attention"]
    assert from_json(json.dumps(record)) == make_result()


def test_json_keeps_umlauts_readable_and_rounds_to_six_decimals() -> None:
    result = make_result(tokens=(TokenProb(1, "ü", -1 / 3),), text="ü", seconds=2 / 3)
    line = to_json(result)
    assert "ü" in line
    record = json.loads(line)
    assert record["tokens"][0]["logprob"] == -0.333333
    assert record["seconds"] == 0.666667


def test_a_certain_token_survives_rounding() -> None:
    result = make_result(tokens=(TokenProb(1, "a", -1e-9),), text="a")
    assert from_json(to_json(result)).tokens[0].prob == 1.0


@pytest.mark.parametrize("line", ["", "{", "5", "[]", '"text"', "{}", '{"text": "a"}'])
def test_what_is_not_a_result_is_refused_and_shown(line: str) -> None:
    with pytest.raises(ValueError, match="not an OCR result"):
        from_json(line)


def test_an_unknown_field_is_refused() -> None:
    record = {**json.loads(to_json(make_result())), "colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        from_json(json.dumps(record))


@pytest.mark.parametrize(
    "record",
    [
        PAGE,
        PageImage(PAGE, Image.new("RGB", (4, 3)), 2.0),
        FailedPage("a.pdf", None, "encrypted", "why"),
        TOKENS[0],
        TOKENS[0].alternatives[0],
        make_result(),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_are_frozen(record: object) -> None:
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, None)


def test_a_page_is_known_by_its_content():
    copied = PageRef("elsewhere/b.pdf", PAGE.document_sha256, PAGE.page_index)
    assert copied == PAGE and {PAGE: "found"}[copied] == "found" and copied.key == PAGE.key
    others = [
        dataclasses.replace(PAGE, page_index=1),
        dataclasses.replace(PAGE, document_sha256="1" * 64),
    ]
    assert PAGE not in others and len({PAGE.key, *(other.key for other in others)}) == 3


def test_pages_without_a_file_are_known_by_their_path():
    drawn = PageRef("drawn", None, 0)
    assert drawn == PageRef("drawn", None, 0)
    assert drawn != PageRef("drawn too", None, 0) and drawn != dataclasses.replace(
        PAGE, document_path="drawn"
    )
    assert from_json(to_json(make_result(page=drawn))).page.document_sha256 is None


def test_pages_count_from_0_in_code_and_from_1_for_people() -> None:
    assert PageRef("a.pdf", "0" * 64, 3).page_number == 4
    with pytest.raises(ValueError, match="counts from 0, got -1"):
        PageRef("a.pdf", "0" * 64, -1)


def test_a_short_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        PageRef("a.pdf", "abc", 0)


@pytest.mark.parametrize("mode", ["L", "RGBA", "1", "CMYK"])
def test_a_page_image_is_rgb(mode: str) -> None:
    with pytest.raises(ValueError, match="RGB"):
        PageImage(PAGE, Image.new(mode, (4, 3)), 2.0)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan")])
def test_a_scale_is_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        PageImage(PAGE, Image.new("RGB", (4, 3)), scale)


def test_a_page_image_knows_its_size() -> None:
    page = PageImage(PAGE, Image.new("RGB", (4, 3)), 2.0)
    assert (page.width_px, page.height_px) == (4, 3)


@pytest.mark.parametrize("logprob", [1e-6, 2.0, float("inf"), float("nan")])
def test_a_log_probability_is_at_most_0(logprob: float) -> None:
    with pytest.raises(ValueError, match="≤ 0"):
        TokenProb(1, "a", logprob)


def test_prob_is_the_exponential_of_logprob() -> None:
    assert TokenProb(1, "a", 0.0).prob == 1.0
    assert TokenProb(1, "a", -1.0).prob == pytest.approx(0.3678794)
    assert TokenProb(1, "a", float("-inf")).prob == 0.0


def test_tokens_must_spell_the_text() -> None:
    with pytest.raises(ValueError, match=r"page 1 of a\.pdf"):
        make_result(text="something else")


def test_finish_reason_and_status_are_from_their_lists() -> None:
    with pytest.raises(ValueError, match="stop, length, loop, got 'eos'"):
        make_result(finish_reason="eos")
    with pytest.raises(ValueError, match=r"encrypted.*got 'ok'"):
        FailedPage("a.pdf", 0, "ok", "why")


def test_a_page_without_text_is_empty_where_there_is_ink_and_blank_where_there_is_none() -> None:
    nothing = {"text": "", "tokens": ()}
    assert make_result().status == "ok" and make_result().warning is None
    assert make_result(**nothing).status == "empty"
    assert make_result(**nothing, finish_reason="loop").status == "empty"
    blank = make_result(**nothing, is_blank=True)
    assert blank.status == "blank" and from_json(to_json(blank)) == blank
    with pytest.raises(ValueError, match="without ink has no text"):
        make_result(is_blank=True)


def test_written_results_are_read_back_in_order(tmp_path: Path) -> None:
    results = [make_result(page=PageRef("a.pdf", "0" * 64, index)) for index in range(3)]
    path = tmp_path / "new" / "folder" / "results.jsonl"
    write_results(iter(results), path)
    assert list(read_results(path)) == results
    assert list(path.parent.iterdir()) == [path]


def broken_results() -> list[OcrResult]:
    yield make_result()
    raise RuntimeError("the third page fell over")


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="fell over"):
        write_results(broken_results(), tmp_path / "results.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write_results([make_result()], path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="fell over"):
        write_results(broken_results(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


REGIONS = (
    Region(0, "text", (1, 2, 30, 40), 0.9, "Text Recognition:", "ok", 0, 2),
    Region(1, "image", (0, 50, 30, 90), 0.8, status="picture", token_start=2, token_stop=2),
    Region(2, "footer", (0, 95, 30, 99), None, "Text Recognition:", "looped", 2, 3, reason="why"),
)


def test_a_page_of_regions_survives_json_and_each_token_knows_its_region() -> None:
    tokens = (TokenProb(1, "a", -0.1), TokenProb(2, "b\n\n", -0.2), TokenProb(3, "7", -0.3))
    result = make_result(tokens=tokens, text="ab\n\n7", regions=REGIONS, finish_reason="loop")
    assert from_json(to_json(result)) == result
    assert [result.region_of(index).index for index in range(3)] == [0, 0, 2]
    assert [result.region_text(region) for region in REGIONS] == ["ab", "", "7"]
    assert (result.body_text, result.status) == ("ab", "looped")


@pytest.mark.parametrize(("start", "stop"), [(1, 3), (2, 4), (0, 3)])
def test_each_token_belongs_to_exactly_one_region(start: int, stop: int) -> None:
    wrong = dataclasses.replace(REGIONS[2], token_start=start, token_stop=stop)
    with pytest.raises(ValueError, match="token"):
        make_result(regions=(*REGIONS[:2], wrong))


def test_a_region_that_failed_decides_over_its_page_and_a_page_of_pictures_is_ok() -> None:
    failed = dataclasses.replace(REGIONS[0], status="failed", token_stop=3)
    assert make_result(regions=(failed,)).status == "failed"
    picture = Region(0, "chart", (0, 0, 9, 9), 0.5, status="picture")
    assert make_result(tokens=(), text="", regions=(picture,)).status == "ok"
    empty = dataclasses.replace(REGIONS[0], status="empty", token_stop=0)
    assert make_result(tokens=(), text="", regions=(picture, empty)).status == "empty"


def test_furniture_follows_the_body_unless_it_is_to_stay() -> None:
    header = Region(0, "header", (0, 0, 9, 9))
    text = Region(1, "text", (0, 9, 9, 20))
    assert in_text_order([text, header]) == [text, header]
    assert in_text_order([text, header], "in") == [header, text]
