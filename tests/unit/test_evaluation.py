"""Readings against references, run against run: figures, intervals, and what was not compared."""

import json
import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apted import APTED
from make_results import page_of

from glmocr_utils.display.evaluation import scores_table, write_evaluation
from glmocr_utils.evaluation import compare, load_sets, load_texts, score, teds
from glmocr_utils.evaluation.bootstrap import bootstrap
from glmocr_utils.evaluation.comparison import NOTHING, confusions
from glmocr_utils.evaluation.order import order_free
from glmocr_utils.evaluation.page_text import PageText, TextSet, text_set
from glmocr_utils.evaluation.scores import by_group
from glmocr_utils.evaluation.tables import _Costs, _tree, row_distance
from glmocr_utils.markup import tables
from glmocr_utils.records import PageRef, write_results
from glmocr_utils.records.page_row import PageRow, write_part

TEXT = "The harbour master keeps the book of dues.\nIt lies open to all who pay them."


def texts(name: str, *pages: str | None, documents: int = 0) -> TextSet:
    """Pages of one document, or each of a document of its own."""
    return text_set(
        name,
        [
            PageText(f"d{number}.pdf" if documents else "a.pdf", 0 if documents else number, text)
            for number, text in enumerate(pages)
        ],
    )


class TestScores:
    def test_a_perfect_reading_in_another_layout_has_no_error(self):
        reflowed = TEXT.replace("\n", " ")
        scored = score(texts("read", reflowed), texts("true", TEXT))
        assert (scored.headline.value, scored.misread, scored.misplaced) == (0, 0, 0)
        assert scored.raw_cer == 1 / len(TEXT)

    def test_columns_in_the_wrong_order_are_misplaced_not_misread(self):
        lines = [
            f"line {number} of the {word} column" for word in ("left", "right") for number in "123"
        ]
        wrong = "\n".join(lines[number] for number in (0, 3, 1, 4, 2, 5))
        [page] = score(texts("read", wrong), texts("true", "\n".join(lines))).pages
        assert page.misread == 0 < page.misplaced
        assert page.order > 0.4

    def test_letters_that_are_wrong_are_misread_not_misplaced(self):
        [page] = score(texts("read", TEXT.replace("e", "c")), texts("true", TEXT)).pages
        assert page.misplaced == 0 and page.order == 0
        assert page.misread == page.edits == TEXT.count("e")

    def test_a_page_that_was_not_read_counts_with_all_its_characters(self):
        pages = [PageText("a.pdf", 0, TEXT), PageText("a.pdf", 1, None, "failed")]
        scored = score(text_set("read", pages), texts("true", TEXT, TEXT))
        assert scored.headline.value == 0.5
        assert scored.statuses == {"ok": 1, "failed": 1}

    def test_a_page_that_is_missing_from_its_document_counts_and_is_named(self):
        scored = score(texts("read", TEXT), texts("true", TEXT, "second"))
        assert scored.headline.value == pytest.approx(6 / (len(TEXT) + 6))
        assert any("a.pdf, page 2" in problem for problem in scored.problems)

    def test_documents_and_pages_without_a_partner_are_named_and_not_compared(self):
        readings = text_set("read", [PageText("a.pdf", 0, TEXT), PageText("x.pdf", 0, "?")])
        references = text_set("true", [PageText("a.pdf", 0, TEXT), PageText("y.pdf", 0, "!")])
        scored = score(readings, references)
        assert len(scored.pages) == 1
        assert ["x.pdf" in problem or "y.pdf" in problem for problem in scored.problems] == [
            True,
            True,
        ]

    def test_two_texts_for_a_page_are_named_and_neither_counts(self):
        pages = [
            PageText("a.pdf", 0, "one"),
            PageText("a.pdf", 0, "two"),
            PageText("a.pdf", 1, "b"),
        ]
        found = text_set("true", pages)
        assert list(found.pages) == [("a", 1)]
        assert "two different texts" in found.problems[0]

    def test_no_page_in_common_is_a_sentence(self):
        with pytest.raises(ValueError, match="matched by the name"):
            score(texts("read", TEXT), texts("true", TEXT, documents=1))

    def test_empty_pages_divide_by_nothing(self):
        assert score(texts("read", ""), texts("true", "")).headline.value == 0
        assert score(texts("read", "ab"), texts("true", "")).headline.value == 2

    def test_groups_come_worst_first(self):
        scored = score(
            texts("read", "abcd", "abxx", documents=2), texts("true", "abcd", "abcd", documents=2)
        )
        groups = by_group(scored.pages, lambda page: page.reference.document)
        assert list(groups.items()) == [("d1.pdf", (1, 4, 0.5)), ("d0.pdf", (1, 4, 0.0))]

    def test_the_interval_is_over_documents(self):
        true = texts("true", *["abcdefghij"] * 40, documents=1)
        read = texts("read", *["abcdefghij", "abcdefgh##"] * 20, documents=1)
        scored = score(read, true)
        assert scored.resampled == "documents"
        assert scored.headline.low < 0.1 < scored.headline.high < 0.15


