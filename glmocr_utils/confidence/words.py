"""Tokens and the words that they spell: a person reads words, the model writes tokens."""

from glmocr_utils.records import Alternative, OcrResult


def words_of_tokens(result: OcrResult) -> list[range]:
    """The tokens of each word, as ranges of indices in reading order.

    A word ends at white space. A token with white space inside belongs to the word of its last
    character; one of white space alone belongs to no word. A token without text (the first bytes of
    a character that several tokens spell) goes with the character.
    """
    words: list[range] = []
    start: int | None = None
    for index, token in enumerate(result.tokens):
        text = token.text
        if start is not None and text and text[0].isspace():
            words.append(range(start, index))
            start = None
        if text.strip() and any(character.isspace() for character in text.rstrip()):
            if start is not None:
                words.append(range(start, index))
            start = index
        elif not text.isspace() and start is None:
            start = index
        if start is not None and text and text[-1].isspace():
            words.append(range(start, index + 1))
            start = None
    if start is not None:
        words.append(range(start, len(result.tokens)))
    return words


def alternative_words(result: OcrResult, index: int) -> list[tuple[Alternative, str]]:
    """Each alternative of a token and the word that stood there with it.

    The word reaches from the white space before the token to the white space after it. Where the
    token is a part of a character, an alternative may spell none: it shows as U+FFFD.

    Args:
        index: of the token, from 0.
    """
    tokens = result.tokens
    before = "".join(token.text for token in tokens[max(0, index - 40) : index])
    after = "".join(token.text for token in tokens[index + 1 : index + 41])
    head = "" if not before or before[-1].isspace() else before.split()[-1]
    tail = "" if not after or after[0].isspace() else after.split()[0]
    return [(other, f"{head}{other.text}{tail}") for other in tokens[index].alternatives]
