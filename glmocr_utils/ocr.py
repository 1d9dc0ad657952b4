"""Page images → text with token probabilities."""

import math
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from transformers import BatchFeature
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from glmocr_utils.decoding import DecodedPage, PageDecoder
from glmocr_utils.model import LoadedModel, TrainedFor
from glmocr_utils.prefetch import Prefetch
from glmocr_utils.prompt import EMPTY_THOUGHT, TEXT_RECOGNITION, PromptStyle, encode_prompt
from glmocr_utils.records import Alternative, OcrResult, PageImage, TokenProb
from glmocr_utils.token_text import decode_ids, encode_text, special_token_ids, token_texts

SCORE_POSITIONS_AT_ONCE = 256  # float32 logits of so many positions are in memory together
FAILURES_OF_A_PAGE = (RuntimeError, MemoryError, ValueError)  # out of memory is a RuntimeError
# what PyTorch says on a GPU, on a CPU, and for a library's own memory
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """A page as the model takes it.

    Attributes:
        inputs: of this page alone, on the CPU.
    """

    page: PageImage
    inputs: BatchFeature

    @property
    def num_image_tokens(self) -> int:
        return int(self.inputs["mm_token_type_ids"].sum())


class PageReader:
    """Reads pages that come and go, several at a time.

    The text of a page does not depend on the pages that are read with it (exactly so in float32; in
    half precision rounding may turn a near tie).

    Args:
        prompt: what the model is asked, such as `Text Recognition:` or `Table Recognition:`.
        style: `default` or `nothink`; None takes the one that the model was trained with.
        top_k: alternatives recorded for each token.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        prompt: str = TEXT_RECOGNITION,
        style: PromptStyle | None = None,
        top_k: int = 5,
    ) -> None:
        self.model = model
        self._prompt = prompt
        self._style = style or model.prompt_style
        self._special = special_token_ids(model.processor.tokenizer)
        self._decoder = PageDecoder(model.model, top_k)
        # without their inputs: the patches of a large page are over 100 MB
        self._under_way: dict[Hashable, tuple[PageImage, int]] = {}

    def __len__(self) -> int:
        """How many pages are under way."""
        return len(self._under_way)

    @property
    def cache_bytes(self) -> int:
        """Memory that keys and values of the pages under way hold."""
        return self._decoder.cache_bytes

    def prepare(self, page: PageImage) -> PreparedPage:
        """What can be done before the model is free; threads may do it."""
        inputs = encode_prompt(self.model.processor, [page.image], self._prompt, self._style)
        return PreparedPage(page, inputs)

    def enter(self, key: Hashable, page: PreparedPage, max_tokens: int) -> None:
        """Begin a page, which gets at most `max_tokens` new tokens and comes out under `key`."""
        self._decoder.enter(key, page.inputs, max_tokens)
        self._under_way[key] = page.page, page.num_image_tokens

    def step(self) -> list[tuple[Hashable, OcrResult]]:
        """Write a token of every page that is under way. Returns those that have ended."""
        ended = self._decoder.step()
        return [(key, self._result(*self._under_way.pop(key), output)) for key, output in ended]

    def remove(self, key: Hashable) -> None:
        """Take a page out before it has ended."""
        self._decoder.remove(key)
        del self._under_way[key]

    def _result(self, page: PageImage, num_image_tokens: int, output: DecodedPage) -> OcrResult:
        model = self.model
        tokens = without_thought(_tokens(model.processor.tokenizer, output, self._special))
        return OcrResult(
            page=page.page,
            text="".join(token.text for token in tokens),
            tokens=tokens,
            finish_reason=output.finish_reason,
            prompt=self._prompt,
            model_id=model.model_id,
            revision=model.revision,
            adapter=model.adapter,
            scale=page.scale,
            seconds=output.seconds,
            num_image_tokens=num_image_tokens,
        )


def read_pages(
    model: LoadedModel,
    pages: Iterable[PageImage],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    max_tokens: int = 2048,
    batch_size: int = 1,
    top_k: int = 5,
    on_failure: Callable[[PageImage, Exception], None] | None = None,
) -> Iterator[OcrResult]:
    """Read pages, `batch_size` at a time, and give them in their order.

    Whenever a page has ended, the next one takes its place; as many again are prepared ahead.

    Args:
        max_tokens: new tokens a page, at most.
        batch_size: pages that are under way together.
        prompt, style, top_k: as in `PageReader`.
        on_failure: is told of a page that cannot be prepared or finds no room in memory, which is
            then left out. None raises what was raised.

    Raises:
        ValueError: an option is out of its range.
    """
    check_at_least_one(max_tokens=max_tokens, batch_size=batch_size, top_k=top_k)
    reader = PageReader(model, prompt=prompt, style=style, top_k=top_k)
    check_scale = ScaleCheck(model.trained_for)
    done: dict[int, OcrResult] = {}
    entered = given = 0

    def prepare(page: PageImage) -> tuple[PageImage, PreparedPage | Exception]:
        try:
            return page, reader.prepare(page)
        except FAILURES_OF_A_PAGE as error:
            return page, error

    with Prefetch(map(prepare, pages), batch_size) as prepared:
        while True:
            while len(reader) < batch_size and (taken := prepared.take(wait=not reader)):
                page, ready = taken
                check_scale(page)
                try:
                    if isinstance(ready, Exception):
                        raise ready
                    reader.enter(entered, ready, max_tokens)
                except FAILURES_OF_A_PAGE as error:
                    if on_failure is None:
                        raise
                    on_failure(page, error)
                else:
                    entered += 1
            if not reader and prepared.ended:
                return
            done.update(reader.step())
            while given in done:
                yield done.pop(given)
                given += 1


def is_out_of_memory(error: Exception) -> bool:
    """Whether a pass through the model failed for lack of memory."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        each in said for each in OUT_OF_MEMORY
    )


