"""The README.md of a trained model: from what, on how many pages, and what came of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MODEL_CARD = "README.md"
DOCUMENTS_SHOWN = 20


def training_card(report: Mapping[str, Any]) -> str:
    """In Markdown; folders of this machine appear by their last name only.

    Args:
        report: as in `training_report.json`.
    """
    base = str(report["base_model"])
    is_folder = Path(base).is_dir()
    name = Path(base).resolve().name if is_folder else base
    kind = "a LoRA adapter" if report["use_lora"] else "all weights that were not frozen"
    trained_for = report.get("trained_for") or {}
    return "\n".join(
        [
            "---",
            *([] if is_folder else [f"base_model: {base}"]),
            "library_name: " + ("peft" if report["use_lora"] else "transformers"),
            "pipeline_tag: image-text-to-text",
            "tags: [ocr, glm-ocr]",
            "---",
            f"# {name}, fine-tuned",
            "",
            f"Trained from `{name}`: {kind}, on {report.get('train_pages', 0):,} pages.",
            f"Read with the prompt `{trained_for.get('prompt')}` "
            f"(style `{trained_for.get('prompt_style')}`), as in training.",
            "",
            *_results(report),
            "Everything else is in `training_report.json`.",
            "",
        ]
    )


def _results(report: Mapping[str, Any]) -> Sequence[str]:
    if report.get("cer_before") is None:
        return ["No page was held out, so it is unknown whether it reads better.", ""]
    rows = [("held-out pages", report["cer_before"], report["cer_after"])]
    if report.get("retained_cer_before") is not None:
        retained = report["retained_cer_before"], report["retained_cer_after"]
        rows.append(("pages not to be forgotten", *retained))
    documents = report.get("documents", ())
    rows += [
        (Path(each["document"]).name, each["cer_before"], each["cer_after"])
        for each in documents[:DOCUMENTS_SHOWN]
    ]
    return [
        "Character error rate, layout aside:",
        "",
        "| | before | after |",
        "|---|---|---|",
        *(f"| {_cell(name)} | {before:.2%} | {after:.2%} |" for name, before, after in rows),
        "",
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
