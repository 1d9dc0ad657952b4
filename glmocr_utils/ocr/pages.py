"""Page images → text with token probabilities."""

import math
import warnings
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from transformers import BatchFeature

from glmocr_utils.decoding import DecodedPage, NotFiniteError, PageDecoder
from glmocr_utils.model import LoadedModel, TrainedFor
from glmocr_utils.ocr.by_region import ByRegion
from glmocr_utils.ocr.entering import Entering, Outcome
from glmocr_utils.ocr.parts import PageInParts, prepared_parts
from glmocr_utils.ocr.prefetch import Prefetch
from glmocr_utils.ocr.progress import Watch, Watching
from glmocr_utils.ocr.tokens import token_records, without_thought
from glmocr_utils.options import ReadingOptions, check_at_least_one
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle, encode_prompt
from glmocr_utils.records import OcrResult, PageImage, PageRef
from glmocr_utils.token_text import REPLACEMENT, decode_ids, special_token_ids


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """A page, or a region of one, as the model takes it.

    Attributes:
        inputs: of this image alone, on the CPU.
        prompt: the model's prompt for it.
    """

    page: PageImage
    inputs: BatchFeature
    prompt: str

    @property
    def num_image_tokens(self) -> int:
        return int(self.inputs["mm_token_type_ids"].sum())


Entry = tuple[Hashable, PreparedPage, int]  # key, page, limit


class PageReader:
    """Reads pages that come and go, several at a time.

    The text of a page does not depend on the pages that are read with it (exactly so in float32; in
    half precision rounding may turn a near tie).

    Args:
        prompt: the task, such as `Text Recognition:` or `Table Recognition:`.
        style: `default` or `nothink`; None takes the one that the model was trained with.
        top_k: alternatives recorded for each token.
    """

    def __init__(
        self,
        model: LoadedModel,
        *,
        prompt: str = TEXT_RECOGNITION,
        style: PromptStyle | None = None,
        top_k: int = ReadingOptions.top_k,
    ) -> None:
        self.model = model
        self._prompt = prompt
        self._style = style or model.prompt_style
        self._special = special_token_ids(model.processor.tokenizer)
        spell = partial(decode_ids, model.processor.tokenizer)
        self._decoder = PageDecoder(model.model, top_k, spell)
        # without their inputs: the patches of a large page are over 100 MB
        self._under_way: dict[Hashable, tuple[PageImage, str, int]] = {}

    def __len__(self) -> int:
        """How many pages are under way."""
        return len(self._under_way)

    @property
    def cache_bytes(self) -> int:
        """Memory that keys and values of the pages under way hold."""
        return self._decoder.cache_bytes

    def pages_under_way(self) -> list[tuple[Hashable, PageRef, int]]:
        """Key, page and number of tokens so far, in the order in which pages were entered."""
        counts = dict(self._decoder.counts())
        return [(key, page.page, counts[key]) for key, (page, *_) in self._under_way.items()]

    def tail(self, key: Hashable, num_tokens: int) -> str:
        """The end of the text of a page in flight."""
        token_ids = self._decoder.last_ids(key, num_tokens)
        kept = [each for each in token_ids if each not in self._special]
        return decode_ids(self.model.processor.tokenizer, kept).strip(REPLACEMENT)

    def prepare(self, page: PageImage, prompt: str | None = None) -> PreparedPage:
        """What can be done before the model is free; threads may do it.

        Args:
            prompt: another one than the reader's.
        """
        prompt = prompt or self._prompt
        inputs = encode_prompt(self.model.processor, [page.image], prompt, self._style)
        return PreparedPage(page, inputs, prompt)

    def enter(self, key: Hashable, page: PreparedPage, max_tokens: int) -> None:
        """Begin a page, which gets at most `max_tokens` new tokens and comes out under `key`."""
        self.enter_together([(key, page, max_tokens)])

    def enter_together(self, pages: Sequence[Entry]) -> None:
        """Begin several pages in one pass; where it fails, none of them has begun.

        Args:
            pages: key, page and limit of each, as `enter` takes them.
        """
        self._decoder.enter_together([(key, page.inputs, limit) for key, page, limit in pages])
        for key, page, _ in pages:
            self._under_way[key] = page.page, page.prompt, page.num_image_tokens

    def step(self) -> list[tuple[Any, OcrResult | Exception]]:
        """Write a token of every page that is under way.

        Returns:
            The pages that have ended; of one that could not be read, why (`NotFiniteError`: its
            numbers were NaN or infinite).
        """
        ended = self._decoder.step()
        return [(key, self._outcome(*self._under_way.pop(key), output)) for key, output in ended]

    def remove(self, key: Hashable) -> None:
        """Take a page out before it has ended."""
        self._decoder.remove(key)
        del self._under_way[key]

    def blank(self, page: PageImage) -> OcrResult:
        """What becomes of a page without ink."""
        none = np.empty(0, int)
        nothing = DecodedPage(none, none, none, none, "stop", 0.0)
        return replace(self._result(page, self._prompt, 0, nothing), is_blank=True)

    def _outcome(
        self,
        page: PageImage,
        prompt: str,
        num_image_tokens: int,
        output: DecodedPage | NotFiniteError,
    ) -> OcrResult | Exception:
        if isinstance(output, NotFiniteError):
            return output
        try:
            return self._result(page, prompt, num_image_tokens, output)
        except Exception as error:  # whatever it is, it is this page's: the others are read on
            return error

    def _result(
        self, page: PageImage, prompt: str, num_image_tokens: int, output: DecodedPage
    ) -> OcrResult:
        model = self.model
        tokens = without_thought(token_records(model.processor.tokenizer, output, self._special))
        return OcrResult(
            page=page.page,
            text="".join(token.text for token in tokens),
            tokens=tokens,
            finish_reason=output.finish_reason,
            prompt=prompt,
            model_id=model.model_id,
            revision=model.revision,
            adapter=model.adapter,
            scale=page.scale,
            seconds=output.seconds,
            num_image_tokens=num_image_tokens,
            dtype=model.dtype_name,
            attention=model.attention.implementation,
            missing=page.missing,
        )


