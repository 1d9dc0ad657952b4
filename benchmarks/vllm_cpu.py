"""A collection read by this project's engine and by vLLM's server, on the same CPU.

Both runs are those of notebook 06, with log probabilities; neither the start of the server nor
loading the model counts.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.inputs import bundled_model, mixed_pages
from benchmarks.measure import Row
from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.records.page_row import read_rows
from workshop.vllm_server import NAME, vllm_python, vllm_server

PAGES = 57
PAGES_TOGETHER = 16
MAX_TOKENS = 1200


def against_vllm() -> Iterator[Row]:
    """Pages of mixed length, probabilities on."""
    python = vllm_python()
    if python is None:
        note = "vLLM's CPU build is not installed (`make test-vllm`) or not named (GLMOCR_VLLM)"
        yield _row(None, None, note)
        return
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        for page in mixed_pages(PAGES):
            page.image.save(pages / f"{page.page.page_index:03}.png")
        with vllm_server(python, Path(folder) / "server.log") as base_url:
            server = {"engine": "server", "base_url": base_url, "model_id": NAME}
            infer(_options(pages / "000.png", Path(folder) / "warm", **server))
            their_speed = infer(_options(pages, Path(folder) / "theirs", **server)).pages_per_second
        ours = _options(pages, Path(folder) / "ours", batch_size=PAGES_TOGETHER)
        our_speed = infer(ours, model=bundled_model()).pages_per_second
        texts, their_texts = _texts(Path(folder) / "ours"), _texts(Path(folder) / "theirs")
        same = sum(texts[name] == their_texts.get(name) for name in texts)
        yield _row(our_speed, their_speed, f"the same text on {same} of {PAGES} pages")


def _row(ours: float | None, baseline: float | None, note: str) -> Row:
    name = "pages/s against vLLM's CPU build, probabilities on"
    return Row(name, "pages/s", ours, baseline, ">= 1.3", note)


def _options(pages: Path, output_dir: Path, **options: object) -> InferOptions:
    model_id = str(project_root() / BUNDLED_MODEL)
    shared = {"model_id": model_id, "max_tokens": MAX_TOKENS, "device_map": "cpu"}
    return InferOptions(pages, output_dir=output_dir, **{**shared, **options})


def _texts(run: Path) -> dict[str, str]:
    return {Path(row.document_path).name: row.text for row in read_rows(run)}
