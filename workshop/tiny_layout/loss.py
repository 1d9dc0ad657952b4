"""What a layout model should say about a page: classes, boxes and reading order.

The class refuses labels, so this calls its inner model and RT-DETR's own matcher and losses, which
fit the outputs. Two things are added: a dense loss, in which the cells of the feature maps around
the middle of each region learn its class and box (a detector from nothing learns slowly when only
one query a region learns), and the loss of the pairwise reading order.
"""

from functools import cache
from types import SimpleNamespace

import torch
from torch.nn import functional as F
from transformers.image_transforms import center_to_corners_format
from transformers.loss.loss_rt_detr import RTDetrLoss

BOX_WEIGHT, GIOU_WEIGHT, ORDER_WEIGHT, DENSE_WEIGHT = 5.0, 2.0, 3.0, 0.5
LEVEL_HEIGHTS = (0.045, 0.15)  # regions up to that share of the page are found on the finer maps
UNMATCHED_PAIRS = 0.003  # weight of pairs of queries that are not both matched

Labels = list[dict[str, torch.Tensor]]


class LayoutLoss(torch.nn.Module):
    """The sum of all losses, and each by name."""

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        weights = SimpleNamespace(
            num_labels=num_labels,
            matcher_class_cost=2.0,
            matcher_bbox_cost=BOX_WEIGHT,
            matcher_giou_cost=GIOU_WEIGHT,
            use_focal_loss=True,
            matcher_alpha=0.25,
            matcher_gamma=2.0,
            weight_loss_vfl=1.0,
            weight_loss_bbox=BOX_WEIGHT,
            weight_loss_giou=GIOU_WEIGHT,
            eos_coefficient=1e-4,
            focal_loss_alpha=0.75,
            focal_loss_gamma=2.0,
        )
        self.queries = RTDetrLoss(weights)

    def forward(
        self, outputs: object, labels: Labels, cells_a_region: int
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """`outputs` of the inner model; `labels`: `class_labels` and `boxes` in reading order."""
        logits, boxes = outputs.intermediate_logits, outputs.intermediate_reference_points
        parts = {}
        meta = outputs.denoising_meta_values
        if meta:
            noisy_logits, logits = logits.split(meta["dn_num_split"], dim=2)
            noisy_boxes, boxes = boxes.split(meta["dn_num_split"], dim=2)
            parts["denoising_meta_values"] = meta
            parts["dn_auxiliary_outputs"] = _by_layer(noisy_logits, noisy_boxes)
        layers = _by_layer(logits, boxes)
        by_name = self.queries({**layers[-1], "auxiliary_outputs": layers[:-1], **parts}, labels)
        losses = {"queries": sum(loss for name, loss in by_name.items() if "_dn_" not in name)}
        losses["noisy"] = sum(loss for name, loss in by_name.items() if "_dn_" in name)
        losses["dense"] = DENSE_WEIGHT * dense_loss(
            outputs.enc_outputs_class, outputs.enc_outputs_coord_logits, labels, cells_a_region
        )
        matches = self.queries.matcher(layers[-1], labels)
        losses["order"] = ORDER_WEIGHT * order_loss(
            outputs.out_order_logits, layers[-1]["pred_boxes"].detach(), matches, labels
        )
        return sum(losses.values()), {name: float(loss) for name, loss in losses.items()}


def _by_layer(logits: torch.Tensor, boxes: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    pairs = zip(logits.unbind(1), boxes.unbind(1), strict=True)
    return [{"logits": one, "pred_boxes": other} for one, other in pairs]


def dense_loss(
    logits: torch.Tensor, box_logits: torch.Tensor, labels: Labels, cells_a_region: int
) -> torch.Tensor:
    """Classes and boxes that the cells nearest to the middle of each region should give.

    Args:
        logits: (batch, cells, classes), the maps from fine to coarse behind one another.
        box_logits: (batch, cells, 4).
        cells_a_region: how many cells learn each region.
    """
    cells, level_of_cell = (each.to(logits.device) for each in _cell_centres(logits.shape[1]))
    weights, targets = torch.zeros_like(logits), torch.zeros_like(logits)
    found_boxes, true_boxes = [], []
    for page, label in enumerate(labels):
        if not len(label["boxes"]):
            continue
        centres, heights = label["boxes"][:, :2], label["boxes"][:, 3]
        level = sum((heights > most).long() for most in LEVEL_HEIGHTS)
        distance = torch.cdist(centres, cells)
        distance[level[:, None] != level_of_cell[None]] = torch.inf
        nearest = distance.topk(cells_a_region, largest=False).indices  # (regions, cells)
        where = nearest.flatten()
        classes = label["class_labels"].repeat_interleave(cells_a_region)
        targets[page, where, classes] = 1.0
        found_boxes.append(box_logits[page, where].sigmoid())
        true_boxes.append(label["boxes"].repeat_interleave(cells_a_region, 0))
    with torch.no_grad():
        scores = logits.sigmoid()
        weights = torch.where(targets > 0, (1 - scores).sqrt(), 0.75 * scores**2)
    num_regions = max(1, sum(len(label["boxes"]) for label in labels))
    loss = F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
    if found_boxes:
        found, true = torch.cat(found_boxes), torch.cat(true_boxes)
        loss = (
            loss + BOX_WEIGHT * (found - true).abs().sum() + GIOU_WEIGHT * _giou_loss(found, true)
        )
    return loss / (num_regions * cells_a_region)


def _giou_loss(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """The sum over pairs of boxes (n, 4) as centre and size."""
    one, other = center_to_corners_format(found), center_to_corners_format(true)
    low, high = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    both = (high - low).clamp(min=0).prod(1)
    union = (one[:, 2:] - one[:, :2]).prod(1) + (other[:, 2:] - other[:, :2]).prod(1) - both
    low, high = torch.minimum(one[:, :2], other[:, :2]), torch.maximum(one[:, 2:], other[:, 2:])
    hull = (high - low).prod(1).clamp(min=1e-9)
    return (1 - both / union.clamp(min=1e-9) + (hull - union) / hull).sum()


@cache
def _cell_centres(num_cells: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres (cells, 2) of the square maps, as shares of the page, and the map of each cell."""
    side = round((num_cells / (1 + 1 / 4 + 1 / 16)) ** 0.5)
    centres, levels = [], []
    for level, cells in enumerate((side, side // 2, side // 4)):
        line = (torch.arange(cells) + 0.5) / cells
        y, x = torch.meshgrid(line, line, indexing="ij")
        centres.append(torch.stack([x.flatten(), y.flatten()], 1))
        levels.append(torch.full((cells * cells,), level))
    return torch.cat(centres), torch.cat(levels)


def order_loss(
    order_logits: torch.Tensor,
    boxes: torch.Tensor,
    matches: list[tuple[torch.Tensor, torch.Tensor]],
    labels: Labels,
) -> torch.Tensor:
    """Whether the earlier query of each pair comes first on the page.

    The image processor lets all queries vote, also those that found nothing, so these learn the
    place of the region that they are nearest to.

    Args:
        order_logits: (batch, layers, queries, queries), of which the upper triangle counts.
        boxes: (batch, queries, 4) of the last layer.
    """
    losses = []
    for page, (label, (queries, regions)) in enumerate(zip(labels, matches, strict=True)):
        if len(label["boxes"]) < 2:
            continue
        queries, regions = queries.to(boxes.device), regions.to(boxes.device)
        place = torch.cdist(boxes[page], label["boxes"], p=1).argmin(1)
        place[queries] = regions
        matched = torch.zeros_like(place, dtype=torch.bool)
        matched[queries] = True
        first = (place[:, None] < place[None]).float()
        counts = torch.where(matched[:, None] & matched[None], 1.0, UNMATCHED_PAIRS)
        counts = (counts * (place[:, None] != place[None])).triu(1)
        logits = order_logits[page]
        each = (
            F.binary_cross_entropy_with_logits(logits, first.expand_as(logits), reduction="none")
            * counts
        )
        losses.append(each.sum((1, 2)) / counts.sum().clamp(min=1e-6))
    if not losses:
        return order_logits.sum() * 0
    return torch.stack(losses).sum(1).mean()
