"""A PDF's own text: what it says, in which order, and which pages it cannot label."""

import json
import shutil
from pathlib import Path

import pytest
from fpdf import FPDF
from label_inputs import FONT, down, rendered, text_page
from paths import SAMPLES
from render_inputs import Page, grey_page, pdf_bytes, write_pdf

from glmocr_utils.labels import LabelRun, LabelStore
from glmocr_utils.labels.sources.text_layer import label_from_text_layer
from glmocr_utils.synth import find_font
from glmocr_utils.text_layer.characters import TextLine
from glmocr_utils.text_layer.reading_order import in_reading_order

pytestmark = pytest.mark.slow

TRUTH = [json.loads(line) for line in (SAMPLES / "truth.jsonl").open(encoding="utf-8")]
BORN_DIGITAL = ["decision.pdf", "german.pdf", "letter.pdf", "rotated.pdf"]


def run_on(folder: Path, *documents: Path, **options: object) -> tuple[LabelStore, LabelRun]:
    store = LabelStore(folder / "labels")
    pages = rendered(folder / "pages", *documents)
    options.setdefault("paragraphs", False)  # printed lines show the order of reading
    return store, label_from_text_layer(store, pages, progress=False, **options)


def text_of(folder: Path, *pages: Page) -> str:
    """The label of a one-page PDF."""
    store, run = run_on(folder, write_pdf(folder / "a.pdf", *pages))
    assert run.left_out == ()
    return store.labels()[0].text


def reason_for(folder: Path, page: Page, **options: object) -> str:
    _, run = run_on(folder, write_pdf(folder / "a.pdf", page), **options)
    assert run.labelled == 0
    return run.left_out[0].reason


def test_the_samples_are_read_without_an_error(tmp_path: Path) -> None:
    store, run = run_on(tmp_path, *(SAMPLES / name for name in BORN_DIGITAL))
    assert run.left_out == ()
    read = {
        (Path(label.page.document_path).name, label.page.page_index): label.text
        for label in store.labels()
    }
    truth = {(row["file_name"], row["page_index"]): row["text"] for row in TRUTH}
    assert read == {place: text for place, text in truth.items() if place[0] in BORN_DIGITAL}
    assert {label.status for label in store.labels()} == {"gold"}


def test_scans_images_and_blank_pages_are_left_out(tmp_path: Path) -> None:
    names = ["decision_scan.pdf", "blank.pdf", "receipt.png"]
    _, run = run_on(tmp_path, *(SAMPLES / name for name in names))
    assert run.labelled == 0
    reasons = [left_out.reason for left_out in run.left_out]
    assert ["no text layer" in reason for reason in reasons] == [True] * 4
    assert "is an image" in reasons[-1]


def test_a_hyphen_at_a_line_end_stays_and_so_does_the_line_end(tmp_path: Path) -> None:
    page = text_page(*down("The friars built a for-", "tress, a well-known", "one."))
    assert text_of(tmp_path, page) == "The friars built a for-\ntress, a well-known\none."


def test_ligatures_and_characters_beyond_16_bits(tmp_path: Path) -> None:
    pdf = FPDF(unit="pt", format=(300, 200))
    pdf.add_font("DejaVu", fname=find_font("DejaVu Sans"))
    pdf.set_font("DejaVu", size=10)
    pdf.add_page()
    pdf.text(20, 40, "The o\ufb03ce \ufb01les \u201edif\ufb01cult\u201c A\u0308hren \U0001d538")
    pdf.output(tmp_path / "a.pdf")
    store, _ = run_on(tmp_path, tmp_path / "a.pdf")
    assert store.labels()[0].text == "The office files „difficult“ Ähren \U0001d538"


def test_a_drawn_soft_hyphen_is_a_hyphen(tmp_path: Path) -> None:
    page = text_page(*down("a soft\xadly set word"))
    assert text_of(tmp_path, page) == "a soft-ly set word"


def test_text_outside_the_crop_box_is_not_on_the_page(tmp_path: Path) -> None:
    page = text_page(*down("seen", "cut off", step=100), entries=b"/CropBox[0 100 300 200]")
    assert text_of(tmp_path, page) == "seen"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_reads_the_same(tmp_path: Path, turn: int) -> None:
    lines = down("First line of all", "second line here", "third", step=14)
    page = text_page(*lines, entries=b"/Rotate %d" % turn)
    assert text_of(tmp_path, page) == "First line of all\nsecond line here\nthird"


