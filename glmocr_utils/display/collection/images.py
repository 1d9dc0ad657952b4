"""The images of pages of very many documents, one after the other."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import compress, groupby
from pathlib import Path

from glmocr_utils.records import OcrResult, PageImage
from glmocr_utils.render import CheckedPage, RenderOptions, render_and_check
from glmocr_utils.render.documents import file_sha256


def images_of(
    results: Sequence[OcrResult], password: str | None = None
) -> Iterator[PageImage | None]:
    """Each page as it was read, or None where its document is gone, has changed, or fails.

    The workers that render are started once for all of them, not for each document.
    """
    sha256_of: dict[str, str | None] = {}
    for scale, of_scale in groupby(results, key=lambda result: result.scale):
        together = list(of_scale)
        are_there = [_is_there(result, sha256_of) for result in together]
        pages = [result.page for result in compress(together, are_there)]
        with closing(render_and_check(pages, RenderOptions(scale, None, password))) as rendered:
            for result, is_there in zip(together, are_there, strict=True):
                checked = next(rendered) if is_there else None
                if isinstance(checked, CheckedPage):
                    yield checked.image.turned(result.angle)
                else:
                    yield None


def _is_there(result: OcrResult, sha256_of: dict[str, str | None]) -> bool:
    name = result.page.document_path
    if name not in sha256_of:
        path = Path(name)
        sha256_of[name] = file_sha256(path) if path.is_file() else None
    return sha256_of[name] == result.page.document_sha256 is not None
