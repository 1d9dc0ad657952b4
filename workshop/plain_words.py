"""`python -m workshop.plain_words [WORD …]`: how often the prose uses words with a plainer one.

Without arguments it prints a table: a row per word, a column per kind of text. With words from
that table it prints the lines that use them.
"""

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "glmocr_utils"

# A word that readers stumble over, and its pattern; the comment has what to write instead.
WORST = {
    "stand": r"(?<!-)\b(?:stands?|stood)\b(?! for)(?!-)",  # is, appears, is printed
    "tell": r"(?<!cannot )\b(?:tells?|told)\b",  # shows, gives, records
    "is no": r"(?<!there )(?<!there's )\b(?:is|are|was|were) no\b(?! longer| more)",  # isn't a
    "go on": r"\b(?:go|goes|went|gone|going) on\b",  # resume, continue
    # otherwise
    "else": r"\b(?:or|,) else\b(?! (?:if|where))|(?<!thing )(?<!where )\belse(?=[.;:)]|$)",
    "anew": r"\banew\b",  # again
    "parted": r"\bparted\b|\bparts (?=with|by|at)",  # separated
    "mend": r"\bmend(?:s|ed|ing)?\b",  # fix
    "whoever": r"\bwho(?:so)?ever\b",  # a user, the user
    "somebody": r"\bsome(?:body|one)\b",  # a user, a person
    "nobody": r"\bno(?:body| one)\b",  # "never", "no user", a passive
    "lean": r"\b(?:lean(?:s|ing|ed)?|straighten(?:s|ed|ing)?)\b",  # skew, deskew
    "of that": r"\bof that (?:sample|model|run|page)\b",  # a whole phrase
}
# These also have good uses, so they are counted and not held at zero.
DOUBTFUL = {
    "what is": r"\bwhat (?:is|are|was|were|it|they|has|have|had|one|a|the)\b",  # a noun
    "say": r"\b(?:says?|said)\b",  # shows, records (of data)
    "hold": r"\b(?:holds?|held)\b(?![ -]out)",  # contain (of files)
    "where": r"(?<!\w)where (?:there|it|that|they|a|the|one)\b",  # if
    "but": r"\bbut (?:that|for|the|what)\b",  # except
    "place": r"\bplaces?\b",  # box, position
}
WORDS = WORST | DOUBTFUL

README, DOCS, NOTEBOOKS, HELP, ERRORS = "README", "docs", "notebooks", "help", "errors"
MESSAGES, PUBLIC, PRIVATE = "other texts", "public docstrings", "private docstrings"
COMMENTS, ASIDE = "comments", "tests, tools"
SEEN_BY_USERS = (README, DOCS, NOTEBOOKS, HELP, ERRORS, MESSAGES)
KINDS = (*SEEN_BY_USERS, PUBLIC, PRIVATE, COMMENTS, ASIDE)

_GIVES_HELP = ("option", "same_as", "Command", "Shorthand", "ArgumentParser", "add_argument")
_MAGIC = re.compile(r"^(\s*)%.*", re.MULTILINE)  # a line for IPython alone
_CODE = re.compile(r"`[^`]*`")
_FAILS = re.compile(r"(?:Error|Warning|Exit|warn)$")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose.

    Attributes:
        kind: one of `KINDS`.
        where: file and line, from the project's folder.
        text: the words, on one line.
    """

    kind: str
    where: str
    text: str


def passages(root: Path = ROOT) -> Iterator[Passage]:
    """All prose of the project at `root`."""
    yield from _markdown(root, root / "README.md", README)
    pages = [root / "CONTRIBUTING.md", root / "CHANGELOG.md", root / "CITATION.cff"]
    for path in sorted([*pages, *root.glob("docs/*.md"), *root.glob("data/*/**/README.md")]):
        if path.exists():
            yield from _markdown(root, path, DOCS)
    for path in sorted(root.glob("notebooks/*.ipynb")):
        yield from _notebook(root, path)
    for path in sorted((root / PACKAGE).rglob("*.py")):
        yield from _module(root, path)
    for folder in ("tests", "workshop", "benchmarks"):
        for path in sorted((root / folder).rglob("*.py")):
            yield from _aside(root, path)


def uses(words: dict[str, str], root: Path = ROOT) -> Iterator[tuple[str, Passage]]:
    """Each use of these words, as a passage of the words around it."""
    patterns = {word: re.compile(pattern, re.IGNORECASE) for word, pattern in words.items()}
    for passage in passages(root):
        for word, pattern in patterns.items():
            for match in pattern.finditer(passage.text):
                around = passage.text[max(0, match.start() - 60) : match.end() + 60]
                yield word, Passage(passage.kind, passage.where, around.strip())


def _markdown(root: Path, path: Path, kind: str) -> Iterator[Passage]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        yield Passage(kind, f"{path.relative_to(root)}:{number}", _plain(line))


def _plain(line: str) -> str:
    """A line of Markdown without code spans and the targets of links."""
    return _CODE.sub("`…`", re.sub(r"\]\([^)]*\)", "]", line))


def _notebook(root: Path, path: Path) -> Iterator[Passage]:
    """The prose of a notebook, and the comments and texts in its code."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for number, cell in enumerate(cells):
        where = f"{path.relative_to(root)}: cell {number}"
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield from (Passage(NOTEBOOKS, where, _plain(line)) for line in source.splitlines())
        else:
            source = _MAGIC.sub(r"\1pass", source)
            seen = [*_comments(source), *((0, text) for _, text in _strings(ast.parse(source)))]
            yield from (Passage(NOTEBOOKS, where, text) for _, text in seen)


