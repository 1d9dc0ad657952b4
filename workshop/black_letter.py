"""Fonts that are hard to read, cut from the mathematical alphabets of STIX: black letter, script.

Matplotlib brings STIX, whose Fraktur letters have code points of their own. Here they take the
places of A to Z and a to z, so that text, PDF and text layer are plain letters, as in old books.
"""

from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters, ascii_lowercase, ascii_uppercase

import matplotlib
from fontTools.ttLib import TTFont

STIX = Path(matplotlib.get_data_path()) / "fonts/ttf/STIXGeneral.ttf"

# Unicode had these five before it had the alphabet.
OLDER = {"C": 0x212D, "H": 0x210C, "I": 0x2111, "R": 0x211C, "Z": 0x2128}
CAPITALS = 0x1D504
SMALL_LETTERS = 0x1D51E
SCRIPT_CAPITALS, SCRIPT_SMALL_LETTERS = 0x1D4D0, 0x1D4EA

NAMES = (1, 3, 4, 6)  # of a font in its `name` table: family, unique, full, PostScript


def write_black_letter(path: Path) -> Path:
    """Write the font to `path`, always the same bytes; returns `path`.

    Letters with marks, such as ä, keep the shape of STIX: the alphabets have none.
    """
    return _write(path, {letter: _code_point(letter) for letter in ascii_letters})


def write_script(path: Path) -> Path:
    """The same with the bold script letters, as in an engraved letterhead."""
    capitals = {letter: SCRIPT_CAPITALS + ord(letter) - ord("A") for letter in ascii_uppercase}
    small = {letter: SCRIPT_SMALL_LETTERS + ord(letter) - ord("a") for letter in ascii_lowercase}
    return _write(path, capitals | small)


def _write(path: Path, code_points: Mapping[str, int]) -> Path:
    font = TTFont(STIX, recalcTimestamp=False)
    glyphs = font.getBestCmap()
    shapes = {letter: glyphs[code_point] for letter, code_point in code_points.items()}
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap.update({ord(letter): glyph for letter, glyph in shapes.items()})
    # the licence of STIX (SIL OFL 1.1) reserves the name for the unchanged font
    for record in font["name"].names:
        if record.nameID in NAMES:
            record.string = record.toUnicode().replace("STIXGeneral", "Ordinances")
    font.save(path)
    return path


def _code_point(letter: str) -> int:
    if letter.isupper():
        return OLDER.get(letter, CAPITALS + ord(letter) - ord("A"))
    return SMALL_LETTERS + ord(letter) - ord("a")
