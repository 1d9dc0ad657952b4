"""The README.md of an exported model."""

from importlib.metadata import version
from pathlib import Path

from glmocr_utils.model_export.parity import Parity
from glmocr_utils.model_export.serving import serve_commands, serving_hints
from glmocr_utils.model_export.source import ExportSource
from glmocr_utils.prompt import PromptStyle

LIBRARIES = ("torch", "transformers", "peft", "safetensors")


def model_card(source: ExportSource, style: PromptStyle, parity: Parity) -> str:
    """The model card, in Markdown; folders of this machine appear by their last name only."""
    has_mtp = bool(source.mtp)
    is_on_hub = source.revision is not None
    kind = "LoRA adapter, merged" if source.is_adapter else "full checkpoint"
    mtp = (
        f"the base's, {len(source.mtp)} tensors, not trained; it drafts and changes no text"
        if has_mtp
        else "none: the base has none"
    )
    rows = {
        "base": f"{source.base} @ {source.revision}" if is_on_hub else Path(source.base).name,
        "fine-tuned as": f"{kind} (`{source.folder.name}`)",
        "weights": str(source.dtype).removeprefix("torch."),
        "multi-token prediction": mtp,
        "prompt style": style,
        "CER before": _rate(source.report.get("cer_before")),
        "CER after": _rate(source.report.get("cer_after")),
        "check of the export": str(parity),
        "made with": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    commands = serve_commands("<this model>", source.dtype, has_mtp)
    return "\n".join(
        [
            "---",
            *([f"base_model: {source.base}"] if is_on_hub else []),
            "library_name: transformers",
            "pipeline_tag: image-text-to-text",
            "tags: [ocr, glm-ocr]",
            "---",
            "# GLM-OCR, fine-tuned",
            "",
            "Loads with `AutoModelForImageTextToText` and `AutoProcessor`.",
            "",
            "| | |",
            "|---|---|",
            *[f"| {name} | {value} |" for name, value in rows.items() if value is not None],
            "",
            "```bash",
            *commands.values(),
            "```",
            "",
            *[f"- {hint}" for hint in serving_hints(has_mtp, style)],
            "",
        ]
    )


def _rate(cer: object) -> str | None:
    return f"{cer:.2%}" if isinstance(cer, int | float) else None