class TestOrderFree:
    @pytest.mark.parametrize("written", ["", "made up altogether 123"])
    def test_nothing_alike_is_all_misread(self, written):
        free = order_free(TEXT, written)
        assert free.order == 0
        assert free.misread > 0.8 * len(TEXT)

    def test_it_never_counts_more_than_all_edits(self):
        for written in ("", "x", TEXT * 2, TEXT[::-1], TEXT[20:] + TEXT[:20]):
            [page] = score(texts("read", written), texts("true", TEXT)).pages
            assert 0 <= page.misread <= page.edits


TABLE = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"


def html_of(rows):
    inner = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in inner)}</table>"


class TestTeds:
    def test_equal_tables_are_1_in_html_and_markdown(self):
        assert teds(TABLE, TABLE) == 1
        assert teds(TABLE, "| a | b |\n|---|---|\n| c | d |") == 1
        assert teds(TABLE, TABLE.replace("<td>", "<th>").replace("</td>", "</th>")) == 1

    def test_a_wrong_cell_costs_its_share_and_no_structure(self):
        wrong = TABLE.replace("d<", "x<")
        assert teds(TABLE, wrong) == pytest.approx(1 - 1 / 7)
        assert teds(TABLE, wrong, structure_only=True) == 1

    def test_a_missing_row_and_another_span_cost_structure(self):
        missing = "<table><tr><td>a</td><td>b</td></tr></table>"
        assert teds(TABLE, missing, structure_only=True) == pytest.approx(1 - 3 / 7)
        spanned = TABLE.replace("<td>c</td><td>d</td>", '<td colspan="2">c</td>')
        assert teds(TABLE, spanned, structure_only=True) < 1

    def test_missing_and_added_tables_score_nothing(self):
        assert teds(TABLE, "no table") == teds("no table", TABLE) == 0
        assert teds(TABLE * 2, TABLE) == 0.5
        assert teds("no", "table") is None

    def test_a_large_table_is_aligned_row_by_row_to_the_same_distance(self):
        rng = random.Random(0)
        for _ in range(40):
            rows = [rng.choices(["a", "12", "total", ""], k=rng.randint(1, 4)) for _ in range(5)]
            changed = [list(row) for row in rows]
            del changed[rng.randrange(5)]
            changed.insert(rng.randrange(5), rng.choice(rows))
            changed[rng.randrange(5)][0] = "other"
            pair = [_tree(html, *tables(html), False) for html in map(html_of, (rows, changed))]
            exact = APTED(*pair, _Costs()).compute_edit_distance()
            assert row_distance(*pair) == pytest.approx(exact, abs=1e-4)
        large = [[f"{row}", "b", "c"] for row in range(400)]
        without = [row for row in large if row[0] != "300"]
        assert teds(html_of(large), html_of(without)) == pytest.approx(1 - 4 / 1601)


