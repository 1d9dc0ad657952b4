"""Pages read region by region: one result a page, nothing left out, files with pictures."""

import dataclasses
import math
from collections import Counter
from xml.etree import ElementTree

import pytest
from layout_inputs import draw_columns, save_random_layout
from paths import ROOT
from PIL import Image
from scripted_model import not_finite_on

from glmocr_utils.confidence import PageQuality, rank_pages
from glmocr_utils.grounding import Locator
from glmocr_utils.layout import crop_region, load_layout
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import ByRegion, read_by_region, read_documents, read_pages
from glmocr_utils.ocr.by_region import assemble
from glmocr_utils.ocr_formats.alto import alto
from glmocr_utils.ocr_formats.hocr import hocr
from glmocr_utils.ocr_formats.page_xml import page_xml
from glmocr_utils.ocr_formats.placed_text import placed_blocks
from glmocr_utils.options import Tasks
from glmocr_utils.records import (
    Alternative,
    OcrResult,
    PageImage,
    PageRef,
    Region,
    TokenProb,
    from_json,
    to_json,
)
from glmocr_utils.review.flags import find_flags

REF = PageRef("a.png", "0" * 64, 0)
TEXT = "A few words stand in this column, and they fill some lines of it. " * 20


@pytest.fixture(scope="module")
def page() -> PageImage:
    """Two columns of text."""
    return PageImage(REF, draw_columns([TEXT, TEXT])[0], 2.0)


@pytest.fixture(scope="module")
def by_region() -> ByRegion:
    return ByRegion(load_layout(str(ROOT / "data/models/doclayout-tiny")))


def a_reading(text: str, finish_reason: str = "stop") -> OcrResult:
    tokens = tuple(
        TokenProb(1, letter, -0.1, (Alternative(1, letter, -0.1), Alternative(2, "x", -3.0)))
        for letter in text
    )
    return OcrResult(REF, text, tokens, finish_reason, "p", "m", None, None, 2.0, 0.5, 10)


def regions_of(*labels: str) -> list[Region]:
    return [
        Region(index, label, (0, 20 * index, 50, 20 * index + 15), 0.9, Tasks().of(label))
        for index, label in enumerate(labels)
    ]


def test_the_tokens_of_a_page_are_those_of_its_regions_read_alone(
    bundled_model: LoadedModel, by_region: ByRegion, page: PageImage
) -> None:
    options = {"max_tokens": 12, "top_k": 2}
    [result] = read_pages(bundled_model, [page], by_region=by_region, batch_size=4, **options)
    assert len(result.regions) >= 2  # one a column, or more
    assert from_json(to_json(result)).regions == result.regions
    for region in result.regions:
        crop = crop_region(page, region.box).page
        [alone] = read_pages(bundled_model, [crop], **options)
        assert result.region_text(region) == alone.text
        assert region.status == alone.status == "truncated"
        tokens = result.tokens[region.token_start : region.token_stop]
        assert [t.token_id for t in tokens] == [t.token_id for t in alone.tokens]
        assert [t.logprob for t in tokens] == pytest.approx(
            [t.logprob for t in alone.tokens], abs=1e-4
        )
    assert result.status == "truncated" and result.num_image_tokens == sum(
        region.num_image_tokens for region in result.regions
    )


def test_regions_of_several_pages_are_under_way_together_and_pages_come_in_order(
    bundled_model: LoadedModel, by_region: ByRegion, page: PageImage
) -> None:
    blank = Image.new("RGB", (300, 300), "white")
    pages = [
        dataclasses.replace(page, page=PageRef("a.png", "0" * 64, index), image=image)
        for index, image in enumerate([page.image, blank, page.image.crop((0, 0, 420, 990))])
    ]
    results = list(
        read_pages(bundled_model, pages, by_region=by_region, batch_size=5, max_tokens=5)
    )
    assert [result.page.page_index for result in results] == [0, 1, 2]
    assert [result.status for result in results] == ["truncated", "blank", "truncated"]
    alone = list(read_pages(bundled_model, pages, by_region=by_region, max_tokens=5))
    assert [result.text for result in alone] == [result.text for result in results]


