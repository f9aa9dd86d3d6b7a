"""Makes and checks the committed reference pools: ``--targets NAME,NAME``.

For a target with one mode: two long runs of 500 independent chains from different seeds
(``bench/maintain/long_runs.py``). Moments are means over both; the standard error of a mean is the
spread of the chains' own means over the square root of their number, so that no autocorrelation
time enters. Pool rows are taken from every chain, a tenth of a run apart.

Checks, printed: split R-hat; the two runs against each other (all first and second moments);
Stein's identities E[s] = 0 and E[(w - m)_i s_j] = -1{i = j} on runs and pool, m the mode; pool
against runs; correlation of neighbouring pool rows of a chain; moments by importance sampling,
whose proposal never saw a chain, against the runs; and log Z by that importance sampling against
bridge sampling. A pool is written only if all hold. On another machine the chains round
differently and part ways: the numbers come out the same within their errors, not bit by bit.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from bench.core.fingerprint import fingerprint
from bench.core.log_weights import effective_size, log_mean_exp, normalised
from bench.core.registry import load, own
from bench.maintain.importance import Frame, adapted_proposal, bridge, laplace, student
from bench.maintain.long_runs import CHAINS, Run, features, run
from targets.base import Target
from targets.posteriors.reference_pool import DATA

STEPS = 2000
THIN = 10  # of the points kept of a chain, one in so many goes into the pool
DRAWS = 200_000  # of importance sampling


def rhat(run: Run, d: int) -> float:
    """Largest split R-hat of the coordinates, from the means of half chains."""
    mean, square = run.means[..., :d].flatten(0, 1), run.means[..., d : d + d * d : d + 1]
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


def averaged(runs: Sequence[Run]) -> tuple[Tensor, Tensor]:
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


def by_bridge(target: Target, runs: Sequence[Run], rng: torch.Generator) -> tuple[float, float]:
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
    """The largest |z| of many, and what chance lets it exceed once in a thousand such tables."""
    return float(z.abs().max()), NormalDist().inv_cdf(1.0 - 5e-4 / z.numel())


def checks(target: Target, runs: Sequence[Run], pool: Tensor,
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
    sys.stdout.write(
        f"log Z {bridged:.4f} +- {bridged_se:.4f} by bridge, {log_z:.4f} +- {log_z_se:.4f} by "
        f"importance sampling (effective share {share:.3f}); acceptance {runs[0].acceptance:.2f}, "
        f"{runs[0].renewal:.2f}; root mean square coordinate {rms:.4g}; largest standard error "
        f"of a mean {worst:.4f} posterior deviations\n")
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


def make(name: str, out: Path, steps: int = STEPS) -> None:
    """Run, check and write ``out/NAME.npz``."""
    target: Target = load("targets", name)
    runs = [run(target, seed, steps) for seed in (1, 2)]
    pool = torch.cat([r.kept[THIN - 1 :: THIN].flatten(0, 1) for r in runs])
    found = checks(target, runs, pool, torch.Generator().manual_seed(3))
    for what, (value, limit) in found.items():
        sys.stdout.write(f"{name}: {what} {value:.4g} (limit {limit:.4g})\n")
    if not all(value <= limit for value, limit in found.values()):
        sys.stderr.write(f"error: the runs of '{name}' failed a check, so nothing was written\n")
        raise SystemExit(2)  # 1 is kept for regressions
    d, identity = target.dim, fingerprint(target.declaring(1.0))
    mean, se = averaged(runs)
    second = slice(d, d + d * d)
    np.savez_compressed(
        out / f"{name}.npz", pool=pool.float().numpy(), mean=mean[:d].numpy(),
        mean_se=se[:d].numpy(), second=mean[second].view(d, d).numpy(),
        second_se=se[second].view(d, d).numpy(), fingerprint=np.array(identity))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain.references",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", required=True, help="names, separated by commas")
    parser.add_argument("--steps", type=int, default=STEPS, help="transitions of a run")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    names = options.targets.split(",")
    for name in names:
        if name not in own("targets"):
            parser.error(f"there is no target '{name}'")
    for name in names:
        make(name, options.out, options.steps)


if __name__ == "__main__":
    main()
