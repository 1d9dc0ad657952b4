"""A page's regions → its Markdown."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from glmocr_utils.markdown.tables import table_markdown
from glmocr_utils.markdown.text import text_markdown
from glmocr_utils.records import OcrResult, Region
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.records.region import (
    FOOTNOTE_LABELS,
    FORMULA_LABELS,
    REGION_BREAK,
    TABLE_LABELS,
    Furniture,
    in_text_order,
)

HEADING_MARKS = {"doc_title": "# ", "paragraph_title": "## "}
FORMULA_NUMBER = "formula_number"
BULLET = re.compile(r"^[·•●▪◦*][ \t]+|^[·•●▪◦](?=\S)", re.MULTILINE)
HASHES = re.compile(r"^#+\s*")
DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
HYPHENS = "-\u2010\u00ad"
# a word that a hyphen at a line's end divides: its second part is in small letters
DIVIDED = re.compile(rf"(?<=[^\W\d_])[{HYPHENS}][ \t]*\n[ \t]*(?=[^\W\d_])")
PLAIN_LABELS = frozenset({"text", "abstract", "reference_content", "content"})


@dataclass(frozen=True, slots=True)
class RegionText:
    """A region and what was read in it."""

    region: Region
    text: str

    @property
    def is_footnote(self) -> bool:
        return self.region.label in FOOTNOTE_LABELS


def regions_of_result(result: OcrResult) -> list[RegionText]:
    """The regions of a page with their texts, in reading order."""
    return [RegionText(region, result.region_text(region)) for region in result.regions]


def regions_of_row(row: PageRow) -> list[RegionText]:
    """The same, of a row of a run's ledger."""
    ends = [0, *accumulate(row.token_lengths or ())]
    found = []
    for region in row.regions:
        text = (row.text or "")[ends[region.token_start] : ends[region.token_stop]]
        if region.token_stop + 1 < len(ends):
            text = text.removesuffix(REGION_BREAK)
        found.append(RegionText(region, text))
    return found


def page_markdown(
    regions: Sequence[RegionText],
    *,
    furniture: Furniture = "apart",
    link: Callable[[Region], str | None] | None = None,
) -> str:
    """A page as Markdown.

    Titles are headings; tables are Markdown tables where these can say the same, otherwise HTML;
    formulas are between `$$`, with their numbers as tags; words that a hyphen divides at a line's
    or a column's end are whole. Footnotes come last. What went wrong in a region is said in a
    comment before it.

    Args:
        regions: in reading order.
        furniture: `apart` keeps headers, footers, page numbers and side notes in comments at the
            end, `in` shows them where they are, `out` leaves them out, footnotes as well.
        link: the path of a picture's file; None, or for all without it, leaves a comment.
    """
    by_index = {each.region.index: each for each in regions}
    ordered = [
        by_index[region.index]
        for region in in_text_order((each.region for each in regions), furniture)
    ]
    body = [each for each in ordered if furniture == "in" or not each.region.is_furniture]
    notes = [each for each in ordered if each not in body]
    blocks = [_block(each, link) for each in _joined(_numbered(body))]
    if furniture == "apart":
        blocks += [_block(each, link) for each in notes if each.is_footnote]
        blocks += [_aside(each) for each in notes if not each.is_footnote]
    return REGION_BREAK.join(filter(None, blocks))


def _numbered(regions: Sequence[RegionText]) -> list[RegionText]:
    """Formulas with their numbers as tags; a number without a formula stays a text."""
    found: list[RegionText | None] = list(regions)
    for place, each in enumerate(found):
        if each is None or each.region.label != FORMULA_NUMBER:
            continue
        for beside in (place - 1, place + 1):
            formula = found[beside] if 0 <= beside < len(found) else None
            if formula and formula.region.label in FORMULA_LABELS and formula.text.strip():
                number = each.text.strip().strip("()（）").strip()
                found[beside] = replace(formula, text=_tagged(formula.text, number))
                found[place] = None
                break
    return [each for each in found if each is not None]


def _tagged(formula: str, number: str) -> str:
    latex = plain_formula(formula)
    return latex if "\\tag" in latex or not number else f"{latex} \\tag{{{number}}}"


def _joined(regions: Sequence[RegionText]) -> list[RegionText]:
    """Texts with whole words; one that continues in the next region of text is joined with it."""
    found: list[RegionText] = []
    for each in regions:
        if each.region.label not in TABLE_LABELS | FORMULA_LABELS:
            each = replace(each, text=DIVIDED.sub(_whole_word, each.text))
        last = next((n for n in reversed(range(len(found))) if _is_plain(found[n])), None)
        if last is not None and _is_plain(each) and _is_divided(found[last].text, each.text):
            first = found[last].text.rstrip().rstrip(HYPHENS)
            found[last] = replace(found[last], text=first + each.text.lstrip())
        else:
            found.append(each)
    return found


def _is_plain(each: RegionText) -> bool:
    return each.region.label in PLAIN_LABELS and each.region.status in ("ok", None)


def _is_divided(first: str, second: str) -> bool:
    first, second = first.rstrip(), second.lstrip()
    return (
        len(first) > 1
        and first[-1] in HYPHENS
        and first[-2].isalpha()
        and second[:1].isalpha()
        and second[0] == second[0].lower()
    )


def _whole_word(match: re.Match[str]) -> str:
    """Nothing for the hyphen of a divided word; where the next part is a name, it stays."""
    following = match.string[match.end()]
    return "" if following == following.lower() else match.group().strip()


def _block(each: RegionText, link: Callable[[Region], str | None] | None) -> str:
    region = each.region
    if region.status == "picture":
        path = link and link(region)
        return f"![{region.label}]({path})" if path else f"<!-- {region.label} -->"
    content = region_content(each, as_markdown=True)
    if region.status in (None, "ok"):
        return content
    said = _comment(f"region {region.index + 1} ({region.label}): {region.status}", region.reason)
    return "\n\n".join(filter(None, (said, content)))


def region_content(each: RegionText, as_markdown: bool = False) -> str:
    """The text of a region, with the marks of its kind.

    Args:
        as_markdown: escapes what Markdown would take for markup, and writes tables in Markdown
            where it can say the same.
    """
    text, label = each.text.strip(), each.region.label
    if not text or each.region.status == "failed":
        return text
    if label in HEADING_MARKS:
        title = " ".join(HASHES.sub("", text).split())
        return HEADING_MARKS[label] + (text_markdown(title) if as_markdown else title)
    if label in TABLE_LABELS:
        return table_markdown(text) if as_markdown else text
    if label in FORMULA_LABELS:
        return f"$$\n{plain_formula(text)}\n$$"
    text = BULLET.sub("- ", text)
    return text_markdown(text, keep_lines=False) if as_markdown else text


def plain_formula(text: str) -> str:
    """The LaTeX of a formula, without what encloses it, such as `$$`."""
    text = text.strip()
    for opening, closing in DELIMITERS:
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening):
            return text[len(opening) : -len(closing)].strip()
    return text


def _aside(each: RegionText) -> str:
    if each.region.status == "picture" or not each.text.strip():
        return ""
    return _comment(each.region.label, " ".join(each.text.split()))


def _comment(*parts: str | None) -> str:
    """A comment; whatever it holds, it ends where it should."""
    said = ": ".join(filter(None, parts)).replace("--", "-\u200b-").replace(">", "&gt;")
    return f"<!-- {said} -->"