def test_text_drawn_sideways_reads_the_same(tmp_path: Path) -> None:
    page = text_page(*down("First line", "second line", "third line"))
    sideways = Page(b"q 0 1 -1 0 200 0 cm " + page.content + b" Q", (200, 300), page.entries)
    assert text_of(tmp_path, sideways) == "First line\nsecond line\nthird line"


def test_a_stamp_in_the_margin_comes_last(tmp_path: Path) -> None:
    page = text_page(*down("First line of the text", "and the second of it"))
    stamp = b"BT /F 8 Tf 0 1 -1 0 15 20 Tm (stamped) Tj ET "
    stamped = Page(stamp + page.content, page.size, page.entries)
    assert text_of(tmp_path, stamped).split("\n")[-1] == "stamped"


LEFT = [f"left column line {word}" for word in ("one", "two", "three", "four")]
RIGHT = [f"right column line {word}" for word in ("one", "two", "three", "four")]
HEADING = (20, 190, "A heading over both of the columns of this page, wide")
FOOTER = (20, 90, "And a footer that is just as wide as they are together")


@pytest.mark.parametrize("order", ["columns", "backwards", "heading last"])
def test_columns_are_read_one_after_the_other(tmp_path: Path, order: str) -> None:
    left, right = down(*LEFT, top=165), down(*RIGHT, left=160, top=165)
    lines = {
        "columns": [HEADING, *left, *right, FOOTER],
        "backwards": [FOOTER, *reversed(right), *reversed(left), HEADING],
        "heading last": [*left, *right, FOOTER, HEADING],
    }[order]
    text = text_of(tmp_path, text_page(*lines))
    assert text.split() == " ".join([HEADING[2], *LEFT, *RIGHT, FOOTER[2]]).split()


def test_a_table_that_is_drawn_backwards_is_read_row_by_row(tmp_path: Path) -> None:
    labels, sums = ["Open boat, small", "Fishing vessel", "Barge"], ["64.00", "210.50", "145.25"]
    cells = [*down(*labels), *down(*sums, left=200)]
    text = text_of(tmp_path, text_page(*reversed(cells)))
    assert text == "Open boat, small 64.00\nFishing vessel 210.50\nBarge 145.25"


def test_gaps_are_blank_lines_also_in_double_spaced_text() -> None:
    def page(step: float, gap: float) -> str:
        tops = [0, step, 2 * step, 2 * step + gap, 3 * step + gap]
        return in_reading_order([TextLine(str(top), 0, top, 50, top + 10) for top in tops])

    assert page(step=12, gap=22).count("\n\n") == 1
    assert page(step=24, gap=44).count("\n\n") == 1
    assert page(step=24, gap=24).count("\n\n") == 0


def test_an_empty_page_has_no_lines() -> None:
    assert in_reading_order([]) == ""


def test_an_invisible_layer_is_left_out(tmp_path: Path) -> None:
    page = text_page(*down("What an OCR program read"), before=b"3 Tr ")
    assert "drawn invisibly" in reason_for(tmp_path, page)


def test_a_page_under_an_image_is_left_out(tmp_path: Path) -> None:
    page = text_page(*down("What an OCR program read, in ink"))
    image = b"q 300 0 0 200 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q "
    scan = Page(page.content + image, page.size, page.entries)
    assert "images cover 100% of the page" in reason_for(tmp_path, scan)


def test_a_font_that_does_not_say_what_its_letters_are(tmp_path: Path) -> None:
    glyph = b"1000 0 0 0 700 700 d1 100 0 500 700 re f"
    extra = (b"<</Length %d>>stream\n%s\nendstream" % (len(glyph), glyph),)
    font = (
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type3/FontBBox[0 0 1000 1000]"
        b"/FontMatrix[.001 0 0 .001 0 0]/CharProcs<</g1 3 0 R/g2 3 0 R>>/FirstChar 65/LastChar 66"
        b"/Widths[1000 1000]/Encoding<</Differences[65/g1/g2]>>>>>>>>"
    )
    page = Page(text_page(*down("ABAB")).content, (300, 200), font)
    (tmp_path / "a.pdf").write_bytes(pdf_bytes(page, extra=extra))
    _, run = run_on(tmp_path, tmp_path / "a.pdf")
    assert run.labelled == 0
    assert "Unicode" in run.left_out[0].reason


