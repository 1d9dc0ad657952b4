"""The bundled model: pieces of words, and what they begin with."""

import json
import random
from pathlib import Path

import pytest
import torch
from paths import BUNDLED_MODEL, SAMPLES
from transformers import GlmOcrForConditionalGeneration

from glmocr_utils.markup import tables
from glmocr_utils.metrics import corpus_cer, headline_pair
from glmocr_utils.model import load_model
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font
from workshop.tiny_model.adaptation import adapt, beginning_weights, deepen, ending_weights
from workshop.tiny_model.architecture import PLAIN_TOKENS, SPECIAL_TOKENS, build_processor
from workshop.tiny_model.corpus import WORD_LISTS, table_rows
from workshop.tiny_model.pages import Stage, draw_batch, is_of_tables
from workshop.tiny_model.spelling import (
    FROM_START,
    NOTHING,
    NUM_BYTES,
    PLACES,
    SharedLetters,
    letters_of,
)
from workshop.tiny_model.train import CurriculumBatches
from workshop.tiny_model.vocabulary import LONGEST_PIECE, learn_merges

NUM_PIECES = 400
ODD_TEXTS = (
    "",
    " ",
    "  two spaces, \t a tab \n and a line end \n\n\n",
    "汉字、かな。 العربية 😀👩‍👩‍👧 e\u0301 \u0000 \ufeff",
    '<table><tr><td rowspan="2">12,50 €</td></tr></table>',
    "# Gründe\n\n- **fett** $x^{2}$ \\frac{1}{2}",
    "&amp; </think",
)


@pytest.fixture(scope="module")
def sample_texts() -> list[str]:
    lines = (SAMPLES / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [" ".join(json.loads(line)["text"].split("\n")) for line in lines]


@pytest.fixture(scope="module")
def words(sample_texts):
    return build_processor(learn_merges(NUM_PIECES, sample_texts))


def pieces(processor, text: str) -> list[str]:
    ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return [processor.tokenizer.decode([number]) for number in ids]


def test_the_same_texts_give_the_same_pieces(sample_texts):
    assert learn_merges(NUM_PIECES, sample_texts) == learn_merges(NUM_PIECES, iter(sample_texts))


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text_can_be_written(words, text):
    ids = words.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert words.tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_every_row_is_a_token_that_can_be_decoded(words):
    tokenizer = words.tokenizer
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    assert len(tokenizer) == 256 + NUM_PIECES + len(SPECIAL_TOKENS) + len(PLAIN_TOKENS)
    for number in range(len(tokenizer)):
        assert tokenizer.decode([number])
    plain = [token for token in tokenizer.get_vocab() if token not in tokenizer.get_added_vocab()]
    assert max(map(len, plain)) <= LONGEST_PIECE


def test_a_word_has_its_leading_space_and_digits_come_one_by_one(words, sample_texts):
    assert pieces(words, "A the in der") == ["A", " the", " in", " der"]
    assert pieces(words, "2024") == ["2", "0", "2", "4"]
    assert pieces(words, " 1999")[-4:] == ["1", "9", "9", "9"]
    text = " ".join(sample_texts)
    assert len(pieces(words, text)) < 0.6 * len(text.encode())
    assert not any(char.isdigit() for piece in pieces(words, text) for char in piece[1:])


def test_adapting_keeps_what_was_learned_and_makes_rows_from_bytes(byte_model, words):
    before = byte_model.model
    known = byte_model.processor.tokenizer
    after = adapt(before, known, words)
    rows = ("model.language_model.embed_tokens.weight", "lm_head.weight")
    for name, tensor in before.state_dict().items():
        if name not in rows:
            assert torch.equal(after.state_dict()[name], tensor.float()), name
    for name, weights in zip(rows, (ending_weights, beginning_weights), strict=True):
        old, new = before.state_dict()[name].float(), after.state_dict()[name]
        for token, row in words.tokenizer.get_vocab().items():
            if token in known.get_vocab():
                expected = old[known.get_vocab()[token]]
            else:
                spelled = old[[known.get_vocab()[byte] for byte in token]]
                expected = (weights(len(token))[:, None] * spelled).sum(0)
            assert torch.allclose(new[row], expected, atol=1e-5), token
    assert ending_weights(3).argmax() == 2 and beginning_weights(3)[0] > 0.8
    assert after.config.text_config.vocab_size >= len(words.tokenizer)
    stop = [words.tokenizer.convert_tokens_to_ids(t) for t in ("<|endoftext|>", "<|user|>")]
    assert after.generation_config.eos_token_id == stop


def test_a_deeper_model_keeps_its_layers_and_has_new_ones_behind_them(byte_model):
    model, processor = byte_model.model, byte_model.processor
    deeper = deepen(model, processor, 7)
    layers = deeper.model.language_model.layers
    assert len(layers) == deeper.config.text_config.num_hidden_layers == 7
    kept = deeper.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, kept[name]), name
    new = {name.split(".layers.")[1][0] for name in kept.keys() - model.state_dict().keys()}
    assert new == {"5", "6"}


