"""A page whose logits are NaN or infinite: the cause, and how to load the model instead."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the library is loaded where it is used
    from transformers import PreTrainedModel

REMEDIES = {
    "float16": "float16 overflows easily: load the model with dtype='bfloat16' or dtype='float32'",
    "bfloat16": "load the model with dtype='float32', or with attn='eager'",
    "float32": "try attn='eager'; if it stays, the model's weights are damaged: get them again",
}


class NotFiniteError(ArithmeticError):
    """The model gave NaN or infinity; the message names dtype, attention and remedy."""

    @classmethod
    def of(cls, model: "PreTrainedModel") -> "NotFiniteError":
        dtype = str(model.dtype).removeprefix("torch.")
        attention = model.config.get_text_config()._attn_implementation
        remedy = REMEDIES.get(dtype, "load the model with dtype='float32'")
        return cls(
            "the model's numbers became NaN or infinite on this page, in "
            f"{dtype} with attention {attention}; {remedy}"
        )