class TestComparison:
    def scores(self):
        true = texts("true", *["abcdefghij"] * 12, documents=1)
        worse = texts("worse", *["abcdefgh##"] * 12, documents=1)
        better = texts("better", *["abcdefghi#"] * 12, documents=1)
        return score(worse, true), score(better, true)

    def test_a_sure_gain_has_a_verdict_and_swapping_turns_the_sign(self):
        worse, better = self.scores()
        there, back = compare(worse, better), compare(better, worse)
        assert there.verdict.startswith("better is better than worse: -10.00%")
        assert back.cer.change.value == -there.cer.change.value == pytest.approx(0.1)
        assert (back.cer.change.low, back.cer.change.high) == (
            -there.cer.change.high,
            -there.cer.change.low,
        )
        assert (there.num_better, there.num_worse) == (12, 0)
        assert there.confusions[0] == ("i", "#", 12, 0)

    def test_identical_readings_have_no_verdict(self):
        worse, _ = self.scores()
        same = compare(worse, replace(worse, name="again"))
        assert (same.cer.change.low, same.cer.change.high) == (0, 0)
        assert same.verdict.startswith("no sure difference")
        assert same.confusions[0][2] == same.confusions[0][3]

    def test_pages_of_one_set_alone_are_counted(self):
        true = texts("true", TEXT, TEXT)
        first, second = score(texts("one", TEXT, TEXT), true), score(texts("two", TEXT, TEXT), true)
        shorter = replace(second, pages=second.pages[:1])
        assert compare(first, shorter).problems == ("1 page is in one of the two sets only",)

    def test_one_page_has_no_interval_and_no_verdict(self):
        true = texts("true", TEXT)
        worse, better = score(texts("one", TEXT[:-9]), true), score(texts("two", TEXT), true)
        compared = compare(worse, better)
        assert compared.cer.verdict == "no sure difference"
        assert "on one page" in compared.verdict
        table = scores_table([worse])
        assert "(" not in table.loc["headline CER (layout aside)", "one"]
        assert table.loc["  its interval over", "one"] == "no interval: one page"

    def test_confusions_name_what_is_missing_and_made_up(self):
        found = confusions([("rn abc", "m abcx"), ("ab", "a")])
        assert found[NOTHING, "x"] == 1 and found["b", NOTHING] == 1


def test_resampling_draws_the_same_documents_for_all_readings():
    edits = [[1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10, 12]]
    rates, drawn, resampled = bootstrap(list("abcdef"), [10] * 6, edits)
    assert resampled == "documents"
    assert rates[1] == 2 * rates[0]
    assert (drawn[1] == 2 * drawn[0]).all()


