"""A page's regions in the JSON form of the official SDK."""

from collections.abc import Callable, Sequence

from glmocr_utils.markdown.page import RegionText, region_content
from glmocr_utils.records import Region
from glmocr_utils.records.region import FORMULA_LABELS, PICTURE_LABELS, TABLE_LABELS

WHOLE = 1000  # the page's width, and its height, in `bbox_2d`


def sdk_page(
    regions: Sequence[RegionText],
    size_px: tuple[int, int],
    *,
    link: Callable[[Region], str | None] | None = None,
) -> list[dict[str, object]]:
    """A page as the official SDK writes it, with nothing left out.

    Each region has `index`, `label` (text, table, formula or image), `content` and `bbox_2d` (x1,
    y1, x2, y2 in thousandths of the page's width and height), as there; `native_label` is the
    layout model's own name. `score` and `status` are added. Headers, footers, notes and regions
    that could not be read are among them, which the SDK drops.

    Args:
        regions: in reading order.
        size_px: width and height of the page image.
        link: the path of a picture's file.
    """
    return [
        {
            "index": each.region.index,
            "label": _label(each.region),
            "native_label": each.region.label,
            "content": None if each.region.status == "picture" else region_content(each),
            "bbox_2d": _thousandths(each.region, size_px),
            "score": each.region.score,
            "status": each.region.status,
            **_image(each.region, link),
        }
        for each in regions
    ]


def _label(region: Region) -> str:
    if region.label in PICTURE_LABELS or region.status == "picture":
        return "image"
    if region.label in TABLE_LABELS:
        return "table"
    return "formula" if region.label in FORMULA_LABELS else "text"


def _thousandths(region: Region, size_px: tuple[int, int]) -> list[int]:
    sides = zip(region.box, size_px * 2, strict=True)
    return [min(WHOLE, max(0, int(side / of * WHOLE))) for side, of in sides]


def _image(region: Region, link: Callable[[Region], str | None] | None) -> dict[str, str]:
    path = link and region.status == "picture" and link(region)
    return {"image_path": path} if path else {}
