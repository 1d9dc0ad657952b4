"""How alike two tables are: TEDS, the tree edit distance based similarity."""

from collections.abc import Sequence

from apted import APTED, Config
from rapidfuzz.distance import Levenshtein

from glmocr_utils.markup import Cell, Table, tables
from glmocr_utils.metrics import layout_aside


class _Node:
    """A node of a table's tree: the table, a row, or a cell with its text."""

    def __init__(self, name: str, children: Sequence["_Node"] = (), text: str = "") -> None:
        self.name = name
        self.children = list(children)
        self.text = text

    @property
    def size(self) -> int:
        return 1 + sum(child.size for child in self.children)


class _Costs(Config):
    """Inserting and deleting cost 1, another name or span 1, other text its share of edits."""

    def rename(self, first: _Node, second: _Node) -> float:
        if first.name != second.name:
            return 1.0
        return Levenshtein.normalized_distance(first.text, second.text)

    def children(self, node: _Node) -> list[_Node]:
        return node.children


def teds(reference: str, prediction: str, structure_only: bool = False) -> float | None:
    """TEDS (Zhong, ShafieiBavani and Jimeno Yepes 2020) of the tables of two written texts.

    1 for equal tables, 0 for none alike. HTML and Markdown tables compare with each other; head
    cells count as cells. Several tables are compared in their order, each reference table with the
    one of the same number, and weigh by their size; a missing or an added one scores 0.

    Args:
        structure_only: leaves the texts of the cells aside (TEDS-Struct).

    Returns:
        0 to 1; None where neither text has a table.
    """
    expected, got = (
        [_tree(text, table, structure_only) for table in tables(text)]
        for text in (reference, prediction)
    )
    if not expected and not got:
        return None
    distance = total = 0.0
    for number in range(max(len(expected), len(got))):
        pair = [trees[number] for trees in (expected, got) if number < len(trees)]
        size = max(tree.size for tree in pair)
        total += size
        distance += size if len(pair) == 1 else APTED(*pair, _Costs()).compute_edit_distance()
    return max(0.0, 1 - distance / total)


def _tree(written: str, table: Table, structure_only: bool) -> _Node:
    rows: dict[int, list[Cell]] = {}
    for cell in table.cells:
        rows.setdefault(cell.row, []).append(cell)
    return _Node(
        "table",
        [
            _Node(
                "row",
                [
                    _Node(
                        f"cell {cell.rowspan} {cell.colspan}",
                        text=""
                        if structure_only
                        else layout_aside(written[cell.start : cell.stop]),
                    )
                    for cell in rows[number]
                ],
            )
            for number in sorted(rows)
        ],
    )
