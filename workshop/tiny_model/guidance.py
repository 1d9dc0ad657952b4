"""Two teachers for the start of the training: which character is where, and where to look next.

Left to itself a model this small learns to spell long before it learns to read: it has to find
out at once what letters look like and where the next one is, and neither helps without the
other. Drawn pages know both. So the first loss asks the vision tower which character is at each
position of its patches (frame-wise labels, as speech recognisers are started with), and the second
asks one attention head of the decoder to look at the image token that holds the next character
(guided attention: Liu et al. 2016, arXiv:1609.04186; Tachibana et al. 2017, arXiv:1710.08969).

Both are scaffolding. The saved model is a plain GLM-OCR.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import nn
from transformers import GlmOcrForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.glm_ocr.modeling_glm_ocr import apply_rotary_pos_emb

from glmocr_utils.finetune.examples import IGNORED, TrainingExample
from glmocr_utils.synth import SynthPage
from workshop.tiny_model.corpus import LETTERS, ODD_CHARACTERS

CHARACTERS = {character: n for n, character in enumerate(" " + LETTERS + ODD_CHARACTERS, start=1)}
NUM_CLASSES = len(CHARACTERS) + 2  # 0 is paper, the last a rare character
# An image token has two rows of patches; at usual line heights each holds the middle of at most
# one line. Across it, places are 4 pixels apart: less than the narrowest letter.
ROWS = 2
PLACES = 7
GUIDED_LAYER = 2  # two layers below it gather what was written last, two above it spell


def guidance(
    pages: Sequence[SynthPage],
    examples: Sequence[TrainingExample],
    batch: dict[str, torch.Tensor | int],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, torch.Tensor]:
    """What the teachers know of `pages`, in the batch that `collate` made of their examples.

    Args:
        tokenizer: of the examples, in which a token is spelled by a character for each byte.

    Returns:
        `characters`, (num_image_tokens of all pages, ROWS * PLACES): the class of the character
            at each place.
        `focus`, (batch, logits_to_keep - 1, num_tokens): True where the head is to look when it
            predicts the label one position on: at the ink of the token.
    """
    image_token_id = tokenizer.convert_tokens_to_ids("<|image|>")
    kept = batch["logits_to_keep"]
    focus = torch.zeros(len(pages), kept - 1, batch["input_ids"].shape[1], dtype=torch.bool)
    characters = []
    for row, (page, example) in enumerate(zip(pages, examples, strict=True)):
        _, height, width = (example.image_grid_thw[0] // torch.tensor([1, 2, 2])).tolist()
        boxes = _boxes_in_cells(page, width, height)
        characters.append(_characters_at(page.text, boxes, width, height))
        first = int((batch["input_ids"][row] == image_token_id).nonzero()[0])
        image = focus[row, :, first : first + width * height].view(kept - 1, height, width)
        cells = np.floor(boxes).astype(int)
        written = _characters_of_tokens(page.text, example, tokenizer)
        last = np.array([[0, 0, width - 1, height - 1]]) if not written else cells[-1:]
        looked_at = [
            *(cells[characters] for characters in written),
            last,
        ]  # the stop token: the end
        for position, token_cells in enumerate(looked_at, start=kept - 1 - len(looked_at)):
            for left, top, right, bottom in token_cells:
                image[position, top : bottom + 1, left : right + 1] = True
    return {"characters": torch.from_numpy(np.concatenate(characters)), "focus": focus}


def _characters_of_tokens(
    text: str, example: TrainingExample, tokenizer: PreTrainedTokenizerBase
) -> list[list[int]]:
    """For each token of the label, which characters of `text` it writes; those with ink, if any."""
    label = example.input_ids[-example.num_label_tokens : -1].tolist()
    ends = accumulate(len(token) for token in tokenizer.convert_ids_to_tokens(label))
    of_byte = [number for number, character in enumerate(text) for _ in character.encode()]
    written = []
    for start, end in pairwise([0, *ends]):
        characters = sorted(set(of_byte[start:end]))
        with_ink = [number for number in characters if not text[number].isspace()]
        written.append(with_ink or characters)
    return written


def _boxes_in_cells(page: SynthPage, width: int, height: int) -> np.ndarray:
    """The characters' boxes in units of image tokens, kept on a page of width × height of them."""
    scale = np.array([width / page.image.width, height / page.image.height] * 2, np.float32)
    largest = np.array([width, height] * 2, np.float32) - 1e-3
    return (page.boxes * scale).clip(0, largest)


