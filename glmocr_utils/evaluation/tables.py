"""How alike two tables are: TEDS, the tree edit distance based similarity."""

from collections.abc import Sequence

import numpy as np
from apted import APTED, Config
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from glmocr_utils.markup import Cell, Table, tables
from glmocr_utils.metrics import layout_aside

# Nodes of one table times those of the other. Above, rows are aligned instead: the exact distance
# of two tables of 60 rows takes 13 seconds, of 300 rows hours.
MAX_EXACT = 150 * 150


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

    Two tables of more than about 150 cells each are aligned row by row: TEDS is exact then unless
    cells would change their rows, where it is lower.

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
        distance += size if len(pair) == 1 else _distance(*pair)
    return max(0.0, 1 - distance / total)


def _distance(first: _Node, second: _Node) -> float:
    if first.size * second.size <= MAX_EXACT:
        return APTED(first, second, _Costs()).compute_edit_distance()
    return row_distance(first, second)


def row_distance(first: _Node, second: _Node) -> float:
    """The edit distance of two tables where rows and their cells keep their order and no cell
    changes its row."""
    sizes = [np.array([row.size for row in table.children]) for table in (first, second)]
    costs = _row_costs(first.children, second.children)
    inserted = np.concatenate([[0.0], sizes[1].cumsum()])
    distances = inserted  # to the first rows of the second table, for ever more rows of the first
    for number, deleted in enumerate(sizes[0]):
        shorter = distances + deleted
        shorter[1:] = np.minimum(shorter[1:], distances[:-1] + costs[number])
        distances = inserted + np.minimum.accumulate(shorter - inserted)
    return float(distances[-1])


def _row_costs(first: Sequence[_Node], second: Sequence[_Node]) -> np.ndarray:
    """(rows of the first, rows of the second): the edit distance of the cells of each pair."""
    cells = [[cell for row in rows for cell in row.children] for rows in (first, second)]
    texts = [[cell.text for cell in of_table] for of_table in cells]
    renamed = cdist(*texts, scorer=Levenshtein.normalized_distance, dtype=np.float32)
    names = [np.array([cell.name for cell in of_table], dtype=object) for of_table in cells]
    renamed[names[0][:, None] != names[1]] = 1
    numbers = [_cell_numbers(rows) for rows in (first, second)]
    lengths = [np.array([len(row.children) for row in rows]) for rows in (first, second)]
    # all pairs of rows at once: [i, j] is the distance of their first i and j cells
    shape = (len(first), len(second))
    across = numbers[1].shape[1]
    distances = [np.full(shape, float(column)) for column in range(across + 1)]
    found = np.zeros(shape)
    for i in range(numbers[0].shape[1] + 1):
        if i:
            before, distances = distances, [np.full(shape, float(i))]
            for j in range(1, across + 1):
                changed = renamed[np.ix_(numbers[0][:, i - 1], numbers[1][:, j - 1])]
                shorter = np.minimum(before[j], distances[-1]) + 1
                distances.append(np.minimum(shorter, before[j - 1] + changed))
        for j in range(across + 1):
            ends = (lengths[0] == i)[:, None] & (lengths[1] == j)
            found[ends] = distances[j][ends]
    return found


def _cell_numbers(rows: Sequence[_Node]) -> np.ndarray:
    """(rows, cells of the longest row): the number of each cell in the table; 0 after the last."""
    lengths = np.array([len(row.children) for row in rows])
    places = np.arange(lengths.max(initial=0))
    starts = (lengths.cumsum() - lengths)[:, None]
    return np.where(places < lengths[:, None], starts + places, 0)


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
