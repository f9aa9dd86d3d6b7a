"""Checks of long chains and of the reference pool taken from them, by several methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor

from bench.core.log_weights import effective_size, log_mean_exp, normalised
from bench.maintain.references.importance import (
    Frame,
    adapted_proposal,
    bridge,
    laplace,
    student,
)
from bench.maintain.references.long_chains import CHAINS, LongChains, features
from targets.base import Target

DRAWS = 200_000  # of importance sampling


def rhat(chains: LongChains, d: int) -> float:
    """Largest split R-hat of the coordinates, from the means of half chains."""
    mean, square = chains.means[..., :d].flatten(0, 1), chains.means[..., d : d + d * d : d + 1]
    within = (square.flatten(0, 1) - mean.square()).mean(0)
    return float((1.0 + mean.var(0) / within).sqrt().max())


def stein(means: Tensor, centre: Tensor) -> Tensor:
    """E[s] and E[(w - centre) s'] + I, which vanish, from means of features (n, k)."""
    d = len(centre)
    score, product = means[:, -d * (d + 1) : -d * d], means[:, -d * d :].view(-1, d, d)
    centred = product - centre[:, None] * score[:, None, :] + torch.eye(d, dtype=means.dtype)
    return torch.cat([score, centred.flatten(1)], 1)


def z_scores(rows: Tensor, expected: Tensor | float = 0.0) -> Tensor:
    """How many standard errors the means of independent rows (n, k) lie off, (k,)."""
    return (rows.mean(0) - expected) / rows.std(0) * math.sqrt(len(rows))


def averaged(runs: Sequence[LongChains]) -> tuple[Tensor, Tensor]:
    """Features' means over all chains of the runs, and their standard errors, (k,) each."""
    each = torch.cat([r.means.mean(0) for r in runs])
    return each.mean(0), each.std(0) / math.sqrt(len(each))


def by_importance(target: Target, rng: torch.Generator) -> tuple[Tensor, Tensor, float, float]:
    """Features' means and standard errors, log Z and the effective share of the draws."""
    w, log_q = student(adapted_proposal(target, rng), DRAWS, rng)
    log_weights = target.log_prob(w) - log_q
    share = normalised(log_weights)
    parts = list(zip(w.split(5000), share.split(5000), strict=True))
    mean = torch.stack([p @ features(target, x) for x, p in parts]).sum(0)
    square = [p.square() @ (features(target, x) - mean).square() for x, p in parts]
    log_z = float(log_mean_exp(log_weights))
    return mean, torch.stack(square).sum(0).sqrt(), log_z, float(effective_size(share)) / DRAWS


def by_bridge(target: Target, runs: Sequence[LongChains],
              rng: torch.Generator) -> tuple[float, float]:
    """log Z and its standard error over twenty groups of chains.

    The points of each run are bridged to a t with the moments of the other.
    """
    found = []
    for one, other in ((runs[0], runs[1]), (runs[1], runs[0])):
        frame = Frame.of(other.kept.flatten(0, 1))
        found += [bridge(target, frame, group.flatten(0, 1), rng)
                  for group in one.kept.chunk(10, 1)]
    values = torch.stack(found)
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


def largest(z: Tensor) -> tuple[float, float]:
    """The largest |z| of many, and what one of as many exceeds in a thousandth of tables."""
    return float(z.abs().max()), NormalDist().inv_cdf(1.0 - 5e-4 / z.numel())


def checks(target: Target, runs: Sequence[LongChains], pool: Tensor,
           rng: torch.Generator) -> dict[str, tuple[float, float]]:
    """Every check with its limit; one beyond its limit voids the pool."""
    d = target.dim
    moments, mode = slice(0, d + d * d), laplace(target).centre
    (one, one_se), (two, two_se), (both, both_se) = (averaged(r) for r in (
        runs[:1], runs[1:], runs))
    of_chains = stein(torch.cat([r.means.mean(0) for r in runs]), mode)
    rows = features(target, pool)
    weighted, weighted_se, log_z, share = by_importance(target, rng)
    bridged, bridged_se = by_bridge(target, runs, rng)
    log_z_se = math.sqrt((1.0 / share - 1.0) / DRAWS)
    past = (pool.view(-1, CHAINS, d) - both[:d]) / pool.std(0)
    lag = torch.cat([x[:-1].flatten(0, 1) * x[1:].flatten(0, 1) for x in past.chunk(2)])
    rms = math.sqrt(float(both[d : d + d * d : d + 1].mean()))
    worst = float((both_se[:d] / pool.std(0)).max())
    print(
        f"log Z {bridged:.4f} +- {bridged_se:.4f} by bridge, {log_z:.4f} +- {log_z_se:.4f} by "
        f"importance sampling (effective share {share:.3f}); acceptance {runs[0].acceptance:.2f}, "
        f"{runs[0].independent:.2f}; root mean square coordinate {rms:.4g}; largest standard "
        f"error of a mean {worst:.4f} posterior deviations")
    return {
        "split R-hat": (max(rhat(r, d) for r in runs), 1.01),
        "run against run, |z|": largest(((one - two) / (one_se**2 + two_se**2).sqrt())[moments]),
        "Stein on the runs, |z|": largest(z_scores(of_chains)),
        "E[(w - m).s] = -d on the runs, |z|": (
            abs(float(z_scores(of_chains[:, d :: d + 1].sum(1, keepdim=True)))), 4.0),
        "Stein on the pool, |z|": largest(z_scores(stein(rows, mode))),
        "pool against runs, |z|": largest(z_scores(rows, both)[moments]),
        "neighbouring rows, |z|": largest(z_scores(lag)),
        "importance against runs, |z|": largest(
            ((weighted - both) / (weighted_se**2 + both_se**2).sqrt())[moments]),
        "log Z twice, |z|": (abs(log_z - bridged) / math.hypot(log_z_se, bridged_se), 3.0),
    }
