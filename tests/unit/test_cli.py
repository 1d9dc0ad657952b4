"""The terminal commands: names and defaults, what they print, how they fail."""

import shlex
import subprocess
import sys

import pandas as pd
import pytest
from make_results import page_of
from paths import ROOT

from glmocr_utils.cli import main
from glmocr_utils.cli.commands import COMMANDS
from glmocr_utils.records import Region, read_results, write_results

pytestmark = pytest.mark.slow

SAMPLES = str(ROOT / "data/samples")
LETTER = str(ROOT / "data/samples/letter.pdf")
BOLD_RED = "\033[1;31m"


@pytest.fixture
def ocr(bundled_folder, tmp_path, capsys):
    """Runs `ocr` with the bundled model; returns exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        standard = ("--model", str(bundled_folder), "--max-tokens", "24")
        code = main(["ocr", *standard, "--output-dir", str(tmp_path / "out"), *arguments])
        return code, *capsys.readouterr()

    return run


def test_ocr_prints_text_timing_tokens_and_probabilities(ocr, tmp_path):
    code, printed, _ = ocr(LETTER, "--show-tokens", "--show-probs")
    (result,) = read_results(tmp_path / "out" / "letter.jsonl")
    assert code == 0
    assert f"   1 │ {result.text.splitlines()[0]}" in printed
    assert "s/page" in printed and "pages/s" in printed
    assert f"total: {len(result.tokens)} tokens" in printed
    assert "all pages: average probability" in printed
    assert printed.count(BOLD_RED) == min(50, len(result.tokens))
    assert (tmp_path / "out" / "letter.txt").read_text(encoding="utf-8") == result.text


def test_ocr_is_quiet_about_tokens_and_probabilities_unless_asked(ocr):
    _, printed, _ = ocr(LETTER)
    assert "tokens," not in printed
    assert BOLD_RED not in printed


def test_no_color_marks_the_token_with_brackets(ocr, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, printed, _ = ocr(LETTER, "--show-probs")
    assert BOLD_RED not in printed
    assert "[" in printed.split("lowest probability:")[1]


def test_batches_are_timed_together(ocr):
    samples = str(ROOT / "data/samples/decision.pdf")
    _, printed, _ = ocr(samples, "--batch-size", "8", "--show-tokens")
    assert "batch 1, 2 pages:" in printed
    assert "2 pages in batches of 8" in printed


@pytest.mark.parametrize(
    "flags",
    [
        ["--no-flash-attn", "--batch-size", "2", "--max-tokens", "8", "--scale", "1.0"],
        ["--no_flash_attn", "--batch_size", "2", "--max_tokens", "8", "--scale", "1.0"],
        ["--attn", "sdpa", "--show_probs", "True", "--show_tokens", "False"],
    ],
)
def test_flags_work_with_dashes_and_underscores(ocr, flags):
    code, printed, _ = ocr(LETTER, *flags)
    assert code == 0
    assert "attention sdpa (as asked)" in printed


def test_the_document_may_be_named_by_image(ocr):
    code, printed, _ = ocr("--image", LETTER)
    assert code == 0 and "letter.pdf page 1" in printed
    code, _, errors = ocr(LETTER, "--image", LETTER)
    assert code == 2 and "not both" in errors


def test_one_bad_document_does_not_stop_the_others(ocr, tmp_path):
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"")
    paths = tmp_path / "list.txt"
    paths.write_text(f"{empty}\n{LETTER}\n", encoding="utf-8")
    code, printed, errors = ocr(str(paths))
    assert code == 1
    assert "letter.pdf page 1" in printed
    assert "empty.pdf" in errors and "0 bytes" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/no/such.pdf"], "does not exist"),
        ([LETTER, "--model", "/no/such/model"], "There is no model folder"),
        ([LETTER, "--batch-size", "0"], "batch_size must be at least 1"),
        ([LETTER, "--scale", "-1"], "scale"),
        ([LETTER, "--attn", "flash_attention_2", "--device-map", "cpu"], "cannot work here"),
    ],
)
def test_what_cannot_work_ends_in_one_sentence(ocr, arguments, said):
    code, _, errors = ocr(*arguments)
    assert code == 2
    assert said in errors and "Traceback" not in errors
    assert len(errors.strip().splitlines()) == 1


MISSING = (
    ["infer", "/no/such.pdf"],
    ["infer", SAMPLES, "--model-id", "./no-model"],
    ["infer", SAMPLES, "--calibration", "no.json"],
    ["ocr", SAMPLES, "--adapter", "outputs/no/adapter"],
    ["ocr", SAMPLES, "--layout", "no/such/layout"],
    ["infer", SAMPLES, "--layout=./no-layout", "--engine=server", "--base-url=http://h/v1"],
    ["evaluate", "no-run"],
    ["evaluate", SAMPLES, "--references", "no-labels"],
    ["diff", SAMPLES, "--other-readings", "no-run"],
    ["label", "--source", "review", "--review-log", "no.jsonl"],
    ["search", "no-run", "--words", "x"],
    ["finetune", "--dataset-name", "outputs/no/dataset", "--weight-decay", "0.1"],
    ["finetune", "--model_name=/no/model"],
)


def test_what_is_missing_is_named_before_libraries_are_loaded(tmp_path):
    """They take seconds; a typing mistake is to be answered at once."""
    code = (
        "import sys; from glmocr_utils.cli import main\n"
        f"codes = [main(arguments) for arguments in {MISSING!r}]\n"
        "print(codes, sorted({'torch', 'transformers', 'numpy', 'trl'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == f"{[2] * len(MISSING)} []"
    said = ended.stderr.strip().splitlines()
    assert len(said) == len(MISSING)
    for line, arguments in zip(said, MISSING, strict=True):
        assert "no" in line and ("does not exist" in line or "There is no" in line), arguments


def test_names_on_the_hub_and_on_a_server_are_not_taken_for_missing_folders():
    hub = ["--model-id", "some/model", "--adapter", "some/adapter"]
    for layout in ("auto", "none", "some/layout"):
        given = [SAMPLES, *hub, "--layout", layout]
        COMMANDS["infer"].check_input(COMMANDS["infer"].parse(given))
    served = ["--engine", "server", "--base-url", "http://localhost:1/v1", "--model-id", "glm-ocr"]
    COMMANDS["infer"].check_input(COMMANDS["infer"].parse([SAMPLES, *served]))
    COMMANDS["finetune"].check_names(["--dataset_name=imdb", "--model_name", "some/model"])


def test_a_page_beyond_the_end_names_the_file(ocr):
    code, _, errors = ocr(LETTER, "--pages", "7")
    assert code == 1
    assert "letter.pdf" in errors and "only 1 page" in errors


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_takes(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    command, printed = COMMANDS[name], capsys.readouterr().out
    assert command.about in printed and f"example: {command.example}" in printed
    for option in command.fields:
        assert option.name in printed.replace("-", "_")
    if name != "finetune":  # whose options are parsed by what takes seconds to import
        command.parse(shlex.split(command.example)[2:])


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_waits_for_no_large_library(arguments):
    code = (
        "import sys; from glmocr_utils.cli import main\n"
        "large = {'torch', 'transformers', 'numpy', 'pyarrow'}\n"
        f"try: main({arguments})\n"
        "finally: assert not large & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: glmocr" in done.stdout


def test_an_unknown_command_is_an_error_that_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["read", LETTER])
    assert stopped.value.code == 2
    assert "finetune" in capsys.readouterr().err


def test_ctrl_c_while_a_command_is_still_imported_is_one_sentence(monkeypatch, capsys):
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glmocr_utils.cli.import_module", interrupted)
    assert main(["ocr", LETTER]) == 130
    assert capsys.readouterr().err.startswith("stopped")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ocr", LETTER, "--batchsize", "3"], "no option --batchsize; did you mean --batch-size?"),
        (["ocr", LETTER, "--no-flash-atn"], "did you mean --no-flash-attn?"),
        (["ocr", LETTER, "--show-prob"], "did you mean --show-probs?"),  # no abbreviations
        (["ocr", LETTER, "--telepathy=yes"], "no option --telepathy=yes; --help lists"),
        (["render", LETTER, "--scale", "big"], "invalid float value"),
        (["infer", LETTER, LETTER], "infer takes one input_path, got 2"),
    ],
)
def test_what_is_typed_wrongly_is_named_in_one_sentence(arguments, said, capsys):
    assert main(arguments) == 2
    printed, errors = capsys.readouterr()
    assert said in errors and printed == ""
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, LETTER] for name in ("render", "ocr", "label", "infer", "export")),
        ["finetune", "--dataset_name", "pages", "--report_to", "none", "--dry_run"],
    ],
)
def test_a_file_where_the_output_folder_should_be_is_refused_at_once(arguments, tmp_path, capsys):
    file = tmp_path / "notes.txt"
    file.write_text("kept")
    assert main([*arguments, "--output_dir", str(file / "deeper")]) == 2
    printed, errors = capsys.readouterr()
    assert "notes.txt is a file; name a folder" in errors and printed == ""
    assert file.read_text() == "kept"


def test_several_documents_may_be_named(tmp_path, capsys):
    german = str(ROOT / "data/samples/german.pdf")
    folder = tmp_path / "pages"
    assert main(["render", LETTER, "--output-dir", str(folder), german]) == 0
    assert {file.name for file in folder.glob("*.png")} == {"letter_p0001.png", "german_p0001.png"}


def test_render_writes_an_imagefolder_and_a_rerun_adds_nothing(tmp_path, capsys):
    arguments = ["render", LETTER, "--output-dir", str(tmp_path / "pages")]
    assert main(arguments) == 0
    assert "1 page written, 0 were there" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "0 pages written, 1 were there" in capsys.readouterr().out
    assert (tmp_path / "pages" / "letter_p0001.png").is_file()


def test_label_makes_a_label_set_and_a_rerun_adds_nothing(tmp_path, capsys):
    pages, output = str(tmp_path / "pages"), tmp_path / "labels"
    assert main(["render", SAMPLES + "/decision.pdf", "--output-dir", pages]) == 0
    assert main(["render", SAMPLES + "/decision_scan.pdf", "--output-dir", pages]) == 0
    arguments = ["label", pages, "--output-dir", str(output), "--source", "text_layer,review"]
    arguments += ["--review-log", SAMPLES + "/review.jsonl", "--test-size", "0.5"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "text_layer: 2 pages labelled, 0 were there, 2 left out" in printed
    assert "2 × the page has no text layer" in printed
    assert "review: 1 page labelled" in printed
    rows = (output / "dataset/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3
    assert main(arguments) == 0
    assert "text_layer: 0 pages labelled, 2 were there, 2 left out" in capsys.readouterr().out


def test_label_ends_in_one_sentence_where_no_label_can_come_of_it(tmp_path, capsys):
    output = ["--output-dir", str(tmp_path)]
    for arguments, said in (
        (["--source", "telepathy"], "no source 'telepathy'"),
        (["--source", "model"], "needs results"),
        (["/no/such/pages"], "no page images"),
        (["--source", "text_layer,hub"], "name it alone"),
        (["--silver-above", "0.9"], "needs a calibration"),
    ):
        assert main(["label", *arguments, *output]) == 2
        errors = capsys.readouterr().err
        assert said in errors and len(errors.strip().splitlines()) == 1


def test_ocr_writes_the_boxes_of_words(ocr, tmp_path):
    code, printed, _ = ocr(LETTER, "--formats", "hocr,alto,pdf")
    assert code == 0
    for name in ("letter.hocr", "letter.alto.xml", "letter.searchable.pdf"):
        assert (tmp_path / "out" / name).stat().st_size > 500
        assert name in printed


def test_ocr_refuses_a_format_before_it_loads_a_model(ocr):
    code, printed, complaint = ocr(LETTER, "--formats", "docx")
    assert (code, printed) == (2, "")
    assert "formats is some of hocr, alto, pdf" in complaint


def test_evaluate_prints_and_writes_figures_and_a_verdict(tmp_path, capsys):
    for name, text in (("true", "abcdefgh"), ("one", "abcdefxx"), ("two", "abcdefgh")):
        (tmp_path / name).mkdir()
        for number in range(6):
            (tmp_path / name / f"d{number}.txt").write_text(text)
    paths = [str(tmp_path / name) for name in ("one", "true", "two", "out")]
    code = main(
        ["evaluate", paths[0], "--references", paths[1], "--other-readings", paths[2],
         "--output-dir", paths[3]]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0
    assert "25.00% (25.00% to 25.00%)" in printed
    assert "two is better than one: -25.00%" in printed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.html",
        "evaluation.json",
        "groups.csv",
        "pages.csv",
    }
    groups = pd.read_csv(tmp_path / "out/groups.csv")
    assert groups.query("readings == 'one' and group == 'Latin'")["cer"].tolist() == [0.25]


def test_evaluate_prints_tables_and_kinds_of_region(tmp_path, capsys):
    table = "<table><tr><td>a</td><td>b</td></tr></table>"
    regions = (
        Region(0, "text", (0, 0, 9, 9), token_stop=1, status="ok"),
        Region(1, "table", (0, 9, 9, 18), token_start=1, token_stop=2, status="ok"),
    )
    page = page_of(("word\n\n", 0.9), (table.replace(">b<", ">x<"), 0.9), regions=regions)
    write_results([page], tmp_path / "a.jsonl")
    (tmp_path / "a.txt").write_text(f"word\n\n{table}")
    code = main(
        ["evaluate", str(tmp_path / "a.jsonl"), "--references", str(tmp_path / "a.txt"),
         "--output-dir", str(tmp_path / "out")]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0 and "0.750" in printed and "1.000" in printed  # TEDS, TEDS-Struct
    rows = pd.read_csv(tmp_path / "out/groups.csv").query("kind == 'region'")
    assert rows.set_index("group")["edits"].to_dict() == {"text": 0, "table": 1}
    assert "table" in printed.split("by kind of region")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate"], "needs readings and --references"),
        (["evaluate", "gone", "--references", "data/samples/truth.jsonl"], "check the path"),
        (
            ["evaluate", "README.md", "--references", "data/samples/truth.jsonl"],
            "no page of README",
        ),
    ],
)
def test_an_evaluation_that_cannot_be_made_ends_in_one_sentence(arguments, said, tmp_path, capsys):
    assert main([*arguments, "--output-dir", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err
