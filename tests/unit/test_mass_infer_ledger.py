"""The ledger: rows and their parquet form, one run a folder, files of documents."""

import errno
import json
import math
import random
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from glmocr_utils.mass_infer import run_folder
from glmocr_utils.mass_infer.run_folder import RunFolder
from glmocr_utils.ocr import load_results
from glmocr_utils.records import Region, storable_path
from glmocr_utils.records.page_row import (
    Attempt,
    PageRow,
    parts_of,
    read_part,
    read_rows,
    to_result,
    write_part,
)

SETTINGS = {"model_id": "m", "revision": None, "adapter": None, "prompt": "Text Recognition:"}
SHA = "0" * 64


def a_row(page_index: int = 0, document: str = "a.pdf", status: str = "ok", **values) -> PageRow:
    text = values.setdefault("text", "Grüße")
    logprobs = [math.log(0.9)] * len(text)
    tokens = {"token_ids": [3] * len(text), "logprobs": logprobs, "token_lengths": [1] * len(text)}
    return PageRow(document, SHA, page_index, 3, status, scale=2.0, **{**tokens, **values})


def texts(path) -> dict[tuple[str, int], str]:
    return {(row.document_path, row.page_index): row.text for row in read_rows(path)}


def test_a_row_comes_back_from_parquet(tmp_path):
    attempt = Attempt(90, 2.0, 48, "stop", 0.8)
    rows = [
        a_row(attempts=(attempt,), angle=90, reason="turned", min_prob=0.5, mean_prob=0.75),
        PageRow("b.pdf", None, None, None, "encrypted", reason="b.pdf needs a password"),
        a_row(1, token_ids=None),
    ]
    (tmp_path / "pages").mkdir()
    write_part(rows, tmp_path / "pages/part-000001.parquet")
    for row, again in zip(rows, read_rows(tmp_path), strict=True):
        assert again.key == row.key and again.attempts == row.attempts
        assert (again.status, again.text, again.reason) == (row.status, row.text, row.reason)
        assert again.logprobs == (row.logprobs and pytest.approx(row.logprobs, abs=1e-6))
    result = to_result(next(read_rows(tmp_path)), SETTINGS)
    assert result.text == "Grüße" and [token.text for token in result.tokens] == list("Grüße")
    assert list(pd.read_parquet(tmp_path / "pages")["status"]) == ["ok", "encrypted", "ok"]


def test_a_part_of_before_dtypes_were_recorded_is_read_beside_a_new_one(tmp_path):
    (tmp_path / "pages").mkdir()
    old, new = (tmp_path / f"pages/part-00000{n}.parquet" for n in (1, 2))
    write_part([a_row()], old)
    pq.write_table(pq.read_table(old).drop_columns(["dtype", "attention"]), old)
    write_part([a_row(1, dtype="float16", attention="sdpa")], new)
    assert [row.dtype for row in read_rows(tmp_path)] == [None, "float16"]
    results = [to_result(row, SETTINGS) for row in read_rows(tmp_path)]
    assert [(each.dtype, each.attention) for each in results] == [(None, None), ("float16", "sdpa")]
    assert len(pd.read_parquet(tmp_path / "pages")) == 2


def test_a_row_of_regions_comes_back_beside_an_old_one(tmp_path):
    (tmp_path / "pages").mkdir()
    old, new = (tmp_path / f"pages/part-00000{n}.parquet" for n in (1, 2))
    write_part([a_row()], old)
    pq.write_table(pq.read_table(old).drop_columns(["regions"]), old)
    regions = (
        Region(0, "text", (1, 2, 30, 40), 0.5, "Text Recognition:", "ok", 0, 3),
        Region(1, "table", (1, 50, 30, 80), None, "Table Recognition:", "looped", 3, 5, reason="w"),
    )
    write_part([a_row(1, status="looped", regions=regions)], new)
    assert [row.regions for row in read_rows(tmp_path)] == [(), regions]
    result = to_result(list(read_rows(tmp_path))[1], SETTINGS)
    assert (result.regions, result.status, result.finish_reason) == (regions, "looped", "loop")


