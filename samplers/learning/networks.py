"""The small networks of the learned samplers.

Weights are filled from the generator handed in, never from torch's global one: every layer has
weights N(0, gain^2 / inputs) and zero biases, so that a layer keeps the size of what it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.core.density import Density
from samplers.base import normal

Activation = Callable[[Tensor], Tensor]

#: Points drawn at once on a CPU: what a layer gives stays in the cache. It bounds memory as well.
BLOCK = 1 << 12
#: The same on an accelerator, which wants much at once.
WIDE_BLOCK = 1 << 17


class Affine(nn.Module):
    """x W' + b with W ~ N(0, gain^2 / inputs) and b = 0, on the target's device and dtype."""

    def __init__(self, inputs: int, outputs: int, target: Density, rng: torch.Generator,
                 gain: float = 1.0) -> None:
        super().__init__()
        weight = normal(target, (outputs, inputs), rng) * (gain / math.sqrt(inputs))
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(weight.new_zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return functional.linear(x, self.weight, self.bias)


class MLP(nn.Module):
    """``hidden`` hidden layers of one width, then an affine map: (n, inputs) -> (n, outputs).

    ``residual`` adds the input of every hidden layer but the first to its output.
    """

    def __init__(self, sizes: tuple[int, int, int], hidden: int, target: Density,
                 rng: torch.Generator, activation: Activation, residual: bool = False) -> None:
        super().__init__()
        inputs, width, outputs = sizes
        self.first = Affine(inputs, width, target, rng)
        self.rest = nn.ModuleList(Affine(width, width, target, rng) for _ in range(hidden - 1))
        self.last = Affine(width, outputs, target, rng)
        self.activation = activation
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        h = self.activation(self.first(x))
        for layer in self.rest:
            new = self.activation(layer(h))
            h = h + new if self.residual else new
        return self.last(h)


def one_step_generator(sizes: tuple[int, int, int], hidden: int, target: Density,
                       rng: torch.Generator, activation: Activation,
                       residual: bool = False) -> MLP:
    """An MLP whose outputs at latents N(0, I) have mean 0 and standard deviation 1.

    The last layer is shifted and rescaled, coordinate by coordinate, by the moments over 4,096
    latents (a data-dependent start in the manner of Mishkin and Matas, arXiv 1511.06422). Without
    it the start is lopsided: offsets of .33 [.05, .76] against deviations of .73 [.62, .82] in the
    network of drifting (median and central 80 % over 30 seeds).
    """
    net = MLP(sizes, hidden, target, rng, activation, residual)
    with torch.no_grad():
        y = net(normal(target, (4096, sizes[0]), rng))
        net.last.weight.div_(y.std(dim=0).unsqueeze(1))
        net.last.bias.copy_(-y.mean(dim=0) / y.std(dim=0))
    return net


@torch.no_grad()
def in_blocks(target: Density, n: int, points: Callable[[int], Tensor]) -> Tensor:
    """n points made by ``points(m)``, which gives m of them, shape (n, dim)."""
    x = torch.empty((n, target.dim), device=target.device, dtype=target.dtype)
    size = BLOCK if x.device.type == "cpu" else WIDE_BLOCK
    for start in range(0, n, size):
        part = x[start:start + size]
        part.copy_(points(len(part)))
    return x


def pushed_forward(generator: MLP, target: Density, latent: int, n: int,
                   rng: torch.Generator) -> Tensor:
    """scale x generator(z) at n fresh latents z ~ N(0, I), shape (n, dim), in blocks."""
    return in_blocks(
        target, n, lambda m: generator(normal(target, (m, latent), rng)) * target.scale)


class Sinusoids(nn.Module):
    """sin and cos of ``size / 2`` multiples of a number, frequencies ``scale`` .. ``scale``/1e4.

    (n, c) -> (n, c * size): every coordinate has its own embedding.
    """

    frequencies: Tensor

    def __init__(self, size: int, scale: float, target: Density) -> None:
        super().__init__()
        half = size // 2
        ladder = torch.arange(half, dtype=target.dtype, device=target.device) / max(half - 1, 1)
        self.register_buffer("frequencies", scale * torch.exp(-math.log(1e4) * ladder))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c) -> (n, c * size)."""
        phase = (x.unsqueeze(-1) * self.frequencies).flatten(1)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class TimedNet(nn.Module):
    """The score network of iDEM's mixture experiment: (n, dim), (n or 1, 1) -> (n, dim).

    Time and every coordinate are embedded by ``Sinusoids``; a first layer and three residual GELU
    blocks follow. The first layer is kept in two parts, so that a time that all rows share is
    embedded once.
    """

    def __init__(self, target: Density, rng: torch.Generator, width: int, embedding: int,
                 blocks: int = 3, scale: float = 25.0) -> None:
        super().__init__()
        inputs = embedding * (target.dim + 1)
        share = math.sqrt(embedding / inputs)  # both parts together act as one layer
        self.embed = Sinusoids(embedding, scale, target)
        self.of_time = Affine(embedding, width, target, rng, gain=share)
        self.of_space = Affine(embedding * target.dim, width, target, rng,
                               gain=math.sqrt(1.0 - share**2))
        self.blocks = nn.ModuleList(Affine(width, width, target, rng) for _ in range(blocks))
        self.last = Affine(width, target.dim, target, rng)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The network at points x and times t in [0, 1]."""
        h = functional.gelu(self.of_time(self.embed(t)) + self.of_space(self.embed(x)))
        for block in self.blocks:
            h = h + functional.gelu(block(h))
        return self.last(h)
