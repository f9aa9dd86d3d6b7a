"""A ladder of temperatures between N(0, scale^2 I) and p: swaps, spacing, and the integral of p.

Along the path log p_beta = beta log p + (1 - beta) log N(x; 0, scale^2 I), 0 = beta_0 < ... <
beta_N = 1, with U = log p - log N up to a constant:

    swap      x_k and x_k+1 with probability min(1, exp((beta_k+1 - beta_k) (U(x_k) - U(x_k+1))))
    spacing   r_k the mean probability of refusal, Lambda(beta_k) = r_0 + ... + r_k-1:
              the new beta_k has Lambda(beta_k) = (k / N) Lambda(1), so that all r_k are equal
    integral  Z_k+1 / Z_k = E_k exp(d U / 2) / E_k+1 exp(-d U / 2),  d = beta_k+1 - beta_k

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

#: The least rate of refusal that spacing assumes, so that no two temperatures fall together.
_LEAST_RATE = 1e-3


@dataclass(frozen=True)
class Ladder:
    """beta, (N + 1,), and the refusals, (N,), summed over swaps offered since it last moved."""

    betas: Tensor
    refused: Tensor
    offered: Tensor

    @classmethod
    def even(cls, target: Density, replicas: int) -> Ladder:
        """Temperatures at equal distances."""
        betas = torch.linspace(0.0, 1.0, replicas, device=target.device, dtype=target.dtype)
        return cls(betas, torch.zeros_like(betas[1:]), torch.zeros_like(betas[1:]))

    @property
    def rates(self) -> Tensor:
        """r_k, (N,)."""
        return self.refused / self.offered.clamp_min(1.0)

    def swap(self, u: Tensor, odd: int, chance: Tensor) -> tuple[Tensor, Ladder]:
        """Offer the swaps (k, k + 1) of one parity, k = ``odd``, ``odd`` + 2, ...

        From U at the replicas, (N + 1, chains), and uniform numbers of that shape: which replica
        comes to stand at each place, (N + 1, chains) int64, and the ladder with its count.
        """
        low = torch.arange(odd, len(u) - 1, 2, device=u.device)
        log_a = (self.betas[low + 1] - self.betas[low])[:, None] * (u[low] - u[low + 1])
        accepted = (torch.log1p(-chance[low]) < log_a).long()
        order = torch.arange(len(u), device=u.device)[:, None].repeat(1, u.shape[1])
        order[low] += accepted
        order[low + 1] -= accepted
        probability = log_a.clamp(-80.0, 0.0).exp().nan_to_num(0.0).mean(1)
        return order, replace(self, refused=self.refused.index_add(0, low, 1 - probability),
                              offered=self.offered.index_add(0, low, torch.ones_like(probability)))

    def respaced(self) -> Ladder:
        """Temperatures between which swaps are refused equally often, as far as is known."""
        barrier = torch.cumsum(self.rates.clamp_min(_LEAST_RATE), 0)
        barrier = torch.cat([torch.zeros_like(barrier[:1]), barrier])
        wanted = barrier[-1] * torch.linspace(0.0, 1.0, len(barrier), device=barrier.device,
                                              dtype=barrier.dtype)[1:-1]
        j = torch.searchsorted(barrier, wanted).clamp(1, len(barrier) - 1)
        share = (wanted - barrier[j - 1]) / (barrier[j] - barrier[j - 1])
        between = self.betas[j - 1] + share * (self.betas[j] - self.betas[j - 1])
        betas = torch.cat([self.betas[:1], between, self.betas[-1:]])
        return Ladder(betas, torch.zeros_like(self.refused), torch.zeros_like(self.offered))

    def bridges(self, u: Tensor) -> Tensor:
        """(d U / 2 at beta_k, -d U / 2 at beta_k+1) from U, (N + 1, chains): (2, N, chains)."""
        half = ((self.betas[1:] - self.betas[:-1]) / 2)[:, None]
        return torch.stack([half * u[:-1], -half * u[1:]])


def log_ratio(log_means: Tensor) -> tuple[float, float]:
    """log Z_N / Z_0 from logs of each ladder's means over time of exp of ``bridges``.

    The standard error takes the chains, the last dimension, for independent: the delta method on
    their sums of relative deviations.
    """
    log_means = log_means.double()
    means = torch.logsumexp(log_means, -1) - math.log(log_means.shape[-1])
    relative = (log_means - means[..., None]).exp()
    deviation = (relative[0] - relative[1]).sum(0)
    return float((means[0] - means[1]).sum()), float(deviation.std()) / len(deviation) ** 0.5