def test_text_without_a_probability_stays_in_its_region():
    regions = (
        Region(0, "text", (0, 0, 9, 9), token_start=0, token_stop=2),
        Region(1, "text", (0, 9, 9, 20), token_start=2, token_stop=5),
    )
    row = a_row(text="abcde", logprobs=[-0.1, None, None, -0.2, -0.3], regions=regions)
    result = to_result(row, SETTINGS)
    assert [result.region_text(region) for region in result.regions] == ["ab", "cde"]


def test_a_page_of_a_thousand_tokens_takes_at_most_8_kb(tmp_path):
    rng = random.Random(0)
    rows = []
    for page in range(64):
        lengths = [rng.randint(1, 6) for _ in range(1000)]
        text = "".join(rng.choice("etaoin shrdlu") for _ in range(sum(lengths)))
        ids = [int(59_000 * rng.random() ** 3) for _ in range(1000)]
        logprobs = [-(rng.random() ** 8) for _ in range(1000)]
        tokens = {"token_ids": ids, "logprobs": logprobs, "token_lengths": lengths}
        rows.append(a_row(page, text=text, **tokens))
    write_part(rows, tmp_path / "with.parquet")
    nothing = {"token_ids": None, "logprobs": None, "token_lengths": None}
    bare = [a_row(row.page_index, text=row.text, **nothing) for row in rows]
    write_part(bare, tmp_path / "without.parquet")
    with_tokens, without = ((tmp_path / f"{n}.parquet").stat().st_size for n in ("with", "without"))
    assert (with_tokens - without) / 64 <= 8_000


def test_a_row_whose_tokens_do_not_spell_its_text_is_refused():
    with pytest.raises(ValueError, match="do not spell"):
        a_row(text="more", token_lengths=[1], logprobs=[-0.1], token_ids=[1])


def test_a_part_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        folder.add(a_row(0))
        folder.flush()
        folder.add(a_row(1))

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("glmocr_utils.files.os.fsync", full)
        with pytest.raises(OSError, match="make room and start the run again"):
            folder.flush()
        monkeypatch.undo()
    assert texts(tmp_path / "run") == {("a.pdf", 0): "Grüße", ("a.pdf", 1): "Grüße"}
    (tmp_path / "run/pages/part-000009.parquet.partial").write_bytes(b"PAR1")  # a kill
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        assert len(folder.done) == 2
        assert not list((tmp_path / "run/pages").glob("*.partial"))


def test_rows_reach_the_disk_during_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "ROWS_A_PART", 3)
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        for page in range(7):
            folder.add(a_row(page))
        assert len(parts_of(tmp_path / "run")) == 2
    assert len(list(read_rows(tmp_path / "run"))) == 7


def test_a_page_has_one_row(tmp_path):
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        folder.add(a_row(0))
        with pytest.raises(ValueError, match="a row already"):
            folder.add(a_row(0, text="other"))


