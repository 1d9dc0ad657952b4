"""The imagefolder: names, reruns, crashes, samples."""

import hashlib
import json
import shutil
from pathlib import Path

import datasets
import pytest
from PIL import Image
from render_inputs import write_grey_pdf

from glmocr_utils import files
from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import (
    RenderOptions,
    RenderSummary,
    find_documents,
    pool,
    render_document,
    render_to_imagefolder,
    write_imagefolder,
)

pytestmark = pytest.mark.slow


def rows(folder: Path) -> list[dict]:
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def png_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def grey_of(folder: Path, row: dict) -> int:
    with Image.open(folder / row["file_name"]) as image:
        return image.getpixel((3, 3))[0]


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Document and page index of the pages that workers were asked to render."""
    pages = []
    send = pool.Worker.send

    def recording_send(worker: pool.Worker, request: pool.Request, process: object) -> None:
        if request.page_index is not None:
            pages.append((request.path.name, request.page_index))
        send(worker, request, process)

    monkeypatch.setattr(pool.Worker, "send", recording_send)
    return pages


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """Two documents of the same name, with 3 and 4 pages, and an image."""
    for name in ("one", "two"):
        (tmp_path / "scans" / name).mkdir(parents=True)
    write_grey_pdf(tmp_path / "scans/one/report.pdf", [10, 11, 12])
    write_grey_pdf(tmp_path / "scans/two/report.pdf", [20, 21, 22, 23])
    Image.new("RGB", (9, 9), (30, 30, 30)).save(tmp_path / "scans/two/scan.png")
    return find_documents(tmp_path / "scans")


def test_each_page_is_a_png_with_a_line(tmp_path: Path, scans: list[Path]) -> None:
    out = tmp_path / "out"
    summary = render_to_imagefolder(scans, out, RenderOptions(scale=1.5), workers=2)
    assert summary == RenderSummary(written=8, already_there=0)
    assert summary.total == 8
    written = rows(out)
    assert sorted(row["file_name"] for row in written) == png_names(out)
    assert [grey_of(out, row) for row in written] == [10, 11, 12, 20, 21, 22, 23, 30]
    first, last = written[0], written[-1]
    assert first.keys() == {
        "file_name",
        "document",
        "document_sha256",
        "page_index",
        "scale",
        "sha256",
    }
    assert first["document"] == str(scans[0])
    assert first["document_sha256"] == hashlib.sha256(scans[0].read_bytes()).hexdigest()
    assert (first["page_index"], first["scale"], last["scale"]) == (0, 1.5, 1.0)
    png = (out / first["file_name"]).read_bytes()
    assert first["sha256"] == hashlib.sha256(png).hexdigest()
    with Image.open(out / first["file_name"]) as image:
        assert image.size == (90, 60)


def test_it_loads_as_a_dataset(tmp_path: Path, scans: list[Path]) -> None:
    # Names that `datasets` would take for splits, or hide.
    for number, name in enumerate(("test", "my dev-train", ".hidden", "__x", "Akte [1] 3#4")):
        write_grey_pdf(tmp_path / "scans" / f"{name}.pdf", [100 + number])
    out = tmp_path / "out"
    render_to_imagefolder(sorted((tmp_path / "scans").rglob("*.p*")), out)
    splits = datasets.load_dataset(
        "imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache")
    )
    assert list(splits) == ["train"]
    pages = splits["train"]
    assert len(pages) == 8 + 5
    by_document = {Path(page["document"]).name: page for page in pages}
    assert by_document["scan.png"]["image"].getpixel((3, 3)) == (30, 30, 30)
    assert by_document["test.pdf"]["image"].getpixel((3, 3)) == (100, 100, 100)
    assert by_document["test.pdf"]["page_index"] == 0


def test_names_and_bytes_do_not_change_from_run_to_run(tmp_path: Path, scans: list[Path]) -> None:
    render_to_imagefolder(scans, tmp_path / "first", workers=1)
    render_to_imagefolder(scans, tmp_path / "second", workers=2)
    assert rows(tmp_path / "first") == rows(tmp_path / "second")
    names = png_names(tmp_path / "first")
    assert names[-1] == "scan_p0001.png"
    digits = hashlib.sha256(scans[1].read_bytes()).hexdigest()[:8]
    assert sorted(names[:-1]) == sorted(
        [f"report_p000{number}.png" for number in (1, 2, 3)]
        + [f"report_{digits}_p000{number}.png" for number in (1, 2, 3, 4)]
    )


def test_a_document_keeps_its_name_when_another_comes(tmp_path: Path, scans: list[Path]) -> None:
    render_to_imagefolder(scans[1:2], tmp_path / "out")
    before = png_names(tmp_path / "out")
    render_to_imagefolder(scans, tmp_path / "out")
    assert before == [f"report_p000{number}.png" for number in (1, 2, 3, 4)]
    assert set(before) < set(png_names(tmp_path / "out"))
    assert len(png_names(tmp_path / "out")) == 8


def test_a_document_that_has_been_moved_is_known_by_its_bytes(
    tmp_path: Path, scans: list[Path], rendered: list[tuple[str, int]]
) -> None:
    render_to_imagefolder(scans[:1], tmp_path / "out")
    rendered.clear()
    moved = scans[0].rename(tmp_path / "moved.pdf")
    assert render_to_imagefolder([moved], tmp_path / "out").written == 0
    assert rendered == []


@pytest.mark.parametrize(
    "name",
    ["a\nb", "..", "...x", "  ", "ö" * 125, "漢" * 83, "Kind\udcff", 'a:b*?"<|>', "con\x07", "%#"],
)
def test_hostile_names_give_safe_files_inside_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"{name}.pdf"
    path.write_bytes(write_grey_pdf(tmp_path / "x.pdf", [40]).read_bytes())
    summary = render_to_imagefolder([path], tmp_path / "out")
    assert summary.failed == ()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in", "out", "x.pdf"]
    (row,) = rows(tmp_path / "out")
    assert [row["file_name"]] == png_names(tmp_path / "out")
    assert grey_of(tmp_path / "out", row) == 40
    assert row["file_name"].isprintable()
    assert not row["file_name"].startswith((".", "__"))


def test_names_that_differ_in_case_only_do_not_collide(tmp_path: Path) -> None:
    write_grey_pdf(tmp_path / "Report.pdf", [1])
    write_grey_pdf(tmp_path / "report.pdf", [2])
    render_to_imagefolder(find_documents(tmp_path), tmp_path / "out")
    assert len({name.casefold() for name in png_names(tmp_path / "out")}) == 2


def test_the_same_bytes_twice_are_one_document(tmp_path: Path, scans: list[Path]) -> None:
    copy = tmp_path / "scans/zz copy.pdf"
    shutil.copy(scans[0], copy)
    summary = render_to_imagefolder([*scans, copy], tmp_path / "out")
    assert summary.written == 8
    assert summary.duplicates == (str(copy),)


# Reruns and crashes


def test_a_rerun_renders_only_what_is_missing(
    tmp_path: Path, scans: list[Path], rendered: list[tuple[str, int]]
) -> None:
    out = tmp_path / "out"
    render_to_imagefolder(scans, out, RenderOptions(pages="1"))
    rendered.clear()
    summary = render_to_imagefolder(scans[:2], out)
    assert sorted(rendered) == [("report.pdf", 1)] * 2 + [("report.pdf", 2)] * 2 + [
        ("report.pdf", 3)
    ]
    assert (summary.written, summary.already_there, summary.total) == (5, 3, 8)
    rendered.clear()
    assert render_to_imagefolder(scans, out) == RenderSummary(written=0, already_there=8)
    assert rendered == []


def test_a_crash_at_any_byte_is_repaired(tmp_path: Path, scans: list[Path]) -> None:
    complete = tmp_path / "complete"
    render_to_imagefolder(scans[:1], complete, workers=1)
    metadata = (complete / "metadata.jsonl").read_bytes()
    last_line = metadata.rindex(b"\n", 0, -1) + 1
    for cut in (0, last_line - 1, last_line, last_line + 30, len(metadata) - 1):
        out = tmp_path / f"cut at {cut}"
        shutil.copytree(complete, out)
        (out / "metadata.jsonl").write_bytes(metadata[:cut])
        for line_number, name in enumerate(png_names(complete)):
            if line_number >= metadata[:cut].count(b"\n"):
                (out / name).rename(out / f"{name}.partial")
        render_to_imagefolder(scans[:1], out, workers=1)
        assert rows(out) == rows(complete)
        assert sorted(path.name for path in out.iterdir()) == sorted(
            path.name for path in complete.iterdir()
        )


def test_a_crash_before_the_png_has_its_name_is_repaired(
    tmp_path: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    replace = files.os.replace

    def crash(source: Path, target: Path) -> None:
        if target.name == "report_p0002.png":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(files.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        render_to_imagefolder(scans[:1], out)
    assert len(rows(out)) == 2
    assert png_names(out) == ["report_p0001.png"]
    monkeypatch.undo()
    summary = render_to_imagefolder(scans[:1], out)
    assert (summary.already_there, summary.written) == (1, 2)
    assert [row["file_name"] for row in rows(out)] == png_names(out)
    assert not list(out.glob("*.partial"))


def test_a_deleted_png_is_rendered_again(tmp_path: Path, scans: list[Path]) -> None:
    out = tmp_path / "out"
    render_to_imagefolder(scans[:1], out)
    (out / "report_p0002.png").unlink()
    assert render_to_imagefolder(scans[:1], out).written == 1
    assert [grey_of(out, row) for row in rows(out)] == [10, 12, 11]


@pytest.mark.parametrize("other", [{"scale": 3.0}, {"max_pixels": 1_000}])
def test_another_scale_is_refused_before_anything_is_touched(
    tmp_path: Path, scans: list[Path], other: dict[str, float], rendered: list[tuple[str, int]]
) -> None:
    out = tmp_path / "out"
    render_to_imagefolder(scans[:1], out, RenderOptions(scale=2.0))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    rendered.clear()
    with pytest.raises(ValueError, match=r"scale=2\.0.*choose another output_dir"):
        render_to_imagefolder(scans, out, RenderOptions(**other))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert rendered == []


def test_metadata_of_another_kind_is_refused(tmp_path: Path, scans: list[Path]) -> None:
    for line in ('{"file_name": "a.png", "text": "x"}', "[1]", "not JSON"):
        (tmp_path / "metadata.jsonl").write_text(line + "\n")
        with pytest.raises(ValueError, match=r"not of a rendered page.*another output_dir"):
            render_to_imagefolder(scans, tmp_path)


def test_failures_are_in_the_summary_and_stop_nothing(tmp_path: Path, scans: list[Path]) -> None:
    (tmp_path / "scans/empty.pdf").touch()
    summary = render_to_imagefolder(find_documents(tmp_path / "scans"), tmp_path / "out")
    assert summary.written == 8
    assert [(Path(page.document_path).name, page.status) for page in summary.failed] == [
        ("empty.pdf", "unreadable")
    ]


def test_a_page_range_over_documents_means_as_far_as_they_have_pages(
    tmp_path: Path, scans: list[Path]
) -> None:
    counts = {"one/report.pdf": 3, "two/report.pdf": 4, "two/scan.png": 1}
    for pages, first, last in (("1-3", 1, 3), ("4-9", 4, 9), ("2,4", 2, 4), ("2-", 2, 9)):
        out = tmp_path / pages
        summary = render_to_imagefolder(scans, out, RenderOptions(pages=pages))
        assert summary.failed == ()
        wanted = {first, last} if "," in pages else set(range(first, last + 1))
        assert summary.written == sum(
            len(wanted & set(range(1, count + 1))) for count in counts.values()
        )
    alone = render_to_imagefolder(scans[:1], tmp_path / "alone", RenderOptions(pages="2-9"))
    assert "page 9 is in pages=" in alone.failed[0].reason


def test_progress_is_reported_after_each_page(tmp_path: Path, scans: list[Path]) -> None:
    told = []
    render_to_imagefolder(
        scans[:1], tmp_path / "out", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


# Samples


def sample(scans: list[Path], out: Path, num_pages: int, **settings: object) -> set[tuple]:
    render_to_imagefolder(scans, out, num_pages=num_pages, **settings)
    return {(row["document"], row["page_index"]) for row in rows(out)}


def test_a_sample_is_deterministic_and_depends_on_the_seed(
    tmp_path: Path, scans: list[Path]
) -> None:
    first = sample(scans, tmp_path / "a", 4, workers=1)
    assert len(first) == 4
    assert sample(scans[::-1], tmp_path / "b", 4, workers=2) == first
    others = [sample(scans, tmp_path / f"seed {seed}", 4, seed=seed) for seed in (1, 2, 3)]
    assert any(other != first for other in others)


def test_a_larger_sample_keeps_and_completes_a_smaller_one(
    tmp_path: Path, scans: list[Path], rendered: list[tuple[str, int]]
) -> None:
    small = sample(scans, tmp_path / "grown", 3)
    rendered.clear()
    grown = sample(scans, tmp_path / "grown", 6)
    assert len(rendered) == 3
    assert small < grown
    assert len(grown) == 6
    assert grown == sample(scans, tmp_path / "at once", 6)


def test_a_sample_that_is_reached_adds_nothing(
    tmp_path: Path, scans: list[Path], rendered: list[tuple[str, int]]
) -> None:
    sample(scans, tmp_path / "out", 5)
    rendered.clear()
    for num_pages in (5, 2):
        assert len(sample(scans, tmp_path / "out", num_pages, seed=7)) == 5
    assert rendered == []


def test_too_few_pages_takes_all_and_says_so(
    tmp_path: Path, scans: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    summary = render_to_imagefolder(scans, tmp_path / "out", num_pages=20)
    assert (summary.written, summary.shortfall) == (8, 12)
    assert "20 pages were asked for, but the documents have only 8" in caplog.text


def test_a_sampled_page_that_fails_is_replaced(tmp_path: Path, scans: list[Path]) -> None:
    broken = tmp_path / "scans/broken.png"
    Image.effect_noise((99, 99), 50).save(broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    summary = render_to_imagefolder([*scans, broken], tmp_path / "out", num_pages=8)
    assert (summary.written, summary.shortfall) == (8, 0)
    assert len(summary.failed) <= 1
    summary = render_to_imagefolder([*scans, broken], tmp_path / "out", num_pages=9)
    assert (summary.written, summary.shortfall) == (0, 1)
    assert [page.status for page in summary.failed] == ["unreadable"]


def test_num_pages_has_to_be_positive(tmp_path: Path, scans: list[Path]) -> None:
    with pytest.raises(ValueError, match="num_pages must be at least 1, got 0"):
        render_to_imagefolder(scans, tmp_path / "out", num_pages=0)


# write_imagefolder


def test_write_imagefolder_streams_pages_and_keeps_failures(
    tmp_path: Path, scans: list[Path]
) -> None:
    out = tmp_path / "out"
    lost = FailedPage("lost.pdf", None, "unreadable", "'lost.pdf' is empty; copy it again")
    seen = []

    def pages() -> object:
        for page in render_document(scans[0]):
            seen.append(len(png_names(out)))
            yield page
        yield lost

    summary = write_imagefolder(pages(), out)
    assert seen == [0, 1, 2]
    assert summary == RenderSummary(written=3, already_there=0, failed=(lost,))
    assert [grey_of(out, row) for row in rows(out)] == [10, 11, 12]
    assert write_imagefolder(render_document(scans[0]), out) == RenderSummary(0, 3)


def test_write_imagefolder_gives_the_files_of_render_to_imagefolder(
    tmp_path: Path, scans: list[Path]
) -> None:
    pages = [page for path in scans for page in render_document(path)]
    assert all(isinstance(page, PageImage) for page in pages)
    write_imagefolder(pages, tmp_path / "written")
    render_to_imagefolder(scans, tmp_path / "rendered")
    assert rows(tmp_path / "written") == rows(tmp_path / "rendered")


def test_write_imagefolder_refuses_a_page_at_another_scale(
    tmp_path: Path, scans: list[Path]
) -> None:
    write_imagefolder(render_document(scans[0]), tmp_path / "out")
    with pytest.raises(ValueError, match=r"has page 1 of .* at scale 2, and now it comes at 3"):
        write_imagefolder(render_document(scans[0], RenderOptions(scale=3.0)), tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 3
