"""Patches of the page image → vectors, as one matrix product."""

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:  # the library is loaded where it is used
    from transformers import PreTrainedModel


class PatchProjection(nn.Conv3d):
    """A convolution whose input is as large as its kernel.

    Each patch is convolved at one place only, so the whole is `patches @ weight.T`, which libraries
    compute several times as fast as a 3-D convolution. The weights stay the convolution's own.
    """

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(num_patches, channels, *kernel_size) → (num_patches, hidden, 1, 1, 1)."""
        vectors = nn.functional.linear(patches.flatten(1), self.weight.flatten(1), self.bias)
        return vectors[..., None, None, None]


def project_patches_at_once(model: "PreTrainedModel") -> None:
    """Let the model's patch embedding be a `PatchProjection`."""
    from transformers.models.glm_ocr.modeling_glm_ocr import GlmOcrVisionPatchEmbed

    for module in model.modules():
        if isinstance(module, GlmOcrVisionPatchEmbed):
            module.proj.__class__ = PatchProjection