def test_a_run_with_other_settings_does_not_mix(tmp_path):
    path = tmp_path / "run"
    with RunFolder(path, SETTINGS) as folder:
        folder.add(a_row(0))
    others = SETTINGS | {"prompt": "Table Recognition:"}
    with pytest.raises(ValueError, match="with other prompt"):
        RunFolder(path, others)
    with RunFolder(path, others, new_run=True) as folder:
        assert not folder.done
    assert texts(tmp_path / "run.1") == {("a.pdf", 0): "Grüße"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("")
    with pytest.raises(ValueError, match="aren't part of a run"):
        RunFolder(tmp_path / "mine", SETTINGS)


def test_two_processes_do_not_write_to_one_run(tmp_path):
    with (
        RunFolder(tmp_path / "run", SETTINGS),
        pytest.raises(BlockingIOError, match="another process"),
    ):
        RunFolder(tmp_path / "run", SETTINGS)


def test_a_run_that_is_under_way_is_not_put_aside(tmp_path):
    path = tmp_path / "run"
    with RunFolder(path, SETTINGS) as folder:
        with pytest.raises(BlockingIOError, match="another process"):
            RunFolder(path, SETTINGS | {"prompt": "Table Recognition:"}, new_run=True)
        folder.add(a_row(0))
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    assert texts(path) == {("a.pdf", 0): "Grüße"}


def test_a_run_that_was_put_aside_is_locked_no_more_and_the_new_one_is(tmp_path):
    path, others = tmp_path / "run", SETTINGS | {"prompt": "Table Recognition:"}
    with RunFolder(path, SETTINGS):
        pass
    with RunFolder(path, others, new_run=True):
        with pytest.raises(BlockingIOError, match="another process"):
            RunFolder(path, others)
        with RunFolder(tmp_path / "run.1", SETTINGS) as aside:
            assert not aside.done


def test_a_folder_that_cannot_be_one_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path / "notes.txt", tmp_path / "notes.txt/run"):
        with pytest.raises(OSError, match="choose another output_dir") as refused:
            RunFolder(path, SETTINGS)
        assert str(path) in refused.value.strerror
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_only_a_retry_may_have_other_limits(tmp_path):
    path, before = tmp_path / "run", SETTINGS | {"max_tokens": 3, "retry_max_tokens": None}
    with RunFolder(path, before) as folder:
        folder.add(a_row(0, status="truncated"))
    higher = before | {"max_tokens": 300, "retry_max_tokens": 900}
    with pytest.raises(ValueError, match="with other max_tokens, retry_max_tokens"):
        RunFolder(path, higher)
    with RunFolder(path, higher, retry=["truncated"]) as folder:
        assert not folder.done
    with pytest.raises(ValueError, match="with other prompt, and"):
        RunFolder(path, higher | {"prompt": "Table Recognition:"}, retry=["truncated"])
    with RunFolder(path, before) as folder:
        assert len(folder.done) == 1


THREE_PAGES = {("a.pdf", SHA): 3}


def a_run_with_two_loops(path) -> None:
    with RunFolder(path, SETTINGS) as folder:
        folder.expect(THREE_PAGES)
        for page, status in enumerate(("looped", "ok", "looped")):
            folder.add(a_row(page, status=status, text=f"first {page}", reason="Looped."))


def test_a_row_stays_until_its_page_has_been_read_again(tmp_path):
    path = tmp_path / "run"
    a_run_with_two_loops(path)
    document = path / "documents/a.md"
    written = document.read_text(encoding="utf-8")
    with RunFolder(path, SETTINGS, retry=["looped"]) as folder:
        folder.expect(THREE_PAGES)
        assert len(folder.done) == 1 and folder.statuses == {"looped": 2, "ok": 1}
    assert texts(path) == {("a.pdf", page): f"first {page}" for page in range(3)}
    assert document.read_text(encoding="utf-8") == written
    with RunFolder(path, SETTINGS, retry=["looped"]) as folder:
        folder.expect(THREE_PAGES)
        folder.add(a_row(0, text="better 0"))
        folder.add(a_row(2, text="better 2", status="looped"))
        assert folder.statuses == {"looped": 1, "ok": 2}
    rows = list(read_rows(path))
    assert [row.text for row in rows] == ["better 0", "first 1", "better 2"]
    assert [row.status for row in rows] == ["ok", "ok", "looped"]
    content = document.read_text(encoding="utf-8")
    assert all(row.text in content for row in rows) and "first 0" not in content


def test_a_retry_that_ends_early_leaves_one_row_a_page_and_the_text_file_follows(tmp_path):
    path = tmp_path / "run"
    a_run_with_two_loops(path)
    with RunFolder(path, SETTINGS, retry=["looped"]) as folder:
        folder.expect(THREE_PAGES)
        folder.add(a_row(2, text="better 2"))
    assert [row.text for row in read_rows(path)] == ["first 0", "first 1", "better 2"]
    with RunFolder(path, SETTINGS) as folder:
        folder.expect(THREE_PAGES)
        assert len(folder.done) == 3
    content = (path / "documents/a.md").read_text(encoding="utf-8")
    assert content.index("first 0") < content.index("better 2")