def _module(root: Path, path: Path) -> Iterator[Passage]:
    name = path.relative_to(root)
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    seen: set[int] = set()  # strings that have a kind already
    hidden = any(part.startswith("_") and part != "__init__.py" for part in name.parts)
    for kind, node in _docstrings(tree, hidden):
        seen.add(id(node))
        text = _CODE.sub("`…`", " ".join(str(node.value).split()))
        yield Passage(kind, f"{name}:{node.lineno}", text)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function = call.func.id if isinstance(call.func, ast.Name) else _attribute(call.func)
        kind = HELP if function in _GIVES_HELP else ERRORS if _FAILS.search(function) else None
        for node, text in _strings(call) if kind else ():
            if id(node) not in seen:
                seen.add(id(node))
                yield Passage(kind or "", f"{name}:{node.lineno}", text)
    for node, text in _strings(tree):
        if id(node) not in seen and " " in text:
            yield Passage(MESSAGES, f"{name}:{node.lineno}", text)
    yield from (Passage(COMMENTS, f"{name}:{number}", text) for number, text in _comments(source))


def _attribute(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ""


def _docstrings(tree: ast.AST, hidden: bool) -> Iterator[tuple[str, ast.Constant]]:
    """The docstrings below a node, with their kind."""
    for node in [tree] if isinstance(tree, ast.Module) else []:
        yield from _own_docstring(node, hidden)
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            private = hidden or (node.name.startswith("_") and not node.name.startswith("__"))
            yield from _own_docstring(node, private)
            yield from _docstrings(node, private or not isinstance(node, ast.ClassDef))
        else:
            yield from _docstrings(node, hidden)


def _own_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, private: bool
) -> Iterator[tuple[str, ast.Constant]]:
    first = node.body[0] if node.body else None
    value = first.value if isinstance(first, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield (PRIVATE if private else PUBLIC), value


def _strings(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Strings, f-strings as one with `…` for their values."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield node, " ".join("".join(map(str, parts)).split())
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner
        ):
            yield node, " ".join(node.value.split())


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _aside(root: Path, path: Path) -> Iterator[Passage]:
    """Names of tests, docstrings and comments of what users don't meet."""
    name = path.relative_to(root)
    source = path.read_text(encoding="utf-8")
    for number, line in enumerate(source.splitlines(), start=1):
        if match := re.match(r"\s*(?:async )?def (test_\w+)", line):
            yield Passage(ASIDE, f"{name}:{number}", match.group(1).replace("_", " "))
    for _, node in _docstrings(ast.parse(source), hidden=True):
        text = _CODE.sub("`…`", " ".join(str(node.value).split()))
        yield Passage(ASIDE, f"{name}:{node.lineno}", text)
    yield from (Passage(ASIDE, f"{name}:{number}", text) for number, text in _comments(source))


def _table(root: Path) -> str:
    counts = dict.fromkeys(((word, kind) for word in WORDS for kind in KINDS), 0)
    for word, passage in uses(WORDS, root):
        counts[word, passage.kind] += 1
    rows = [["word", *KINDS, "all"]]
    groups = [([word], word) for word in WORST]
    groups += [(list(WORST), "all of these"), *(([word], word) for word in DOUBTFUL)]
    for words, name in groups:
        row = [sum(counts[word, kind] for word in words) for kind in KINDS]
        rows.append([name, *map(str, [*row, sum(row)])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def main(words: list[str]) -> None:
    if not words:
        print(_table(ROOT))
        return
    chosen = {word: WORDS[word] for word in words}
    for word, passage in uses(chosen):
        print(f"{passage.where} ({passage.kind}, {word}): {passage.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