def test_letters_are_counted_from_both_ends_of_a_piece(words):
    tokenizer = words.tokenizer
    letters = letters_of(tokenizer, len(tokenizer) + 3)
    assert letters.shape == (len(tokenizer) + 3, PLACES)
    spelled = {piece: letters[token] for piece, token in tokenizer.get_vocab().items()}
    one, the = spelled["e"], spelled["Ġthe"]
    assert (one != NOTHING).sum() == 2 and (the != NOTHING).sum() == 8
    assert the[3] - one[0] == 3 * NUM_BYTES  # the fourth letter from the start
    assert the[FROM_START] == one[FROM_START]  # and the last of both
    assert (spelled["<|user|>"] == NOTHING).all() and (letters[-3:] == NOTHING).all()


def test_what_a_letter_learns_moves_all_rows_that_have_it_there():
    rows = torch.nn.Parameter(torch.zeros(3, 2))
    letters = torch.full((3, PLACES), NOTHING)
    letters[:, 0] = torch.tensor([5, 5, 6])
    shared = SharedLetters(rows, letters)
    (rows * torch.tensor([[1.0, 0.0], [1.0, 2.0], [0.0, 0.0]])).sum().backward()
    shared.collect()
    assert shared.moves.grad[5].tolist() == [2, 2]
    assert not shared.moves.grad[6:].any()
    torch.optim.SGD([shared.moves], lr=0.5).step()
    shared.hand_on()
    assert rows.tolist() == [[-1, -1], [-1, -1], [0, 0]]
    assert not shared.moves.any()


def test_the_bundled_model_loads_stays_small_and_reads_short_texts():
    size = sum(path.stat().st_size for path in BUNDLED_MODEL.iterdir())
    assert size <= 11_000_000
    model = load_model(str(BUNDLED_MODEL), device_map="cpu")
    assert type(model.model) is GlmOcrForConditionalGeneration
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, width_px=420, height_px=None, margin_px=14)
    texts = ("The court of appeal has seen it.", "Das Gericht hat im Jahr 2024 nichts mehr dazu.")
    drawn = [draw_page([Block(text)], style, "paragraphs") for text in (*texts, "")]
    pages = [
        PageImage(PageRef("drawn", "0" * 64, number), page.image, scale=2.0)
        for number, page in enumerate(drawn)
    ]
    results = list(read_pages(model, pages, batch_size=3, max_tokens=80))
    assert all(result.finish_reason == "stop" for result in results)
    pairs = [headline_pair(page.text, r.text) for page, r in zip(drawn, results, strict=True)]
    assert corpus_cer(pairs[:2]) < 0.1 and not results[2].text
    for result, text in zip(results[:2], texts, strict=True):
        assert len(result.tokens) < 0.7 * len(text)


with_word_lists = pytest.mark.skipif(
    not all(Path(path).exists() for path, _ in WORD_LISTS.values()),
    reason="the word lists that training pages are made of are not installed (see WORD_LISTS)",
)


@with_word_lists
def test_tables_of_the_practice_fill_their_grid_and_some_cells_span():
    spans = 0
    for seed in range(60):
        rows = table_rows(random.Random(seed), 8, 5)
        area = sum(cell.rowspan * cell.colspan for row in rows for cell in row)
        assert area % len(rows) == 0 and 2 <= area // len(rows) <= 5
        spans += sum(cell.rowspan + cell.colspan > 2 for row in rows for cell in row)
    assert spans > 20


@with_word_lists
def test_a_batch_of_tables_has_their_prompt_and_others_have_not(words):
    stage = Stage(30, 4, tables=0.3, families=("DejaVu Sans",), form="paragraphs")
    batches = CurriculumBatches([stage], words, seed=3)
    found = 0
    for number in range(8):
        [*_, page] = draw_batch(stage, (3, number))
        written = words.tokenizer.batch_decode(batches[number]["batch"]["input_ids"])[-1]
        prompt, _, label = written.partition("<|assistant|>\n")
        is_table = is_of_tables(stage, (3, number))
        assert prompt.endswith("Table Recognition:" if is_table else "Text Recognition:")
        assert label == page.text + "<|user|>"
        assert len(tables(label)) == is_table
        found += is_table
    assert 0 < found < 8
