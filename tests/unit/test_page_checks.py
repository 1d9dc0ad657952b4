"""Blank pages are distinguished from pages with ink, and pages on their side from upright ones."""

import numpy as np
import pytest
from paths import SAMPLES
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from glmocr_utils.render import RenderOptions, find_documents, render_document
from glmocr_utils.render.page_checks import is_blank, runs_sideways
from glmocr_utils.synth import Block, PageStyle, Scan, degrade, draw_page, find_font

pytestmark = pytest.mark.slow

FONT = find_font("DejaVu Sans")
A6_72_DPI, A4_100_DPI, A4_150_DPI = (298, 420), (827, 1170), (1240, 1754)
SIZES = [A6_72_DPI, A4_100_DPI, A4_150_DPI]
TURNS = [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270]
PROSE = "The clerk of the town shall keep a book in which the dues of every house are written. "
BAD_SCAN = Scan(skew_degrees=2, blur_px=0.7, noise=10, shade=0.2, jpeg_quality=60)


def em_of(size: tuple[int, int]) -> int:
    """Pixels of a 10 point em, on A6 at 72 DPI and in proportion on larger images."""
    return max(10, size[0] // 60)


def sheet(size: tuple[int, int], grey: int = 228) -> Image.Image:
    return Image.new("RGB", size, (grey,) * 3)


def scanned(image: Image.Image, scan: Scan, seed: int = 0) -> Image.Image:
    return degrade(image, scan, np.random.default_rng(seed))


def written(
    image: Image.Image, text: str, colour: tuple[int, int, int] = (20, 20, 20), em: int = 0
) -> Image.Image:
    """`text` in the middle of the page's lower part, in ten point unless `em` is larger."""
    font = ImageFont.truetype(str(FONT), em or em_of(image.size))
    where = (image.width * 0.503, image.height * 0.92)
    ImageDraw.Draw(image).text(where, text, colour, font, anchor="ms")
    return image


def page(size: tuple[int, int], blocks: list[Block], **style) -> Image.Image:
    settings = {"font_px": em_of(size), "margin_px": size[0] // 10} | style
    width, height = size
    style = PageStyle(FONT, FONT, width_px=width, height_px=height, **settings)
    return draw_page(blocks, style).image


@pytest.fixture(scope="module", params=[1.0, 2.0, 4.0], ids=lambda scale: f"scale {scale:g}")
def samples(request: pytest.FixtureRequest) -> dict[str, Image.Image]:
    options = RenderOptions(scale=request.param)
    return {
        f"{document.name} {found.page.page_index + 1}": found.image
        for document in find_documents(SAMPLES)
        for found in render_document(document, options)
    }


# Blank


def test_of_the_samples_only_the_blank_sheet_is_blank(samples):
    assert [name for name, image in samples.items() if is_blank(image)] == ["blank.pdf 1"]


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (300, 9), (24, 24)])
@pytest.mark.parametrize("grey", [255, 228, 128, 0])
def test_an_even_page_is_blank(size, grey):
    assert is_blank(sheet(size, grey))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "scan",
    [
        Scan(noise=4),
        Scan(noise=15),
        Scan(noise=32),
        Scan(noise=6, jpeg_quality=25),
        Scan(noise=15, jpeg_quality=75),
        Scan(shade=0.45, shade_angle=30),
        Scan(shade=0.45, shade_angle=215, noise=8, jpeg_quality=40),
    ],
)
def test_what_a_scanner_makes_of_empty_paper_is_blank(size, scan):
    assert is_blank(scanned(sheet(size), scan))
    assert is_blank(scanned(sheet(size, 255), scan))


def test_cloudy_paper_is_blank():
    rng = np.random.default_rng(0)
    grain = grain_of(rng, A4_150_DPI)
    assert is_blank(Image.fromarray((228 + 5 * grain).clip(0, 255).astype(np.uint8)))


