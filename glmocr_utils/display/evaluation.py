"""An evaluation as tables, as one self-contained HTML file, and as files for other programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from glmocr_utils.display.document import page_shell
from glmocr_utils.display.escape import escape
from glmocr_utils.display.labels import segments_html
from glmocr_utils.display.page import image_html
from glmocr_utils.display.tables import html_table
from glmocr_utils.evaluation import PageScore, SetComparison, SetScore
from glmocr_utils.evaluation.breakdown import GroupRate, by_region, by_script
from glmocr_utils.evaluation.comparison import worst_differences
from glmocr_utils.evaluation.disagreements import Disagreement, PageDifference
from glmocr_utils.evaluation.page_text import PageKey, PageText
from glmocr_utils.evaluation.scores import by_group
from glmocr_utils.metrics import headline_segments
from glmocr_utils.records import PageImage

GroupBy = Callable[[Sequence[PageScore]], dict[str, GroupRate]]
WORST_PAGES = 5
CONFUSIONS_SHOWN = 15
WORDS_SHOWN = 20


def scores_table(scores: Sequence[SetScore]) -> pd.DataFrame:
    """One row a figure, one column a set of readings; texts for people."""
    rows = {
        "pages": [str(len(each.pages)) for each in scores],
        "headline CER (layout aside)": [
            str(each.headline) if len(each.pages) > 1 else f"{each.headline.value:.2%}"
            for each in scores
        ],
        "  its interval over": [each.drawn for each in scores],
        "  of it misread": [f"{each.misread:.2%}" for each in scores],
        "  of it misplaced": [f"{each.misplaced:.2%}" for each in scores],
        "raw CER (as written)": [f"{each.raw_cer:.2%}" for each in scores],
        "WER": [f"{each.wer:.2%}" for each in scores],
        "reading order, 0 is right": [f"{each.order:.3f}" for each in scores],
        "TEDS of tables": [_or_no_tables(each.teds) for each in scores],
        "TEDS-Struct": [_or_no_tables(each.teds_structure) for each in scores],
        "status of the pages": [
            ", ".join(f"{status} {count}" for status, count in each.statuses.most_common())
            for each in scores
        ],
    }
    return pd.DataFrame(rows, index=[each.name for each in scores]).T


def pages_table(score: SetScore) -> pd.DataFrame:
    """One row a page, the most edits first; `page` counts from 1, rates are 0 to 1 and above."""
    rows = [
        {
            "document": Path(page.reference.document).name,
            "page": page.reference.page_index + 1,
            "status": page.reading.status,
            "characters": page.characters,
            "edits": page.edits,
            "misread": page.misread,
            "misplaced": page.misplaced,
            "cer": page.cer,
            "raw_cer": page.raw_edits / max(1, page.raw_characters),
            "wer": page.word_edits / max(1, page.words),
            "order": page.order,
            "teds": page.teds,
            "teds_structure": page.teds_structure,
        }
        for page in sorted(score.pages, key=lambda page: -page.edits)
    ]
    return pd.DataFrame(rows)


def documents_table(scores: Sequence[SetScore]) -> pd.DataFrame:
    """One row a document with the headline CER of each set; the first set's worst ones first."""
    of_sets = [
        by_group(each.pages, lambda page: Path(page.reference.document).name) for each in scores
    ]
    rows = [
        (name, *counts, *(groups[name][2] if name in groups else None for groups in of_sets))
        for name, (*counts, _) in of_sets[0].items()
    ]
    rates = [f"CER of {each.name}" for each in scores]
    return pd.DataFrame(rows, columns=["document", "pages", "characters", *rates])


def groups_table(scores: Sequence[SetScore], by: GroupBy) -> pd.DataFrame:
    """One row a script, or a kind of region, with the CER of each set; the largest group first.

    Args:
        by: `by_script` or `by_region` of `evaluation.breakdown`.
    """
    of_sets = [by(each.pages) for each in scores]
    names = list(dict.fromkeys(name for groups in of_sets for name in groups))
    rows = [
        (
            name,
            max(groups[name].characters for groups in of_sets if name in groups),
            *(groups[name].rate if name in groups else None for groups in of_sets),
        )
        for name in names
    ]
    rates = [f"CER of {each.name}" for each in scores]
    return pd.DataFrame(rows, columns=["group", "characters", *rates])


def groups_html(scores: Sequence[SetScore], count: int | None = 10) -> str:
    """Where the errors are: documents (the worst ones), scripts, and kinds of region."""
    tables = {
        "Documents": documents_table(scores)[:count],
        "Scripts": groups_table(scores, by_script),
        "Kinds of region": groups_table(scores, by_region),
    }
    parts = []
    for title, table in tables.items():
        if not len(table):
            continue
        for name in table.columns[-len(scores) :]:
            table[name] = table[name].map("{:.2%}".format, na_action="ignore").fillna("not read")
        parts.append(f"<h3>{title}</h3>{_frame_html(table, False)}")
    return "".join(parts)