def read_pages(
    model: LoadedModel,
    pages: Iterable[PageImage],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    max_tokens: int = ReadingOptions.max_tokens,
    batch_size: int = ReadingOptions.batch_size,
    top_k: int = ReadingOptions.top_k,
    by_region: ByRegion | None = None,
    on_failure: Callable[[PageImage, Exception], None] | None = None,
    on_read: Callable[[OcrResult, PageImage], None] | None = None,
    watch: Watch | None = None,
) -> Generator[OcrResult, None, None]:
    """Read pages, `batch_size` at a time, and yield them in order.

    When a page has ended, the next one takes its place; as many again are prepared ahead. A page
    without ink is not given to the model. By regions, those of several pages are in flight
    together, and a page ends with its last region.

        images = [each for each in render_documents(["my.pdf"]) if isinstance(each, PageImage)]
        for result in read_pages(model, images, batch_size=4):
            print(result.text)

    Args:
        pages: page images, RGB.
        max_tokens: token limit per page or region.
        batch_size: pages or regions in flight together.
        prompt, style, top_k: as in `PageReader`.
        by_region: reads each page region by region; None reads it as a whole. A region that cannot
            be read is marked in its page.
        on_failure: called for a page that cannot be prepared, does not fit into memory or fails
            (`NotFiniteError`: its numbers are NaN or infinite); the page is then left out. None
            raises the error.
        on_read: called with each page as soon as it has ended, which may be before its turn.
        watch: called twice a second with the progress, and at the end; see `show_reading`.

    Raises:
        ValueError: an option is out of its range.
    """
    check_at_least_one(max_tokens=max_tokens, batch_size=batch_size, top_k=top_k)
    reader = PageReader(model, prompt=prompt, style=style, top_k=top_k)
    check_scale = ScaleCheck(model.trained_for)
    under_way: dict[int, PageInParts] = {}  # by number; those whose result was not given yet
    done: dict[int, OcrResult | None] = {}
    given = 0
    watching = Watching(watch, reader, len(pages) if isinstance(pages, Sized) else None)

    def end(page: PageInParts) -> None:
        outcome = page.outcome(partial(reader.blank, page.image))
        if isinstance(outcome, OcrResult):
            if on_read:
                on_read(outcome, page.image)
        elif on_failure is None:
            raise outcome
        else:
            on_failure(page.image, outcome)
        done[page.number] = outcome if isinstance(outcome, OcrResult) else None
        watching.ended(len(outcome.tokens) if isinstance(outcome, OcrResult) else None)
        under_way.pop(page.number, None)

    def note(outcomes: Iterable[Outcome]) -> None:
        for (number, region), error in outcomes:
            if error is not None:
                page = under_way[number]
                page.readings[region] = error
                if page.has_ended:
                    end(page)

    entering = Entering(reader, watching.look)
    parts = prepared_parts(reader, pages, by_region, batch_size)
    with Prefetch(parts, batch_size) as prepared:
        while True:
            # what is in turn is given before others are waited for
            while given not in done and len(reader) + len(entering) < batch_size:
                if (part := prepared.take(wait=not (reader or entering))) is None:
                    break
                page = part.page
                if part.ready is not None:
                    check_scale(page.image)
                    under_way[page.number] = page
                if isinstance(part.ready, Exception):
                    page.readings[part.region] = part.ready
                elif part.ready is not None:
                    if not entering.takes(part.ready):
                        note(entering.begin())
                    entering.add((page.number, part.region), part.ready, max_tokens)
                if page.has_ended:
                    end(page)
            note(entering.begin())
            if reader:
                for (number, region), outcome in reader.step():
                    page = under_way[number]
                    page.readings[region] = outcome
                    if page.has_ended:
                        end(page)
                watching.look()
            while given in done:
                if (in_turn := done.pop(given)) is not None:
                    yield in_turn
                given += 1
            if not reader and prepared.ended:
                watching.finish()
                return


class ScaleCheck:
    """Warns once of a page at another scale than the one that a model was trained at."""

    def __init__(self, trained_for: TrainedFor | None) -> None:
        self._trained = None if trained_for is None else trained_for.scale

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
