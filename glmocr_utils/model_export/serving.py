"""The commands that serve an exported model over the OpenAI protocol.

The options for speculation are those of GLM-OCR's own guide (github.com/zai-org/GLM-OCR) and of
the vLLM and SGLang recipes for it.
"""

import shlex

import torch

from glmocr_utils.prompt import PromptStyle

SERVED_NAME = "glm-ocr"
VLLM_MTP = """ --speculative-config '{"method": "mtp", "num_speculative_tokens": 1}'"""
SGLANG_MTP = (
    " --speculative-algorithm NEXTN --speculative-num-steps 3 --speculative-eagle-topk 1"
    " --speculative-num-draft-tokens 4"
)


def serve_commands(model: str, dtype: torch.dtype, has_mtp: bool) -> dict[str, str]:
    """One command for each server, by its name.

    Args:
        model: folder or hub id of the exported model.
        dtype: of its weights; servers should round float32 to bfloat16, as vLLM would take
            float16 by itself.
        has_mtp: whether it has the multi-token-prediction layer, which drafts tokens ahead.
    """
    shared = f"{shlex.quote(model)} --served-model-name {SERVED_NAME}"
    if dtype == torch.float32:
        shared += " --dtype bfloat16"
    vllm_mtp, sglang_mtp = (VLLM_MTP, SGLANG_MTP) if has_mtp else ("", "")
    return {
        "vLLM": f"vllm serve {shared}{vllm_mtp}",
        "SGLang": f"python -m sglang.launch_server --model-path {shared}{sglang_mtp}",
    }


def serving_hints(has_mtp: bool, style: PromptStyle) -> list[str]:
    """What you should know before you serve the model, a sentence each."""
    hints = []
    if has_mtp:
        hints += [
            "To record probabilities, leave out the --speculative options: vLLM's can be wrong "
            "with them.",
            "vLLM 0.26 to 0.29 do not find GLM-OCR's MTP layer ('weights were not initialized'); "
            "take 0.30 or newer, or leave out --speculative-config.",
        ]
    if style == "nothink":
        hints.append(
            'Each request must carry "chat_template_kwargs": {"enable_thinking": false}: the model '
            "was trained with this prompt."
        )
    return hints
