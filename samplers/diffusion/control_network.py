"""The control of a diffusion: a small network with the target's score in it.

    u(x, t) = NN1(x, t) + NN2(t) clip(grad log p(x))

NN1 sees the point and the time; NN2 is one number for each time. The last layers of both are
zero at the start, so that an untrained control is zero and the diffusion its own reference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.core.density import Density
from samplers.learning.networks import Affine, Sinusoids


class Control(nn.Module):
    """Points (n, dim) with scores (n, dim), at a time of a grid -> u, (n, dim).

    Time is embedded by sines and cosines, then a GELU layer that both networks share. NN1 has
    ``layers`` hidden GELU layers, the first of them of x and of the time's code added.
    """

    def __init__(self, target: Density, rng: torch.Generator, width: int, layers: int,
                 embedding: int) -> None:
        super().__init__()
        self.embed = Sinusoids(embedding, 100.0, target)
        self.time = Affine(embedding, width, target, rng)
        self.code = Affine(width, width, target, rng)
        self.gain = Affine(width, 1, target, rng, gain=0.0)
        self.space = Affine(target.dim, width, target, rng)
        self.hidden = nn.ModuleList(Affine(width, width, target, rng) for _ in range(layers - 1))
        self.last = Affine(width, target.dim, target, rng, gain=0.0)

    def over(self, steps: int) -> list[tuple[Tensor, Tensor]]:
        """The code, (width,), and NN2, (1,), of each of the times 0, 1/steps, ... ."""
        grid = torch.arange(steps, dtype=self.last.weight.dtype, device=self.last.weight.device)
        h = functional.gelu(self.time(self.embed(grid[:, None] / steps)))
        return list(zip(self.code(h).unbind(), self.gain(h).unbind(), strict=True))

    def forward(self, x: Tensor, score: Tensor, when: tuple[Tensor, Tensor]) -> Tensor:
        """u at x; ``when`` is one entry of ``over``, ``score`` the clipped score at x."""
        code, gain = when
        h = functional.gelu(self.space(x) + code)
        for layer in self.hidden:
            h = functional.gelu(layer(h))
        return torch.addcmul(self.last(h), gain, score)
