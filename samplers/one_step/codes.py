"""A one-step generator with discrete codes, and the step that moves mass between them.

    c ~ Cat(pi),  z ~ N(0, I),      x = R (t_c + exp(l_c) net(z, e_c)),

with anchors t_c, log-sizes l_c and embeddings e_c learned, and R the declared scale. One smooth
map of a connected latent distribution has to stretch over the gaps between modes; codes need not.
With one code it is the plain generator x = R net(z).

**Mass step.** For points u of p and y of the sampler, smoothed alike,

    r_c = E_{u ~ p * phi_s} [ pi_c (q_c * phi_s)(u) / (q * phi_s)(u) ],
    pi <- pi + rate (r - pi)

is the EM step for the weights of the mixture q * phi_s, and up to the rate the natural
(Fisher-Rao) gradient step of KL(p * phi_s | q * phi_s) in pi. Since pi_c is the mean of the same
responsibility under q * phi_s, the step is estimated as a difference of two means of one function,
the kernel responsibility of drawn y of code c: over smoothed u of p less over smoothed x of q.
At q = p its mean is zero for any number of y, as u and x are then of one distribution and
independent of the y. (Against pi_c or the share of the y instead it is biased, by the ratio in the
responsibilities: sparse codes at the edge of the distribution lose mass to their neighbours.)

**Reseating.** EM leaves most codes without mass, and a mode that no code is near is reached
slowly. So now and then the poorest code is put where p is and q is not: at a point u with at least
``CROWD`` other points of p nearer than the nearest of q. With as many u as y and q = p, the number
of nearer ones is geometric, P(k or more) = 2^-k a point in any dimension (over 512 points one
search in about ten chooses one by accident, which costs a poor code nothing), and a lonely point
of a tail is never chosen.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.core.density import Density
from samplers.base import normal
from samplers.distances import squared_distances
from samplers.learning.networks import one_step_generator
from samplers.one_step.kernels import kernel

#: Share of the starting variance that lies within a code.
WITHIN = 0.09
#: A code's mass never falls below this over the number of codes.
LEAST_MASS = 0.005
#: Points of p nearer than any of q that call for a code: by accident at q = p 2^-12 a point.
CROWD = 12
#: Only a code of a mass under this over the number of codes is reseated; it is given twice that.
POOR = 0.25


class CodedGenerator(nn.Module):
    """x = R (t_c + exp(l_c) net(z, e_c)); at the start mean 0 and deviation R, as all samplers."""

    def __init__(self, sizes: tuple[int, int, int], layers: int, codes: int, target: Density,
                 rng: torch.Generator) -> None:
        """``sizes``: latent dimension, embedding dimension, width of the network."""
        super().__init__()
        self.latent, embedding, width = sizes
        many = codes > 1
        shape = (self.latent + (embedding if many else 0), width, target.dim)
        self.net = one_step_generator(shape, layers, target, rng, functional.silu, residual=True)
        self.embedding = nn.Parameter(normal(target, (codes, embedding if many else 0), rng))
        anchor = normal(target, (codes, target.dim), rng)
        anchor = (anchor - anchor.mean(dim=0)) / anchor.std(dim=0) if many else 0.0 * anchor
        self.anchor = nn.Parameter(math.sqrt(1.0 - WITHIN) * anchor)
        size = 0.5 * math.log(WITHIN) if many else 0.0
        self.log_size = nn.Parameter(torch.full_like(anchor, size))
        self.scale = target.scale

    def forward(self, z: Tensor, code: Tensor) -> Tensor:
        """Latents (n, latent) and codes (n,) to points (n, dim)."""
        inside = self.net(torch.cat([z, self.embedding[code]], dim=1))
        return self.scale * (self.anchor[code] + self.log_size[code].exp() * inside)


def responsibilities(u: Tensor, y: Tensor, code: Tensor, codes: int, width: float) -> Tensor:
    """Mean over u of the kernel responsibility of each code's y, shape (codes,), of sum 1."""
    gaps = squared_distances(u, y)
    gaps -= gaps.amin(dim=1, keepdim=True)
    weights = kernel(gaps, width)
    by_point = (weights / weights.sum(dim=1, keepdim=True)).mean(dim=0)
    return torch.zeros(codes, device=u.device, dtype=u.dtype).index_add_(0, code, by_point)


def mass_step(mass: Tensor, gain: Tensor, rate: float) -> Tensor:
    """pi + rate gain, floored and normalised: (codes,) -> (codes,)."""
    moved = (mass + rate * gain).clamp_min_(LEAST_MASS / len(mass))
    return moved / moved.sum()


def crowded(u: Tensor, y: Tensor) -> Tensor:
    """How many other u (copies apart) are nearer to each u than the nearest y, shape (n,)."""
    among = squared_distances(u, u)
    nearest = squared_distances(u, y).amin(dim=1, keepdim=True)
    return ((among < nearest) & (among > 0.0)).sum(dim=1)


def reseat(generators: list[CodedGenerator], optimiser: torch.optim.Optimizer,
           masses: list[Tensor], point: Tensor, size: float) -> None:
    """Put the poorest code at ``point`` (dim,), ``size`` wide, in all generators and masses."""
    poorest = int(masses[0].argmin())
    if float(masses[0][poorest]) * len(masses[0]) > POOR:
        return
    for generator in generators:
        generator.anchor.data[poorest] = point / generator.scale
        generator.log_size.data[poorest] = math.log(size / generator.scale)
    for parameter in (generators[0].anchor, generators[0].log_size):
        moments = optimiser.state.get(parameter)
        if moments:
            moments["exp_avg"][poorest] = 0.0
    for mass in masses:
        mass[poorest] = 2.0 * POOR / len(mass)
        mass /= mass.sum()


def rescue(generators: list[CodedGenerator], optimiser: torch.optim.Optimizer,
           masses: list[Tensor], u: Tensor, y: Tensor, size: float) -> None:
    """Reseat the poorest code at the u, (n, dim), that most lacks points of q near it, if any."""
    crowd = crowded(u, y)
    if int(crowd.max()) >= CROWD:
        reseat(generators, optimiser, masses, u[crowd.argmax()], size)
