"""`glmocr review`: the flags of the pages that most need a look, checked in a browser."""

import webbrowser
from contextlib import suppress
from pathlib import Path

from glmocr_utils.cli.own_model import load_model_of
from glmocr_utils.confidence import load_calibration, rank_pages, risk_beside
from glmocr_utils.grounding import LayoutsOnDemand, Locator
from glmocr_utils.ocr import PageImages, load_results
from glmocr_utils.options import BrowserReviewOptions
from glmocr_utils.review.server import ReviewServer
from glmocr_utils.review.session import ReviewSession


def run(options: BrowserReviewOptions) -> int:
    calibration = load_calibration(options.calibration) if options.calibration else None
    risk = risk_beside(options.calibration) if options.calibration else None
    ranked = rank_pages(load_results(options.results), calibration, risk)
    results = [result for result, _ in ranked[: options.num_pages]]
    images = PageImages(results, options.password)
    layouts = None
    if options.boxes:
        model = load_model_of(results, options.model_id, options.adapter)
        layouts = LayoutsOnDemand(Locator(model), results, images)
    session = ReviewSession(
        results,
        Path(options.output_dir) / "review.jsonl",
        images=images,
        layouts=layouts,
        reviewer=options.reviewer,
        calibration=calibration,
        max_flags=options.max_flags,
        risk=risk,
    )
    with ReviewServer(session) as server:
        print(f"{session}\nopen {server.url} in a browser; Ctrl+C ends it", flush=True)
        if options.open_browser:
            webbrowser.open(server.url)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    print(f"{session}\ndecisions are in {session.log_path}")
    return 0
