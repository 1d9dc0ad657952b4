"""What a user would otherwise run: the loops that the benchmark is measured against.

They are written as the scripts around GLM-OCR and the libraries' own examples write them: clear,
correct, and with nothing done ahead, shared or left out.
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pypdfium2
import torch
from PIL import Image
from transformers import BatchFeature

from glmocr_utils.model import LoadedModel

PROMPT = "Text Recognition:"
SCRIPT_BATCH_SIZE = 8  # the default of the batch script


def render_with_pdfium(path: Path, scale: float) -> Iterator[Image.Image]:
    """All pages, one after the other, in this process."""
    document = pypdfium2.PdfDocument(path)
    for page in document:
        yield page.render(scale=scale).to_pil().convert("RGB")
    document.close()


def render_with_pdftoppm(path: Path, scale: float, output_dir: Path) -> None:
    """Poppler's program, which writes a file a page."""
    dpi = str(round(72 * scale))
    subprocess.run(["pdftoppm", "-r", dpi, "-png", path, output_dir / "page"], check=True)


def processed(model: LoadedModel, images: Sequence[Image.Image]) -> BatchFeature:
    """The inputs of a batch: chat template and processor, padded on the left."""
    conversations = [
        [
            {
                "role": "user",
                "content": [{"type": "image", "image": image}, {"type": "text", "text": PROMPT}],
            }
        ]
        for image in images
    ]
    return model.processor.apply_chat_template(
        conversations,
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "left"},
    ).to(model.device)


@torch.no_grad()
def read_single_pages(
    model: LoadedModel, images: Sequence[Image.Image], max_tokens: int
) -> list[str]:
    """The single-page script without probabilities: one `generate` a page."""
    texts = []
    for image in images:
        inputs = processed(model, [image])
        output = model.model.generate(**inputs, max_new_tokens=max_tokens)
        new = output[:, inputs["input_ids"].shape[1] :]
        texts += model.processor.batch_decode(new, skip_special_tokens=True)
    return texts


@torch.no_grad()
def read_batches_with_probabilities(
    model: LoadedModel, images: Sequence[Image.Image], max_tokens: int
) -> tuple[list[str], list[list[float]], int]:
    """The batch script: pages in order, fixed batches, all scores kept, a softmax a token and page.

    Returns:
        Texts, probabilities of their tokens, and the most bytes of scores that were held at a time.
    """
    texts, probabilities, most_bytes = [], [], 0
    special = {*model.processor.tokenizer.all_special_ids, *model.stop_token_ids}
    for start in range(0, len(images), SCRIPT_BATCH_SIZE):
        inputs = processed(model, images[start : start + SCRIPT_BATCH_SIZE])
        output = model.model.generate(
            **inputs,
            max_new_tokens=max_tokens,
            output_scores=True,
            return_dict_in_generate=True,
        )
        new = output.sequences[:, inputs["input_ids"].shape[1] :]
        texts += model.processor.batch_decode(new, skip_special_tokens=True)
        most_bytes = max(most_bytes, sum(step.nbytes for step in output.scores))
        for row in range(len(new)):
            page = []
            for step, scores in enumerate(output.scores):
                token = new[row, step].item()
                if token not in special:
                    page.append(torch.softmax(scores[row].float(), dim=-1)[token].item())
            probabilities.append(page)
    return texts, probabilities, most_bytes
