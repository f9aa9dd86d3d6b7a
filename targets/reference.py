"""A reference pool for a target that cannot be sampled exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from targets.base import Target, Truth


def distinct_rows(pool: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """n different rows of a pool in random order, shape (n, d)."""
    if n > len(pool):
        raise ValueError(f"{n} reference points are wanted, but the pool holds "
                         f"{len(pool)}; make a larger pool or ask for fewer points")
    rows = torch.randperm(len(pool), generator=rng, device=rng.device)[:n]
    return pool[rows.to(pool.device)]


class Referenced(Target):
    """A target with a verified pool of points in place of an exact sampler.

    The pool, shape (m, d), is what somebody made by a long run and checked; ``note`` says how it
    was made and which independent checks agree. Density, modes, truths and log Z are the target's.
    """

    has_reference = True

    def __init__(self, target: Target, pool: Tensor, note: str) -> None:
        if pool.ndim != 2 or pool.shape[1] != target.dim or len(pool) == 0:
            raise ValueError(f"a reference pool has shape (m, {target.dim}) with m > 0, "
                             f"not {tuple(pool.shape)}")
        if not torch.isfinite(pool).all():
            raise ValueError("a reference pool holds finite numbers only")
        self.base = target
        self.pool = pool.to(target.device, target.dtype)
        self.reference_note = note
        self.dim = target.dim
        self.scale = target.scale
        self.log_z = target.log_z
        self.mode_weights = target.mode_weights
        self.has_mode_distance = target.has_mode_distance
        self._device, self._dtype = target.device, target.dtype

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n different rows of the pool in random order, shape (n, d).

        Without replacement, because repeated rows are no independent reference.
        """
        return distinct_rows(self.pool, n, rng)

    def blocks(self, n: int, count: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """Sets that share no row of the pool."""
        return self.sample(n * count, rng).split(n)

    def log_prob(self, x: Tensor) -> Tensor:
        """The target's."""
        return self.base.log_prob(x)

    def score(self, x: Tensor) -> Tensor:
        """The target's."""
        return self.base.score(x)

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The target's."""
        return self.base.log_prob_and_score(x)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """The target's."""
        return self.base.hvp(x, v)

    def truths(self) -> tuple[Truth, ...]:
        """The target's."""
        return self.base.truths()

    def mode_of(self, x: Tensor) -> Tensor:
        """The target's."""
        return self.base.mode_of(x)

    def mode_distance(self, x: Tensor) -> Tensor:
        """The target's."""
        return self.base.mode_distance(x)

    def view(self) -> tuple[float, float, float, float]:
        """The target's."""
        return self.base.view()
