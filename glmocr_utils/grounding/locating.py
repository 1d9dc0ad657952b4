"""Pages that were read → where their tokens stand."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from PIL import Image

from glmocr_utils.grounding.attention import Head, attend
from glmocr_utils.grounding.choice import load_choice
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.model import LoadedModel
from glmocr_utils.records import OcrResult, PageImage, PageLayout


class Locator:
    """Says where the tokens of a model's readings stand.

    Args:
        model: the one that read the pages.
        heads: that are listened to; None takes those chosen for the model.

    Raises:
        NoHeadsError: none are chosen for this model.
    """

    def __init__(self, model: LoadedModel, heads: Sequence[Head] | None = None) -> None:
        self._model = model
        self.heads = tuple(heads or load_choice(model).heads)

    def locate(self, result: OcrResult, image: Image.Image) -> PageLayout:
        """One page, on demand."""
        [layout] = self._together([(result, image)])
        return layout

    def locate_all(
        self, pages: Iterable[tuple[OcrResult, PageImage]], batch_size: int = 1
    ) -> Iterator[PageLayout]:
        """Pages in their order, `batch_size` in one pass; only so many images are in memory."""
        remaining = iter(pages)
        while batch := list(islice(remaining, batch_size)):
            yield from self._together([(result, page.image) for result, page in batch])

    def _together(self, batch: Sequence[tuple[OcrResult, Image.Image]]) -> Iterator[PageLayout]:
        """Raises ValueError where a result is another model's reading."""
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
            yield lay_out(result.page, image, texts, paid)

    def _check_own(self, result: OcrResult) -> None:
        """The ids of a token mean something only to the model that wrote it."""
        vocabulary = len(self._model.processor.tokenizer)
        if any(token.token_id >= vocabulary for token in result.tokens):
            raise ValueError(
                f"page {result.page.page_number} of {result.page.document_path} was read by "
                f"{result.model_id}, whose tokens {self._model.model_id} does not know. Load the "
                "model that read it."
            )
