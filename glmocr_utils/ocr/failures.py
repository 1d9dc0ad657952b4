"""What costs one page, and not the others."""

import torch

FAILURES_OF_A_PAGE = (RuntimeError, MemoryError, ValueError)  # out of memory is a RuntimeError

# what PyTorch says on a GPU, on a CPU, and for a library's own memory
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


def is_out_of_memory(error: Exception) -> bool:
    """Whether a pass through the model failed for lack of memory."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        each in said for each in OUT_OF_MEMORY
    )
