"""Stein variational gradient descent: particles that climb the density and push each other apart.

Theory. Among velocity fields of unit norm in the space of a kernel k, the one that lowers the
Kullback-Leibler divergence to p fastest is, for N particles,

    phi(x_i) = 1/N sum_j [ k(x_j, x_i) s(x_j) + grad_{x_j} k(x_j, x_i) ],
    k(x, y) = exp(-|x - y|^2 / (2 h^2)),    h^2 = median(|x_i - x_j|^2) / (2 log(N + 1)).

The first term draws all particles uphill, the second is the repulsion. Each coordinate g of phi
then makes a step scaled by its own recent size:

    G <- g^2 at the first step, 0.9 G + 0.1 g^2 afterwards;    x <- x + eps g / (1e-6 + sqrt(G)).

References. Q. Liu, D. Wang, Stein Variational Gradient Descent, NeurIPS 2016, algorithm 1 and
section 5 (the median heuristic); the scaled step, h and eps = 0.01 are those of the authors'
code, and reproduce the SVGD rows of table 1 of Denoising Fisher Training (arXiv 2411.01453).

Departures. The median is taken over the distances from ``median_rows`` random particles to all,
each particle's distance to itself included as in the full matrix; ``median_rows = 0`` takes the
full matrix (1.9 to 2.2 times slower at 500 particles on a CPU). Exponents stop at -80. Start
N(0, scale^2 I).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.compilation import compilable
from bench.core.density import Density
from samplers.base import Sampler, initial_points
from samplers.distances import squared_distances
from samplers.transitions.history import choose

#: Most dimensions for which a compiled step sums pair by pair.
FEW = 6


@dataclass(frozen=True)
class SvgdState:
    """Particles and the running mean of squared coordinates of phi, both (particles, dim)."""

    x: Tensor
    squares: Tensor
    bandwidth: Tensor  # h^2 of the latest step, 0-d
    movement: Tensor  # root mean square of phi at the latest step, 0-d
    steps: int = 0


def stein_field(x: Tensor, score: Tensor, h2: Tensor) -> Tensor:
    """phi at each particle: (N, dim), (N, dim), 0-d -> (N, dim)."""
    if torch.compiler.is_compiling() and x.shape[1] <= FEW:
        return stein_field_by_pairs(x, score, h2)
    y = x / h2.sqrt()
    half = y.square().sum(1) / 2
    k = torch.addmm(-half[:, None], y, y.T).sub_(half).clamp_(-80.0, 0.0).exp_()
    drive, pull, total = (k @ torch.cat([score, x, torch.ones_like(x[:, :1])], 1)).split(
        [x.shape[1], x.shape[1], 1], dim=1)
    repulsion = (x * total - pull) / h2
    return (drive + repulsion) / len(x)


def stein_field_by_pairs(x: Tensor, score: Tensor, h2: Tensor) -> Tensor:
    """The same, pair by pair: a compiler makes one loop of it that never stores a kernel."""
    gaps = [c[:, None] - c for c in x.unbind(1)]
    k = (sum(g * g for g in gaps) / (-2 * h2)).clamp(min=-80.0).exp()
    return torch.stack([(k * (s + g / h2)).sum(1)
                        for g, s in zip(gaps, score.unbind(1), strict=True)], 1) / len(x)


@compilable
def update(target: Density, x: Tensor, squares: Tensor, h2: Tensor, past: float, step: float,
           scaled: bool) -> tuple[Tensor, Tensor, Tensor]:
    """New particles and running squares, both (N, dim), and the size of phi, 0-d."""
    phi = stein_field(x, target.score(x), h2)
    squares = past * squares + (1 - past) * phi.square()
    x = x + step * (phi / (1e-6 + squares.sqrt()) if scaled else phi)
    return x, squares, phi.square().mean().sqrt()


@dataclass(frozen=True)
class Svgd(Sampler):
    """Stein variational gradient descent: deterministic particles with a repelling kernel.

    ``particles``: N; the set is drawn from as it stands, so N bounds the points there are.
    ``step_size``: eps, in units of x. ``decay``: weight of the past in G. ``median_rows``:
    particles whose distances the median is taken over; 0: all. ``bandwidth``: a given h, in units
    of x, in place of the median heuristic. ``scaled = False`` makes the plain step x <- x + eps
    phi.
    """

    name = "svgd"
    kind = "one-shot"
    family = "particles"
    update = ("phi_i = mean_j [k(x_j, x_i) s(x_j) + grad_j k(x_j, x_i)]; "
              "x <- x + eps phi / (1e-6 + sqrt(running mean of phi^2))")
    citation = "Liu and Wang, NeurIPS 2016, algorithm 1; step as in the authors' code"
    limitations = ("cannot give more points than particles, or independent ones; find modes that "
                   "no particle starts near; keep the variance in high dimension")
    law_settings = {
        "steps": 600, "bias": 0.05,
        "why": "400 particles leave the tails out",
        "parameters": {"particles": 400, "step_size": 0.02}}

    particles: int = 500
    step_size: float = 0.01
    decay: float = 0.9
    scaled: bool = True
    median_rows: int = 32
    bandwidth: float | None = None

    def init(self, target: Density, rng: torch.Generator) -> SvgdState:
        """Particles from the initial distribution."""
        x = initial_points(target, self.particles, rng)
        nothing = x.new_zeros(())
        return SvgdState(x, torch.zeros_like(x), nothing, nothing)

    def step(self, target: Density, state: SvgdState, progress: float,
             rng: torch.Generator) -> SvgdState:
        """One update of all particles: a gradient evaluation each."""
        h2 = self.square_bandwidth(state.x, rng)
        past = self.decay if state.steps else 0.0
        x, squares, size = update(target, state.x, state.squares, h2, past, self.step_size,
                                  self.scaled)
        return SvgdState(x, squares, h2, size, state.steps + 1)

    def square_bandwidth(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """h^2, 0-d: given, or by the median heuristic (above zero where particles coincide)."""
        if self.bandwidth is not None:
            return x.new_full((), self.bandwidth**2)
        rows = choose(x, self.median_rows, rng) if self.median_rows else x
        median = squared_distances(rows, x).flatten().median()
        return (median / (2 * math.log(len(x) + 1))).clamp_min(torch.finfo(x.dtype).tiny)

    def points(self, n: int) -> int:
        """No more than there are particles."""
        return min(n, self.particles)

    def draw(self, target: Density, state: SvgdState, n: int, rng: torch.Generator) -> Tensor:
        """Random particles, without replacement."""
        return choose(state.x, n, rng)

    def independent_steps(self, state: SvgdState) -> tuple[int, float]:
        """(particles, the steps of the whole run: a fresh set is a fresh run)."""
        return self.particles, float(max(1, state.steps))

    def diagnostics(self, state: SvgdState) -> dict[str, float]:
        """Bandwidth h, and root mean square of phi (zero at a fixed point)."""
        return {"bandwidth": float(state.bandwidth.sqrt()), "drift_norm": float(state.movement)}