class TestLoading:
    def keys(self, path, **options) -> dict:
        return {key: page.text for key, page in load_texts(path, **options).pages.items()}

    def test_results_of_notebook_02(self, tmp_path):
        pages = [page_of(("one", 0.9)), page_of(("two", 0.9), index=1)]
        write_results(pages, tmp_path / "a.jsonl")
        assert self.keys(tmp_path) == {("a", 0): "one", ("a", 1): "two"}
        [token] = load_texts(tmp_path / "a.jsonl").pages["a", 0].result.tokens
        assert token.prob == pytest.approx(0.9, abs=1e-5)

    def test_the_ledger_of_notebook_06_with_pages_that_were_not_read(self, tmp_path):
        run = {"prompt": "p", "model_id": "m", "revision": None, "adapter": None}
        (tmp_path / "run.json").write_text(json.dumps(run))
        (tmp_path / "pages").mkdir()
        rows = [
            PageRow("in/a.pdf", "0" * 64, 0, 2, "ok", text="one"),
            PageRow("in/a.pdf", "0" * 64, 1, 2, "failed", reason="why"),
        ]
        write_part(rows, tmp_path / "pages/part-000001.parquet")
        found = load_texts(tmp_path)
        assert self.keys(tmp_path) == {("a", 0): "one", ("a", 1): None}
        assert found.pages["a", 1].status == "failed"

    def test_text_files_of_documents_and_of_pages(self, tmp_path):
        (tmp_path / "a.txt").write_text("one\ftwo")
        (tmp_path / "b_p0003.txt").write_text("three\r\nlines")
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/c.gt.txt").write_text("\ufeffgold")
        assert self.keys(tmp_path) == {
            ("a", 0): "one",
            ("a", 1): "two",
            ("b", 2): "three\nlines",
            ("c", 0): "gold",
        }

    def test_text_and_markdown_are_read_together(self, tmp_path):
        (tmp_path / "README.md").write_text("# Transcriptions")
        for name, text in {"a.txt": "one", "b.txt": "two", "b.md": "other", "c.md": "3"}.items():
            (tmp_path / name).write_text(text)
        assert self.keys(tmp_path) == {
            ("readme", 0): "# Transcriptions", ("a", 0): "one", ("c", 0): "3",
        }  # fmt: skip
        [problem] = load_texts(tmp_path).problems
        assert problem.startswith("b.md, page 1 has two different texts")

    def test_files_of_another_kind_are_named_if_their_documents_are_missing(self, tmp_path):
        (tmp_path / "a.jsonl").write_text(json.dumps({"file_name": "a.pdf", "text": "one"}))
        for name in ("a.txt", "a_p0002.txt", "b.txt", "results.json"):
            (tmp_path / name).write_text("{}")
        assert self.keys(tmp_path) == {("a", 0): "one"}
        [problem] = load_texts(tmp_path).problems
        assert problem.startswith("1 file in") and "(b.txt)" in problem

    def test_sets_named_alike_are_distinguished(self, tmp_path):
        for folder in ("old/run", "new/run"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "a.txt").write_text(folder)
        paths = [tmp_path / "old/run", tmp_path / "new/run", tmp_path / "new/run"]
        sets = load_sets(paths)
        assert [each.name for each in sets] == ["old/run", "new/run", "new/run (2)"]
        true = load_texts(tmp_path / "old/run")
        scores = [score(each, true) for each in sets[1:]]
        files = write_evaluation(tmp_path / "out", scores, compare(*scores))
        assert "CER of new/run (2)" in files[0].read_text()

    def test_markdown_with_page_marks_and_without(self, tmp_path):
        marked = (
            '<!-- document: "in/A b.pdf", sha256 00 -->\n\n<!-- page 1 -->\n\none\n\n'
            "<!-- page 2: looped -->\n\ntwo\n"
        )
        (tmp_path / "whatever.md").write_text(marked)
        (tmp_path / "plain.md").write_text("# text\n")
        found = load_texts(tmp_path)
        assert self.keys(tmp_path) == {
            ("a b", 0): "one",
            ("a b", 1): "two",
            ("plain", 0): "# text\n",
        }
        assert found.pages["a b", 1].status == "looped"

    def test_json_lines_of_references_and_exported_labels(self, tmp_path):
        rows = [
            {"file_name": "a_p0001.png", "document": "in/a.pdf", "page_index": 0, "text": "one",
             "status": "gold"},
            {"file_name": "b.pdf", "page_index": 1, "text": "two"},
        ]  # fmt: skip
        (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
        assert self.keys(tmp_path) == {("a", 0): "one", ("b", 1): "two"}
        assert load_texts(tmp_path).pages["a", 0].status == "ok"

    def test_a_parquet_column(self, tmp_path):
        table = pa.table({"file_name": ["a.pdf"], "page_number": [3], "ocr": ["one"]})
        pq.write_table(table, tmp_path / "x.parquet")
        assert self.keys(tmp_path, text_column="ocr") == {("a", 2): "one"}
        with pytest.raises(ValueError, match=r"set text_column to one of.*'ocr'"):
            load_texts(tmp_path)

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [("x.jsonl", "{", "line 1 is not JSON"), ("x.jsonl", '{"a": 1}', "no column text"),
         ("x.bin", "?", "nothing under")],
    )  # fmt: skip
    def test_what_is_not_text_is_named(self, tmp_path, name, content, says):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=says):
            load_texts(tmp_path)

    def test_a_path_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="check the path"):
            load_texts(tmp_path / "gone")

    def test_documents_match_whatever_their_suffix(self):
        page = PageRef("in/Scan.PDF", "0" * 64, 0)
        assert PageText(page.document_path, 0, "").key == PageText("scan.gt.txt", 0, "").key
