"""What is tried on a page: blank, sideways, upside down, looped, cut."""

import math

import pytest
from PIL import Image

from glmocr_utils.mass_infer.passes import LOOP_SCALES, PROBE_TOKENS, Limits
from glmocr_utils.mass_infer.request import Reading
from glmocr_utils.mass_infer.task import PageTask
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.render import CheckedPage
from glmocr_utils.render.page_checks import is_blank, runs_sideways
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

pytestmark = pytest.mark.slow

PAGE = PageRef("a.pdf", "0" * 64, 3)
PROSE = "The court grants the appeal and sets the order of the lower court aside. " * 8


@pytest.fixture(scope="module")
def upright() -> Image.Image:
    font = find_font("DejaVu Sans")
    return draw_page([Block(PROSE)], PageStyle(font, font, height_px=None)).image


def task_of(image: Image.Image, limits: Limits | None = None, asked_scale: float = 2.0) -> PageTask:
    page = PageImage(PAGE, image, 2.0)
    checked = CheckedPage(page, is_blank(image), runs_sideways(image), asked_scale)
    return PageTask(checked, 7, limits or Limits(100))


def a_reading(text: str = "text", reason: str = "stop", prob: float = 0.95) -> Reading:
    letters = len(text)
    return Reading(text, reason, 0.5, [7] * letters, [math.log(prob)] * letters, [1] * letters, 30)


def test_a_sure_page_is_read_once(upright):
    task = task_of(upright)
    assert task.request.page.image is upright and task.request.max_tokens == 100
    task.take(a_reading("Grüße"))
    row = task.row
    assert task.request is None
    assert (row.status, row.text, row.page_index, row.num_pages) == ("ok", "Grüße", 3, 7)
    assert row.mean_prob == pytest.approx(0.95) and row.min_prob == pytest.approx(0.95)
    assert row.num_image_tokens == 30 and row.seconds == 0.5
    assert row.reason is None and len(row.attempts) == 1


def test_a_page_without_ink_is_never_given_to_the_model():
    task = task_of(Image.new("RGB", (600, 800), "white"))
    assert task.request is None
    assert (task.row.status, task.row.text, task.row.attempts) == ("blank", "", ())


def test_a_page_on_its_side_is_read_the_way_the_model_is_surer_of(upright):
    lying = upright.transpose(Image.Transpose.ROTATE_90)  # its top is at the left
    task = task_of(lying)
    assert task.request.max_tokens == PROBE_TOKENS
    assert task.request.page.image is lying  # the check may err
    task.take(a_reading(prob=0.5))
    assert task.request.page.image.size == upright.size
    assert task.request.page.image.tobytes() == upright.tobytes()
    task.take(a_reading(prob=0.9))
    task.take(a_reading(prob=0.4))
    assert task.request.max_tokens == 100
    task.take(a_reading("whole"))
    assert (task.row.angle, task.row.text, len(task.row.attempts)) == (90, "whole", 4)
    assert "Turned by 90° clockwise" in task.row.reason


def test_a_page_that_only_seems_to_lie_on_its_side_is_not_turned(upright):
    task = task_of(upright.transpose(Image.Transpose.ROTATE_90))
    for prob in (0.8, 0.85, 0.7, 0.9):  # at 0, 90 and 270 degrees, and then whole
        task.take(a_reading(prob=prob))
    assert task.row.angle == 0


def test_a_doubtful_page_is_tried_upside_down_and_turned_if_that_is_clearly_surer(upright):
    head_down = task_of(upright.transpose(Image.Transpose.ROTATE_180))
    head_down.take(a_reading("nonsense", prob=0.4))
    assert head_down.request.page.image.tobytes() == upright.tobytes()
    head_down.take(a_reading(prob=0.9))
    head_down.take(a_reading("sense"))
    assert (head_down.row.angle, head_down.row.text) == (180, "sense")
    faint = task_of(upright)
    faint.take(a_reading("faint", prob=0.5))
    faint.take(a_reading(prob=0.55))
    assert (faint.row.angle, faint.row.text) == (0, "faint")


def test_a_page_without_probabilities_is_taken_as_it_comes(upright):
    task = task_of(upright)
    task.take(Reading("text", "stop", 0.5))
    assert task.row.status == "ok" and task.row.mean_prob is None and task.row.token_ids is None


def test_a_loop_is_read_at_other_resolutions(upright):
    task = task_of(upright)
    task.take(a_reading("la la la", "loop"))
    width = task.request.page.width_px
    assert width == round(LOOP_SCALES[0] * upright.width)
    assert task.request.page.scale == 2.0 * LOOP_SCALES[0]
    task.take(a_reading("la", "loop"))
    task.take(a_reading("sense"))
    assert (task.row.status, task.row.text) == ("ok", "sense")
    assert task.row.scale == 2.0 * LOOP_SCALES[1]
    assert [attempt.finish_reason for attempt in task.row.attempts] == ["loop", "loop", "stop"]


def test_ink_read_as_nothing_is_empty_once_other_resolutions_have_been_tried(upright):
    task = task_of(upright, Limits(100, 300))
    for text, reason in (("", "stop"), (" \n\n", "length"), ("", "stop")):
        task.take(a_reading(text, reason))
    assert (task.row.status, task.row.text, len(task.row.attempts)) == ("empty", "", 3)
    assert "ink on the page" in task.row.reason
    other = task_of(upright)
    other.take(a_reading(""))
    other.take(a_reading("found"))
    assert (other.row.status, other.row.text) == ("ok", "found")


def test_the_limit_that_cut_a_page_is_the_pages_and_not_that_of_a_probe(upright):
    task = task_of(upright)
    task.take(a_reading("cut", "length", prob=0.5))
    assert task.request.max_tokens == PROBE_TOKENS  # upside down
    task.take(a_reading("cut", "length", prob=0.4))
    assert "The limit of 100 tokens cut it" in task.row.reason


def test_a_page_that_always_loops_keeps_what_was_written_first(upright):
    task = task_of(upright)
    for text in ("first", "second", "third"):
        task.take(a_reading(text, "loop"))
    assert (task.row.status, task.row.text) == ("looped", "first")
    assert task.row.scale == 2.0 and "Looped at 3 resolutions" in task.row.reason


def test_a_cut_page_is_tried_once_more_only_with_a_higher_limit(upright):
    task = task_of(upright)
    task.take(a_reading("cut", "length"))
    assert task.row.status == "truncated" and "limit of 100 tokens" in task.row.reason
    higher = task_of(upright, Limits(100, 300))
    higher.take(a_reading("cut", "length"))
    assert higher.request.max_tokens == 300
    higher.take(a_reading("cut less", "length"))
    assert (higher.row.status, higher.row.text) == ("truncated", "cut less")
    assert "limit of 300 tokens" in higher.row.reason


def test_a_page_above_the_pixel_budget_says_so(upright):
    task = task_of(upright, asked_scale=4.0)
    task.take(a_reading())
    assert task.row.status == "ok" and "scale 2 instead of 4" in task.row.reason


def test_a_page_that_cannot_be_read_says_why(upright):
    task = task_of(upright)
    task.fail("memory ran out")
    assert task.request is None
    assert (task.row.status, task.row.reason, task.row.text) == ("failed", "memory ran out", None)
