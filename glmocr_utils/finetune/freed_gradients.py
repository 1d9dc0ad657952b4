"""Weights that are updated within the backward pass, so that no two gradients need memory at once.

A step usually keeps the gradients of all weights until the last is there, as much memory as the
weights themselves. What needs them together cannot be had with it: clipping by their norm, and
adding up those of several passes.
"""

import torch


def step_in_backward(optimizer: torch.optim.Optimizer) -> None:
    """Let a weight be updated as soon as its gradient is complete, and its gradient be freed.

    The optimizer stays what it is, with its state and its learning rate; a later `step` finds
    nothing to do.

    Args:
        optimizer: one that passes over weights without a gradient, as PyTorch's and bitsandbytes'
            do.
    """

    def update(parameter: torch.Tensor) -> None:
        optimizer.step()  # of this weight alone: no other has a gradient
        parameter.grad = None

    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.register_post_accumulate_grad_hook(update)
