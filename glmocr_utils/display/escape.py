"""Make OCR text harmless: a page, or an attacker, can make a model write anything.

Markup is escaped. Characters that do something instead of showing something (control characters,
and those that turn the direction of writing, with which a text can look like another) are shown as
their code.
"""

import html
import unicodedata

SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def escape(text: str) -> str:
    """`text` for HTML, in elements and in quoted attributes; line ends and tabs stay."""
    return html.escape("".join(map(_harmless, text)), quote=True)


def visible(text: str) -> str:
    """`text` on one line with visible spaces, tabs and line ends; not escaped yet."""
    return "".join(SIGNS.get(character) or _harmless(character) for character in text)


def visible_choice(text: str) -> str:
    """The same for what another token would make of a word, which may be to leave it out."""
    return visible(text) or "(nothing)"


def _harmless(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    if character in "\u00ad\u200c\u200d":  # soft hyphen and joiners belong to ordinary text
        return character
    return f"⟨U+{ord(character):04X}⟩"


def on_one_line(text: str) -> str:
    """On one line; spaces as they are, since a context is read and not decoded."""
    return text.replace("\n", "⏎").replace("\t", "⇥")
