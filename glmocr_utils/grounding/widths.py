"""How wide characters are, about: enough to say how a line's tokens share its length."""

import unicodedata
from functools import lru_cache

NARROW = frozenset("iljtfrI.,:;'’‘|!()[]{}/\\`´-°")
WIDE = frozenset("mwMW@%—…œæŒÆ")


def text_width(text: str) -> float:
    """In ems of an ordinary proportional font."""
    return sum(map(_character_width, text))


@lru_cache(maxsize=65536)
def _character_width(character: str) -> float:
    if character in "\n\r":
        return 0.0
    if character.isspace():
        return 0.27
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in NARROW:
        return 0.31
    if character in WIDE:
        return 0.85
    return 0.67 if character.isupper() else 0.5
