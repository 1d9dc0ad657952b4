"""Layout models with random weights, and pages with known regions."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    HGNetV2Config,
    PPDocLayoutV3Config,
    PPDocLayoutV3ForObjectDetection,
    PPDocLayoutV3ImageProcessor,
    PPDocLayoutV4Config,
    PPDocLayoutV4ForObjectDetection,
    PPDocLayoutV4ImageProcessor,
)

from glmocr_utils.layout.detecting import Detections
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

LABELS = ("text", "table", "image", "header", "footer")
SMALL = {
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [24, 32, 40],
    "encoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "d_model": 32,
    "num_queries": 20,
    "decoder_in_channels": [32, 32, 32],
    "decoder_ffn_dim": 32,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "num_denoising": 0,
    "id2label": dict(enumerate(LABELS)),
    "label2id": {name: number for number, name in enumerate(LABELS)},
}


def save_random_layout(folder: Path, version: int = 3, sure_of: str | None = None) -> Path:
    """A PP-DocLayout checkpoint of the real classes that has learned nothing.

    Args:
        sure_of: a class that it sees in 20 boxes of each page; None has it see nothing.
    """
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = HGNetV2Config(
        stem_channels=[3, 8, 12],
        embedding_size=12,
        hidden_sizes=[16, 24, 32, 40],
        depths=[1, 1, 1, 1],
        stage_in_channels=[12, 16, 24, 32],
        stage_mid_channels=[8, 8, 12, 16],
        stage_out_channels=[16, 24, 32, 40],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        out_features=stages if version == 3 else stages[1:],
    )
    torch.manual_seed(0)
    size = {"height": 160, "width": 160}
    if version == 3:
        masks = {"mask_feature_channels": [8, 8], "x4_feat_dim": 16, "num_prototypes": 8}
        config = PPDocLayoutV3Config(backbone_config=backbone, **SMALL, **masks)
        model = PPDocLayoutV3ForObjectDetection(config)
        if sure_of:
            with torch.no_grad():
                model.model.enc_score_head.bias[LABELS.index(sure_of)] = 1.0
        model.save_pretrained(folder)
        PPDocLayoutV3ImageProcessor(size=size).save_pretrained(folder)
    else:
        config = PPDocLayoutV4Config(backbone_config=backbone, **SMALL)
        PPDocLayoutV4ForObjectDetection(config).save_pretrained(folder)
        PPDocLayoutV4ImageProcessor(size=size).save_pretrained(folder)
    return folder


def draw_columns(texts: list[str], width_px: int = 420) -> tuple[Image.Image, np.ndarray]:
    """A page with a column for each text.

    Returns:
        The page, and (num_columns, 4): x1, y1, x2, y2 of each column's text.
    """
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, width_px=width_px, height_px=None, margin_px=24)
    columns = [draw_page([Block(text)], style) for text in texts]
    height = max(column.image.height for column in columns)
    page = Image.new("RGB", (width_px * len(texts), height), "white")
    boxes = []
    for number, column in enumerate(columns):
        page.paste(column.image, (number * width_px, 0))
        ink = np.asarray(column.image.convert("L")) < 128
        rows, pixels = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        left = number * width_px
        boxes.append([left + pixels[0], rows[0], left + pixels[-1] + 1, rows[-1] + 1])
    return page, np.array(boxes, float)


def detections(boxes: np.ndarray, labels: list[str] | None = None) -> Detections:
    """What a layout model would say that found these boxes, in this order."""
    names = labels or ["text"] * len(boxes)
    return Detections(
        torch.tensor(np.asarray(boxes), dtype=torch.float32).reshape(-1, 4),
        torch.linspace(0.9, 0.8, len(boxes)),
        torch.tensor([LABELS.index(name) for name in names], dtype=torch.long),
    )
