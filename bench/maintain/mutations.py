"""Injects known bugs, to measure whether the regression check detects them (mutation testing).

    python -m bench.maintain mutations --seeds 200 --out DIR [--only NAME]

Each mutation copies the five packages into a temporary folder, makes its mistake there by
replacing lines that must stand exactly once, and runs its gate's suite (`smoke` or `nightly`) for
that sampler from the copy: names, settings, targets and metrics are unchanged, as in a change that
goes wrong. DIR/NAME is a run like any other; ``python -m bench.maintain check-calibration`` counts
how often the check detects those of `smoke`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UserError, unknown
from bench.core.places import ROOT
from bench.suite.schema import suite_names

PACKAGES = ("bench", "samplers", "targets", "metrics", "results")


@dataclass(frozen=True)
class Mutation:
    """A mistake: its sampler, what it is, the lines that become others, its suite."""

    name: str
    sampler: str
    says: str
    file: str
    lines: tuple[tuple[str, str], ...]
    suite: str = "smoke"

    def inject(self, root: Path) -> None:
        """Make the mistake in the copy at ``root``; raises UserError where a line has moved."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        for old, new in self.lines:
            if text.count(old) != 1:
                raise UserError(f"mutation '{self.name}': {self.file} holds {text.count(old)} "
                                f"times '{old.strip()}', not once; bring "
                                "bench/maintain/mutations.py up to date")
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


MUTATIONS = (
    Mutation(
        "ula_noise", "ula", "noise scaled by .9", "samplers/mcmc/ula.py",
        (("z, alpha=(2 * eps) ** 0.5", "z, alpha=0.9 * (2 * eps) ** 0.5"),)),
    Mutation(
        "mala_uncorrected", "mala", "every proposal accepted", "samplers/mcmc/mala.py",
        (("    return moved(accepted, ",
          "    accepted = torch.ones_like(accepted)\n    return moved(accepted, "),)),
    Mutation(
        "hmc_momentum", "hmc", "momentum drawn once and never again", "samplers/mcmc/hmc.py",
        (("    divergences: Tensor\n",
          "    divergences: Tensor\n    v: Tensor | None = None\n"),
         ("        v = normal(target, tuple(state.x.shape), rng)\n",
          "        v = state.v\n"
          "        if v is None:\n"
          "            v = normal(target, tuple(state.x.shape), rng)\n"),
         ("(x, log_p, score), accepted, probability, diverged = transition(",
          "(x, log_p, score, v), accepted, probability, diverged = transition("),
         ("there, _, log_a = trajectory(", "there, w, log_a = trajectory("),
         ("return moved(accepted, there, here), accepted",
          "return moved(accepted, (*there, w), (*here, -v)), accepted"),
         ("state.divergences + diverged)", "state.divergences + diverged, v)"))),
    Mutation(
        "svgd_repulsion", "svgd", "repulsion halved", "samplers/particles/svgd.py",
        (("return (drive + repulsion) / len(x)", "return (drive + 0.5 * repulsion) / len(x)"),)),
    Mutation(
        "drifting_half", "drifting", "half the sampler-side score",
        "samplers/one_step/drifting.py",
        (("(target_side - sampler_side)", "(target_side - 0.5 * sampler_side)"),)),
    Mutation(
        "dft_sign", "dft", "sign of the second gradient lost", "samplers/one_step/dft.py",
        (("second = 2.0 * (gap", "second = -2.0 * (gap"),)),
    Mutation(
        "idem_weights", "idem", "K samples evaluated, a tenth of them used",
        "samplers/learning/smoothed_score.py",
        (("        w = normalised(log_p.view(len(at), count))\n"
          "        scores[",
          "        unused = torch.arange(max(1, count // 10), count)\n"
          "        log_p = log_p.view(len(at), count).index_fill(1, unused, -torch.inf)\n"
          "        w = normalised(log_p)\n"
          "        scores["),)),
    Mutation(
        "idem_samples", "idem", "a tenth of the K samples",
        "samplers/diffusion/energy_matching.py",
        (("h.sqrt(), self.mc_samples, rng", "h.sqrt(), max(1, self.mc_samples // 10), rng"),)),
    Mutation(
        "mh_uncorrected", "mh", "every proposal accepted", "samplers/mcmc/mh.py",
        (("    return moved(accepted, ",
          "    accepted = torch.ones_like(accepted)\n    return moved(accepted, "),), "nightly"),
    Mutation(
        "smc_unweighted", "smc", "populations resampled without their weights",
        "samplers/particles/smc.py",
        (("        log_w = (beta - state.beta) * r\n", "        log_w = 0 * r\n"),), "nightly"),
    Mutation(
        "dds_ratio", "dds", "half of the control's square lost", "samplers/diffusion/dds.py",
        (("self.decays[k] * x - shift / 2)", "self.decays[k] * x - shift)"),), "nightly"),
    Mutation(
        "kl_ns_half", "kl_ns", "half of the sampler's own score",
        "samplers/one_step/kl_ns.py",
        (("scaled_score(target, x) - score_net(x)",
          "scaled_score(target, x) - 0.5 * score_net(x)"),), "nightly"),
)


def copy_packages(to: Path) -> None:
    """The five packages with their data, without what Python compiled."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package,
                        ignore=shutil.ignore_patterns("__pycache__"))


def run_mutation(mutation: Mutation, seeds: str, out: Path) -> int:
    """Run its suite for the mutated sampler, without baselines, from a copy with the bug."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        root = Path(folder)
        copy_packages(root)
        mutation.inject(root)
        suite = root / f"{mutation.suite}.toml"
        text = suite_names()[mutation.suite].read_text(encoding="utf-8")
        suite.write_text("baselines = []\n" + text, encoding="utf-8")
        command = [sys.executable, "-m", "bench", "run", "--suite", str(suite), "--samplers",
                   mutation.sampler, "--seeds", seeds, "--out", str(out.resolve()), "--no-report"]
        code = subprocess.run(command, cwd=root, check=False).returncode
        return code if code >= 0 else 128 - code  # a shell's code for one that was killed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutations one after the other; 0 when every one left its run."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain mutations",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="200", help="number of seeds, or FIRST:LAST")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--only", metavar="NAME", help="this mutation alone")
    options = parser.parse_args(arguments)
    chosen = [m for m in MUTATIONS if options.only in (None, m.name)]
    if not chosen:
        raise unknown("mutation", options.only, [m.name for m in MUTATIONS])
    return max(run_mutation(m, options.seeds, options.out / m.name) for m in chosen)
