"""One headless Chromium for all browser tests; without it they are skipped, in CI they fail."""

import os

import pytest
from lab import CHROMIUM, playwright_api


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine; try: apt-get install chromium")
    with playwright_api().sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
