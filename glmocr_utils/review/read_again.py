"""What a reviewer noted about pages that the model is to read again, as next steps."""

from collections import defaultdict

from glmocr_utils.confidence import NextStep, other_scale
from glmocr_utils.review.session import ReviewSession


def read_again_steps(session: ReviewSession) -> list[NextStep]:
    """One step a document and kind: its pages at another scale, or by regions."""
    noted: dict[tuple[str, str, float], list[int]] = defaultdict(list)
    for page in session.pages:
        if page.read_again:
            ref = page.result.page
            noted[page.read_again, ref.document_path, page.result.scale].append(ref.page_number)
    return [
        _step(how, path, scale, sorted(numbers)) for (how, path, scale), numbers in noted.items()
    ]


def _step(how: str, path: str, scale: float, numbers: list[int]) -> NextStep:
    parameters: dict[str, object] = {"input_path": path, "pages": ",".join(map(str, numbers))}
    if how == "scale":
        # a folder of its own: one document's readings do not mix scales
        new = other_scale(scale)
        parameters |= {"scale": new, "output_dir": f"outputs/02_ocr_explore_scale_{new:g}"}
        return NextStep("To read pages again at another scale, as noted", "02", None, parameters)
    why = "To cut pages into regions (as images, in any viewer) and read those, as noted"
    return NextStep(why, "02", None, parameters)
