"""Whether a reference that somebody brought belongs to the target, as far as that can be decided.

Everything that is known of p gives columns whose mean over the reference must vanish:

- Stein's identities E[s] = 0 and E[(x - m).s] = -d, which test shape and place within modes, and
  not their weights (no edge of the support may lie among the points: there they fail);
- the truths and mode weights that the target states;
- first and second moments by importance sampling from N(0, (2 scale)^2 I), which never saw a
  chain and so detects a missing mode; in few dimensions, where the weights are even enough.

Errors count the autocorrelation of the rows in file order (``bench.core.standard_errors``): a
longer chain of the same kind does not help against a real disagreement, and is never asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.standard_errors import mean_errors
from targets.base import Target
from targets.reference import Referenced

LIMIT = 5.0  # standard errors, far beyond what chance gives
ENOUGH = 10  # independent points of the reference for each judged one
_CORRELATED = 2.0  # an autocorrelation time that independent rows are not measured to have
_DRAWS, _WIDTH, _MOST_DIMENSIONS = 20_000, 2.0, 5
_LEAST_EFFECTIVE, _LARGEST_SHARE = 300.0, 0.02  # of the importance weights


class Disagreement(ValueError):
    """A reference that is not one of the target; the message says what disagrees."""


@dataclass(frozen=True)
class Column:
    """Rows (n,) whose mean under p is 0 up to the standard error ``se`` of what is known."""

    what: str
    rows: Tensor
    se: float = 0.0


def check(given: Referenced, n: int) -> str:
    """Raise Disagreement, or return what a reader must know of the reference ('' for nothing).

    ``n``: how many points are judged against it.
    """
    target = given.to("cpu", torch.float64)
    pool = target.pool
    _check_density(target, pool)
    notes, columns = [], [*_moments(pool), *_known(target, pool), *_weighted(target, pool)]
    if not target.has_score:
        notes.append("not checked against a score: the target gives no gradient")
    elif _has_edge(target, pool):
        notes.append("not checked against the score: the density has an edge (log_prob is -inf "
                     "next to reference points), where Stein's identities do not hold")
    else:
        columns += _stein(target, pool)
    error, tau = mean_errors(torch.stack([c.rows for c in columns], 1))
    slowest = float(tau.max())
    _check_columns(columns, error, slowest)
    if len(pool) / slowest < ENOUGH * n and slowest > _CORRELATED:
        notes.append(f"about {len(pool) / slowest:.0f} independent points (autocorrelation time "
                     f"{slowest:.0f} rows), fewer than {ENOUGH} x {n}: floors and p-values are "
                     "too sure; run longer and thin it")
    return "; ".join(notes)


def _check_density(target: Target, pool: Tensor) -> None:
    bad = int((~torch.isfinite(_in_parts(target.log_prob, pool))).sum())
    if bad:
        raise Disagreement(f"log_prob is not finite at {bad} of {len(pool)} reference points, "
                           "where the target has no density: they are points of another "
                           "density, or in other units")


def _check_columns(columns: list[Column], error: Tensor, slowest: float) -> None:
    worst, what = 0.0, ""
    for column, se in zip(columns, error.tolist(), strict=True):
        mean, total = abs(float(column.rows.mean())), math.hypot(se, column.se)
        z = mean / total if total > 0 else (0.0 if mean < 1e-9 else math.inf)
        if z > worst and column.what:
            worst, what = z, column.what
    if worst > LIMIT:
        raise Disagreement(
            f"the reference disagrees with {what}: {min(worst, 999.0):.1f} standard errors off, "
            f"the autocorrelation of its rows (time {slowest:.0f}) counted; it is a sample of "
            "another density, or its chains had not converged or never reached a mode")


def _moments(pool: Tensor) -> list[Column]:
    """Coordinates and their squares, for the autocorrelation time alone."""
    centred = (pool - pool.mean(0)) / pool.std(0).clamp(1e-300)
    return [Column("", rows) for rows in torch.cat([centred, centred.square() - 1.0], 1).T]


def _stein(target: Target, pool: Tensor) -> list[Column]:
    score = _in_parts(target.score, pool)
    bad = int((~torch.isfinite(score)).any(1).sum())
    if bad:
        raise Disagreement(f"the target's score is not finite at {bad} of {len(pool)} reference "
                           "points, so that the two cannot be compared; mend the score, or thin "
                           "those points out and say so")
    return [Column(f"the target's score (Stein's identity, {name})", rows)
            for name, rows in _identities(pool, score)]


def _identities(pool: Tensor, score: Tensor) -> list[tuple[str, Tensor]]:
    along = ((pool - pool.mean(0)) * score).sum(1) + pool.shape[1]
    return [*((f"E[s{i}] = 0", s) for i, s in enumerate(score.T)), ("E[x.s] = -d", along)]


def _has_edge(target: Target, pool: Tensor) -> bool:
    """Whether the density is zero a tenth of a deviation away from some reference point."""
    rng = torch.Generator().manual_seed(3)
    step = 0.1 * pool.std(0) * torch.randn(pool.shape, generator=rng, dtype=pool.dtype)
    return bool((_in_parts(target.log_prob, pool + step) == -math.inf).any())


def _known(target: Target, pool: Tensor) -> list[Column]:
    """What the target itself states: expectations and weights of modes."""
    found = [Column(f"the target's truth '{t.name}'", t.of(pool).double() - t.value, t.se)
             for t in target.truths()]
    if target.mode_weights is not None:
        weights = target.mode_weights.double() / target.mode_weights.double().sum()
        modes = target.mode_of(pool)
        found += [Column(f"the target's weight of mode {k}", (modes == k).double() - w,
                         math.sqrt(w * (1.0 - w) / len(pool)))
                  for k, w in enumerate(weights.tolist())]
    return found


def _weighted(target: Target, pool: Tensor) -> list[Column]:
    """First and second moments by importance sampling, where its weights can be trusted."""
    if target.dim > _MOST_DIMENSIONS:
        return []
    width = _WIDTH * target.scale
    rng = torch.Generator().manual_seed(4)
    x = width * torch.randn(_DRAWS, target.dim, generator=rng, dtype=torch.float64)
    log_w = _log_weights(target, x, width)
    share = torch.softmax(log_w, 0)
    effective, largest = 1.0 / float(share.square().sum()), float(share.max())
    # a reference point that outweighs all draws lies where the draws do not reach
    reached = _log_weights(target, pool, width).max() <= log_w.max() + math.log(2.0)
    if effective < _LEAST_EFFECTIVE or largest > _LARGEST_SHARE or not bool(reached):
        return []
    of_x, of_pool = _features(x), _features(pool)
    mean = share @ of_x
    se = (share.square() @ (of_x - mean).square()).sqrt()
    return [Column(f"importance sampling of the target ({name})", of_pool[:, k] - mean[k],
                   float(se[k])) for k, name in enumerate(_feature_names(target.dim))]


def _log_weights(target: Target, x: Tensor, width: float) -> Tensor:
    log_w = _in_parts(target.log_prob, x) + (x / width).square().sum(1) / 2.0
    return log_w.nan_to_num(-math.inf, -math.inf, -math.inf)


def _features(x: Tensor) -> Tensor:
    pairs = [x[:, i] * x[:, j] for i in range(x.shape[1]) for j in range(i, x.shape[1])]
    return torch.cat([x, torch.stack(pairs, 1)], 1)


def _feature_names(dim: int) -> list[str]:
    return [*(f"E[x{i}]" for i in range(dim)),
            *(f"E[x{i} x{j}]" for i in range(dim) for j in range(i, dim))]


def _in_parts(function: Callable[[Tensor], Tensor], x: Tensor, most: int = 10_000) -> Tensor:
    return torch.cat([function(part).detach() for part in x.split(most)])
