"""The bundled model: what it is, how it is trained, and that it reads."""

import json
import random
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from paths import SAMPLES
from safetensors.torch import load_file
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Glm46VProcessor,
    GlmOcrForConditionalGeneration,
)

from glmocr_utils.confidence import load_references
from glmocr_utils.metrics import corpus_cer, headline_pair
from glmocr_utils.ocr import read_documents
from glmocr_utils.synth import Block
from workshop import parallel
from workshop.tiny_model import train as training
from workshop.tiny_model.corpus import (
    WORD_LISTS,
    capitalise,
    close,
    echo,
    leave_open,
    prose_blocks,
    slip_blocks,
)
from workshop.tiny_model.evaluate import MAX_TOKENS
from workshop.tiny_model.pages import Stage

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
# meaningless words alone, since the lists of real ones need not be installed
TWO_STAGES = (
    Stage(3, 2, only_see=True, random_text=1.0, families=("DejaVu Sans",)),
    Stage(3, 2, random_text=1.0, families=("DejaVu Sans",)),
)


with_word_lists = pytest.mark.skipif(
    not all(Path(path).exists() for path, _ in WORD_LISTS.values()),
    reason="the word lists that training pages are made of are not installed (see WORD_LISTS)",
)


def test_it_has_the_real_classes_and_stays_small(bundled_folder):
    model = AutoModelForImageTextToText.from_pretrained(bundled_folder)
    assert type(model) is GlmOcrForConditionalGeneration
    assert type(AutoProcessor.from_pretrained(bundled_folder)) is Glm46VProcessor
    size = sum(path.stat().st_size for path in bundled_folder.iterdir())
    assert size <= 16 * MEGABYTE


