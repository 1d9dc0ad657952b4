"""What the bundled model's teachers know, and that they measure the model's own attention."""

import numpy as np
import pytest
import torch

from glmocr_utils.finetune.examples import IGNORED, collate, encode_example
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font
from workshop.tiny_model.architecture import build_model, build_processor
from workshop.tiny_model.guidance import CHARACTERS, GUIDED_LAYER, PLACES, ROWS, Teachers, guidance
from workshop.tiny_model.vocabulary import learn_merges

pytestmark = pytest.mark.slow

FONT = find_font("DejaVu Sans")


@pytest.fixture(scope="module")
def taught():
    """Two pages of different length as the training sees them."""
    processor = build_processor()
    style = PageStyle(FONT, FONT, width_px=224, height_px=112, margin_px=14)
    pages = [draw_page([Block(text)], style) for text in ("Größe ab", "one two three four five")]
    examples = [encode_example(processor, page.image, page.text) for page in pages]
    batch = collate(examples, processor.tokenizer.pad_token_id)
    image_token = processor.tokenizer.convert_tokens_to_ids("<|image|>")
    return (
        processor,
        pages,
        batch,
        guidance(pages, examples, batch, processor.tokenizer),
        image_token,
    )


def test_places_spell_the_line_from_left_to_right(taught):
    _, pages, _, known, _ = taught
    names = {number: character for character, number in CHARACTERS.items()}
    width, height = 224 // 28, 112 // 28
    first = known["characters"][: width * height].view(height, width, ROWS, PLACES)
    rows = first.permute(0, 2, 1, 3).reshape(height * ROWS, width * PLACES)
    spelled = ["".join(names[int(n)] for n in row if n) for row in rows if row.any()]
    assert len(spelled) == 1
    once = "".join(
        c for c, before in zip(spelled[0], " " + spelled[0], strict=False) if c != before
    )
    assert once == pages[0].text


def test_focus_is_the_image_token_under_the_next_character(taught):
    _, pages, batch, known, image_token = taught
    for row, page in enumerate(pages):
        start = int((batch["input_ids"][row] == image_token).nonzero()[0])
        trained = batch["labels"][row, 1:] != IGNORED
        assert torch.equal(known["focus"][row].any(-1), trained)
        looks = known["focus"][row][trained]
        spelled = [box for c, box in zip(page.text, page.boxes, strict=True) for _ in c.encode()]
        assert len(looks) == len(spelled) + 1  # and the stop token
        for look, (left, top, right, bottom) in zip(looks, spelled, strict=False):
            cells = look.nonzero().flatten().numpy() - start
            middle = (left + right) / 2 // 28 + 8 * ((top + bottom) / 2 // 28)
            assert middle in cells and len(cells) <= 4


def test_the_look_loss_is_that_of_the_models_own_attention(taught):
    processor, _, batch, known, _ = taught
    model = build_model(processor).eval()
    model.set_attn_implementation("eager")
    teachers = Teachers(model)
    with torch.no_grad():
        output = model(**batch, output_attentions=True)
        loss = teachers.look_loss(batch, known["focus"])
    head = output.attentions[GUIDED_LAYER][:, 0]  # (batch, num_tokens, num_tokens)
    asking = head[:, -batch["logits_to_keep"] : -1]
    paid = (asking * known["focus"]).sum(-1)[batch["labels"][:, 1:] != IGNORED]
    assert loss.item() == pytest.approx(-paid.log().mean().item(), rel=1e-4)


def test_focus_of_a_word_is_where_its_ink_is():
    text = "Größe ab, wir lesen die Größe ab"
    processor = build_processor(learn_merges(60, [text] * 9))
    style = PageStyle(FONT, FONT, width_px=168, height_px=140, margin_px=14)
    page = draw_page([Block(text)], style, "paragraphs")
    assert page.text == text
    example = encode_example(processor, page.image, page.text)
    batch = collate([example], processor.tokenizer.pad_token_id)
    focus = guidance([page], [example], batch, processor.tokenizer)["focus"][0]
    image = batch["input_ids"][0] == processor.tokenizer.convert_tokens_to_ids("<|image|>")
    looks = focus[:, image].view(-1, 140 // 28, 168 // 28)
    start = 0
    tokens = example.input_ids[-example.num_label_tokens : -1].tolist()
    for look, token in zip(looks, tokens, strict=False):
        piece = processor.tokenizer.decode([token])
        ink = [n for n in range(start, start + len(piece)) if not text[n].isspace()]
        start += len(piece)
        if not ink:
            continue
        left, top, right, bottom = page.boxes[ink].T // 28
        inside = torch.zeros_like(look)
        inside[int(top.min()) : int(bottom.max()) + 1, int(left.min()) : int(right.max()) + 1] = (
            True
        )
        assert look.any() and not (look & ~inside).any(), piece
    assert start == len(text) and len(tokens) < len(text) / 2


def test_a_blank_page_teaches_to_stop(taught):
    processor, *_ = taught
    page = draw_page([], PageStyle(FONT, FONT, width_px=112, height_px=112))
    example = encode_example(processor, page.image, page.text)
    batch = collate([example], processor.tokenizer.pad_token_id)
    known = guidance([page], [example], batch, processor.tokenizer)
    assert not known["characters"].any()
    assert known["focus"].sum() == np.prod([112 // 28] * 2)
