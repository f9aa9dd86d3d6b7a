"""Makes and checks the committed reference samples of targets without an exact sampler.

``python -m bench.maintain references --targets NAME,NAME``. For a target with one mode: two long
runs of 500 independent chains from different seeds (``long_chains``). Moments are means over both;
the standard error of a mean is the spread of the chains' own means over the square root of their
number, so that no autocorrelation time enters. The samples are taken from every chain, a tenth of
a run apart.

Checks, printed: split R-hat; the two runs against each other (all first and second moments);
Stein's identities E[s] = 0 and E[(w - m)_i s_j] = -1{i = j} on runs and samples, m the mode;
samples against runs; correlation of neighbouring samples of a chain; moments by importance
sampling, whose proposal never used a chain, against the runs; and log Z by that importance
sampling against bridge sampling. Samples are written only if all hold. On another machine the
chains round differently and part ways: the numbers come out the same within their errors, not
bitwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bench.core.errors import UserError
from bench.core.fingerprint import fingerprint
from bench.core.registry import load
from bench.maintain.options import named_targets
from bench.maintain.references.checks import averaged, checks
from bench.maintain.references.long_chains import long_chains
from targets.base import Target
from targets.posteriors.reference_pool import DATA

STEPS = 2000
THIN = 10  # of the points kept of a chain, one in so many goes into the pool


def make(name: str, out: Path, steps: int = STEPS) -> None:
    """Run, check and write ``out/NAME.npz``; raises UserError where a check fails."""
    target: Target = load("targets", name)
    runs = [long_chains(target, seed, steps) for seed in (1, 2)]
    pool = torch.cat([r.kept[THIN - 1 :: THIN].flatten(0, 1) for r in runs])
    found = checks(target, runs, pool, torch.Generator().manual_seed(3))
    for what, (value, limit) in found.items():
        print(f"{name}: {what} {value:.4g} (limit {limit:.4g})")
    if not all(value <= limit for value, limit in found.values()):
        raise UserError(f"the runs of '{name}' failed a check, so nothing was written")
    d, identity = target.dim, fingerprint(target.declaring(1.0))
    mean, se = averaged(runs)
    second = slice(d, d + d * d)
    np.savez_compressed(
        out / f"{name}.npz", pool=pool.float().numpy(), mean=mean[:d].numpy(),
        mean_se=se[:d].numpy(), second=mean[second].view(d, d).numpy(),
        second_se=se[second].view(d, d).numpy(), fingerprint=np.array(identity))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain references",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", required=True, type=named_targets,
                        help="names, separated by commas")
    parser.add_argument("--steps", type=int, default=STEPS, help="transitions of a run")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    for name in options.targets:
        make(name, options.out, options.steps)
    return 0
