"""Pages that were read → where their tokens are."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, islice

from PIL import Image

from glmocr_utils.grounding.choice import USUAL_SHARE, load_choice
from glmocr_utils.grounding.head import Head
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.grounding.regions import joined_layouts, on_page
from glmocr_utils.layout import crop_region
from glmocr_utils.model import LoadedModel
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef
from glmocr_utils.token_text import decode_ids

REGIONS_AT_ONCE = 8
KEPT_LAYOUTS = 32  # pages that are requested again are not located again


class Locator:
    """Locates the tokens of a model's readings.

        locator = Locator(model)
        layout = locator.locate(result, page_image.image)
        layout.lines[0]  # the box of the first printed line in pixels; None if unclear
        layout.box_of([4, 5])  # around two tokens

    Args:
        model: the model that read the pages.
        heads: attention heads to use; None takes those chosen for the model.

    Raises:
        NoHeadsError: none are chosen for this model.
    """

    def __init__(self, model: LoadedModel, heads: Sequence[Head] | None = None) -> None:
        self._model = model
        self._usual_share = USUAL_SHARE
        if not heads:
            choice = load_choice(model)
            heads, self._usual_share = choice.heads, choice.usual_share
        self.heads = tuple(heads)

    def locate(self, result: OcrResult, image: Image.Image) -> PageLayout:
        """One page.

        Args:
            image: the page image that `result` was read from, RGB.

        Raises:
            ValueError: another model read the page.
        """
        page = PageImage(result.page, image, result.scale)
        [layout] = self.locate_all([(result, page)])
        return layout

    def locate_all(self, pages: Sequence[tuple[OcrResult, PageImage]]) -> Iterator[PageLayout]:
        """Pages in their order: whole pages in one pass, others in a few for their regions."""
        whole = [(result, page.image) for result, page in pages if not result.regions]
        layouts = self._together(whole) if whole else iter(())
        for result, page in pages:
            yield self._by_region(result, page) if result.regions else next(layouts)

    def _by_region(self, result: OcrResult, page: PageImage) -> PageLayout:
        """The tokens of each region within its crop, as boxes of the page."""
        parts = [each for each in result.regions if each.token_stop > each.token_start]
        read = [each for each in parts if each.status != "failed"]
        crops = {each.index: crop_region(page, each.box) for each in read}
        placed: dict[int, PageLayout] = {}
        read.sort(key=lambda each: each.task or "")  # a pass has one prompt
        for _, of_task in groupby(read, key=lambda each: each.task):
            regions = iter(of_task)
            while some := list(islice(regions, REGIONS_AT_ONCE)):
                batch = [
                    (
                        result.of_region(each),
                        crops[each.index].page.resized(each.factor).image,
                    )
                    for each in some
                ]
                for each, layout in zip(some, self._together(batch), strict=True):
                    placed[each.index] = on_page(layout, crops[each.index], each.factor)
        return joined_layouts(result, page, parts, placed)

    def _together(self, batch: Sequence[tuple[OcrResult, Image.Image]]) -> Iterator[PageLayout]:
        """Raises ValueError where a result is another model's reading."""
        from glmocr_utils.grounding.attention import attend  # PyTorch takes seconds

        for result, _ in batch:
            self._check_own(result)
        by_prompt = {result.prompt for result, _ in batch}
        if len(by_prompt) > 1:
            for page in batch:
                yield from self._together([page])
            return
        attention = attend(
            self._model,
            [image for _, image in batch],
            [[token.token_id for token in result.tokens] for result, _ in batch],
            self.heads,
            prompt=by_prompt.pop(),
        )
        for (result, image), paid in zip(batch, attention, strict=True):
            texts = [token.text for token in result.tokens]
            yield lay_out(result.page, image, texts, paid, self._usual_share)

    def _check_own(self, result: OcrResult) -> None:
        """The ids of its tokens spell a page's text in no other model's vocabulary."""
        ids = [token.token_id for token in result.tokens]
        if any(number < 0 for number in ids):
            raise ValueError(
                f"page {result.page.page_number} of {result.page.document_path} was read by a "
                "server, which gives no token ids; to locate its tokens, read it in this process"
            )
        # white space between parts that were read alone belongs to no token
        spelled = decode_ids(self._model.processor.tokenizer, ids)
        if "".join(spelled.split()) != "".join(result.text.split()):
            raise ValueError(
                f"page {result.page.page_number} of {result.page.document_path} was read by "
                f"{result.model_id}, and its tokens do not spell its text in the vocabulary of "
                f"{self._model.model_id}. Load the model that read it."
            )


class LayoutsOnDemand(Mapping[PageRef, PageLayout]):
    """Where the tokens of pages are, located when a page is requested; the last ones are kept.

    Args:
        images: of the pages; one without an image has no layout (`get` gives None).
    """

    def __init__(
        self,
        locator: Locator,
        results: Sequence[OcrResult],
        images: Mapping[PageRef, PageImage],
    ) -> None:
        self._results = {result.page: result for result in results}
        self._images = images
        self._locator = locator
        self._kept = lru_cache(KEPT_LAYOUTS)(self._locate)

    def _locate(self, page: PageRef) -> PageLayout:
        return self._locator.locate(self._results[page], self._images[page].image)

    def __getitem__(self, page: PageRef) -> PageLayout:
        return self._kept(page)

    def __iter__(self) -> Iterator[PageRef]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)
