"""Page image → its regions in reading order: kind, box, score.

Knows nothing of GLM-OCR and of what is done with a region.

layout = load_layout("auto", device="cuda")
[regions] = find_regions(layout, [page.image])
"""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
    from glmocr_utils.layout.crops import Crop, crop_region
    from glmocr_utils.layout.finding import LAYOUT_BATCH, find_regions
    from glmocr_utils.layout.model import LayoutModel, find_layout_revision, load_layout

_HOME = {
    "LAYOUT_BATCH": "finding",
    "Crop": "crops",
    "LayoutModel": "model",
    "crop_region": "crops",
    "find_layout_revision": "model",
    "find_regions": "finding",
    "load_layout": "model",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
