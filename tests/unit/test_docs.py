"""README and docs: short, in plain words, with links that lead somewhere and real commands."""

import re
import shlex
from pathlib import Path

import nbformat
import pytest
from paths import ROOT

from glmocr_utils.cli.commands import COMMANDS
from glmocr_utils.notebook_run import notebook_parameters
from workshop.plain_words import (
    COMMENTS,
    ERRORS,
    HELP,
    MESSAGES,
    PRIVATE,
    PUBLIC,
    SEEN_BY_USERS,
    WORST,
    uses,
)

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, *sorted((ROOT / "notebooks").glob("*.ipynb")), *ROOT.glob("data/*/**/README.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """A page's Markdown; of a notebook, its Markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = nbformat.reads(text, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).strip().lower().replace(" ", "-") for each in headings}


def shell_lines(text: str) -> list[list[str]]:
    """The commands in a page's bash blocks, split into words, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


COMMAND_LINES = [
    pytest.param(words, id=f"{path.name}: {' '.join(words)[:70]}")
    for path in PAGES
    for words in shell_lines(prose(path))
]


def test_the_readme_has_at_most_10_kb() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 10_000


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_reachable_from_the_index_and_the_readme() -> None:
    docs = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    for start in (ROOT / "docs/index.md", ROOT / "README.md"):
        linked = {Path(link.partition("#")[0]).name for link in LINK.findall(prose(start))}
        assert docs <= linked, start


@pytest.mark.parametrize("words", [each for each in COMMAND_LINES if each.values[0][0] == "glmocr"])
def test_commands_take_the_options_that_the_pages_show(words: list[str]) -> None:
    command = COMMANDS[words[1]]
    dashed = [w.replace("_", "-") if w.startswith("--") else w for w in words[2:]]
    _, unknown = command.parser().parse_known_intermixed_args(dashed)
    assert unknown == []


@pytest.mark.parametrize(
    "words", [each for each in COMMAND_LINES if each.values[0][0] == "papermill"]
)
def test_notebooks_take_the_parameters_that_the_pages_show(words: list[str]) -> None:
    known = notebook_parameters(ROOT / words[1])
    given = [words[i + 1] for i, word in enumerate(words) if word == "-p"]
    assert given
    assert set(given) <= set(known)


@pytest.mark.parametrize("words", [each for each in COMMAND_LINES if each.values[0][0] == "make"])
def test_make_has_the_targets_that_the_pages_show(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(words[1])}:", makefile, flags=re.MULTILINE)


def test_users_meet_no_word_that_has_a_plainer_one() -> None:
    seen = [
        f"{each.where}: {word}: {each.text}"
        for word, each in uses(WORST)
        if each.kind in (*SEEN_BY_USERS, PUBLIC)
    ]
    assert seen == []


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ('"""It stands here."""\n', {PUBLIC}),
        ('def f():\n    raise ValueError(f"{1} is no page")\n', {ERRORS}),
        ('x: int = option(0, "or else none")\n', {HELP}),
        ('print("the run goes on")  # anew\n', {MESSAGES, COMMENTS}),
        ('def _f():\n    """Whoever\n    asks."""\n', {PRIVATE}),
        ("told = 1\n", set()),
        (
            '"""There is no page, a standard one is no longer kept; `told` stands for it."""\n',
            set(),
        ),
    ],
)
def test_words_are_found_by_the_kind_of_text_they_are_in(
    tmp_path: Path, source: str, kinds: set[str]
) -> None:
    (tmp_path / "glmocr_utils").mkdir()
    (tmp_path / "glmocr_utils/module.py").write_text(source, encoding="utf-8")
    (tmp_path / "README.md").write_text("Plain.\n", encoding="utf-8")
    assert {passage.kind for _, passage in uses(WORST, tmp_path)} == kinds


def test_words_of_tests_are_found_in_names_docstrings_and_comments_alone(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    source = 'def test_it_stands():\n    """Who is told."""\n    say("anew")  # mended\n'
    (tmp_path / "tests/test_it.py").write_text(source, encoding="utf-8")
    (tmp_path / "README.md").write_text("Plain.\n", encoding="utf-8")
    assert {word for word, _ in uses(WORST, tmp_path)} == {"stand", "tell", "mend"}
