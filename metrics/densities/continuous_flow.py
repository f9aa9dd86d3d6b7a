"""A continuous normalising flow fitted by flow matching: a density for points that have none.

A velocity field v(x, t) is fitted to straight paths from a normal distribution to the points,

    min_v E |v(x_t, t) - (x_1 - x_0)|^2,   x_t = (1 - t) x_0 + t x_1,  x_0 ~ N(0, I),

and has the density log q(x) = log N(z; 0, I) - int_0^1 div v(x_t, t) dt along the path that the
field leads from z to x. Reference: Y. Lipman et al., Flow matching for generative modeling, ICLR
2023, section 4.1 (their optimal-transport path with no noise at its end).
"""

from __future__ import annotations

import math

import torch
import torchdiffeq
from torch import Tensor, nn
from torch.nn import functional

HARMONICS = 4  # of t
OCTAVES = 5  # of each coordinate: modes a twentieth of the scale wide are out of reach without


class Velocity(nn.Module):
    """v(x, t): an MLP of three hidden layers, the last two residual; weights from ``rng``.

    Its inputs are x with sines and cosines of its octaves, and t with those of its harmonics.
    """

    def __init__(self, dim: int, width: int, rng: torch.Generator) -> None:
        super().__init__()
        inputs = dim * (1 + 2 * OCTAVES) + 1 + 2 * HARMONICS
        sizes = (inputs, width, width, width, dim)
        self.weights = nn.ParameterList(
            torch.randn((o, i), generator=rng) / math.sqrt(i)
            for i, o in zip(sizes, sizes[1:], strict=False))
        self.biases = nn.ParameterList(torch.zeros(o) for o in sizes[1:])

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """(n, dim), (n, 1) -> (n, dim)."""
        angles = math.pi * t * torch.arange(1, HARMONICS + 1)
        waves = (x.unsqueeze(-1) * 2.0 ** torch.arange(OCTAVES)).flatten(1)
        h = torch.cat([x, waves.sin(), waves.cos(), t, angles.sin(), angles.cos()], 1)
        first, *rest, last = zip(self.weights, self.biases, strict=True)
        h = functional.silu(functional.linear(h, *first))
        for layer in rest:
            h = h + functional.silu(functional.linear(h, *layer))
        return functional.linear(h, *last)


def fit(points: Tensor, width: int, updates: int, batch: int, rate: float,
        rng: torch.Generator) -> Velocity:
    """The field fitted to ``points``, (n, dim) float32 of size one; Adam's rate falls to 0."""
    field = Velocity(points.shape[1], width, rng)
    optimiser = torch.optim.Adam(field.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for _ in range(updates):
        end = points[torch.randint(len(points), (batch,), generator=rng)]
        start = torch.randn(end.shape, generator=rng)
        t = torch.rand((batch, 1), generator=rng)
        loss = (field(start + t * (end - start), t) - (end - start)).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return field


def log_density(field: Velocity, x: Tensor, tolerance: float = 1e-5) -> Tensor:
    """log q at x, (n, dim) -> (n,): dopri5 from t = 1 back to 0, the divergence exact."""

    def backward(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            at = state[0].detach().requires_grad_()
            v = field(at, t.expand(len(at), 1))
            parts = [torch.autograd.grad(v[:, i].sum(), at, retain_graph=True)[0][:, i]
                     for i in range(at.shape[1])]
        return v.detach(), sum(parts[1:], parts[0])

    z, inner = torchdiffeq.odeint(backward, (x, x.new_zeros(len(x))), x.new_tensor([1.0, 0.0]),
                                  rtol=tolerance, atol=tolerance, method="dopri5")
    normal = -z[-1].square().sum(1) / 2 - x.shape[1] * math.log(2 * math.pi) / 2
    return normal + inner[-1]