def grain_of(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Smooth noise with a standard deviation of 1, (height, width)."""
    noise = Image.fromarray((128 + 40 * rng.standard_normal(size[::-1])).astype(np.uint8))
    grain = np.asarray(noise.filter(ImageFilter.GaussianBlur(1.5)), np.float32)
    return (grain - grain.mean()) / grain.std()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width_px", [2, 4])
def test_a_scanners_dark_edges_are_not_ink(size, width_px):
    framed = sheet(size)
    box = (0, 0, size[0] - 1, size[1] - 1)
    ImageDraw.Draw(framed).rectangle(box, outline=(10, 10, 10), width=width_px)
    assert is_blank(scanned(framed, Scan(noise=4)))
    assert is_blank(scanned(framed, Scan(noise=4, jpeg_quality=60)))
    wedge = sheet(size)
    ImageDraw.Draw(wedge).polygon([(0, 0), (size[0] // 50, 0), (0, size[1])], (10, 10, 10))
    assert is_blank(scanned(wedge, Scan(noise=4)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("speck_px", [1, 2, 3])
def test_specks_of_dust_are_not_ink(size, speck_px):
    dusty = sheet(size)
    for x, y in [(0.2, 0.3), (0.7, 0.4), (0.4, 0.8), (0.9, 0.9)]:
        left, top = round(x * size[0]), round(y * size[1])
        box = (left, top, left + speck_px - 1, top + speck_px - 1)
        ImageDraw.Draw(dusty).rectangle(box, (30, 30, 30))
    assert is_blank(scanned(dusty, Scan(noise=3)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", ["7", "1", "- 12 -", "iv"])
@pytest.mark.parametrize("scan", [Scan(), Scan(noise=15), Scan(noise=5, jpeg_quality=40)])
def test_a_lone_page_number_is_ink(size, number, scan):
    assert not is_blank(scanned(written(sheet(size), number), scan))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("noise", [0, 2, 5])
@pytest.mark.parametrize("text, ems", [("a faint line of pencil", 1.1), ("DRAFT", 4), ("COPY", 9)])
def test_faint_grey_writing_is_ink(size, noise, text, ems):
    faint = (228 - 40,) * 3  # 16 % of the range
    image = written(sheet(size), text, faint, round(ems * em_of(size)))
    assert not is_blank(scanned(image, Scan(noise=noise)))


@pytest.mark.parametrize("size", SIZES)
def test_a_page_full_of_faint_words_is_ink_though_none_of_it_is_calm(size):
    image = page(size, [Block(PROSE * 150)], margin_px=8, ink=188, paper=228)
    assert not is_blank(image)
    assert not is_blank(scanned(image, Scan(noise=5)))


@pytest.mark.parametrize(
    "ink, paper",
    [
        ((255, 255, 255), (0, 0, 0)),
        ((255, 255, 150), (255, 255, 255)),  # hardly darker than the paper in grey
        ((220, 115, 70), (141, 141, 141)),  # as dark as the paper in grey
        ((255, 0, 0), (0, 0, 0)),
    ],
)
def test_light_and_coloured_writing_is_ink(ink, paper):
    for size in SIZES:
        assert not is_blank(written(Image.new("RGB", size, paper), "seven", ink))


def test_a_small_stamp_is_ink():
    stamped = sheet(A4_100_DPI)
    ImageDraw.Draw(stamped).ellipse((600, 100, 650, 150), outline=(150, 160, 200), width=2)
    assert not is_blank(scanned(stamped, Scan(noise=5)))


@pytest.mark.parametrize("blur_px", [0, 3])
def test_a_photo_is_ink(blur_px):
    rng = np.random.default_rng(0)
    view = Image.fromarray(rng.integers(0, 256, (30, 20), np.uint8)).resize(A4_100_DPI)
    assert not is_blank(view.convert("RGB").filter(ImageFilter.GaussianBlur(blur_px)))


def test_a_texture_from_edge_to_edge_is_ink():
    grain = grain_of(np.random.default_rng(0), A4_100_DPI)
    grass = Image.fromarray((128 + 60 * grain).clip(0, 255).astype(np.uint8))
    assert not is_blank(grass.convert("RGB"))


@pytest.mark.parametrize("seed", range(5))
def test_a_badly_copied_page_is_ink(seed):
    rng = np.random.default_rng(seed)
    for size in SIZES:
        image = page(size, [Block(PROSE)])
        assert not is_blank(degrade(image, Scan.draw(rng, 1.0), rng))


# Sideways


def test_samples_are_upright_and_lie_when_turned(samples):
    for name, image in samples.items():
        assert not runs_sideways(image), name
        found = [runs_sideways(image.transpose(turn)) for turn in TURNS]
        assert found == [name != "blank.pdf 1"] * 2, name


def test_scanned_samples_are_upright_and_lie_when_turned(samples):
    names = [name for name in samples if name != "blank.pdf 1"][::6]
    for seed, name in enumerate(names):
        for image in (samples[name], samples[name].transpose(TURNS[seed % 2])):
            lies = image.size != samples[name].size
            for skew in (-2, 2):
                scan = Scan(skew_degrees=skew, blur_px=0.7, noise=10, jpeg_quality=60)
                assert runs_sideways(scanned(image, scan, seed)) == lies, (name, skew)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "blocks",
    [
        [Block(PROSE * 9)],
        [Block(PROSE, "item")] * 5,
        [Block(f"{PROSE[: 9 + number]}\t{number}4.50", "row") for number in range(10)],
        [Block(PROSE[:60])] * 6,
    ],
    ids=["prose", "items", "rows", "six lines"],
)
@pytest.mark.parametrize("scan", [Scan(), BAD_SCAN], ids=["clean", "scanned"])
def test_lines_that_run_up_or_down_are_seen(size, blocks, scan):
    image = scanned(page(size, blocks), scan)
    assert not runs_sideways(image)
    assert all(runs_sideways(image.transpose(turn)) for turn in TURNS)


def test_light_writing_on_dark_paper_is_seen_too():
    image = page(A4_100_DPI, [Block(PROSE * 9)], ink=240, paper=20)
    assert not runs_sideways(image)
    assert runs_sideways(image.transpose(TURNS[0]))


def test_two_columns_are_seen():
    halves = [page((420, 1170), [Block(PROSE * 9)], font_px=14) for _ in range(2)]
    image = sheet((840, 1170), 255)
    for number, half in enumerate(halves):
        image.paste(half, (420 * number, 0))
    assert not runs_sideways(image)
    assert runs_sideways(image.transpose(TURNS[0]))


def ruled() -> Image.Image:
    image = sheet(A4_100_DPI, 255)
    for x in range(80, 760, 17):
        ImageDraw.Draw(image).line((x, 100, x, 1070), (0, 0, 0), 2)
    return image


def bars() -> Image.Image:
    image = sheet(A4_100_DPI, 255)
    for number in range(20):
        top = 900 - 37 * (number % 7 + 3)
        box = (80 + 33 * number, top, 100 + 33 * number, 1000)
        ImageDraw.Draw(image).rectangle(box, (90, 90, 200))
    return image


def table_of_rules() -> Image.Image:
    """Many rules down, few across, and a word in each column's head."""
    image = sheet(A4_100_DPI, 255)
    draw = ImageDraw.Draw(image)
    for number in range(10):
        draw.line((60 + 78 * number, 90, 60 + 78 * number, 1080), (0, 0, 0), 2)
        draw.text((66 + 78 * number, 100), PROSE[5 * number :][:6], (0, 0, 0))
    for y in (90, 130, 1080):
        draw.line((60, y, 762, y), (0, 0, 0), 2)
    return image


def digits_in_columns() -> Image.Image:
    image = sheet(A4_100_DPI, 255)
    font = ImageFont.truetype(str(FONT), 14)
    for x in range(100, 760, 160):
        for y in range(100, 1080, 19):
            digit = str((x * 7 + y * 3) % 10)
            ImageDraw.Draw(image).text((x, y), digit, (0, 0, 0), font)
    return image


def trees() -> Image.Image:
    """A picture of upright streaks from edge to edge."""
    streaks = np.random.default_rng(0).integers(0, 256, (30, 200), np.uint8)
    return Image.fromarray(streaks).resize(A4_100_DPI, Image.Resampling.BICUBIC).convert("RGB")


@pytest.mark.parametrize(
    "image",
    [
        sheet(A4_100_DPI),
        scanned(sheet(A4_100_DPI), Scan(noise=15)),
        page(A4_100_DPI, [Block(PROSE[:20])]),
        page(A4_100_DPI, [Block(PROSE[:30]), Block(PROSE[30:50], tight=True)]),
        page(A4_100_DPI, [Block("H E A D I N G")], font_px=60),
        ruled(),
        bars(),
        table_of_rules(),
        digits_in_columns(),
        trees(),
    ],
    ids="blank noise line two_lines letters ruled bars table digits trees".split(),
)
def test_what_has_few_words_or_none_is_undecided_either_way(image):
    assert not runs_sideways(image)
    assert not runs_sideways(image.transpose(TURNS[0]))


@pytest.mark.parametrize("size", [(1, 1), (300, 9), (24, 24)])
def test_scraps_are_undecided(size):
    assert not runs_sideways(sheet(size))


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (157, 9554), (20, 20)])
def test_strips_and_tiny_images_have_an_answer(size):
    assert is_blank(Image.new("RGB", size, "white"))
    assert not runs_sideways(Image.new("RGB", size, "white"))
    assert not runs_sideways(Image.effect_noise(size, 90).convert("RGB"))
