"""vLLM's CPU build reads the samples as the local engine does: text, token ids, probabilities.

`make test-vllm` installs vLLM into an environment of its own and runs this.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paths import BUNDLED_MODEL, SAMPLES

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.records.page_row import PageRow, read_rows
from workshop.vllm_server import NAME, VARIABLE, vllm_python, vllm_server

pytestmark = [
    pytest.mark.skipif(VARIABLE not in os.environ, reason="`make test-vllm` sets vLLM up"),
    pytest.mark.timeout(3600),
]

DOCUMENTS = ("decision.pdf", "german.pdf", "letter.pdf", "receipt.png")
MAX_TOKENS = 1024
NEAR = 1e-3  # between two implementations in float32, of a probability


def rows_of(output_dir: Path, documents: Path, **options: object) -> dict[tuple[str, int], PageRow]:
    infer(InferOptions(documents, output_dir=output_dir, max_tokens=MAX_TOKENS, **options))
    return {(Path(row.document_path).name, row.page_index): row for row in read_rows(output_dir)}


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict, dict]]:
    """The rows of both engines, by document and page."""
    folder = tmp_path_factory.mktemp("vllm")
    documents = folder / "documents"
    documents.mkdir()
    for name in DOCUMENTS:
        (documents / name).symlink_to(SAMPLES / name)
    local = rows_of(folder / "local", documents, model_id=str(BUNDLED_MODEL), device_map="cpu")
    python = vllm_python()
    assert python
    with vllm_server(python, folder / "vllm.log") as base_url:
        server = {"engine": "server", "base_url": base_url, "model_id": NAME}
        theirs = rows_of(folder / "theirs", documents, concurrency=4, **server)
    return local, theirs


def test_every_page_has_the_same_text(readings):
    local, theirs = readings
    assert local.keys() == theirs.keys() and len(local) >= len(DOCUMENTS)
    assert {key: row.text for key, row in theirs.items()} == {
        key: row.text for key, row in local.items()
    }
    assert all(row.status == local[key].status for key, row in theirs.items())


def test_every_token_has_the_same_id_and_a_near_probability(readings, capsys):
    local, theirs = readings
    apart, tokens = [], 0
    for key, row in theirs.items():
        ours = local[key]
        assert list(row.token_ids) == list(ours.token_ids), key
        assert list(row.token_lengths) == list(ours.token_lengths), key
        apart.append(np.abs(np.exp(row.logprobs) - np.exp(ours.logprobs)).max())
        tokens += len(row.token_ids)
    with capsys.disabled():
        print(f"\n{len(theirs)} pages, {tokens} tokens; probabilities differ by {max(apart):.2g}")
    assert max(apart) < NEAR
