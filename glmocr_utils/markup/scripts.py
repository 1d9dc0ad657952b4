"""Scripts that print no spaces between words."""

import unicodedata
from bisect import bisect_right

HAN, HIRAGANA, KATAKANA, SOUTHEAST_ASIAN = "han", "hiragana", "katakana", "southeast asian"
# first and last code point, in order
_RANGES = (
    (0x0E00, 0x0EFF, SOUTHEAST_ASIAN),  # Thai, Lao
    (0x1000, 0x109F, SOUTHEAST_ASIAN),  # Myanmar
    (0x1780, 0x17FF, SOUTHEAST_ASIAN),  # Khmer
    (0x2E80, 0x2FDF, HAN),
    (0x3005, 0x3007, HAN),
    (0x3041, 0x309F, HIRAGANA),
    (0x30A0, 0x30FF, KATAKANA),
    (0x31F0, 0x31FF, KATAKANA),
    (0x3400, 0x4DBF, HAN),
    (0x4E00, 0x9FFF, HAN),
    (0xF900, 0xFAFF, HAN),
    (0xFF66, 0xFF9D, KATAKANA),
    (0x20000, 0x3FFFF, HAN),
)
_STARTS = [start for start, _, _ in _RANGES]


# vowels that are letters of their own and belong to the letter before, or after them
_VOWELS_AFTER = frozenset("\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3")
_VOWELS_BEFORE = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")


def unspaced_script(character: str) -> str | None:
    """`han`, `hiragana`, `katakana` or `southeast asian`; None where its script prints spaces."""
    code = ord(character)
    number = bisect_right(_STARTS, code) - 1
    if number >= 0 and code <= _RANGES[number][1]:
        return _RANGES[number][2]
    return None


def belong_together(first: str, second: str) -> bool:
    """Whether two characters that follow each other cannot be separated: `e` and an accent."""
    is_mark = unicodedata.category(second) in ("Mn", "Mc", "Me")
    return is_mark or second in _VOWELS_AFTER or first in _VOWELS_BEFORE
