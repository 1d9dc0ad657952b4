"""A perfect reading that writes paragraphs as one line, as GLM-OCR does, has no error anywhere."""

import re

import pytest
from make_results import page_of

from glmocr_utils.confidence import load_references, mark_tokens, words_of_tokens
from glmocr_utils.metrics import cer, headline_cer
from glmocr_utils.model import LoadedModel
from glmocr_utils.notebook_run import project_root
from glmocr_utils.token_text import encode_text, token_texts

pytestmark = pytest.mark.slow

REFERENCES = load_references(project_root() / "data/samples/truth.jsonl")
TEXTS = {f"{name} {index}": text for (name, index), text in REFERENCES.items() if text}


def reflowed(text: str) -> str:
    """Line ends within paragraphs become spaces; a heading gets its sign."""
    paragraphs = [re.sub(r"\s*\n\s*", " ", part) for part in re.split(r"\n\s*\n", text)]
    return "\n\n".join(["# " + paragraphs[0], *paragraphs[1:]])


@pytest.mark.parametrize("name", TEXTS)
def test_no_token_is_wrong_and_the_headline_is_0(name: str, any_model: LoadedModel) -> None:
    text = reflowed(TEXTS[name])
    tokenizer = any_model.processor.tokenizer
    pieces = token_texts(tokenizer, encode_text(tokenizer, text))
    result = page_of(*((piece, 0.9) for piece in pieces))
    assert result.text == text
    marked = mark_tokens(result, TEXTS[name])
    assert (marked.num_wrong, marked.omissions) == (0, 0)
    assert headline_cer(TEXTS[name], text) == 0 < cer(TEXTS[name], text)


@pytest.mark.parametrize("name", list(TEXTS)[:6])
def test_words_are_the_same_in_both_vocabularies(
    name: str, byte_model: LoadedModel, bundled_model: LoadedModel
) -> None:
    spelled = []
    for model in (byte_model, bundled_model):
        tokenizer = model.processor.tokenizer
        pieces = token_texts(tokenizer, encode_text(tokenizer, TEXTS[name]))
        result = page_of(*((piece, 0.9) for piece in pieces))
        words = words_of_tokens(result)
        spelled.append(["".join(result.tokens[n].text for n in word).split() for word in words])
    assert [word[0] for word in spelled[0]] == TEXTS[name].split()
    assert [set(word) & set(TEXTS[name].split()) != set() for word in spelled[1]] == [True] * len(
        spelled[1]
    )