def check_at_least_one(**options: int) -> None:
    """Refuse options below 1, before a model is loaded for them.

    Raises:
        ValueError: one of them is; the message names it.
    """
    for name, value in options.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def score_text(
    model: LoadedModel,
    image: Image.Image,
    text: str,
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    top_k: int = 5,
) -> tuple[TokenProb, ...]:
    """The probability that the model gives to each token of any text, in one teacher-forced pass.

    For the text that the model reads itself, these are the probabilities that `read_pages`
    recorded (within 1e-3 in float32).

    Returns:
        One record a token of `text`; joining their texts gives `text`.
    """
    text_ids = encode_text(model.processor.tokenizer, text)
    return score_tokens(model, image, text_ids, prompt=prompt, style=style, top_k=top_k)


@torch.inference_mode()
def score_tokens(
    model: LoadedModel,
    image: Image.Image,
    token_ids: Sequence[int],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    top_k: int = 5,
) -> tuple[TokenProb, ...]:
    """Like `score_text`, for given tokens: one text can be spelled in several ways."""
    if not len(token_ids):
        return ()
    logits = token_logits(model, image, token_ids, prompt=prompt, style=style)
    target = torch.tensor([list(token_ids)], device=model.device)
    scored = []
    for start in range(0, len(token_ids), SCORE_POSITIONS_AT_ONCE):
        stop = start + SCORE_POSITIONS_AT_ONCE
        logprobs = logits[start:stop].float().log_softmax(dim=-1)
        chosen = logprobs.gather(-1, target[0, start:stop, None])[:, 0]
        top = logprobs.topk(top_k, dim=-1)
        scored.append((chosen, top.indices, top.values))
    chosen, top_ids, top_logprobs = (
        torch.cat(parts).cpu().numpy() for parts in zip(*scored, strict=True)
    )
    output = DecodedPage(target[0].cpu().numpy(), chosen, top_ids, top_logprobs, "stop", 0.0)
    return _tokens(model.processor.tokenizer, output)


@torch.inference_mode()
def token_logits(
    model: LoadedModel,
    image: Image.Image,
    token_ids: Sequence[int],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
) -> torch.Tensor:
    """The model's raw logits where each of the given tokens stands, in one teacher-forced pass.

    Returns:
        (num_tokens, vocabulary), in the model's dtype, on its device.
    """
    style = style or model.prompt_style
    inputs = encode_prompt(model.processor, [image], prompt, style).to(model.device)
    target = torch.tensor([list(token_ids)], device=model.device)
    for name, added in (
        ("input_ids", target),
        ("attention_mask", torch.ones_like(target)),
        ("mm_token_type_ids", torch.zeros_like(target)),
    ):
        inputs[name] = torch.cat([inputs[name], added.to(inputs[name].dtype)], dim=1)
    # the logits that predict the first token stand before it; those after the last are not needed
    return model.model(**inputs, logits_to_keep=len(token_ids) + 1).logits[0, :-1]


def without_thought(tokens: tuple[TokenProb, ...]) -> tuple[TokenProb, ...]:
    """Drop an empty `<think></think>` and the line end after it where they lead the output."""
    text = ""
    for number, token in enumerate(tokens):
        text += token.text
        if text == EMPTY_THOUGHT:
            rest = tokens[number + 1 :]
            return rest[1:] if rest and rest[0].text == "\n" else rest
        if not EMPTY_THOUGHT.startswith(text):
            break
    return tokens


class ScaleCheck:
    """Warns once of a page at another scale than the one that a model was trained at."""

    def __init__(self, trained_for: TrainedFor | None) -> None:
        self._trained = trained_for and trained_for.scale

    def __call__(self, page: PageImage) -> None:
        # an image file has no points, so nothing is known of its scale
        is_pdf = page.page.document_path.lower().endswith(".pdf")
        trained = self._trained
        if is_pdf and trained is not None and not math.isclose(page.scale, trained, rel_tol=0.1):
            warnings.warn(
                f"{page.page.document_path} page {page.page.page_number} has scale {page.scale:g}, "
                f"and the model was trained at {trained:g}: it may read worse. Render at "
                f"scale={trained:g}",
                stacklevel=3,
            )
            self._trained = None


def _tokens(
    tokenizer: PreTrainedTokenizerBase,
    output: DecodedPage,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[TokenProb, ...]:
    spelled = {token_id: decode_ids(tokenizer, [token_id]) for token_id in set(output.top_ids.flat)}
    kept = [i for i, token_id in enumerate(output.token_ids) if token_id not in leave_out]
    texts = token_texts(tokenizer, output.token_ids[kept])
    return tuple(
        TokenProb(
            token_id=int(token_id),
            text=text,
            logprob=float(logprob),
            alternatives=tuple(
                Alternative(int(other), spelled[other], float(other_logprob))
                for other, other_logprob in zip(others, other_logprobs, strict=True)
            ),
        )
        for token_id, text, logprob, others, other_logprobs in zip(
            output.token_ids[kept],
            texts,
            output.logprobs[kept],
            output.top_ids[kept],
            output.top_logprobs[kept],
            strict=True,
        )
    )
