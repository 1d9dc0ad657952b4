"""One step of decoding: the next token of every page.

All that it reads and writes is on the device, and what it does depends on nothing but the number of
rows and columns. So it never waits for the host, nor the host for it, and it can be captured once
and replayed.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import torch

from glmocr_utils.decoding import cpu_attention
from glmocr_utils.decoding.recorder import Recorder
from glmocr_utils.decoding.rows import Rows
from glmocr_utils.decoding.slot_cache import SlotCache

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers import DynamicCache, PreTrainedModel

# Others than `eager` decode with PyTorch's own, or on a CPU with ours: flash-attn gathers all keys
# and values in each layer of each step, and asks the device how long they are.
EAGER, PLAIN = "eager", "sdpa"


@cache
def cache_argument() -> str:
    """What GLM-OCR calls its cache: Transformers 5.24 renamed it, and 5.40 drops the old name."""
    from transformers.models.glm_ocr.modeling_glm_ocr import GlmOcrModel

    names = inspect.signature(GlmOcrModel.forward).parameters
    return "cache" if "cache" in names else "past_key_values"


class TokenStep:
    """A model, and the pages that it writes.

    Attributes:
        cache, recorder, rows: of the pages under way, a row for each.
    """

    def __init__(self, model: "PreTrainedModel", top_k: int) -> None:
        self._model = model
        self._text_config = model.config.get_text_config()
        device = model.lm_head.weight.device
        if device.type == "meta":  # its weights are kept elsewhere, and loaded when it is called
            device = model.device
        self._decodes_with = cpu_attention.register() if device.type == "cpu" else PLAIN
        self._stops = torch.tensor(model.generation_config.eos_token_id, device=device)
        self._all_columns = torch.arange(0, device=device)
        self.cache = SlotCache(self._text_config.num_hidden_layers)
        self.recorder = Recorder(top_k, device)
        self.rows = Rows(device)

    def make_room(self, rows: int, columns: int, tokens: int) -> None:
        """Have room for a step of so many rows and columns.

        Args:
            tokens: that any page may have written by then.
        """
        self.cache.make_room(rows, columns)
        self.recorder.make_room(rows, tokens + 1)  # a row that has ended writes behind its end
        self.rows.make_room(rows)
        if columns > len(self._all_columns):
            self._all_columns = torch.arange(2 * columns, device=self._all_columns.device)

    def buffers(self) -> tuple[torch.Tensor, ...]:
        """The buffers that a step reads and writes, besides the model's weights."""
        layers = [part for layer in self.cache.layers for part in (layer.keys, layer.values)]
        return *layers, *self.recorder.buffers(), self.rows.buffer, self._all_columns

    def enter(
        self,
        pages: "DynamicCache",
        lengths: Sequence[int],
        logits: torch.Tensor,
        max_tokens: Sequence[int],
    ) -> None:
        """Add a row for each page; where that fails, there is none more than before.

        Args:
            pages: keys and values of images and prompts, padded on the right.
            lengths: tokens of each.
            logits: of the first tokens, (num_pages, vocabulary).
            max_tokens: limit of each.
        """
        first = len(self.cache.lengths)
        after = first + len(lengths)
        self.recorder.make_room(after, 1)
        self.rows.make_room(after)
        self.cache.append(pages, lengths)
        try:
            offsets = self._model.model.rope_deltas[:, 0]
            for row, *begun in zip(range(first, after), lengths, offsets, max_tokens, strict=True):
                self.recorder.begin(row)
                self.rows.begin(row, *begun)
            self._write(logits, slice(first, after))
        except Exception:
            del self.cache.lengths[first:]
            raise

    def __call__(self, rows: int, columns: int, is_ragged: bool = True) -> None:
        """Write a token in each of the first rows, for which there is room.

        Args:
            columns: of the cache, so many that each row's new token is within.
            is_ragged: False if all rows use all columns, which may save a mask.
        """
        of_rows = slice(rows)
        state = self.rows[of_rows]
        device = self._model.device
        last_ids, ends = state.last_ids.to(device), state.ends.to(device)
        self.cache.open(ends, columns)
        with self._attention() as attention:
            is_masked = is_ragged or attention != PLAIN
            hidden = self._model.model.language_model(
                inputs_embeds=self._model.get_input_embeddings()(last_ids[:, None]),
                position_ids=(ends + state.offsets.to(device))[None, :, None].expand(3, -1, -1),
                attention_mask=self._mask(ends, columns, attention) if is_masked else None,
                **{cache_argument(): self.cache},
            ).last_hidden_state
        self._write(self._model.lm_head(hidden[:, -1]), of_rows)

    def remove(self, row: int) -> None:
        """Take a row out; the last one moves into its place."""
        last = len(self.cache.lengths) - 1
        self.cache.remove(row)
        self.recorder.move(last, row)
        self.rows.move(last, row)

    def _write(self, logits: torch.Tensor, rows: slice) -> None:
        state = self.rows[rows]
        logits = logits.to(state.counts.device)
        state.advance(self.recorder.write(logits, rows, state.counts), self._stops)

    @contextmanager
    def _attention(self) -> Iterator[str]:
        """Attend as decoding does, which is what comes."""
        config, before = self._text_config, self._text_config._attn_implementation
        config._attn_implementation = EAGER if before == EAGER else self._decodes_with
        try:
            yield config._attn_implementation
        finally:
            config._attn_implementation = before

    def _mask(self, ends: torch.Tensor, columns: int, attention: str) -> torch.Tensor:
        """Which columns each row attends to, (rows, 1, 1, columns), as the attention takes it."""
        is_seen = self._all_columns[:columns].to(ends.device) <= ends[:, None]
        is_seen = is_seen[:, None, None]
        if attention == PLAIN:
            return is_seen
        dtype = self._model.dtype
        hidden = torch.zeros_like(is_seen, dtype=dtype)
        return hidden.masked_fill_(~is_seen, torch.finfo(dtype).min)
