"""A ladder of temperatures between N(0, scale^2 I) and p: swaps, spacing, and the integral of p.

Along the geometric path (samplers/transitions/interpolation.py) with 0 = beta_0 < ... < beta_N = 1
and r = log p - log N(x; 0, scale^2 I):

    swap      x_k and x_k+1 with probability min(1, exp((beta_k+1 - beta_k) (r(x_k) - r(x_k+1))))
    spacing   R_k the mean rejection probability, Lambda(beta_k) = R_0 + ... + R_k-1:
              the new beta_k has Lambda(beta_k) = (k / N) Lambda(1), so that all R_k are equal
    integral  Z_k+1 / Z_k = E_k exp(d r / 2) / E_k+1 exp(-d r / 2),  d = beta_k+1 - beta_k

References. S. Syed, A. Bouchard-Cote, G. Deligiannidis, A. Doucet, Non-reversible parallel
tempering, JRSS B 84 (2022), arXiv 1905.02939: swaps, the barrier Lambda, the spacing.
X.-L. Meng, W. Wong, Simulating ratios of normalizing constants via a simple identity, Statistica
Sinica 6 (1996): the geometric bridge.

Departures. Lambda is interpolated by straight lines (theirs: a monotone cubic).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.transitions.metropolis import metropolis

#: The least rate of rejection that spacing assumes, so that no two temperatures fall together.
_LEAST_RATE = 1e-3


@dataclass(frozen=True)
class Ladder:
    """beta, (N + 1,), and the rejections, (N,), summed over swaps offered since it last moved."""

    betas: Tensor
    rejected: Tensor
    offered: Tensor

    @classmethod
    def even(cls, target: Density, replicas: int) -> Ladder:
        """Temperatures at equal distances."""
        betas = torch.linspace(0.0, 1.0, replicas, device=target.device, dtype=target.dtype)
        return cls(betas, torch.zeros_like(betas[1:]), torch.zeros_like(betas[1:]))

    @property
    def rates(self) -> Tensor:
        """R_k, (N,)."""
        return self.rejected / self.offered.clamp_min(1.0)

    def swap(self, r: Tensor, odd: int, u: Tensor) -> tuple[Tensor, Ladder]:
        """Offer the swaps (k, k + 1) of one parity, k = ``odd``, ``odd`` + 2, ...

        From r at the replicas, (N + 1, chains), and uniform numbers u of that shape: which replica
        comes to stand at each temperature, (N + 1, chains) int64, and the ladder with its count.
        """
        low = torch.arange(odd, len(r) - 1, 2, device=r.device)
        log_a = (self.betas[low + 1] - self.betas[low])[:, None] * (r[low] - r[low + 1])
        accepted, probability = metropolis(log_a, u[low])
        order = torch.arange(len(r), device=r.device)[:, None].repeat(1, r.shape[1])
        order[low] += accepted.long()
        order[low + 1] -= accepted.long()
        rejected = 1 - probability.mean(1)
        return order, replace(self, rejected=self.rejected.index_add(0, low, rejected),
                              offered=self.offered.index_add(0, low, torch.ones_like(rejected)))

    def respaced(self) -> Ladder:
        """Temperatures between which swaps are rejected equally often, as far as is known."""
        barrier = torch.cumsum(self.rates.clamp_min(_LEAST_RATE), 0)
        barrier = torch.cat([torch.zeros_like(barrier[:1]), barrier])
        wanted = barrier[-1] * torch.linspace(0.0, 1.0, len(barrier), device=barrier.device,
                                              dtype=barrier.dtype)[1:-1]
        j = torch.searchsorted(barrier, wanted).clamp(1, len(barrier) - 1)
        share = (wanted - barrier[j - 1]) / (barrier[j] - barrier[j - 1])
        between = self.betas[j - 1] + share * (self.betas[j] - self.betas[j - 1])
        betas = torch.cat([self.betas[:1], between, self.betas[-1:]])
        return Ladder(betas, torch.zeros_like(self.rejected), torch.zeros_like(self.offered))

    def bridges(self, r: Tensor) -> Tensor:
        """(d r / 2 at beta_k, -d r / 2 at beta_k+1) from r, (N + 1, chains): (2, N, chains)."""
        half = ((self.betas[1:] - self.betas[:-1]) / 2)[:, None]
        return torch.stack([half * r[:-1], -half * r[1:]])


def log_z(log_means: Tensor) -> tuple[float, float]:
    """log Z_N / Z_0 and its error, from logs of each ladder's means over time of exp(``bridges``).

    The standard error takes the chains, the last dimension, for independent: the delta method on
    their sums of relative deviations.
    """
    log_means = log_means.double()
    means = torch.logsumexp(log_means, -1) - math.log(log_means.shape[-1])
    relative = (log_means - means[..., None]).exp()
    deviation = (relative[0] - relative[1]).sum(0)
    return float((means[0] - means[1]).sum()), float(deviation.std()) / len(deviation) ** 0.5