def test_training_that_is_interrupted_resumes_to_the_same_weights(tmp_path, monkeypatch):
    whole = training.train(tmp_path / "whole", TWO_STAGES, save_steps=2)

    def interrupted(stage: Stage, seed: tuple[int, ...]):
        if seed[-1] == 4:
            raise KeyboardInterrupt
        return draw_batch(stage, seed)

    draw_batch = training.draw_batch
    monkeypatch.setattr(training, "draw_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train(tmp_path / "resumed", TWO_STAGES, save_steps=2)
    monkeypatch.setattr(training, "draw_batch", draw_batch)
    resumed = training.train(tmp_path / "resumed", TWO_STAGES, save_steps=2)

    models = [AutoModelForImageTextToText.from_pretrained(folder) for folder in (whole, resumed)]
    for (name, one), other in zip(
        models[0].named_parameters(), models[1].parameters(), strict=True
    ):
        assert torch.equal(one, other), name


def test_training_that_is_asked_to_stop_resumes_to_the_same_mean_of_its_weights(
    tmp_path, monkeypatch
):
    whole = training.train(tmp_path / "whole", TWO_STAGES, decay=0, save_steps=2)

    def asked_to_stop(stage: Stage, seed: tuple[int, ...]):
        if seed[-1] == 3:
            signal.raise_signal(signal.SIGTERM)
        return draw_batch(stage, seed)

    draw_batch = training.draw_batch
    monkeypatch.setattr(training, "draw_batch", asked_to_stop)
    folder = tmp_path / "resumed"
    assert training.train(folder, TWO_STAGES, decay=0, save_steps=100) is None
    assert not (folder / "config.json").exists()
    monkeypatch.setattr(training, "draw_batch", draw_batch)
    # a branch whose rate falls leaves the run as it is
    settled = training.settle(folder, tmp_path / "settled", TWO_STAGES, 1, save_steps=100)
    assert json.loads((settled / "config.json").read_text())["model_type"] == "glm_ocr"
    resumed = training.train(folder, TWO_STAGES, decay=0, save_steps=100)
    assert (whole / "model.safetensors").read_bytes() == (
        resumed / "model.safetensors"
    ).read_bytes()


def test_two_processes_take_a_batch_each_and_save_one_model(tmp_path):
    # after a step the rate is no longer zero, so the weights are of both batches
    stages = [Stage(4, 2, random_text=1.0, families=("DejaVu Sans",))]
    alone = training.train(tmp_path / "alone", stages, decay=0, learning_rate=0.05)
    folder = tmp_path / "together"
    options = {"decay": 0, "learning_rate": 0.05}
    with parallel.processes(2, partial(training.train, folder, stages, **options)):
        assert training.train(folder, stages, **options) == folder
    assert parallel.world_size() == 1
    one, two = (load_file(path / "model.safetensors") for path in (alone, folder))
    assert one.keys() == two.keys()
    assert any(not torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_a_part_with_pieces_begins_with_a_model_of_bytes_and_continues_with_its_own(
    tmp_path, monkeypatch
):
    texts = [" ".join(load_references(SAMPLES / "truth.jsonl").values())]
    monkeypatch.setattr(training, "practice_texts", lambda: texts)
    first = training.train(tmp_path / "first", TWO_STAGES)
    resting = [replace(TWO_STAGES[1], form="paragraphs", vision_rests=True)]
    options = {"pieces": 50, "learning_rate": 0.05}  # a large step, to be seen in bfloat16
    second = training.train(tmp_path / "second", resting, start=first, **options)
    sharing = training.train(tmp_path / "sharing", resting, start=first, letters_rate=1, **options)
    monkeypatch.setattr(training, "practice_texts", lambda: pytest.fail("learned again"))
    third = training.train(tmp_path / "third", resting, start=second, **options)
    tokenizers = [AutoProcessor.from_pretrained(f).tokenizer for f in (first, second, third)]
    assert [len(tokenizer) - len(tokenizers[0]) for tokenizer in tokenizers] == [0, 50, 50]
    weights = [load_file(folder / "model.safetensors") for folder in (first, second, third)]
    shared = load_file(sharing / "model.safetensors")
    assert shared.keys() == weights[1].keys()
    for name, tensor in shared.items():
        of_rows = "embed_tokens" in name or "lm_head" in name
        assert tensor.isfinite().all()
        if of_rows:  # the letters have moved them as well
            assert not torch.equal(tensor, weights[1][name])
    for name, tensor in weights[0].items():
        same = [torch.equal(tensor, other[name]) for other in weights[1:]]
        assert all(same) == ("visual" in name), name


def test_training_moves_every_parameter(tmp_path):
    processor = training.build_processor()
    before = training.build_model(processor, seed=7).to(torch.bfloat16)
    # a large step, because the saved bfloat16 does not show a small one
    folder = training.train(tmp_path, TWO_STAGES, learning_rate=0.05)
    after = dict(AutoModelForImageTextToText.from_pretrained(folder).named_parameters())
    for name, parameter in before.named_parameters():
        assert not torch.equal(parameter, after[name].to(torch.bfloat16)), name


def test_a_second_recipe_continues_with_the_model_and_the_curve_of_the_first(tmp_path):
    first = training.train(tmp_path / "first", TWO_STAGES)
    curve = json.dumps([{"step": 50, "loss": 1.0}])  # such a short run logs nothing itself
    (first / training.CURVE).write_text(curve)
    second = training.train(tmp_path / "second", TWO_STAGES[1:], start=first, learning_rate=0.0)
    for name in ("model.safetensors", "tokenizer.json", training.CURVE):
        assert (second / name).read_bytes() == (first / name).read_bytes(), name
    configs = [json.loads((folder / "config.json").read_text()) for folder in (first, second)]
    assert configs[0] == configs[1]


@with_word_lists
def test_sample_texts_are_not_among_training_texts():
    def phrases(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    samples = set().union(*map(phrases, load_references(SAMPLES / "truth.jsonl").values()))
    rng = random.Random(1)
    for _ in range(300):
        text = " ".join(block.text for block in prose_blocks(rng, 800))
        assert not samples & phrases(text)


def test_capitals_are_for_titles_and_the_beginnings_of_paragraphs():
    paragraph = "in the harbour of the town " * 5
    blocks = [Block("Grüße an alle", "heading"), Block(paragraph.strip())]
    rng = random.Random(1)
    assert capitalise(rng, blocks, 0.0) == blocks
    title, text = capitalise(rng, blocks, 1.0)
    assert title == Block("GRÜSSE AN ALLE", "heading")
    assert text.text.lower() == blocks[1].text
    assert text.text.startswith("IN") and text.text.endswith("in the harbour of the town")


def test_echoes_are_words_of_the_same_block_a_little_before():
    words = [f"word{number}" for number in range(60)]
    [rows, text] = echo(
        random.Random(1), [Block("a a\tb b", "row"), Block(" ".join(words))], share=0.5
    )
    assert rows == Block("a a\tb b", "row")
    echoed = text.text.split(" ")
    assert len(echoed) == 60 and echoed != words
    for place, word in enumerate(echoed):
        assert word == words[place] or word in echoed[max(0, place - 8) : place - 1]


def test_open_ends_lose_their_full_stop_and_nothing_else():
    blocks = [Block("Hard to the wind."), Block("10 %"), Block("...")]
    left_open = leave_open(random.Random(1), blocks, share=1.0)
    assert [block.text for block in left_open] == ["Hard to the wind", "10 %", "..."]
    assert leave_open(random.Random(1), blocks, share=0.0) == blocks


@with_word_lists
def test_slips_are_rows_between_a_head_and_a_last_line():
    slips = [slip_blocks(random.Random(seed), 300) for seed in range(40)]
    for blocks in slips:
        rows = [block for block in blocks if block.kind == "row"]
        assert len(rows) > len(blocks) / 2 and blocks[0].kind == "centred"
        assert all(block.text.count("\t") == (block.kind == "row") for block in blocks)
    assert 5 < sum(blocks[-1].kind != "row" for blocks in slips) < 35


@with_word_lists
def test_closings_are_short_and_come_last():
    letter = [Block("Hard to the wind.")]
    for seed in range(20):
        first, *end = close(random.Random(seed), letter)
        assert first == letter[0] and 1 <= len(end) <= 2
        assert all(not block.text.endswith(".") or len(block.text) < 30 for block in end)


def read_samples(model, *names: str) -> list[tuple[str, str]]:
    truth = load_references(SAMPLES / "truth.jsonl")
    files = [SAMPLES / name for name in names]
    return [
        headline_pair(truth[Path(page.page.document_path).name, page.page.page_index], page.text)
        for page in read_documents(model, files, batch_size=8, max_tokens=MAX_TOKENS)
    ]


def test_it_reads_the_clean_samples(bundled_model):
    pairs = read_samples(bundled_model, "letter.pdf", "decision.pdf", "german.pdf")
    assert corpus_cer(pairs) < 0.03
