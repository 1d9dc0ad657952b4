"""Page image → its regions in reading order: kind, box, score.

Knows nothing of GLM-OCR and of what is done with a region.

layout = load_layout("auto", device="cuda")
[regions] = find_regions(layout, [page.image])
"""

from glmocr_utils.layout.crops import Crop, crop_region
from glmocr_utils.layout.finding import LAYOUT_BATCH, find_regions
from glmocr_utils.layout.model import LayoutModel, find_layout_revision, load_layout

__all__ = [
    "LAYOUT_BATCH",
    "Crop",
    "LayoutModel",
    "crop_region",
    "find_layout_revision",
    "find_regions",
    "load_layout",
]
