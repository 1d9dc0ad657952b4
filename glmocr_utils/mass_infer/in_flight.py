"""Requests → readings with a model in this process: as many at a time as memory holds.

A request is for a page, a region of one, for the regions of a page, for what it left out, or for
what second readers say of it.
"""

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from glmocr_utils.coverage import page_coverage
from glmocr_utils.decoding import NotFiniteError
from glmocr_utils.grounding import Locator
from glmocr_utils.layout import LAYOUT_BATCH, LayoutModel
from glmocr_utils.mass_infer.layouts import layouts_of
from glmocr_utils.mass_infer.request import (
    Answer,
    AnyRequest,
    Covered,
    CoverRequest,
    Failure,
    Layout,
    LayoutRequest,
    Reading,
    Request,
    SecondRequest,
)
from glmocr_utils.model import LoadedModel, free_memory, give_back_memory
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr import FAILURES_OF_A_PAGE, PageReader, PreparedPage, is_out_of_memory
from glmocr_utils.ocr.entering import Entering, Outcome
from glmocr_utils.ocr.progress import Watch, Watching
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import OcrResult
from glmocr_utils.records.page_row import to_result
from glmocr_utils.second_reader import SecondReader

MAX_AUTO_PAGES_GPU = 64
MAX_AUTO_PAGES_CPU = 16  # with more, a page takes no less time
# A step takes most of its time for itself, however many small images take part.
SMALL_IMAGES_A_PAGE = 4
IMAGE_TOKENS_OF_A_PAGE = 640
SHARE_OF_FREE_MEMORY = 0.5  # the rest is for what is not counted here
# A pass over the vision tower holds about so many activations of its width for each patch.
VISION_ACTIVATIONS = 16
PAGES_BEFORE_ONE_MORE = 100  # when memory has run out: others may have held it for a while


@dataclass(slots=True, eq=False)
class Work:
    """A request on its way through the model.

    Attributes:
        key: what its reading comes out under.
        request: None where nothing is to be read, as of a page that is blank.
        page: None without a request, for the regions of a page, where the page could not be
            prepared, and once it is under way, for its patches are large.
        answer: where no pass of the model is needed: of second readers, or why it could not be
            prepared.
        max_length: tokens of image and text together, at most; image_tokens: those of the image.
        is_suspect: a pass in which it took part failed, so it is tried alone.
    """

    key: Any  # hashable
    request: AnyRequest | None
    page: PreparedPage | None = None
    answer: Answer | None = None
    max_length: int = 0
    image_tokens: int = 0
    is_suspect: bool = False


