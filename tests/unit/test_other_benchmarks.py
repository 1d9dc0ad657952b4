"""Readings in the form of others' benchmarks, on small data in their form."""

import json
from importlib.util import find_spec

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from make_results import page_of

from glmocr_utils.cli import main
from glmocr_utils.evaluation import load_texts, score
from glmocr_utils.evaluation.other_benchmarks import (
    html_of,
    score_omni_parse,
    write_hub_table,
    write_olmocr_bench,
    write_omni_parse,
    write_omnidocbench,
)
from glmocr_utils.evaluation.page_text import PageText, text_set
from glmocr_utils.records import write_results

TABLE = "<table><tr><th>Q2</th><th>Q3</th></tr><tr><td>3.9</td><td>4.1</td></tr></table>"
MARKDOWN = f"# Summary\n\nRevenue rose **12 %** & more\non the year.\n\n{TABLE}\n\nOutlook"


def readings(*names):
    return text_set("glm", [PageText(name, 0, MARKDOWN) for name in names])


def test_markdown_becomes_html_with_its_tables():
    written = html_of(MARKDOWN + "\n\n| a | b |\n|---|---|\n| 1 < 2 | $x_1$ |\n\n## End")
    assert "<h1>Summary</h1>" in written and "<h2>End</h2>" in written
    assert "<p>Revenue rose <b>12 %</b> &amp; more<br>\non the year.</p>" in written
    assert TABLE in written
    assert "<tr><td>1 &lt; 2</td><td>$x_1$</td></tr>" in written
    assert html_of("") == ""


def omni_parse(folder):
    """Two pages in the form of Omni Parse Bench, one with tests."""
    ids = ["suite-a.1_pg2-p1", "suite-b-p1"]
    (folder / "gold").mkdir(parents=True)
    rows = [
        {"page_id": each, "document": each, "suite": "s", "doc_path": f"pages/{each}.pdf",
         "gt_path": f"gold/{each}.json"}
        for each in ids
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    common = {"output_type": "html", "derivation": "text_layer", "tags": ["Latn"], "settings": {}}
    present = {"content": {"text": "Revenue rose 12 %", "max_diffs": 0}}
    cell = {"cell": {"text": "4.1", "max_diffs": 0}, "top_heading": {"text": "Q3", "max_diffs": 0}}
    for each in ids:
        tests = [
            {"id": f"{each}-1", "test_type": "present", "args": present, **common},
            {"id": f"{each}-2", "test_type": "table_cell", "args": cell, **common},
        ]
        (folder / f"gold/{each}.json").write_text(json.dumps({"tests": tests}))
    return folder


def test_omni_parse_bench_gets_a_file_a_page_and_pages_not_read_are_empty_and_named(tmp_path):
    benchmark = omni_parse(tmp_path / "bench")
    written = write_omni_parse(readings("suite-a.1_pg2-p1.pdf"), benchmark, tmp_path / "out")
    assert written.pages == 2
    assert written.problems == ("1 of 2 pages were not read, written as empty: suite-b-p1",)
    first = json.loads((written.path / "suite-a.1_pg2-p1.json").read_text())
    assert first["html"] == html_of(MARKDOWN)
    assert json.loads((written.path / "suite-b-p1.json").read_text()) == {"html": ""}


@pytest.mark.skipif(find_spec("omni_parse_bench") is None, reason="its scorer is not installed")
def test_omni_parse_bench_scores_what_was_written(tmp_path):
    benchmark = omni_parse(tmp_path / "bench")
    written = write_omni_parse(readings("suite-a.1_pg2-p1.pdf"), benchmark, tmp_path / "out")
    scores = score_omni_parse(written.path, benchmark)["html"]
    assert scores["per_test_type"] == {"present": 0.5, "table_cell": 0.5}


@pytest.mark.skipif(find_spec("omni_parse_bench") is not None, reason="its scorer is installed")
def test_without_the_scorer_the_message_says_how_to_get_it(tmp_path):
    with pytest.raises(ImportError, match="benchmarks"):
        score_omni_parse(tmp_path, tmp_path)


def test_olmocr_bench_gets_a_file_for_each_page_that_is_tested(tmp_path):
    (tmp_path / "pdfs/tables").mkdir(parents=True)
    for name in ("tables/a.pdf", "b.pdf"):
        (tmp_path / "pdfs" / name).write_bytes(b"%PDF")
    tests = [
        {"pdf": "tables/a.pdf", "page": 1, "id": "1", "type": "present", "text": "x"},
        {"pdf": "b.pdf", "page": 3, "id": "2", "type": "absent", "text": "y"},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(test) + "\n" for test in tests))
    written = write_olmocr_bench(readings("a.pdf"), tmp_path)
    files = {
        path.relative_to(tmp_path / "glm").as_posix(): path.read_text()
        for path in written.path.rglob("*.md")
    }
    assert files == {"tables/a_pg1_repeat1.md": MARKDOWN, "b_pg1_repeat1.md": "",
                     "b_pg3_repeat1.md": ""}  # fmt: skip
    assert "2 of 3 pages were not read" in written.problems[0]
    back = load_texts(written.path)
    assert back.pages["a", 0].text == MARKDOWN and ("b", 2) in back.pages
    with pytest.raises(ValueError, match="has no pdfs/"):
        write_olmocr_bench(readings("a.pdf"), tmp_path / "pdfs/tables")


