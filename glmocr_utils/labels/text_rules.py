"""The rules that every label's text goes through, once; the raw text is kept beside it."""

import unicodedata


def clean_text(raw_text: str) -> str:
    """Unicode NFC, lines that end with `\\n` and without spaces, no blank lines at either end.

    The inside of a line is left alone: spaces in code or in a table may mean something.
    """
    text = unicodedata.normalize("NFC", raw_text)
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return "\n".join(lines).strip("\n")