def test_a_page_that_fails_when_it_is_read_again_keeps_its_text(tmp_path):
    path = tmp_path / "run"
    a_run_with_two_loops(path)
    failed = PageRow("a.pdf", SHA, 2, 3, "failed", reason="the server did not read it")
    with RunFolder(path, SETTINGS, retry=["looped"]) as folder:
        folder.expect(THREE_PAGES)
        folder.add(a_row(0, text="better 0"))
        folder.add(failed)
        assert folder.statuses == {"looped": 1, "ok": 2}
    *_, kept = read_rows(path)
    assert (kept.status, kept.text) == ("looped", "first 2")
    assert kept.reason == "Looped. Read again, it failed: the server did not read it"
    assert "first 2" in (path / "documents/a.md").read_text(encoding="utf-8")


def test_a_full_disk_leaves_the_old_row_of_a_page_that_was_read_again(tmp_path, monkeypatch):
    path = tmp_path / "run"
    a_run_with_two_loops(path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("glmocr_utils.files.os.fsync", full)
    with (
        pytest.raises(OSError, match="make room"),
        RunFolder(path, SETTINGS, retry=["looped"]) as folder,
    ):
        folder.expect(THREE_PAGES)
        folder.add(a_row(0, text="better 0"))
    monkeypatch.undo()
    assert texts(path) == {("a.pdf", page): f"first {page}" for page in range(3)}


def test_a_document_that_opens_now_loses_the_row_that_says_it_does_not(tmp_path):
    path = tmp_path / "run"
    with RunFolder(path, SETTINGS) as folder:
        folder.add(PageRow("a.pdf", None, None, None, "encrypted", reason="needs a password"))
        folder.add(PageRow("b.pdf", None, None, None, "encrypted", reason="needs a password"))
    with RunFolder(path, SETTINGS) as folder:
        folder.forget_unopened({"a.pdf"})
        assert folder.statuses == {"encrypted": 1}
        folder.add(a_row(0))
    assert [(row.document_path, row.status) for row in read_rows(path)] == [
        ("b.pdf", "encrypted"),
        ("a.pdf", "ok"),
    ]


NAMES = (
    "../../etc/x.pdf",
    "one/report.pdf",
    "two/report.pdf",
    "two/REPORT.pdf",
    f"{'ü' * 120}.pdf",
    "line\nend.pdf",
    "comment --> end.pdf",
    ".pdf",
    storable_path(b"no-utf8-\xff.pdf"),
)


def test_every_document_gets_a_file_of_its_own_inside_the_folder(tmp_path):
    with RunFolder(tmp_path / "in/run", SETTINGS) as folder:
        folder.expect({(name, SHA): 1 for name in NAMES})
        for name in NAMES:
            folder.add(a_row(0, name, text=f"text of {name!r}"))
    files = sorted((tmp_path / "in/run/documents").iterdir())
    assert len(files) == len(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    contents = {path.read_text(encoding="utf-8") for path in files}
    for name in NAMES:
        [content] = [content for content in contents if f"text of {name!r}" in content]
        first, rest = content.split("\n", 1)
        assert first.startswith("<!-- document: ") and first.endswith(" -->")
        assert json.loads(first[15:].split(", sha256")[0]) == name
        assert first.count("-->") == 1 and rest.startswith("\n<!-- page 1 -->\n")


def test_folders_of_the_input_are_kept_and_names_never_meet_on_any_disk(tmp_path):
    root = Path("scans")
    names = ["a/X.pdf", "a/x.pdf", "A/x.pdf", "x.pdf", "v1.2/b/x.pdf", "../outside/x.pdf"]
    documents = {(f"scans/{name}", SHA): 1 for name in names}
    for _ in range(2):  # a rerun writes none twice
        with RunFolder(tmp_path / "run", SETTINGS, root=root) as folder:
            folder.expect(documents)
            for path, _ in documents if not folder.done else ():
                folder.add(a_row(0, path, text=path))
    below = tmp_path / "run/documents"
    files = {path.relative_to(below).as_posix() for path in below.rglob("*.md")}
    assert len({file.casefold() for file in files}) == len(names)
    assert {"a/X.md", "a/x_2.md", "x.md", "v1.2/b/x.md"} <= files


def test_a_document_has_its_file_with_its_last_page_also_after_a_kill(tmp_path):
    path = tmp_path / "run"
    with RunFolder(path, SETTINGS) as folder:
        folder.expect({("a.pdf", SHA): 3})
        folder.add(a_row(2, text="third"))
        folder.add(a_row(0, text="first"))
    assert not (path / "documents").exists()
    with RunFolder(path, SETTINGS) as folder:
        folder.expect({("a.pdf", SHA): 3})
        folder.add(a_row(1, status="looped", text="second"))
    content = (path / "documents/a.md").read_text(encoding="utf-8")
    assert content.index("first") < content.index("second") < content.index("third")
    assert "<!-- page 2: looped -->" in content


def test_a_restart_knows_whose_a_file_is_without_its_index(tmp_path):
    path = tmp_path / "run"
    documents = {("one/a.pdf", SHA): 1, ("two/a.pdf", SHA): 1}
    with RunFolder(path, SETTINGS) as folder:
        folder.expect(documents)
        for name, _ in documents:
            folder.add(a_row(0, name, text=name))
    index = path / "document_files.jsonl"
    for content in ("", index.read_text(encoding="utf-8")[:-20], None):
        index.unlink() if content is None else index.write_text(content, encoding="utf-8")
        with RunFolder(path, SETTINGS) as folder:
            folder.expect(documents)
        files = {file.name: file.read_text(encoding="utf-8") for file in path.rglob("*.md")}
        assert sorted(files) == ["a.md", "a_2.md"]
        assert "one/a.pdf" in files["a.md"] and "two/a.pdf" in files["a_2.md"]


def test_many_documents_of_one_name_do_not_look_through_each_others_files(tmp_path, monkeypatch):
    opened = []
    open_file = Path.open

    def counted(path, *arguments, **options):
        opened.append(path)
        return open_file(path, *arguments, **options)

    names = [f"{number:03d}/document.pdf" for number in range(40)]
    monkeypatch.setattr(Path, "open", counted)
    for _ in range(2):
        with RunFolder(tmp_path / "run", SETTINGS) as folder:
            folder.expect({(name, SHA): 1 for name in names})
            for name in names if not folder.done else ():
                folder.add(a_row(0, name, text=f"text of {name}"))
    files = list((tmp_path / "run/documents").iterdir())
    assert len(files) == 40 and (tmp_path / "run/documents/document_40.md") in files
    assert len([path for path in opened if path.suffix in (".md", ".partial")]) <= 3 * 40


def test_a_rerun_looks_up_the_texts_alone(tmp_path, monkeypatch):
    path, read = tmp_path / "run", set()
    with RunFolder(path, SETTINGS) as folder:
        folder.add(a_row(0))

    def noted(part, columns=None):
        read.update(columns or ["all"])
        return read_part(part, columns)

    monkeypatch.setattr(run_folder, "read_part", noted)
    with RunFolder(path, SETTINGS) as folder:
        folder.expect({("a.pdf", SHA): 1})
    assert "Grüße" in (path / "documents/a.md").read_text(encoding="utf-8")
    assert "text" in read and not read & {"all", "token_ids", "logprobs", "attempts"}


def test_what_a_run_read_can_be_reviewed_and_labelled(tmp_path):
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        folder.add(a_row(1, text="two", angle=90))
        folder.add(a_row(0, text="one", status="truncated"))
        folder.add(PageRow("b.pdf", SHA, 0, 1, "blank", text=""))
        folder.add(PageRow("c.pdf", SHA, 0, 1, "empty", text="", scale=2.0))
    *results, empty = load_results(tmp_path / "run")
    assert (empty.page.document_path, empty.status) == ("c.pdf", "empty")
    assert [(result.text, result.finish_reason) for result in results] == [
        ("one", "length"),
        ("two", "stop"),
    ]
    assert [result.angle for result in results] == [0, 90]
    assert results[0].model_id == "m" and results[0].prompt == "Text Recognition:"
