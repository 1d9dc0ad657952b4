r"""Written text → Markdown that shows what the page prints, and marks that show where pages begin.

What the model wrote as markup (tables, formulas, headings, emphasis) stays markup; signs that it
only read, as in `$5 and $10` or `2 * 3`, are escaped where Markdown would take them for markup.

    text_markdown("Costs $5\n_____ and $10")  # 'Costs \$5  \n\_\_\_\_\_ and \$10'
"""

import re
import string
from collections.abc import Iterator

from glmocr_utils.markdown.tables import safe_tag, table_markdown
from glmocr_utils.markup import tables
from glmocr_utils.markup.latex import formulas
from glmocr_utils.markup.scan import ESCAPE, FENCE, TAG, pieces

BREAK = "  "  # at a line's end: the line ends here
PAGE_HEAD = re.compile(
    r"^<!-- page (?P<number>\d+)(?:: (?P<status>\w+))? -->$(?:\n\*page \d+(?:: \w+)?\*$)?",
    re.MULTILINE,
)
ALWAYS = frozenset("$`~")
PUNCTUATION = frozenset(string.punctuation)
# A line that would be a heading, a quotation, an item or a rule; `- ` and `* ` stay what they are.
LINE_START = re.compile(r"(?:#{1,6}(?=\s*$)|>|\+(?=\s)|(?P<rule>[-=])(?=(?:\s*(?P=rule))*\s*$))")
ITEM = re.compile(r"\s*(?:[-*]|\d{1,9}[.)])\s")
BLOCK = re.compile(r"\s*(?:#{1,6}\s|\||\$\$|\\\[|<(?!a|b|em|i|s|strong|sub|sup|u\b))")
BREAK_TAG = re.compile(r"<br\s*/?>\s*$", re.IGNORECASE)


def page_head(page_number: int, status: str = "ok") -> str:
    """The lines that begin a page: a comment for programs, and the same for people."""
    mark = f"page {page_number}" + ("" if status == "ok" else f": {status}")
    return f"<!-- {mark} -->\n*{mark}*"


def text_markdown(written: str, *, keep_lines: bool = True) -> str:
    """A text as Markdown.

    Args:
        written: as the model wrote it.
        keep_lines: lines end where they do in the text; False keeps paragraphs alone.
    """
    found: list[str] = []
    position = 0
    for table in tables(written):
        if table.start < position:
            continue
        found.append(_running(written[position : table.start], keep_lines))
        part = written[table.start : table.stop]
        found.append(table_markdown(part))
        position = table.stop
    found.append(_running(written[position:], keep_lines))
    return "\n\n".join(part for part in (each.strip("\n") for each in found) if part.strip())


def _running(written: str, keep_lines: bool) -> str:
    """Text without tables."""
    lines = [_line(line) for line in _escaped(written).split("\n")]
    if keep_lines:
        lines = [
            line + BREAK if _is_broken(line, following) else line
            for line, following in zip(lines, [*lines[1:], ""], strict=True)
        ]
    return "\n".join(lines)


def _is_broken(line: str, following: str) -> bool:
    """Whether Markdown would join a line with the next one."""
    if not line.strip() or not following.strip() or BREAK_TAG.search(line):
        return False
    return not (BLOCK.match(line) or BLOCK.match(following) or ITEM.match(following))


def _line(line: str) -> str:
    """A line that begins as text where that is what it is."""
    if LINE_START.match(line.strip()):
        sign, rest = line.strip()[0], line.strip()[1:]
        # a backslash before an equals sign is printed
        return ("&#61;" if sign == "=" else "\\" + sign) + rest
    return line.rstrip() if ITEM.match(line) else line.strip()


def _escaped(written: str) -> str:
    """The text with its printed signs escaped, and without fences around it."""
    written = TAG.sub(safe_tag, written)
    verbatim = bytearray(len(written))
    for start, _, _, stop, _ in formulas(written):
        verbatim[start:stop] = b"\x01" * (stop - start)
    for match in TAG.finditer(written):
        verbatim[slice(*match.span())] = b"\x01" * len(match.group())
    for match in ESCAPE.finditer(written):
        verbatim[match.start() : match.end() + 1] = b"\x01\x01"
    return "".join(_signs(written, verbatim))


def _signs(written: str, verbatim: bytearray) -> Iterator[str]:
    for start, stop, shown in pieces(written):
        part = written[start:stop]
        if FENCE.fullmatch(part):
            continue
        is_read = stop - start == 1 and shown == part and not verbatim[start]
        yield "\\" + part if is_read and _needs_escape(written, start) else part


def _needs_escape(written: str, at: int) -> bool:
    sign, before, after = written[at], written[at - 1 : at], written[at + 1 : at + 2]
    if sign in ALWAYS:
        return True
    if sign in "*_":
        if not before.strip() and not after.strip():
            return False
        return sign == "*" or not (before.isalnum() and after.isalnum())
    if sign == "<":
        return after.isalpha() or after in ("/", "!", "?")
    if sign == "\\":
        return after == "\n" or after in PUNCTUATION
    return sign == "]" and after in ("(", "[", ":")
