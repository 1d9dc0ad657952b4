"""A layout model's raw outputs → detections in reading order, for V3 and V4 alike.

The image processor of V3 also traces each region's outline with OpenCV, which crashes on an empty
mask. Boxes, scores and order need no outlines, so they are taken from the outputs here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from glmocr_utils.layout.model import LayoutModel

THRESHOLD = 0.3  # the official one


@dataclass(frozen=True, slots=True)
class Detections:
    """What a model found on one page; all fields in reading order.

    Attributes:
        boxes: (num, 4), x1, y1, x2, y2 in pixels, float32; they may reach beyond the page.
        scores: (num,), 0 to 1.
        class_ids: (num,).
    """

    boxes: torch.Tensor
    scores: torch.Tensor
    class_ids: torch.Tensor

    def __len__(self) -> int:
        return len(self.scores)


@torch.inference_mode()
def detect(
    layout: LayoutModel, images: Sequence[Image.Image], threshold: float = THRESHOLD
) -> list[Detections]:
    """Run the model once for all images.

    Args:
        images: RGB, of any sizes.
        threshold: detections with a lower score are left out.
    """
    inputs = layout.processor(images=list(images), return_tensors="pt").to(layout.device)
    outputs = layout.model(**inputs)
    sizes = torch.tensor([[image.height, image.width] for image in images])
    if "order_logits" not in outputs:  # V4: corners, and two kinds of order
        found = layout.processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=sizes
        )
        return [
            Detections(each["boxes"].cpu(), each["scores"].cpu(), each["labels"].cpu())
            for each in found
        ]
    return [
        _of_page(logits, boxes, order, size, threshold)
        for logits, boxes, order, size in zip(
            outputs.logits.float().cpu(),
            outputs.pred_boxes.float().cpu(),
            outputs.order_logits.float().cpu(),
            sizes,
            strict=True,
        )
    ]


def _of_page(
    logits: torch.Tensor,
    boxes: torch.Tensor,
    order: torch.Tensor,
    size: torch.Tensor,
    threshold: float,
) -> Detections:
    """One page's detections.

    Args:
        logits: (num_queries, num_classes). A query counts once for each class over the threshold.
        boxes: (num_queries, 4), centre and size as shares of the page.
        order: (num_queries, num_queries); above the diagonal, how surely the row's query is read
            before the column's.
        size: height and width in pixels.
    """
    scores, flat = logits.sigmoid().flatten().topk(len(logits))
    keep = scores >= threshold
    scores, queries, class_ids = (
        scores[keep],
        flat[keep] // logits.shape[1],
        flat[keep] % logits.shape[1],
    )
    ranks = _ranks(order, queries)
    in_order = torch.argsort(ranks, stable=True)
    centre, extent = boxes[queries].split(2, dim=-1)
    corners = torch.cat([centre - extent / 2, centre + extent / 2], dim=-1)
    pixels = corners * size.flip(0).repeat(2)
    return Detections(pixels[in_order], scores[in_order], class_ids[in_order])


def _ranks(order: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """How many of the kept queries are read before each, by the model's pairwise votes.

    Queries that mean nothing have no vote: their order was never trained.
    """
    first, second = torch.meshgrid(queries, queries, indexing="ij")
    upper = order[torch.minimum(first, second), torch.maximum(first, second)].sigmoid()
    # upper: the query with the lower number comes first
    before = torch.where(first < second, upper, torch.where(first > second, 1 - upper, 0.0))
    return before.sum(dim=0)