SEEN = down("What one sees", "of this page")
SECRET = (20, 120, "SECRET NAME")
WHITE = b"1 1 1 rg "
BAR = b"0 g 10 110 200 25 re f "


def secret(before: bytes = b"", after: bytes = b"", entries: bytes = b"", size: int = 10) -> Page:
    """A page with a line that is hidden by what comes before or after it."""
    hidden = text_page(SECRET).content.replace(b"/F 10", b"/F %d" % size)
    seen = text_page(*SEEN)
    return Page(
        b"%s q %s%s Q %s" % (seen.content, before, hidden, after), (300, 200), FONT + entries
    )


HIDDEN = {
    "white": secret(WHITE),
    "almost white": secret(b".99 1 .99 rg "),
    "no ink": secret(b"3 Tr "),
    "under a bar": secret(after=BAR),
    "under a white box": secret(after=b"q 1 g 10 110 200 25 re f Q "),
    "under a box with other text": secret(
        after=b"q 1 g 10 110 200 25 re f 0 g BT /F 10 Tf 20 120 Td (what one) Tj ET Q "
    ),
    "black on black": secret(b"0 g 10 110 200 25 re f "),
    "clipped away": secret(b"0 0 10 10 re W n "),
    "tiny": secret(size=1),
    "transparent": secret(b"/T gs ", entries=b""),
    "in a layer that is off": secret(b"/OC /L BDC ", b" EMC "),
    "outside the page": secret(b"1 0 0 1 400 0 cm "),
    "in a form": Page(),  # made below
}


def hidden_pdf(kind: str, page: Page) -> bytes:
    font = FONT.removeprefix(b"/Resources<<").removesuffix(b">>")
    states = b"/ExtGState<</T<</ca 0/CA 0>>>>/Properties<</L 3 0 R>>/XObject<</Fm 4 0 R>>"
    entries = b"/Resources<<" + font + states + b">>"
    content = page.content or text_page(*SEEN).content + b" q /Fm Do Q "
    form = WHITE + text_page(SECRET).content
    extra = (
        b"<</Type/OCG/Name(draft)>>",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 300 200]%s/Length %d>>stream\n%s\nendstream"
        % (FONT, len(form), form),
    )
    catalog = b"/OCProperties<</OCGs[3 0 R]/D<</OFF[3 0 R]>>>>"
    return pdf_bytes(Page(content, (300, 200), entries), catalog=catalog, extra=extra)