def confusions_table(
    comparison: SetComparison | None, count: int = CONFUSIONS_SHOWN
) -> pd.DataFrame:
    """What is read as what more or less often, the largest change first; empty for one set."""
    if comparison is None:
        return pd.DataFrame(columns=["printed", "read as"])
    changed = [row for row in comparison.confusions if row[2] != row[3]]
    columns = ["printed", "read as", comparison.first, comparison.second]
    return pd.DataFrame(changed[:count], columns=columns)


def page_errors_html(
    pages: Sequence[PageScore], images: Mapping[PageKey, PageImage] | None = None
) -> str:
    """Each page's reference beside its reading, with its image where there is one."""
    return "".join(_page(f"{page.cer:.1%}", [page], images or {}) for page in pages)


def differences_html(
    comparison: SetComparison | None,
    images: Mapping[PageKey, PageImage] | None = None,
    count: int = WORST_PAGES,
) -> str:
    """The pages that two sets read most differently: image, and each reading's errors."""
    if comparison is None:
        return "<p>There is one set of readings; set other_readings to compare it.</p>"
    shown = worst_differences(comparison, count)
    if not shown:
        return "<p>Both sets have the same number of edits on every page.</p>"
    return "".join(
        _page(
            f"{before.cer:.1%} in {comparison.first}, {after.cer:.1%} in {comparison.second}",
            [before, after],
            images or {},
            (comparison.first, comparison.second),
        )
        for before, after in shown
    )


def evaluation_html(
    scores: Sequence[SetScore],
    comparison: SetComparison | None = None,
    images: Mapping[PageKey, PageImage] | None = None,
) -> str:
    """One self-contained page: figures, documents, worst pages, and the comparison."""
    title = " and ".join(each.name for each in scores)
    parts = [f"<h1>How well was it read? {escape(title)}</h1>", _frame_html(scores_table(scores))]
    if comparison:
        parts.append(f"<p><b>{escape(comparison.verdict)}</b></p>")
    parts.append(
        "<p>The headline CER leaves layout aside: line ends, spaces and markup aren't errors. "
        f"Intervals are 95 %, over {scores[0].resampled}; few of them show little of others.</p>"
    )
    problems = [problem for each in scores for problem in each.problems]
    problems += comparison.problems if comparison else ()
    if problems:
        items = "".join(f"<li>{escape(problem)}</li>" for problem in dict.fromkeys(problems))
        parts.append(f"<h2>Not compared</h2><ul>{items}</ul>")
    parts.append(f"<h2>Where the errors are</h2>{groups_html(scores, count=None)}")
    if comparison:
        parts.append(f"<h2>Confusions</h2>{_frame_html(confusions_table(comparison), False)}")
        parts.append(f"<h2>Largest differences</h2>{differences_html(comparison, images)}")
    else:
        worst = worst_pages(scores[0])
        parts.append(f"<h2>Pages with most errors</h2>{page_errors_html(worst, images)}")
    return page_shell(f"Evaluation of {title}", "".join(parts))


def worst_pages(score: SetScore, count: int = WORST_PAGES) -> list[PageScore]:
    """The pages with most edits, of those that have any."""
    wrong = [page for page in score.pages if page.edits]
    return sorted(wrong, key=lambda page: -page.edits)[:count]


def pages_to_show(
    scores: Sequence[SetScore], comparison: SetComparison | None, count: int = WORST_PAGES
) -> list[PageText]:
    """The readings whose images help: of the largest differences, or of the worst pages."""
    if comparison is None:
        return [page.reading for page in worst_pages(scores[0], count)]
    return [page.reading for pair in worst_differences(comparison, count) for page in pair]


