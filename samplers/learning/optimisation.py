"""Optimiser steps of the learned samplers, and averages of their weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Adam at torch's default betas; the fused kernel where there is one (CPU and CUDA)."""
    return torch.optim.Adam(parameters, lr=rate, fused=True)


def descend(optimiser: torch.optim.Optimizer, out: Tensor, pull: Tensor | None = None, *,
            longest: float | None = None, skip_infinite: bool = False) -> None:
    """One update down a loss, 0-d, or along sum_i pull_i . dx_i/dtheta at points x, (n, dim).

    A gradient longer than ``longest`` is cut to that length. With ``skip_infinite``, one that is
    not finite counts as zero, so that one bad batch does not end a run.
    """
    optimiser.zero_grad()
    out.backward(pull)
    if longest is not None:
        weights = [p for group in optimiser.param_groups for p in group["params"]]
        length = nn.utils.clip_grad_norm_(weights, longest)
        for weight in weights if skip_infinite else ():
            if weight.grad is not None:
                weight.grad = torch.where(length.isfinite(), weight.grad, 0.0)
    optimiser.step()


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """average <- decay x average + (1 - decay) x net, weight by weight."""
    for mean, now in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(now, 1.0 - decay)