@pytest.mark.parametrize("kind", HIDDEN)
def test_text_that_one_does_not_see_is_not_a_label(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.pdf").write_bytes(hidden_pdf(kind, HIDDEN[kind]))
    store, run = run_on(tmp_path, tmp_path / "a.pdf")
    assert run.left_out == ()
    text = store.labels()[0].text
    assert "SECRET" not in text and "NAME" not in text
    assert text.startswith("What one sees\nof this page")


@pytest.mark.parametrize(
    "before",
    [
        b"0 g 0 0 300 200 re f 1 g ",  # white on black
        b"0.8 g ",
        b"1 1 0 rg ",
        b"2 Tr ",
        b"q .9 .9 1 rg 0 0 300 200 re f Q ",
    ],
)
def test_text_that_one_sees_is_the_label_whatever_its_colour(tmp_path: Path, before: bytes) -> None:
    lines = down("Every letter, every dot.", "i.e. | a-b_c: 'quoted' - it's ~ all.")
    page = Page(before + text_page(*lines).content, (300, 200), FONT)
    assert text_of(tmp_path, page) == "\n".join(line for _, _, line in lines)


def test_a_redaction_inside_a_line_takes_out_what_it_covers(tmp_path: Path) -> None:
    page = text_page((20, 120, "Paid to Mr John Smith today"))
    barred = Page(page.content + b"0 g 72 117 44 12 re f ", page.size, page.entries)
    text = text_of(tmp_path, barred)
    assert text.startswith("Paid to M") and text.endswith("today") and "Smith" not in text


def test_text_drawn_twice_is_seen(tmp_path: Path) -> None:
    page = text_page((20, 120, "Bold by two passes"), (20.3, 120, "Bold by two passes"))
    assert "Bold by two passes" in text_of(tmp_path, page)


def test_a_page_that_lacks_something_is_never_gold(tmp_path: Path) -> None:
    page = text_page(*down("What can be drawn of the page"))
    content = page.content + b"q 40 0 0 40 200 20 cm /Gone Do Q "
    reason = reason_for(tmp_path, Page(content, page.size, page.entries))
    assert "'Gone', which it draws, is missing" in reason


def test_form_fields_are_text_too(tmp_path: Path) -> None:
    page = text_page(*down("Name:"))
    appearance = (
        b"<</Type/XObject/Subtype/Form/BBox[0 0 100 20]%s/Length 42>>stream\n"
        b"BT /F 10 Tf 1 0 0 1 2 5 Tm (Jane Doe) Tj ET\nendstream" % page.entries
    )
    note = b"<</Type/Annot/Subtype/FreeText/F 4/Rect[60 176 160 196]/AP<</N 3 0 R>>>>"
    annotated = Page(page.content, page.size, page.entries + b"/Annots[4 0 R]")
    (tmp_path / "a.pdf").write_bytes(pdf_bytes(annotated, extra=(appearance, note)))
    store, run = run_on(tmp_path, tmp_path / "a.pdf")
    assert run.left_out == ()
    assert store.labels()[0].text == "Name: Jane Doe"


def run_with_reading(folder: Path, page: Page, reading: str) -> LabelRun:
    (rendered_page,) = rendered(folder / "pages", write_pdf(folder / "a.pdf", page))
    readings = {(rendered_page.page.document_sha256, 0): reading}
    store = LabelStore(folder / "labels")
    return label_from_text_layer(store, [rendered_page], readings=readings, progress=False)


def test_a_sound_layer_wins_over_a_weak_model(tmp_path: Path) -> None:
    page = text_page(*down(*["The court grants the appeal of the second party."] * 4))
    assert run_with_reading(tmp_path, page, "xx qq 14,44 EUR").labelled == 1


SHIFTED = "7KH FRXUW JUDQWV WKH DSSHDO RI WKH VHFRQG SDUWB"  # a font that names its letters wrongly
PICTURE = b"q 100 0 0 100 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q "


@pytest.mark.parametrize(
    ("line", "before", "why"),
    [(SHIFTED, b"", "not those of a language"), ("What stands there", PICTURE, "images cover 17%")],
)
def test_a_suspect_layer_at_odds_with_the_reading_is_left_out(
    tmp_path: Path, line: str, before: bytes, why: str
) -> None:
    lines = [line] * 4
    page = text_page(*down(*lines))
    page = Page(before + page.content, page.size, page.entries)
    left_out = run_with_reading(tmp_path, page, "Something else altogether").left_out
    assert why in left_out[0].reason and "at odds with the model's reading" in left_out[0].reason
    near = tmp_path / "near"
    near.mkdir()
    assert run_with_reading(near, page, " ".join(lines)).labelled == 1


def test_a_document_that_changed_or_is_gone_is_left_out(tmp_path: Path) -> None:
    for name in ("changed", "gone", "fine"):
        write_pdf(tmp_path / f"{name}.pdf", text_page(*down(name)))
    documents = sorted(tmp_path.glob("*.pdf"))
    pages = rendered(tmp_path / "pages", *documents)
    write_pdf(tmp_path / "changed.pdf", text_page(*down("other text")))
    (tmp_path / "gone.pdf").unlink()
    run = label_from_text_layer(LabelStore(tmp_path / "labels"), pages, progress=False)
    assert run.labelled == 1
    reasons = {Path(out.page.document_path).stem: out.reason for out in run.left_out}
    assert "has changed since it was rendered" in reasons["changed"]
    assert "cannot be read" in reasons["gone"]


def test_pages_without_text_do_not_stop_the_others(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", grey_page(200), text_page(*down("second page")))
    store, run = run_on(tmp_path, path)
    assert (run.labelled, len(run.left_out)) == (1, 1)
    assert store.labels()[0].page.page_index == 1


def test_a_rerun_adds_nothing_and_new_pages_are_added(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "letter.pdf", tmp_path)
    store, _ = run_on(tmp_path, tmp_path / "letter.pdf")
    before = (store.directory / "labels.jsonl").read_bytes()
    store, run = run_on(tmp_path, tmp_path / "letter.pdf", SAMPLES / "german.pdf")
    assert (run.labelled, run.already_there) == (1, 1)
    assert (store.directory / "labels.jsonl").read_bytes().startswith(before)
