"""The pieces of words that the bundled model writes: a byte-level BPE.

GLM-OCR writes a word with its leading space as one token, and digits one by one. The merges are
learned from the project's own training text, so the same seed and word lists give the same pieces.
"""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from workshop.tiny_model.corpus import prose_blocks

# As GLM-OCR's tokenizer cuts text before it merges bytes, but for digits, which come one by one.
# A space belongs to the word after it, and line ends to the punctuation before them.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
LONGEST_PIECE = 8  # bytes: what a few image tokens show
TEXT_PAGES = 3000
PAGE_CHARACTERS = 900
TABLE_EVERY = 12  # a page in so many is a table, so that tags are pieces too

Merge = tuple[str, str]


def split() -> pre_tokenizers.PreTokenizer:
    """Text → words, digits and punctuation, within which bytes are merged."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def learn_merges(num_pieces: int, texts: Iterable[str]) -> list[Merge]:
    """The first `num_pieces` merges of bytes in `texts`, most frequent first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + num_pieces,
        initial_alphabet=sorted(alphabet),
        max_token_length=LONGEST_PIECE,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def merges_of(folder: Path) -> list[Merge]:
    """The merges of a saved tokenizer; none if its tokens are bytes."""
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return [tuple(merge) for merge in saved["model"]["merges"]]


def practice_texts(seed: int = 0) -> Iterator[str]:
    """Pages of training text, some of them tables in HTML, always the same for a seed.

    Raises:
        FileNotFoundError: a word list is not installed; the message names the package.
    """
    rng = random.Random(repr((seed, "pieces")))
    for number in range(TEXT_PAGES):
        blocks = prose_blocks(rng, PAGE_CHARACTERS)
        if number % TABLE_EVERY:
            yield "\n\n".join(block.text.replace("\t", " ") for block in blocks)
        else:
            yield _table(rng, " ".join(block.text for block in blocks).split())


def _table(rng: random.Random, words: list[str]) -> str:
    columns = rng.randint(2, 5)
    cells = [" ".join(words[at : at + 2]) for at in range(0, len(words), 2)]
    rows = [cells[at : at + columns] for at in range(0, len(cells), columns)]
    return f"<table>{''.join(_row(rng, row) for row in rows)}</table>"


def _row(rng: random.Random, cells: list[str]) -> str:
    spans = ("", "", "", "", ' colspan="2"', ' rowspan="2"')
    return f"<tr>{''.join(f'<td{rng.choice(spans)}>{cell}</td>' for cell in cells)}</tr>"
