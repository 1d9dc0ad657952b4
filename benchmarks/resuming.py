"""How soon a run over a large collection reads again: files known, one page missing.

`python -m benchmarks.resuming --documents 100000 --pages 10`

The collection is made: image files of one page that count as documents of `--pages` pages in the
ledger, with texts of about 400 characters. Nothing of it is read by a model but the one new page.
"""

import argparse
import os
import shutil
import time
from itertools import islice
from pathlib import Path

from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.mass_infer.engines import run_settings
from glmocr_utils.mass_infer.known_documents import KnownDocuments, locate
from glmocr_utils.mass_infer.progress import Progress
from glmocr_utils.mass_infer.run_folder import RunFolder
from glmocr_utils.model import load_model
from glmocr_utils.notebook_run import project_root
from glmocr_utils.records import storable_path
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import Inspected, input_documents

MODEL = "data/models/glm-ocr-tiny"
FILES_A_FOLDER = 1000
TEXT = "The court of appeal heard the parties on the merits of the case.\n" * 6
TARGET_S = 10.0


def make_collection(folder: Path, documents: int) -> None:
    """Small image files, a thousand a folder."""
    first = folder / "page.png"
    folder.mkdir(parents=True)
    image = Image.new("L", (600, 800), "white")
    image.paste(0, (100, 100, 400, 110))
    image.save(first)
    content = first.read_bytes()
    first.unlink()
    for number in range(documents):
        below = folder / f"{number // FILES_A_FOLDER:04d}"
        below.mkdir(exist_ok=True)
        # bytes after the end of a PNG make each file another one
        (below / f"{number:07d}.png").write_bytes(content + number.to_bytes(8, "big"))


def make_run(options: InferOptions, pages: int) -> None:
    """A run in which every page of every document has its row."""
    found = input_documents(options.input_path)
    documents = locate(options.input_path, found)
    root = Path(options.input_path)
    with (
        RunFolder(options.output_dir, run_settings(options), root=root) as folder,
        KnownDocuments(folder.path, ()) as known,
    ):
        for number, document in enumerate(documents):
            name = storable_path(document.path)
            inspected = Inspected(document.path, f"{number:064x}", pages)
            known.note(document, inspected, name)
            folder.expect({(name, inspected.sha256): pages})
            for index in range(pages):
                folder.add(PageRow(name, inspected.sha256, index, pages, "ok", text=TEXT))


def seconds_to_first_page(options: InferOptions) -> tuple[tuple[float, float], ...]:
    """Seconds, and those of a core, until the run begins to read, and until its page is read."""
    model = load_model(MODEL, device_map="cpu")
    times = []
    begun, computed = time.perf_counter(), time.process_time()

    def watch(progress: Progress) -> None:
        if progress.reading is not None and progress.last is None:
            return  # within a page
        times.append((time.perf_counter() - begun, time.process_time() - computed))

    infer(options, model=model, watch=watch)
    return tuple(islice(times, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=10, help="pages a document")
    parser.add_argument("--folder", type=Path, default=project_root() / "outputs/bench/resuming")
    arguments = parser.parse_args()
    options = InferOptions(
        model_id=MODEL,
        input_path=str(arguments.folder / "collection"),
        output_dir=str(arguments.folder / "run"),
        max_tokens=8,
    )
    if not (arguments.folder / "made").exists():
        shutil.rmtree(arguments.folder, ignore_errors=True)
        make_collection(Path(options.input_path), arguments.documents)
        make_run(options, arguments.pages)
        (arguments.folder / "made").touch()
    new = Path(options.input_path) / "new.png"
    Image.effect_noise((600, 800), 80).save(new)
    new.write_bytes(new.read_bytes() + os.urandom(8))  # after the end of the PNG: another file
    (begins, computing), (first, _) = seconds_to_first_page(options)
    print(
        f"{arguments.documents:,} documents of {arguments.pages} pages known: "
        f"reading begins after {begins:.1f} s (target {TARGET_S:g}; {computing:.1f} s of a core), "
        f"first page after {first:.1f} s"
    )


if __name__ == "__main__":
    main()
