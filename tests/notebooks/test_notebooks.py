"""Each notebook runs from top to bottom with the bundled model, and finds what it should."""

import json
from pathlib import Path

import nbformat
import pytest

from glmocr_utils.notebook_run import run_notebook
from glmocr_utils.records import read_results

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data/samples"


@pytest.fixture
def run(tmp_path, bundled_folder, monkeypatch):
    """Runs a notebook with the bundled model; returns its results and its path with outputs."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))

    def run(name: str, **parameters: object) -> tuple[dict, Path]:
        parameters |= {"output_dir": str(tmp_path / name), "model_id": str(bundled_folder)}
        output = run_notebook(
            ROOT / f"notebooks/{name}.ipynb", tmp_path / f"{name}.ipynb", parameters
        )
        return json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8")), output

    return run


def pictures(notebook: Path) -> int:
    outputs = [
        output
        for cell in nbformat.read(notebook, as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_render(run, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("decision.pdf", "receipt.png", "rotated.pdf"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    (folder / "empty.pdf").write_bytes(b"")
    results, notebook = run("01_render", input_path=str(folder))
    assert results["documents"] == 4
    assert results["pages"] == 4
    assert results["failed"] == [[str(folder / "empty.pdf"), "unreadable"]]
    assert results["max_image_tokens"] == 30 * 21  # 420 × 298 points at scale 2, cells of 28 px
    assert pictures(notebook) == 3
    again, _ = run("01_render", input_path=str(folder))
    assert again["pages"] == 4


def test_ocr_explore(run, tmp_path):
    results, notebook = run(
        "02_ocr_explore",
        input_path=str(SAMPLES / "decision.pdf"),
        max_tokens=40,
        batch_size=2,
        show_tokens=True,
        show_probs=True,
    )
    pages = list(read_results(tmp_path / "02_ocr_explore/decision.jsonl"))
    assert results["pages"] == len(pages) == 2
    assert results["tokens"] == sum(len(page.tokens) for page in pages) == 80
    assert results["finish_reasons"] == ["length", "length"]
    assert 0 < results["minimum_probability"] <= results["average_probability"] <= 1
    assert pictures(notebook) == 3


def test_ocr_explore_goes_on_when_no_document_can_be_read(run, tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"")
    results, _ = run("02_ocr_explore", input_path=str(empty), show_probs=True)
    assert results["pages"] == 0
    assert results["failed"] == [[str(empty), "unreadable"]]


def test_probs_viz(run, tmp_path):
    run("02_ocr_explore", input_path=str(SAMPLES / "decision_scan.pdf"), max_tokens=60)
    parameters = {
        "results": str(tmp_path / "02_ocr_explore"),
        "references": str(SAMPLES / "truth.jsonl"),
        "worst_n": 7,
    }
    results, notebook = run("03_probs_viz", **parameters)
    folder = tmp_path / "03_probs_viz"
    read = list(read_results(tmp_path / "02_ocr_explore/decision_scan.jsonl"))
    assert results["pages"] == len(read) == 2
    assert results["tokens"] == sum(len(page.tokens) for page in read)
    assert results["review"]["reviewed"] == 0 < results["review"]["places"]
    assert [Path(file).name for file in results["files"]] == ["decision_scan.html"]
    html = (folder / "decision_scan.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg") == 2
    cut = sum(page.finish_reason == "length" for page in read)
    assert html.count("The token limit ended") == cut
    assert len((folder / "worst_tokens.csv").read_text(encoding="utf-8").splitlines()) >= 8
    assert not (folder / "review.jsonl").exists()  # nobody decided anything
    assert notebook.stat().st_size < 1_000_000


def test_probs_viz_reads_documents_itself(run):
    results, _ = run("03_probs_viz", input_path=str(SAMPLES / "receipt.png"), review=False)
    assert results["pages"] == 1 and results["calibration"] is None
