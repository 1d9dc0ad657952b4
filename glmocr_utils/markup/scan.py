"""A written text → its pieces: characters, white space and markup, each with its printed form."""

import html
import re
from collections.abc import Iterator

from glmocr_utils.markup.latex import formulas, latex_pieces

SPACE, CELL, LINE = " ", "\t", "\n"  # what separates printed characters, the weakest first
NO_WIDTH = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")

INLINE_TAGS = "a b big code del em font i ins mark s small span strong sub sup u".split()
BLOCK_TAGS = (
    "blockquote body br caption center col colgroup div figcaption figure h1 h2 h3 h4 h5 h6 head "
    "hr html img li ol p pre table tbody tfoot thead tr ul"
).split()
CELL_TAGS = ("td", "th")
# Only names that HTML has, and attributes with values: `a <b and c> d` is print.
TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{'|'.join([*INLINE_TAGS, *BLOCK_TAGS, *CELL_TAGS])})"
    r"(?P<attributes>\s[^<>]*=[^<>]*)?\s*/?>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.MULTILINE)
HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]+(?=\S)", re.MULTILINE)
IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)")
# before other signs a backslash is printed, as in a path
ESCAPE = re.compile(r"\\(?=[\\`*_{}\[\]()#+.!|$~<>&-])")
# Underscores are none: on a printed page they are blanks to fill in, or part of a name.
EMPHASIS = (
    re.compile(
        r"(?P<mark>\*\*\*|\*\*)(?=[^\s*])(?:(?!\n[ \t]*\n).)+?(?<=[^\s*])(?P=mark)", re.DOTALL
    ),
    re.compile(r"(?<![\w*\\])(?P<mark>\*)(?=[^\s*])[^*\n]+?(?<=[^\s*])\*(?![\w*])"),
)
# the line below the heads of a Markdown table; one column needs its outer bars to be one
TABLE_RULE = re.compile(
    r"\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)+\|?\s*|\s*\|\s*:?-{3,}:?\s*\|\s*"
)
BAR = re.compile(r"(?<!\\)\|")
SIGNS = frozenset("<&*_#\\$|`~!")  # without any of them, a text has no markup

Piece = tuple[int, int, str]  # start, stop, what it prints: a character, white space or nothing


def pieces(written: str) -> Iterator[Piece]:
    """The pieces of a text, in order; none overlap, and together they are the whole text."""
    markup = _markup(written) if not SIGNS.isdisjoint(written) else {}
    position = 0
    while position < len(written):
        stop, shown = markup.get(position) or (position + 1, _plain(written[position]))
        yield position, stop, shown
        position = stop


def markdown_tables(written: str) -> Iterator[list[tuple[int, int]]]:
    """The lines of each Markdown table, as (start, stop): heads, rule, rows."""
    lines = [match.span() for match in re.finditer(r"[^\n]+", written)]
    number = 1
    while number < len(lines):
        rule = written[slice(*lines[number])]
        if not TABLE_RULE.fullmatch(rule) or not _follows(written, lines, number):
            number += 1
            continue
        stop = number + 1
        while stop < len(lines) and _follows(written, lines, stop, of=stop):
            stop += 1
        yield lines[number - 1 : stop]
        number = stop + 1


def _follows(
    written: str, lines: list[tuple[int, int]], number: int, of: int | None = None
) -> bool:
    """Whether a line follows the one before it at once, and line `of` has cells."""
    is_next = lines[number - 1][1] + 1 == lines[number][0]
    of = number - 1 if of is None else of
    return is_next and "|" in written[slice(*lines[of])]


def _plain(character: str) -> str:
    if character in NO_WIDTH:
        return ""
    if character.isspace():
        return LINE if character in "\n\r\f\v\u2028\u2029" else SPACE
    return character


def _markup(written: str) -> dict[int, tuple[int, str]]:
    """start → (stop, what it prints). Where two readings overlap, the first one holds."""
    found: dict[int, tuple[int, str]] = {}
    taken = bytearray(len(written))
    for start, stop, shown in _candidates(written):
        if start < stop and not any(taken[start:stop]):
            taken[start:stop] = b"\x01" * (stop - start)
            found[start] = (stop, shown)
    return found


def _candidates(written: str) -> Iterator[Piece]:
    for match in TAG.finditer(written):
        yield *match.span(), _shown_by_tag(match["name"])
    for start, inner_start, inner_stop, stop, is_block in formulas(written):
        separator = LINE if is_block else ""
        yield start, inner_start, separator
        yield from latex_pieces(written, inner_start, inner_stop)
        yield inner_stop, stop, separator
    for pattern, shown in ((FENCE, LINE), (HEADING, ""), (IMAGE, ""), (ESCAPE, "")):
        for match in pattern.finditer(written):
            yield *match.span(), shown
    for match in ENTITY.finditer(written):
        resolved = html.unescape(match.group())
        if resolved != match.group():
            yield *match.span(), SPACE if resolved.isspace() else resolved
    for lines in markdown_tables(written):
        yield *lines[1], LINE
        for start, stop in (lines[0], *lines[2:]):
            for match in BAR.finditer(written, start, stop):
                yield *match.span(), CELL
    for pattern in EMPHASIS:
        for match in pattern.finditer(written):
            length = len(match["mark"])
            yield match.start(), match.start() + length, ""
            yield match.end() - length, match.end(), ""


def _shown_by_tag(name: str | None) -> str:
    name = (name or "").lower()
    if name in CELL_TAGS:
        return CELL
    return LINE if name in BLOCK_TAGS else ""
