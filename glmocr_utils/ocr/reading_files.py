"""The files of documents as they are read: a line a page, kept at once, and resumed later.

For each document `{name}.jsonl` grows by a page at a time, `{name}.settings.json` records what its
pages are read with, and `{name}.txt` holds the text once all pages that were asked for are in, or
the reading ends early. By regions, there are also `{name}.md`, the pictures that it links, in
`{name}_pictures/`, and `{name}.regions.json`, as the official SDK writes it. Folders below the
input are kept.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from glmocr_utils.files import append_lines, same_name, write_file
from glmocr_utils.markdown import (
    crop_pictures,
    page_head,
    page_markdown,
    picture_name,
    regions_of_result,
    sdk_page,
    text_markdown,
)
from glmocr_utils.model import LoadedModel, weights_sha256
from glmocr_utils.ocr.by_region import NO_LAYOUT
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import (
    REGION_BREAK,
    Furniture,
    OcrResult,
    PageImage,
    PageRef,
    Region,
    read_results,
    storable_path,
    to_json,
    write_results,
)
from glmocr_utils.render import encode_png, folder_below, safe_stem

PAGE_BREAK = "\f"  # between the pages of a text file, as pdftotext writes it
SETTINGS_SUFFIX = ".settings.json"
PICTURES_SUFFIX = "_pictures"


def reading_settings(
    model: LoadedModel,
    scale: float,
    *,
    prompt: str,
    prompt_style: PromptStyle,
    max_tokens: int,
    top_k: int,
    layout: Mapping[str, object],
) -> dict[str, object]:
    """The settings that all readings of a document share.

    Args:
        scale: pixels per point.
        prompt, prompt_style, max_tokens, top_k: what else changes a reading.
        layout: how pages are read by regions, see `layout_settings`.
    """
    return {
        "model_id": model.model_id,
        "revision": model.revision,
        "adapter": model.adapter,
        "weights_sha256": weights_sha256(model.model_id),
        "adapter_sha256": model.adapter and weights_sha256(model.adapter),
        "scale": scale,
        "prompt": prompt,
        "prompt_style": prompt_style,
        "max_tokens": max_tokens,
        "top_k": top_k,
        **layout,
    }


@dataclass
class _Document:
    """A document's files.

    Attributes:
        stem: their path without a suffix.
        pages: what was read, by page index; in the order of the `.jsonl`.
    """

    path: str
    sha256: str | None
    stem: Path
    pages: dict[int, OcrResult] = field(default_factory=dict)

    @property
    def readings(self) -> Path:
        return with_suffix(self.stem, ".jsonl")

    @property
    def settings(self) -> Path:
        return with_suffix(self.stem, SETTINGS_SUFFIX)

    @property
    def pictures(self) -> Path:
        return self.stem.with_name(self.stem.name + PICTURES_SUFFIX)


class ReadingFiles:
    """The files of documents in a folder, open for reading on.

    Args:
        folder: gets the files.
        paths: the documents that are about to be read.
        settings: of `reading_settings`.
        roots: folders of documents below them are kept.
        start_over: read pages again that are there, and replace readings with other settings.

    Raises:
        ValueError: a document was read with other settings, and `start_over` is False.
    """

    def __init__(
        self,
        folder: Path,
        paths: Iterable[Path],
        settings: Mapping[str, object],
        roots: Iterable[Path] = (),
        start_over: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._settings = json.loads(json.dumps(settings))
        self._roots = tuple(roots)
        self._start_over = start_over
        self._stem_of = {owner: stem for stem in _stems(folder) if (owner := _owner(stem))}
        self._taken = {self._name(stem) for stem in _stems(folder)}
        self._documents: dict[str, _Document] = {}
        if not start_over:
            for path in paths:
                self._refuse_other_settings(path)

    def find(self, page: PageRef) -> OcrResult | None:
        """An earlier reading of a page, with these settings."""
        return self._document(page).pages.get(page.page_index)

    def add(self, result: OcrResult, page: PageImage) -> None:
        """Save a reading; it is on disk when this returns.

        Args:
            page: its image, of which the pictures are kept.

        Raises:
            OSError: the disk is full or cannot be written to.
        """
        document = self._document(result.page)
        if not document.pages:
            self._begin(document)
        for picture in crop_pictures(page, result.regions):
            write_file(document.pictures / picture.name, encode_png(picture.image), durable=False)
        append_lines(document.readings, to_json(result))
        document.pages[result.page.page_index] = result

    def close(self) -> None:
        """Finish all documents that were begun; the next start reads their missing pages."""
        for document_path in list(self._documents):
            self.finish(document_path)

    def finish(self, document_path: str) -> None:
        """Write the text of the pages that are there, and put them in order."""
        document = self._documents.pop(document_path, None)
        if document is None or not document.pages:
            return
        pages = [document.pages[index] for index in sorted(document.pages)]
        if pages != list(document.pages.values()):
            write_results(pages, document.readings)
        furniture = self._settings.get("furniture")
        texts = [page.body_text if furniture == "out" else page.text for page in pages]
        write_file(with_suffix(document.stem, ".txt"), PAGE_BREAK.join(texts))
        if self._settings.get("layout"):
            whole = REGION_BREAK.join(_markdown(page, document, furniture) for page in pages)
            write_file(with_suffix(document.stem, ".md"), whole + "\n", durable=False)
            regions = json.dumps([_sdk_json(page, document) for page in pages], ensure_ascii=False)
            write_file(with_suffix(document.stem, ".regions.json"), regions, durable=False)

    def _document(self, page: PageRef) -> _Document:
        if page.document_path not in self._documents:
            self._documents[page.document_path] = self._open(page)
        return self._documents[page.document_path]

    def _open(self, page: PageRef) -> _Document:
        path, sha256 = page.document_path, page.document_sha256
        stem = self._stem_of.get(storable_path(path)) or self._free_stem(path, page.document_key)
        document = _Document(path, sha256, stem)
        pages = [] if self._start_over else _pages(document.readings)
        if pages and pages[0].page.document_sha256 == sha256:  # else the file has changed since
            document.pages = {page.page.page_index: page for page in pages}
        return document

    def _begin(self, document: _Document) -> None:
        """Make room for the first page: take away what an earlier reading left."""
        document.readings.unlink(missing_ok=True)
        document.stem.parent.mkdir(parents=True, exist_ok=True)
        whose = {"document": storable_path(document.path), "sha256": document.sha256}
        write_file(document.settings, json.dumps({**whose, **self._settings}, indent=1) + "\n")

    def _free_stem(self, path: str, key: str) -> Path:
        stem = self._folder / folder_below(path, self._roots) / safe_stem(path)
        if self._name(stem) in self._taken:
            stem = stem.with_name(f"{stem.name}_{key[:8]}")
        self._taken.add(self._name(stem))
        self._stem_of[storable_path(path)] = stem
        return stem

    def _name(self, stem: Path) -> str:
        return same_name(stem.relative_to(self._folder).as_posix())

    def _refuse_other_settings(self, path: Path) -> None:
        stem = self._stem_of.get(storable_path(path))
        if stem is None:
            return
        before = _read_settings(stem)
        names = before.keys() & self._settings.keys() if before else self._settings.keys()
        # whole pages and regions are never mixed, whatever an earlier version recorded
        names = {*names, *(NO_LAYOUT if before else ())}
        differing = [name for name in names if before.get(name) != self._settings.get(name)]
        if differing:
            what = " and ".join(sorted(differing)) if before else "settings that were not recorded"
            raise ValueError(
                f"{with_suffix(stem, '.jsonl')} was read with other {what}. Set start_over=True "
                "to read the document again and replace it, or choose another output_dir"
            )


def with_suffix(stem: Path, suffix: str) -> Path:
    """`stem` with a suffix; its own dots stay."""
    return stem.with_name(stem.name + suffix)


def _markdown(page: OcrResult, document: _Document, furniture: Furniture | None) -> str:
    head = page_head(page.page.page_number, page.status)
    if not page.regions:
        return REGION_BREAK.join(filter(None, (head, text_markdown(page.text))))
    link = partial(_link, document, page)
    text = page_markdown(regions_of_result(page), furniture=furniture or "apart", link=link)
    return REGION_BREAK.join(filter(None, (head, text)))


def _sdk_json(page: OcrResult, document: _Document) -> list[dict[str, object]]:
    if page.size_px is None:  # blank
        return []
    link = partial(_link, document, page)
    return sdk_page(regions_of_result(page), page.size_px, link=link)


def _link(document: _Document, page: OcrResult, region: Region) -> str:
    """The path of a picture, from the document's files."""
    return quote(f"{document.pictures.name}/{picture_name(page.page.page_index, region)}")


def _stems(folder: Path) -> list[Path]:
    """Of the documents that have files in the folder."""
    return [path.with_name(path.name[: -len(".jsonl")]) for path in folder.rglob("*.jsonl")]


def _owner(stem: Path) -> str | None:
    """The document whose files these are."""
    settings = _read_settings(stem)
    if "document" in settings:
        return settings["document"]
    try:
        first = next(read_results(with_suffix(stem, ".jsonl")), None)
    except ValueError:
        return None  # lines of something else
    return storable_path(first.page.document_path) if first else None


def _read_settings(stem: Path) -> dict[str, Any]:
    path = with_suffix(stem, SETTINGS_SUFFIX)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _pages(path: Path) -> Sequence[OcrResult]:
    return list(read_results(path)) if path.exists() else []