def test_a_region_that_cannot_be_read_is_marked_and_the_others_are_read(
    bundled_model: LoadedModel, by_region: ByRegion, page: PageImage
) -> None:
    [whole] = read_pages(bundled_model, [page], by_region=by_region, max_tokens=8)
    sizes = Counter(region.num_image_tokens for region in whole.regions)
    number = next(n for n, r in enumerate(whole.regions) if n and sizes[r.num_image_tokens] == 1)
    label, patches = whole.regions[number].label, 4 * whole.regions[number].num_image_tokens
    with not_finite_on(bundled_model, patches) as broken:
        [result] = read_pages(broken, [page], by_region=by_region, max_tokens=8)
    failed = result.regions[number]
    assert result.status == failed.status == "failed"
    assert result.region_text(failed) == f"[{label}: not read]"
    assert "NaN" in failed.reason or "not finite" in failed.reason
    others = [n for n in range(len(whole.regions)) if n != number]
    assert [result.region_text(result.regions[n]) for n in others] == [
        whole.region_text(whole.regions[n]) for n in others
    ]


def test_furniture_comes_after_the_body_or_stays_and_is_never_left_out() -> None:
    regions = regions_of("header", "text", "number")
    readings = {0: a_reading("Head"), 1: a_reading("body"), 2: a_reading("7")}
    apart = assemble(a_reading(""), regions, readings, "apart")
    assert (apart.text, apart.body_text) == ("body\n\nHead\n\n7", "body")
    inside = assemble(a_reading(""), regions, readings, "in")
    assert inside.text == "Head\n\nbody\n\n7"
    for result in (apart, inside):
        assert [result.region_text(region) for region in result.regions] == ["Head", "body", "7"]


def test_the_break_after_a_region_stays_whichever_alternative_is_taken() -> None:
    result = assemble(
        a_reading(""), regions_of("text", "text"), {0: a_reading("ab"), 1: a_reading("c")}, "apart"
    )
    assert [token.text for token in result.tokens] == ["a", "b\n\n", "c"]
    assert [other.text for other in result.tokens[1].alternatives] == ["b\n\n", "x\n\n"]


def test_what_becomes_of_a_page_is_the_worst_of_its_regions() -> None:
    regions = regions_of("text", "table", "image", "text", "text")
    readings = {
        0: a_reading("cut", "length"),
        1: a_reading("again again", "loop"),
        3: ValueError("too thin\nfor the model"),
        4: a_reading(" \n"),
    }
    result = assemble(a_reading(""), regions, readings, "apart")
    statuses = ["truncated", "looped", "picture", "failed", "empty"]
    assert [region.status for region in result.regions] == statuses
    assert (result.status, result.finish_reason) == ("failed", "loop")
    assert result.text == "cut\n\nagain again\n\n[text: not read]"
    assert math.exp(result.tokens[-1].logprob) < 1e-6
    assert "too thin" in result.regions[3].reason
    del readings[3]
    assert assemble(a_reading(""), regions[:3], readings, "apart").status == "looped"


@pytest.mark.slow
def test_files_of_a_document_read_by_regions(
    bundled_model: LoadedModel, tmp_path_factory, page: PageImage
) -> None:
    folder = tmp_path_factory.mktemp("run")
    page.image.save(folder / "my scan.png")
    layout = str(save_random_layout(tmp_path_factory.mktemp("l"), 3, "image"))
    by_region = read_by_region(bundled_model, layout)
    options = {"output_dir": folder / "out", "max_tokens": 4}
    [result] = read_documents(
        bundled_model, [folder / "my scan.png"], by_region=by_region, **options
    )
    assert "picture" in [region.status for region in result.regions]
    [picture] = (folder / "out").glob("*_pictures/*.png")
    [markdown] = (folder / "out").glob("*.md")
    link = f"({picture.relative_to(folder / 'out').as_posix().replace(' ', '%20')})"
    assert link in markdown.read_text(encoding="utf-8")
    shown = next(region for region in result.regions if region.status == "picture")
    with Image.open(picture) as image:
        assert image.size == (
            round(shown.box.right) - round(shown.box.left),
            round(shown.box.bottom) - round(shown.box.top),
        )
    [again] = read_documents(
        bundled_model, [folder / "my scan.png"], by_region=by_region, **options
    )
    assert again == from_json(to_json(result))
    with pytest.raises(ValueError, match=r"read with other.*layout"):
        list(read_documents(bundled_model, [folder / "my scan.png"], **options))