def write_evaluation(
    output_dir: str | Path,
    scores: Sequence[SetScore],
    comparison: SetComparison | None = None,
    images: Mapping[PageKey, PageImage] | None = None,
) -> list[Path]:
    """Write `evaluation.html`, `evaluation.json`, and for a spreadsheet `pages.csv` (a row a page
    and set) and `groups.csv` (a row a script or kind of region, and set).

    Returns:
        The files.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    pages = pd.concat([pages_table(each).assign(readings=each.name) for each in scores])
    files = {
        "evaluation.html": evaluation_html(scores, comparison, images),
        "pages.csv": pages.to_csv(index=False),
        "groups.csv": _groups_by_set(scores).to_csv(index=False),
        "evaluation.json": json.dumps(evaluation_record(scores, comparison), indent=1) + "\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in files]


def _groups_by_set(scores: Sequence[SetScore]) -> pd.DataFrame:
    """The errors of each set by script and by kind of region; `cer` is a share."""
    rows = [
        (each.name, kind, name, group.characters, group.edits, group.rate)
        for each in scores
        for kind, by in (("script", by_script), ("region", by_region))
        for name, group in by(each.pages).items()
    ]
    return pd.DataFrame(rows, columns=["readings", "kind", "group", "characters", "edits", "cer"])


def evaluation_record(
    scores: Sequence[SetScore], comparison: SetComparison | None = None
) -> dict[str, object]:
    """The figures for other programs; rates are shares, not percent."""
    record: dict[str, object] = {
        "readings": [
            {
                "name": each.name,
                "pages": len(each.pages),
                "headline_cer": asdict(each.headline),
                "resampled": each.resampled,
                "misread": each.misread,
                "misplaced": each.misplaced,
                "raw_cer": each.raw_cer,
                "wer": each.wer,
                "order": each.order,
                "teds": each.teds,
                "teds_structure": each.teds_structure,
                "statuses": dict(each.statuses),
                "scripts": {name: asdict(group) for name, group in by_script(each.pages).items()},
                "regions": {name: asdict(group) for name, group in by_region(each.pages).items()},
                "problems": list(each.problems),
            }
            for each in scores
        ]
    }
    if comparison:
        record["comparison"] = {
            "change": asdict(comparison.cer.change),
            "verdict": comparison.cer.verdict,
            "better": comparison.num_better,
            "worse": comparison.num_worse,
            "problems": list(comparison.problems),
        }
    return record


def _page(
    rates: str,
    scores: Sequence[PageScore],
    images: Mapping[PageKey, PageImage],
    names: Sequence[str] = ("reading",),
) -> str:
    reference = scores[0].reference
    image = images.get(reference.key)
    differences = "".join(
        segments_html(
            ("reference", name),
            headline_segments(reference.text or "", score.reading.text or ""),
        )
        for name, score in zip(names, scores, strict=True)
    )
    picture = image_html(image) if image else ""
    return (
        f'<section class="page"><h3>{escape(reference.name)}: CER {escape(rates)}</h3>'
        f'<div class="sides">{picture}<div class="texts">{differences}</div></div></section>'
    )


def _frame_html(frame: pd.DataFrame, index: bool = True) -> str:
    heads = [*([""] if index else []), *map(str, frame.columns)]
    rows = [
        [escape(str(cell)) for cell in ((name, *row) if index else row)]
        for name, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]
    return html_table([escape(head) for head in heads], rows)


def _or_no_tables(value: float | None) -> str:
    return "no tables" if value is None else f"{value:.3f}"


def disagreements_table(pages: Sequence[PageDifference]) -> pd.DataFrame:
    """One row a disagreement, for a spreadsheet; probabilities are 0 to 1."""
    rows = [asdict(each) for page in pages for each in page.disagreements]
    names = [field.name for field in fields(Disagreement)]
    return pd.DataFrame(rows, columns=names).drop(columns="right")


def write_differences(
    output_dir: str | Path,
    first: str,
    second: str,
    pages: Sequence[PageDifference],
    shown: Sequence[PageDifference],
    images: Mapping[PageKey, PageImage] | None = None,
) -> list[Path]:
    """Write `diff.html`, the pages `shown` side by side, and `disagreements.csv`, all of them.

    Args:
        first, second: names of the two sets.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    body = "".join(_difference(page, (first, second), images or {}) for page in shown)
    body = body or "<p>Both sets print the same on every page that they share.</p>"
    title = f"{first} and {second}"
    html, table = folder / "diff.html", folder / "disagreements.csv"
    html.write_text(
        page_shell(title, f"<h1>Where {escape(title)} disagree</h1>{body}"), encoding="utf-8"
    )
    disagreements_table(pages).to_csv(table, index=False)
    return [html, table]


def _difference(
    page: PageDifference, names: tuple[str, str], images: Mapping[PageKey, PageImage]
) -> str:
    image = images.get(page.first.key)
    segments = headline_segments(page.first.text or "", page.second.text or "")
    rows = [
        (escape(each.first), _probability(each.first_prob), escape(each.second),
         _probability(each.second_prob), escape(f"{each.before} … {each.after}"))
        for each in page.disagreements[:WORDS_SHOWN]
    ]  # fmt: skip
    heads = (escape(names[0]), "probability", escape(names[1]), "probability", "between")
    return (
        f'<section class="page"><h3>{escape(page.first.name)}: {page.rate:.1%} differ</h3>'
        f'<div class="sides">{image_html(image) if image else ""}<div class="texts">'
        f"{html_table(heads, rows)}{segments_html(names, segments)}</div></div></section>"
    )


def _probability(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"