def omnidocbench(path):
    def block(kind, order, **fields):
        return {"category_type": kind, "order": order, "ignore": False, **fields}

    record = {
        "page_info": {"image_path": "images/page_1.png", "height": 9, "width": 9},
        "layout_dets": [
            block("table", 3, html=TABLE),
            block("title", 1, text="Summary"),
            block("text_block", 2, text="Revenue rose 12 % & more on the year."),
            block("text_block", 4, text="Outlook"),
            block("header", None, text="Annual report"),
            block("figure", 5),
            {**block("text_block", 6, text="unreadable"), "ignore": True},
        ],
    }
    path.write_text(json.dumps([record]))
    return path


def test_omnidocbench_gives_references_and_takes_a_file_an_image(tmp_path):
    path = omnidocbench(tmp_path / "OmniDocBench.json")
    references = load_texts(path)
    read = readings("page_1.png")
    scored = score(read, references)
    assert scored.headline.value == 0 and scored.teds == 1
    written = write_omnidocbench(read, tmp_path, tmp_path / "out")
    assert [file.name for file in written.path.iterdir()] == ["page_1.md"]
    assert written.problems == ()
    assert load_texts(written.path).pages.keys() == references.pages.keys()


def test_the_hub_table_has_a_markdown_column_and_says_who_wrote_it(tmp_path):
    result = page_of(("Revenue", 0.9), (" rose", 0.8))
    pages = [
        PageText("docs/a.pdf", 0, result.text, "ok", result),
        PageText("b.pdf", 1, None, "failed"),
    ]
    written = write_hub_table(text_set("run", pages), tmp_path)
    rows = pq.read_table(written.path).to_pylist()
    assert [row["markdown"] for row in rows] == ["Revenue rose", None]
    [info] = json.loads(rows[0]["inference_info"])
    assert (info["column_name"], info["model_id"]) == ("markdown", "some/model")
    assert "b.pdf, page 2" in written.problems[0]
    assert load_texts(written.path).pages["a", 0].text == "Revenue rose"


def test_the_command_writes_them_and_asks_for_what_it_needs(tmp_path, capsys):
    write_results([page_of(("Revenue", 0.9))], tmp_path / "a.jsonl")
    arguments = ["predictions", str(tmp_path / "a.jsonl"), "--output-dir", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "1 pages are in" in capsys.readouterr().out
    assert main([*arguments, "--form", "olmocr-bench"]) == 2
    assert "needs benchmark" in capsys.readouterr().err
    assert main([*arguments, "--form", "other"]) == 2
    assert "form is one of omni-parse-bench" in capsys.readouterr().err