def test_options_that_cannot_work_are_refused_before_a_layout_model_is_loaded(
    bundled_model,
) -> None:
    assert read_by_region(bundled_model, None) is read_by_region(bundled_model, "none") is None
    with pytest.raises(ValueError, match="furniture must be one of apart, in, out"):
        read_by_region(bundled_model, "auto", furniture="gone")
    with pytest.raises(ValueError, match="tasks maps"):
        read_by_region(bundled_model, "auto", tasks="chart")


@pytest.mark.slow
def test_tokens_are_within_their_regions_in_every_format(
    bundled_model: LoadedModel, by_region: ByRegion, page: PageImage, tmp_path
) -> None:
    [result] = read_pages(bundled_model, [page], by_region=by_region, batch_size=3, max_tokens=60)
    picture = dataclasses.replace(result.regions[1], status="picture", token_start=0, token_stop=0)
    failed = result.regions[2]
    result = assemble(
        dataclasses.replace(result, tokens=(), text="", regions=()),
        result.regions[:3],
        {
            0: result.of_region(result.regions[0]),
            1: result.of_region(result.regions[1]),
            2: ValueError("why"),
        },
        "apart",
    )
    layout = Locator(bundled_model).locate(result, page.image)
    for index, token in enumerate(layout.tokens):
        region = result.region_of(index)
        if token is not None:
            x, y = token.box.centre
            x1, y1, x2, y2 = region.box
            assert x1 - 4 <= x <= x2 + 4 and y1 - 4 <= y <= y2 + 4
            assert layout.lines[token.line_index] is not None or token.certainty < 1
    assert layout.tokens[-1].box == failed.box
    first, second, _ = placed_blocks(result, layout)
    assert [block.region.index for block in (first, second)] == [0, 1]
    assert "".join(word.text for line in first for word in line.words) == "".join(
        result.region_text(result.regions[0]).split()
    )
    with_picture = dataclasses.replace(
        result.of_region(result.regions[0]),
        regions=(
            result.regions[0],
            dataclasses.replace(
                picture,
                token_start=result.regions[0].token_stop,
                token_stop=result.regions[0].token_stop,
            ),
        ),
    )
    layout = Locator(bundled_model).locate(with_picture, page.image)
    texts = {
        "Illustration": alto([(with_picture, layout)]),
        "ocr_photo": hocr([(with_picture, layout)]),
        "ImageRegion": page_xml(with_picture, layout, "a.png"),
    }
    for name, text in texts.items():
        elements = [
            each
            for each in ElementTree.fromstring(text).iter()
            if each.tag.endswith(name) or each.get("class") == name
        ]
        assert len(elements) == 1, name


def test_the_ends_of_regions_that_did_not_end_by_themselves_are_flagged() -> None:
    regions = regions_of("text", "text", "text")
    readings = {0: a_reading("cut here", "length"), 1: a_reading("lala", "loop"), 2: OSError("no")}
    result = assemble(a_reading(""), regions, readings, "apart")
    flags = find_flags(result, num_audits=0)
    assert [(flag.kind, flag.line_index, flag.end) for flag in flags] == [
        ("length", 0, 8),
        ("loop", 2, 4),
        ("unsure", 4, len("[text: not read]")),
    ]
    assert PageQuality.of(result).quality == "doubtful"
    assert rank_pages([a_reading("well"), result])[0][0] is result