def _characters_at(text: str, boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    classes = np.zeros((height, ROWS, width * PLACES), np.int64)
    for character, (left, top, right, bottom) in zip(text, boxes, strict=True):
        if character == "\n":
            continue
        row = int((top + bottom) / 2 * ROWS)
        start = int(left * PLACES + 0.5)
        end = max(start + 1, int(right * PLACES + 0.5))
        classes[row // ROWS, row % ROWS, start:end] = CHARACTERS.get(character, NUM_CLASSES - 1)
    tokens = classes.reshape(height, ROWS, width, PLACES).transpose(0, 2, 1, 3)
    return tokens.reshape(height * width, ROWS * PLACES)


class Teachers(nn.Module):
    """Both losses, from what is overheard in the model's forward pass."""

    def __init__(self, model: GlmOcrForConditionalGeneration) -> None:
        super().__init__()
        hidden = model.config.text_config.hidden_size
        self.name_characters = nn.Linear(hidden, ROWS * PLACES * NUM_CLASSES)
        # in a tuple, so that it does not count as a part of this module
        self._attention = (model.model.language_model.layers[GUIDED_LAYER].self_attn,)
        self._attention[0].register_forward_pre_hook(self._hear_attention, with_kwargs=True)
        model.model.visual.register_forward_hook(self._hear_vision)

    def _hear_attention(self, _module: nn.Module, _args: tuple, inputs: dict) -> None:
        self._heard = inputs["hidden_states"], inputs["position_embeddings"]

    def _hear_vision(self, _module: nn.Module, _args: tuple, output: object) -> None:
        self._image_embeddings = output.pooler_output

    def see_loss(self, characters: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of naming the character at each place of the images just seen."""
        logits = self.name_characters(self._image_embeddings).view(-1, NUM_CLASSES)
        # paper is most of a page and soon known
        weight = torch.ones(NUM_CLASSES, device=logits.device)
        weight[0] = 0.2
        return nn.functional.cross_entropy(logits, characters.flatten(), weight)

    def look_loss(self, batch: dict[str, torch.Tensor | int], focus: torch.Tensor) -> torch.Tensor:
        """-log of the attention that the guided head pays to the right image tokens."""
        attention = self._attention[0]
        hidden, (cos, sin) = self._heard
        kept, head_dim = batch["logits_to_keep"], attention.head_dim
        num_tokens = hidden.shape[1]
        asking = slice(num_tokens - kept, num_tokens - 1)
        # the first head, for its queries alone
        query = (hidden[:, asking] @ attention.q_proj.weight[:head_dim].T)[:, None]
        key = (hidden @ attention.k_proj.weight[:head_dim].T)[:, None]
        query, _ = apply_rotary_pos_emb(query, query, cos[:, asking], sin[:, asking])
        key, _ = apply_rotary_pos_emb(key, key, cos, sin)
        scores = (query @ key.transpose(-1, -2))[:, 0] * attention.scaling
        positions = torch.arange(num_tokens, device=hidden.device)
        seen = (positions <= positions[asking, None]) & (batch["attention_mask"][:, None] > 0)
        logprobs = scores.masked_fill(~seen, -1e4).log_softmax(-1)
        paid = logprobs.masked_fill(~focus, -1e4).logsumexp(-1)
        return -paid[batch["labels"][:, 1:] != IGNORED].mean()
