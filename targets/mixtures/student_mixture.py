"""Equal mixtures of products of Student t distributions with two degrees of freedom."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.core.types import Array
from targets.base import Target, Truth

#: float32 numbers below e^-87 are slow to compute with; e^-80 adds nothing.
_FLOOR = -80.0


def _mean(i: int, value: float) -> Truth:
    return Truth(f"x{i}", lambda x: x[:, i], value)


def _share(i: int, value: float) -> Truth:
    return Truth(f"x{i}>0", lambda x: (x[:, i] > 0).double(), value)


class StudentMixture(Target):
    """p(x) = 1/K sum_k prod_j t2(x_j - m_kj), t2(g) = (2 + g^2)^(-3/2), normalised.

    Variances are infinite, so that the truths are the means, which exist, and the share of each
    coordinate above zero.
    """

    finite_variance = False
    has_reference = True
    reference_note = "exact: a component, then a normal over the root of an exponential variable"
    log_z = 0.0

    _locations: Tensor  # (K, 1, d)

    def __init__(self, locations: Array, scale: float) -> None:
        """Locations m_k, shape (K, d)."""
        # ``vars`` rather than assignment, so that a subclass may be a frozen dataclass
        vars(self).update(dim=locations.shape[1], scale=scale,
                          _locations=torch.tensor(locations)[:, None])

    # ---- density -------------------------------------------------------------------------------

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gaps x - m_k and 2 + their squares, (K, n, d) each."""
        gap = x - self._locations
        return gap, gap * gap + 2.0

    def _terms(self, spread: Tensor) -> Tensor:
        """Log-densities of the components, (K, n), in float64.

        They are sums of some hundreds, of which only small differences count: in single precision
        the responsibilities would lose four digits.
        """
        return -1.5 * spread.log().sum(2, dtype=torch.float64)

    def _shares(self, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Log-density of the mixture, (n,), and responsibilities r_k, (K, n, 1)."""
        terms = self._terms(spread)
        top = terms.detach().amax(0)
        parts = (terms - top).clamp(min=_FLOOR).exp()
        value, share = top + parts.mean(0).log(), parts / parts.sum(0)
        return value.to(spread.dtype), share[:, :, None].to(spread.dtype)

    def log_prob(self, x: Tensor) -> Tensor:
        """Normalised log-density: (n, d) -> (n,)."""
        return self._shares(self._parts(x)[1])[0]

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both, with responsibilities r_k: score = -sum_k r_k 3 g_k / (2 + g_k^2)."""
        gap, spread = self._parts(x)
        value, share = self._shares(spread)
        return value, -3.0 * (share * (gap / spread)).sum(0)

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob``: (n, d) -> (n, d)."""
        return self.log_prob_and_score(x)[1]

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """With a_k = 3 g_k / (2 + g_k^2): Cov_r(a) v - sum_k r_k a_k' v, (n, d) each."""
        gap, spread = self._parts(x)
        share = self._shares(spread)[1]
        pull = 3.0 * gap / spread
        pull = pull - (share * pull).sum(0)
        stiff = 3.0 * (4.0 - spread) / spread.square()  # 3 (2 - g^2) / (2 + g^2)^2
        return (share * ((pull * v).sum(2, keepdim=True) * pull - stiff * v)).sum(0)

    # ---- judging interface ----------------------------------------------------------------------

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points, shape (n, d): t2 = z / sqrt(e), e exponential of mean 1."""
        k = torch.randint(len(self._locations), (n,), generator=rng, device=self.device)
        z = torch.randn(n, self.dim, generator=rng, device=self.device, dtype=self.dtype)
        e = torch.empty_like(z).exponential_(generator=rng)
        return self._locations[k, 0] + z / e.sqrt()

    def mode_of(self, x: Tensor) -> Tensor:
        """The component of largest responsibility: (n, d) -> (n,)."""
        return self._terms(self._parts(x)[1]).argmax(0)

    def truths(self) -> tuple[Truth, ...]:
        """Exact means and shares; P(x_j > 0) = mean of 1/2 + m / (2 sqrt(2 + m^2)) over k."""
        m = self._locations.double().cpu()[:, 0]
        shares = (0.5 + 0.5 * m / (2.0 + m * m).sqrt()).mean(0).tolist()
        return (*(_mean(i, value) for i, value in enumerate(m.mean(0).tolist())),
                *(_share(i, value) for i, value in enumerate(shares)))
