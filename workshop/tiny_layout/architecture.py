"""The layout model's sizes: a `PPDocLayoutV3ForObjectDetection` that a CPU trains in two hours."""

import math

import torch
from torch import nn
from transformers import (
    HGNetV2Config,
    PPDocLayoutV3Config,
    PPDocLayoutV3ForObjectDetection,
    PPDocLayoutV3ImageProcessor,
)

INPUT_PX = 448  # the side of the square that each page is squeezed to
# the class names of PP-DocLayoutV3, in its order
LABELS = (
    "abstract", "algorithm", "aside_text", "chart", "content", "display_formula", "doc_title",
    "figure_title", "footer", "footer_image", "footnote", "formula_number", "header",
    "header_image", "image", "inline_formula", "number", "paragraph_title", "reference",
    "reference_content", "seal", "table", "text", "vertical_text", "vision_footnote",
)  # fmt: skip
PRIOR = 0.02  # probability of each class before any training

# (channels in, within, out) and convolutions of the four stages, at 1/4 to 1/32 of the input
STAGES = ((16, 12, 24), (24, 24, 48), (48, 40, 112), (112, 64, 160))
CONVOLUTIONS = (2, 3, 4, 4)
WIDTH = 64


def build_config() -> PPDocLayoutV3Config:
    """The sizes, the class names, and the weights of the loss."""
    inner, middle, outer = zip(*STAGES, strict=True)
    backbone = HGNetV2Config(
        stem_channels=[3, 8, inner[0]],
        embedding_size=inner[0],
        depths=[1, 1, 1, 1],
        hidden_sizes=list(outer),
        stage_in_channels=list(inner),
        stage_mid_channels=list(middle),
        stage_out_channels=list(outer),
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=list(CONVOLUTIONS),
        stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 3, 5],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    return PPDocLayoutV3Config(
        backbone_config=backbone,
        freeze_backbone_batch_norms=False,  # they are trained from nothing
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        encoder_in_channels=list(outer[1:]),
        encoder_hidden_dim=WIDTH,
        encoder_ffn_dim=256,
        encoder_attention_heads=4,
        hidden_expansion=0.5,
        x4_feat_dim=outer[0],
        mask_feature_channels=[16, 16],
        num_prototypes=8,
        mask_enhanced=False,
        d_model=WIDTH,
        decoder_in_channels=[WIDTH] * 3,
        decoder_layers=3,
        decoder_ffn_dim=256,
        decoder_attention_heads=4,
        num_queries=120,
        num_denoising=60,
        global_pointer_head_size=32,
        gp_dropout_value=0.0,
    )


def build_model() -> PPDocLayoutV3ForObjectDetection:
    """A model with random weights that training can start from.

    The class itself scales weights for a trained backbone: its normalisations begin near 0, which
    stops all gradients in a model that has learned nothing yet.
    """
    model = PPDocLayoutV3ForObjectDetection(build_config())
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    for name, parameter in model.named_parameters():
        deformable = "sampling_offsets" in name or "attention_weights" in name
        if parameter.ndim == 2 and not deformable and "embed" not in name.split(".")[-2]:
            nn.init.xavier_uniform_(parameter)
    inner = model.model
    for head in (inner.enc_score_head, inner.decoder.class_embed):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.constant_(head.bias, -math.log((1 - PRIOR) / PRIOR))
    for head in (inner.enc_bbox_head, inner.decoder.bbox_embed):
        nn.init.zeros_(head.layers[-1].weight)
        nn.init.zeros_(head.layers[-1].bias)
    return model


def build_processor(side: int = INPUT_PX) -> PPDocLayoutV3ImageProcessor:
    """Squeezes a page to a square; white paper becomes 0."""
    return PPDocLayoutV3ImageProcessor(
        size={"height": side, "width": side}, image_mean=[1.0] * 3, image_std=[0.3] * 3
    )


class _NoMasks(nn.Module):
    """Takes the place of a part that computes masks, which training does not look at."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.shape = (channels, side, side)

    def forward(self, features: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
        first = features[0] if isinstance(features, list) else features
        return first.new_zeros(len(first), *self.shape)


def without_masks(model: PPDocLayoutV3ForObjectDetection) -> dict[str, nn.Module]:
    """Take out the parts that compute masks, a fifth of the time; `with_masks` puts them back."""
    encoder, config = model.model.encoder, model.config
    stand_ins = {
        "mask_feature_head": _NoMasks(config.mask_feature_channels[1], 1),
        "encoder_mask_lateral": _NoMasks(config.mask_feature_channels[1], 2),
        "encoder_mask_output": _NoMasks(config.num_prototypes, 2),
    }
    taken = {name: getattr(encoder, name) for name in stand_ins}
    for name, stand_in in stand_ins.items():
        setattr(encoder, name, stand_in)
    return taken


def with_masks(model: PPDocLayoutV3ForObjectDetection, taken: dict[str, nn.Module]) -> None:
    """Put back what `without_masks` took out."""
    for name, module in taken.items():
        setattr(model.model.encoder, name, module)
