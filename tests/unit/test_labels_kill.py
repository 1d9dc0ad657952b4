"""A labelling process that is killed anywhere and started again gives what one run gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from label_inputs import rendered
from paths import SAMPLES

from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.labels.sources.text_layer import label_from_text_layer

pytestmark = pytest.mark.slow

# Starts a labelling process, kills it after a random time, and starts it again until it ends by
# itself. Each line reaches the disk in two pieces with a pause between, so that many are torn.
SCRIPT = """
import os, random, signal, sys, time
from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels import store
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.labels.sources.text_layer import label_from_text_layer

def append_in_two_parts(self, line):
    content = line.encode() + b"\\n"
    with self.path.open("ab", buffering=0) as file:
        file.write(content[: len(content) // 2])
        time.sleep(0.02)
        file.write(content[len(content) // 2 :])

def label():
    labels = LabelStore(sys.argv[1])
    pages = find_pages(sys.argv[2])
    label_from_text_layer(labels, pages, progress=False)
    label_from_sidecars(labels, pages, progress=False)

store._GrowingFile.append = append_in_two_parts
chance, kills, torn = random.Random(7), 0, 0
while True:
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            label()
            failed = 0
        finally:
            os._exit(failed)
    time.sleep(chance.uniform(0.05, 0.4) * (1 + kills / 20))  # a busy machine gets somewhere, too
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status):
        break
    kills += 1
    path = os.path.join(sys.argv[1], "labels.jsonl")
    torn += os.path.exists(path) and not open(path, "rb").read().endswith(b"\\n")
print(os.WEXITSTATUS(status), kills, torn)
"""


def outcome(store: LabelStore) -> tuple[list, list]:
    """All that the labels and the pages left out say, but for the time."""
    labels = [(label.source, label.status, label.page, label.text) for label in store.labels()]
    left_out = [(out.source, out.page, out.reason) for out in store.left_out()]
    return sorted(labels, key=repr), sorted(left_out, key=repr)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_at_random_points_and_run_again(tmp_path: Path) -> None:
    documents = [SAMPLES / name for name in ("long.pdf", "decision.pdf", "decision_scan.pdf")]
    pages = rendered(tmp_path / "pages", *documents, scale=0.2)
    for page in pages[::3]:
        page.image_file.with_suffix(".txt").write_text(f"beside {page.image_file.name}")
    undisturbed = LabelStore(tmp_path / "undisturbed")
    label_from_text_layer(undisturbed, pages, progress=False)
    label_from_sidecars(undisturbed, pages, progress=False)
    expected = outcome(undisturbed)
    assert (len(expected[0]), len(expected[1])) == (26 + 10, 2 + 18)

    arguments = [str(tmp_path / "killed"), str(tmp_path / "pages")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=120,
    )
    exit_status, kills, torn = map(int, done.stdout.split())
    assert exit_status == 0
    assert kills >= 3
    assert torn >= 1
    assert outcome(LabelStore(tmp_path / "killed")) == expected
