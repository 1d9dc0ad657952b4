"""Each notebook runs from top to bottom with the bundled model, and finds what it should."""

import json
import math
from itertools import accumulate
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from audited_collection import collection, reviewed
from datasets import load_dataset
from layout_inputs import draw_columns, save_random_layout
from paths import ROOT, SAMPLES
from training_pages import write_imagefolder

from glmocr_utils.confidence import load_references
from glmocr_utils.evaluation.certificate import certify, open_audit, save_certificate
from glmocr_utils.grounding.evaluation.known import reflowed
from glmocr_utils.model import LoadedModel
from glmocr_utils.notebook_run import run_notebook
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import OcrResult, PageImage, TokenProb, read_results, write_results
from glmocr_utils.render import render_documents
from glmocr_utils.review.audit import audit_session, checked_units
from glmocr_utils.token_text import encode_text, token_texts


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
        assert warnings_of_libraries(output) == []
        return json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8")), output

    return run


def warnings_of_libraries(notebook: Path) -> list[str]:
    """What a reader cannot change, and would have to read."""
    return [
        line
        for cell in nbformat.read(notebook, as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
        for line in output.text.splitlines()
        if "site-packages" in line or line.startswith("[transformers]")
    ]


def pictures(notebook: Path) -> int:
    outputs = [
        output
        for cell in nbformat.read(notebook, as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def certificate_of(folder: Path) -> Path:
    """The certificate of a made collection."""
    folder.mkdir()
    readings = folder / "run.jsonl"
    true = collection(readings)
    audit, population = open_audit(readings, folder, count=60)
    session = audit_session(audit, readings, folder / "review.jsonl")
    reviewed(session, true)
    return save_certificate(certify(audit, checked_units(session, audit), population), folder)


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
        formats="hocr,alto,pdf",
    )
    assert [Path(file).name for file in results["exported"]] == [
        "decision.hocr",
        "decision.alto.xml",
        "decision.searchable.pdf",
    ]
    pages = list(read_results(tmp_path / "02_ocr_explore/decision.jsonl"))
    assert results["pages"] == len(pages) == 2
    assert results["tokens"] == sum(len(page.tokens) for page in pages) == 80
    assert results["finish_reasons"] == ["length", "length"]
    assert 0 < results["minimum_probability"] <= results["average_probability"] <= 1
    assert pictures(notebook) == 3


def test_reading_by_regions_in_02_03_and_06(run, tmp_path):
    (tmp_path / "in").mkdir()
    page, _ = draw_columns(["A few words stand in this column. " * 12] * 2, 300)
    page.save(tmp_path / "in/a.png")
    layout = str(save_random_layout(tmp_path / "layout", 3, "text"))
    options = {"input_path": str(tmp_path / "in"), "layout": layout, "max_tokens": 8}
    results, notebook = run("02_ocr_explore", **options)
    [labels] = results["regions"]
    assert labels and set(labels) == {"text"}
    assert "<svg" in notebook.read_text(encoding="utf-8")
    shown, _ = run("03_probs_viz", results=str(tmp_path / "02_ocr_explore"), review=False)
    assert shown["pages"] == 1 and shown["tokens"] == 8 * len(labels)
    [html] = (tmp_path / "03_probs_viz").glob("*.html")
    assert html.read_text(encoding="utf-8").count('<div class="region">') == len(labels)
    ledger, _ = run("06_mass_infer", **options)
    assert ledger["regions"] == {"text": {"truncated": len(labels)}}


def test_ocr_explore_continues_when_no_document_can_be_read(run, tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"")
    results, _ = run("02_ocr_explore", input_path=str(empty), show_probs=True)
    assert results["pages"] == 0
    assert results["failed"] == [[str(empty), "unreadable"]]


def misread_page(model: LoadedModel, page: PageImage, text: str) -> OcrResult:
    """The page as if its first "e" had been read as "c", of which the model was least sure."""
    at = text.index("e")
    token_ids = encode_text(model.processor.tokenizer, f"{text[:at]}c{text[at + 1 :]}")
    texts = token_texts(model.processor.tokenizer, token_ids)
    ends = accumulate(map(len, texts))
    return OcrResult(
        page=page.page,
        text="".join(texts),
        tokens=tuple(
            TokenProb(token_id, own, math.log(0.3 if end == at + 1 else 0.99))
            for token_id, own, end in zip(token_ids, texts, ends, strict=True)
        ),
        finish_reason="length" if page.page.page_index else "stop",
        prompt=TEXT_RECOGNITION,
        model_id=model.model_id,
        revision=None,
        adapter=None,
        scale=page.scale,
        seconds=1.0,
    )


def test_probs_viz(run, tmp_path, bundled_model):
    truth = load_references(SAMPLES / "truth.jsonl")
    pages = render_documents([SAMPLES / "decision_scan.pdf"])
    read = [
        # as the model writes: a paragraph on one line
        misread_page(
            bundled_model, page, reflowed(truth["decision_scan.pdf", page.page.page_index])
        )
        for page in pages
    ]
    write_results(read, tmp_path / "decision_scan.jsonl")
    parameters = {
        "results": str(tmp_path / "decision_scan.jsonl"),
        "references": str(SAMPLES / "truth.jsonl"),
        "worst_n": 7,
        "boxes": True,
        "formats": "alto",
    }
    results, notebook = run("03_probs_viz", **parameters)
    folder = tmp_path / "03_probs_viz"
    assert results["pages"] == len(read) == 2
    assert results["tokens"] == sum(len(page.tokens) for page in read)
    assert results["wrong_tokens"] == 2
    assert [page["wrong"] for page in results["expected_errors"]] == [1, 1]
    assert all(shares["first 5 %"] == 1 for shares in results["errors_found"].values())
    # two misread words, three sure words a page, and the end of the page that was cut off
    assert (results["review"]["reviewed"], results["review"]["flags"]) == (0, 2 + 2 * 3 + 1)
    assert [Path(file).name for file in results["files"]] == ["decision_scan.html"]
    assert [Path(file).name for file in results["exported"]] == ["decision_scan.alto.xml"]
    html = (folder / "decision_scan.html").read_text(encoding="utf-8")
    assert html.count("<i style=") > 30  # boxes of words and of doubtful tokens
    assert html.count("data:image/jpeg") == 2
    assert html.count("The token limit ended") == 1
    worst = pd.read_csv(folder / "worst_tokens.csv")
    assert len(worst) == 7 and all(token.endswith("c") for token in worst["token"][:2])
    assert not (folder / "review.jsonl").exists()  # nothing was decided
    assert not (folder / "reviewed").exists()
    assert "0 of 9 flags reviewed" in notebook.read_text(encoding="utf-8")
    assert notebook.stat().st_size < 1_000_000


def test_probs_viz_reads_documents_itself(run):
    results, _ = run("03_probs_viz", input_path=str(SAMPLES / "receipt.png"), review=False)
    assert results["pages"] == 1 and results["calibration"] is None


def test_labels(run, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("decision.pdf", "decision_scan.pdf", "receipt.png"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    run("01_render", input_path=str(folder), scale=1.0)
    scan = str(folder / "decision_scan.pdf")
    run("02_ocr_explore", input_path=scan, max_tokens=40, scale=1.0, batch_size=2)
    parameters = {
        "input_path": str(tmp_path / "01_render"),
        "source": "text_layer,model,review",
        "results": str(tmp_path / "02_ocr_explore"),
        "review_log": str(SAMPLES / "review.jsonl"),
        "test_size": 2,
        "max_scored": 2,
    }
    results, notebook = run("04_labels", **parameters)
    assert [made[1:] for made in results["runs"]] == [[2, 0, 3], [2, 0, 0], [2, 0, 1]]
    counts = results["pages"]
    assert (counts["text_layer gold"], counts["review gold"], counts["review silver"]) == (2, 1, 1)
    assert sum(counts.values()) == 5
    assert len(results["suspects"]) == 2
    assert results["next_pages"] == [[scan, 2]]
    assert sum(results["split"].values()) == 4
    dataset = load_dataset("imagefolder", data_dir=results["files"][0], split="train")
    assert sorted(dataset["status"]) == ["gold", "gold", "gold", "silver"]
    assert set(dataset["split"]) == {"train", "test"}
    truth = load_references(SAMPLES / "truth.jsonl")
    gold = [row for row in dataset.remove_columns("image") if row["status"] == "gold"]
    for row in gold:
        expected = truth[Path(row["document"]).name, row["page_index"]]
        assert row["text"].split() == expected.split()
    assert pictures(notebook) == 1
    again, _ = run("04_labels", **parameters)
    assert [made[1:] for made in again["runs"]] == [[0, 2, 3], [0, 2, 0], [0, 2, 1]]
    assert again["split"] == results["split"]


def test_finetune(run, tmp_path):
    write_imagefolder(tmp_path / "pages", scale=2.0)
    parameters = {
        "dataset_name": str(tmp_path / "pages"),
        "use_lora": True,
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "seed": 1,
        "max_tokens": 8,
        "weight_decay": 0.01,  # no parameter of the notebook's cell, but an option of TRL's
        "report_to": "none",
    }
    checked, _ = run("05_finetune", **parameters, dry_run=True)
    assert checked["problems"] == [] and checked["scores"] == {}
    results, notebook = run("05_finetune", **parameters)
    assert results["pages"] + results["held_out"] == 8
    assert set(results["scores"]) == {"held out, before", "held out, after"}
    assert results["verdict"] == "no sure difference"  # two steps teach hardly anything
    report = json.loads((tmp_path / "05_finetune/training_report.json").read_text())
    assert report["cer_after"] == results["scores"]["held out, after"]["cer"]
    assert pictures(notebook) >= 5


def test_mass_infer(run, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("ordinances/of_ale.pdf", "receipt.png", "blank.pdf"):
        (folder / Path(name).name).write_bytes((SAMPLES / name).read_bytes())
    (folder / "empty.pdf").write_bytes(b"")
    parameters = {"input_path": str(folder), "max_tokens": 40}
    results, notebook = run("06_mass_infer", **parameters)
    assert (results["documents"], results["pages"], results["read_now"]) == (4, 5, 5)
    assert results["statuses"] == {"truncated": 3, "blank": 1, "unreadable": 1}
    assert results["stopped"] is None
    [empty] = [row for row in results["failed"] if row[1] == "unreadable"]
    assert empty[0] == str(folder / "empty.pdf")
    assert len(results["review_first"]) == 3
    assert [Path(file).name for file in results["files"]] == ["blank.md", "of_ale.md", "receipt.md"]
    assert pictures(notebook) == 2
    again, _ = run("06_mass_infer", **parameters)
    assert (again["read_now"], again["statuses"]) == (0, results["statuses"])
    # what it read flows back into the review
    reviewed, _ = run("03_probs_viz", results=str(tmp_path / "06_mass_infer"), review=False)
    assert reviewed["pages"] == 3


def test_an_unknown_option_of_training_is_an_error(run):
    with pytest.raises(ValueError, match="has no parameter lora_rnak"):
        run("05_finetune", lora_rnak=4)


def test_evaluate(run, tmp_path):
    truth = load_references(SAMPLES / "truth.jsonl")
    decision = [truth["decision.pdf", index] for index in range(2)]
    for name, misread in (("base", "e"), ("trained", "q")):
        (tmp_path / name).mkdir()
        read = [text.replace(misread, "c").replace("\n", " ") for text in decision]
        (tmp_path / name / "decision.txt").write_text("\f".join(read))
    results, notebook = run(
        "07_evaluate",
        readings=str(tmp_path / "base"),
        other_readings=str(tmp_path / "trained"),
        references=str(SAMPLES / "truth.jsonl"),
        documents=str(SAMPLES),
        certificate=str(certificate_of(tmp_path / "collection")),
    )
    assert 0.01 < results["certificate"]["low"] < results["certificate"]["high"] < 0.06
    base, trained = results["readings"]
    assert base["pages"] == 2 and base["misplaced"] == 0
    assert 0 < trained["headline_cer"]["value"] < base["headline_cer"]["value"] < 0.2
    assert trained["raw_cer"] > trained["headline_cer"]["value"]
    assert results["comparison"]["verdict"] == "better"
    assert any("blank.pdf" in problem for problem in base["problems"])
    assert pictures(notebook) == 2
    html = (tmp_path / "07_evaluate/evaluation.html").read_text(encoding="utf-8")
    assert html.count("<img") == 2 and "<del>" in html