class InFlightReader:
    """Reads requests, each page leaving when it has ended.

    Args:
        prompt, style: as in `PageReader`.
        batch_size: pages under way together, at most, or `auto`: what half of the free memory
            holds, at most 64 on a GPU and 16 on a CPU; of regions and other small images up to
            four times as many, as long as they have no more image tokens than so many pages.
        layout: finds the regions of pages; None where none are asked for.
        locator: says where text is on a page, for coverage; None where that is not asked for.
        watch: called twice a second while something is being read, and before the model looks at
            a page; its progress counts requests, of which a page may need several.
        second_readers: programs that read the pages too, while the model reads others.
    """

    def __init__(
        self,
        model: LoadedModel,
        prompt: str,
        style: PromptStyle | None,
        batch_size: int | Literal["auto"] = "auto",
        layout: LayoutModel | None = None,
        locator: Locator | None = None,
        watch: Watch | None = None,
        second_readers: Sequence[SecondReader] = (),
    ) -> None:
        self.model = model
        self._prompt = prompt
        self._locator = locator
        self._second_readers = second_readers
        self._layout = layout
        self._reader = PageReader(model, prompt=prompt, style=style, top_k=1)
        self._watch = watch
        self._watching = Watching(None, self._reader, None)
        self._by_memory = batch_size == "auto"
        most = MAX_AUTO_PAGES_CPU if model.device.type == "cpu" else MAX_AUTO_PAGES_GPU
        self._batch_size = most if batch_size == "auto" else batch_size
        self._most = self._batch_size  # lowered when memory runs out
        self._more_if_small = self._by_memory  # until memory runs out
        self._ended_since = 0

    @property
    def second_threads(self) -> int:
        """How many should prepare requests of second readers, which take a second or more each."""
        return max(1, (os.cpu_count() or 1) // 2)

    def prepare(self, key: Any, request: AnyRequest | None) -> Work:
        """What can be done before the model is free; threads may do it."""
        if isinstance(request, SecondRequest):
            return Work(key, request, answer=request.answered_by(self._second_readers))
        if not isinstance(request, Request):
            return Work(key, request)
        try:
            page = self._reader.prepare(request.page, request.prompt)
            tokens = page.num_image_tokens
            return Work(key, request, page, None, tokens + request.max_tokens, tokens)
        except FAILURES_OF_A_PAGE as error:  # as of a page that is far wider than high
            return Work(key, request, answer=_failure(error))

    def read(self, take: Callable[[bool], Work | None]) -> Iterator[tuple[Any, Answer | None]]:
        """Read what `take` gives, until it gives nothing.

        Pages whose regions are wanted are looked at together, as many as have come.

        Where memory runs out, pages are put back until half as many are under way; where a pass
        fails for another reason, those that took part are tried one by one. A page that fails alone
        is a `Failure`.

        Args:
            take: gives the next piece of work, or None if there is none (yet); its argument says
                whether to wait for one.

        Yields:
            The key of each request with what was read; with None where nothing is to be read.
        """
        self._watching = Watching(self._watch, self._reader, None)
        put_back: deque[Work] = deque()
        under_way: dict[Hashable, Work] = {}
        waiting: dict[Hashable, Work] = {}  # in `entering`
        entering = Entering(self._reader, self._watching.look)
        to_look_at: list[Work] = []
        work: Work | None = None

        def take_next() -> Work | None:
            if put_back:
                return self._again(put_back.popleft())
            if len(to_look_at) == LAYOUT_BATCH:
                return None
            return take(not (under_way or waiting or to_look_at))

        def begun(outcomes: list[Outcome]) -> Iterator[tuple[Any, Failure]]:
            for key, error in outcomes:
                failure = self._begun(waiting.pop(key), error, under_way, put_back)
                if failure is not None:
                    yield key, failure

        while True:
            while work or (work := take_next()):
                if isinstance(work.request, LayoutRequest):
                    to_look_at.append(work)
                elif isinstance(work.request, CoverRequest):
                    yield work.key, self._cover(work.request)
                elif work.page is None:
                    yield work.key, work.answer
                elif not self._has_room(work, {**under_way, **waiting}):
                    break
                elif not entering.takes(work.page):
                    yield from begun(entering.begin())
                    continue  # there may be less room now
                else:
                    assert isinstance(work.request, Request)  # others have no page
                    entering.add(work.key, work.page, work.request.max_tokens)
                    waiting[work.key] = work
                work = None
            yield from begun(entering.begin())
            if to_look_at:
                yield from self._look(to_look_at)
                to_look_at.clear()
            elif under_way:
                yield from self._step(under_way, put_back)
            elif not put_back and work is None:
                return

    def _look(self, works: list[Work]) -> Iterator[tuple[Hashable, Layout | Failure]]:
        """Find the regions of pages; where that fails for several, it is tried page by page."""
        assert self._layout is not None  # it is loaded where regions are asked for

        def failure_of(error: Exception) -> Failure:
            self._free_memory()
            return _failure(error)

        images = [work.request.page.image for work in works if work.request is not None]
        found = layouts_of(self._layout, images, failure_of)
        yield from zip((work.key for work in works), found, strict=True)

    def _cover(self, request: CoverRequest) -> Covered | Failure:
        assert self._locator is not None  # it is there where coverage is asked for
        run = {
            "prompt": self._prompt,
            "model_id": self.model.model_id,
            "revision": self.model.revision,
            "adapter": self.model.adapter,
        }
        result = to_result(request.row, run)
        if result is None or not result.tokens:
            return Failure("there is no text to locate")
        try:
            layout = self._locator.locate(result, request.page.image)
            return Covered(page_coverage(request.page.image, result, layout), layout)
        except FAILURES_OF_A_PAGE as error:
            self._free_memory()
            return _failure(error)

    def _again(self, work: Work) -> Work:
        """A piece of work that was put back, with its page."""
        if work.page is not None:
            return work
        again = self.prepare(work.key, work.request)
        again.is_suspect = work.is_suspect
        return again

    def _has_room(self, work: Work, under_way: dict[Hashable, Work]) -> bool:
        if not under_way:
            return True
        if work.is_suspect or any(other.is_suspect for other in under_way.values()):
            return False
        is_within_most = len(under_way) < self._most or self._are_small(work, under_way)
        return is_within_most and (not self._by_memory or self._fits(work, under_way))

    def _are_small(self, work: Work, under_way: dict[Hashable, Work]) -> bool:
        """Whether there may be more than `_most`, because they are no more work than pages."""
        tokens = sum(each.image_tokens for each in (work, *under_way.values()))
        return (
            self._more_if_small
            and len(under_way) < SMALL_IMAGES_A_PAGE * self._most
            and tokens <= IMAGE_TOKENS_OF_A_PAGE * self._most
        )

    def _begun(
        self,
        work: Work,
        error: Exception | None,
        under_way: dict[Hashable, Work],
        put_back: deque[Work],
    ) -> Failure | None:
        """Note what became of a page that was to begin."""
        if error is None:
            work.page = None
            under_way[work.key] = work
        elif not under_way or not is_out_of_memory(error):
            return _failure(error)
        else:
            self._lower_most(len(under_way))
            put_back.append(work)
        return None

    def _step(
        self, under_way: dict[Hashable, Work], put_back: deque[Work]
    ) -> Iterator[tuple[Hashable, Reading | Failure]]:
        try:
            ended = self._reader.step()
        except FAILURES_OF_A_PAGE as error:
            was_alone = len(under_way) == 1
            keep = len(under_way) // 2 if is_out_of_memory(error) else 0
            if is_out_of_memory(error):
                self._lower_most(max(1, keep))
            for key in list(under_way)[keep:]:  # those that came last have the least to lose
                self._reader.remove(key)
                work = under_way.pop(key)
                if was_alone:
                    yield key, _failure(error)
                else:
                    work.is_suspect = not is_out_of_memory(error)
                    put_back.append(work)
            self._free_memory()
            return
        for _, result in ended:
            self._watching.ended(len(result.tokens) if isinstance(result, OcrResult) else None)
        self._watching.look()
        for key, result in ended:
            del under_way[key]
            self._count_ended()
            yield key, _failure(result) if isinstance(result, Exception) else Reading.of(result)

    def _lower_most(self, pages: int) -> None:
        self._most, self._ended_since, self._more_if_small = pages, 0, False

    def _count_ended(self) -> None:
        self._ended_since += 1
        if self._ended_since % PAGES_BEFORE_ONE_MORE == 0:
            self._most = min(self._most + 1, self._batch_size)

    def _fits(self, work: Work, under_way: dict[Hashable, Work]) -> bool:
        """Whether there is room with it, also when each page has become as long as it may.

        All rows of the cache are as long as its longest page.
        """
        held = self._reader.cache_bytes
        free = free_memory(self.model.device)
        longest = max(each.max_length for each in (work, *under_way.values()))
        cache = self._token_bytes() * (len(under_way) + 1) * longest
        num_image_tokens = work.page.num_image_tokens if work.page else 0
        needed = cache + self._vision_bytes(num_image_tokens)
        return needed < SHARE_OF_FREE_MEMORY * (free + held)

    def _token_bytes(self) -> int:
        """Keys and values of a token."""
        text = self.model.model.config.get_text_config()
        size = text.num_key_value_heads * text.head_dim * self.model.dtype.itemsize
        return 2 * text.num_hidden_layers * size

    def _vision_bytes(self, image_tokens: int) -> int:
        """Activations of a page in the vision tower."""
        vision = self.model.model.config.vision_config
        patches = image_tokens * vision.spatial_merge_size**2
        return VISION_ACTIVATIONS * patches * vision.hidden_size * self.model.dtype.itemsize

    def _free_memory(self) -> None:
        give_back_memory(self.model.device)


def _failure(error: Exception) -> Failure:
    if isinstance(error, NotFiniteError):
        return Failure(str(error))
    is_memory = is_out_of_memory(error)
    cause = "memory ran out for this page alone" if is_memory else "reading it failed"
    advice = "lower scale or max_tokens" if is_memory else "run it again with retry"
    return Failure(f"{cause} ({first_line(error)}); {advice}")
