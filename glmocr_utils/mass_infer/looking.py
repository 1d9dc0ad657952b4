"""A look at each document of a collection: what is known at once, the rest while pages are read."""

import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from glmocr_utils.mass_infer.known_documents import KnownDocuments, Located
from glmocr_utils.records import FailedPage
from glmocr_utils.render import Inspected, RenderOptions, inspect_documents

LEAVE_WITHIN_S = 10.0  # for the look that is under way when a run ends early


def look_at(
    documents: Sequence[Located], known: KnownDocuments, options: RenderOptions
) -> Generator[tuple[Located, Inspected | FailedPage], None, None]:
    """What each document is, first those that are known; the others are opened in a thread.

    Documents are opened in worker processes only: a hostile one can end its process. One that did
    not open is tried again. Closing the generator ends the thread.
    """
    believed = [(document, known.believed(document)) for document in documents]
    unknown = [document for document, inspected in believed if inspected is None]
    found: queue.SimpleQueue[Inspected | FailedPage | BaseException] = queue.SimpleQueue()
    stopped = threading.Event()
    thread = threading.Thread(
        target=_inspect,
        args=([document.path for document in unknown], options, found, stopped),
        name="looking",
        daemon=True,
    )
    if unknown:
        thread.start()
    try:
        yield from ((document, inspected) for document, inspected in believed if inspected)
        for document in unknown:
            inspected = found.get()
            if isinstance(inspected, BaseException):
                raise inspected
            yield document, inspected
    finally:
        stopped.set()
        if unknown:
            thread.join(LEAVE_WITHIN_S)


def _inspect(
    paths: list[Path], options: RenderOptions, found: queue.SimpleQueue, stopped: threading.Event
) -> None:
    try:
        with closing(inspect_documents(paths, options)) as documents:
            for document in documents:
                found.put(document)
                if stopped.is_set():
                    return
    except BaseException as error:  # raised where the next document is waited for
        found.put(error)
