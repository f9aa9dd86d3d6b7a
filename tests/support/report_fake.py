"""A fake run's folder as ``bench`` would write it, with everything that can go wrong in one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.cost import Cost
from bench.harness.budget import Budget
from bench.suite.specs import MetricSpec, SamplerSpec, TargetSpec
from bench.suite.suite import Suite
from results.records.schema import Checkpoint, Job, Measure, Record
from tests.support.fake_run import header, items, write

CHECKPOINTS = (0.0625, 0.125, 0.25, 0.5, 1.0)
HOSTILE = "NaN in step 7 <script>window.hacked=1</script> & 'more' | pipe"

#: label: (kind, learned, anneals, rows per second, quality in floor widths per target index)
SAMPLERS: dict[str, tuple[str, bool, bool, float]] = {
    "drifting": ("amortised", True, False, 4e6), "ula": ("continuing", False, False, 6e6),
    "mala": ("continuing", False, True, 5e6), "hmc": ("continuing", False, False, 5e6),
    "svgd": ("one-shot", False, False, 5e4), "idem": ("amortised", True, True, 9e6),
    "dft": ("amortised", True, False, 1e6), "exact": ("baseline", False, False, 0.0),
    "initial": ("baseline", False, False, 0.0), "overhead": ("baseline", False, False, 0.0)}
FAMILY = {"drifting": "one-step", "ula": "mcmc", "mala": "mcmc", "hmc": "mcmc",
          "svgd": "particles", "idem": "diffusion", "dft": "one-step"}
TARGETS = {"gmm4": 4, "gmm4_far": 4, "gmm4_skewed": 4, "double_well": 2, "banana": 0,
           "gmm40_fab": 40}
#: Distance of each sampler's law from the target, 0 = exact, 1 = the initial law.
QUALITY = {"drifting": 0.05, "ula": 0.01, "mala": 0.0, "hmc": 0.0, "svgd": 0.02, "idem": 0.004,
           "dft": 0.1, "exact": 0.0, "initial": 1.0, "overhead": 1.0}
METRICS = {
    "mmd": ("MMD²", "Long tails beyond the bandwidths.", True, 1e-4, 0.3),
    "w2": ("W2", "Little: dominated by rare far points.", False, 0.06, 2.0),
    "sliced_w2": ("sliced W2", "What projections hide in high dimension.", False, 0.02, 1.5),
    "ksd": ("KSD²", "Mode weights: it cannot see how mass is split between far modes.", True,
            2e-3, 1.0),
    "ksd_dft": ("KSD (root V-statistic)", "Mode weights.", False, 0.1, 1.0),
    "mean_error": ("mean error", "Everything but the mean.", False, 0.02, 0.4),
    "cov_error": ("covariance error", "Everything but the covariance.", False, 0.03, 2.0),
    "mode_tv": ("mode-weight TV", "The shape within modes.", False, 0.01, 0.4),
    "missing_modes": ("missing modes", "Weights above a tenth of the truth.", False, 0.0, 2.0)}
MODES_ONLY = {"mode_tv", "missing_modes"}


def null_value(metric: str, rng: np.random.Generator, n: int) -> float:
    """One value of a metric on exact samples of n points."""
    _, _, signed, scale, _ = METRICS[metric]
    scale = scale * (5000 / n) ** (1.0 if signed else 0.5)
    if signed:
        return float(scale * (rng.gamma(2.0, 1.0) - 2.0))
    return float(scale * (1.0 + 0.2 * rng.standard_normal()))


def _applies(metric: str, target: str, reference: bool) -> bool:
    if not reference:
        return metric in ("ksd", "ksd_dft")
    return metric not in MODES_ONLY or TARGETS[target] > 1


def _measure(job: Job, index: int, stage: str, metric: str, n: int, defect: float,
             rng: np.random.Generator) -> Measure:
    n = min(n, {"w2": 2000}.get(metric, n), 512 if job.sampler == "svgd" else n)
    value = null_value(metric, rng, n) + METRICS[metric][4] * defect
    if metric == "missing_modes":
        value = float(round(value))
    return Measure(job.key, index, stage, metric, 1, n, value, se=METRICS[metric][3] / 2)


def _job(label: str, target: str, seed: int, budget: float, rng: np.random.Generator) -> Job:
    kind, learned, anneals, speed = SAMPLERS[label]
    spent = budget * float(rng.uniform(0.95, 0.999)) if kind != "baseline" else 0.01
    train = Cost(0, int(speed * spent), int(speed * spent / 10) if label == "drifting" else 0,
                 spent, spent, spent)
    draw = Cost(0, 0, 0, 0.005, 0.005, 0.005)
    steps = int(spent * 400) if kind != "baseline" else 0
    measured = tuple((10**k, 1e-3 + 2e-7 * 10**k) for k in range(2, 7))
    ladder = measured if kind == "amortised" else ()
    renewal = {"continuing": (1024, 12.0), "one-shot": (512, float(steps))}.get(kind)
    return Job(f"{label}-{target}-{seed}", label, label, target, seed, kind, "ok", "", learned,
               anneals, "toy5s" if learned else "", {"step_size": 0.1, "width": 256}, {},
               "seconds", budget, "cpu", "float32", 1, steps, steps if learned else 0, train, draw,
               0.01, 0.2, 1.1, 300.0, (0.1, 0.1 + 0.002 * seed), ladder, renewal,
               {"acceptance": 0.8}, "abcdef123456")


def _records(job: Job, quality: float, reference: bool, n: int, rng: np.random.Generator,
             upto: int = 5) -> list[Record]:
    lines: list[Record] = []
    modes = TARGETS.get(job.target, 0) or 1
    for index, progress in enumerate(CHECKPOINTS[:upto]):
        spent = Cost(*(int(x * progress) if i < 3 else x * progress for i, x in enumerate(
            (job.train.density, job.train.score, job.train.hvp, job.train.seconds,
             job.train.cpu, job.train.wall))))
        last = index == len(CHECKPOINTS) - 1
        lines.append(Checkpoint(job.key, index, progress, int(job.steps * progress), spent, 1000,
                                job.draw, last))
        defect = quality + 0.2 * (1 - quality) * np.exp(-8 * progress) * (quality < 1) * (
            job.kind != "baseline")
        for stage, size in [("curve", 1000)] + ([("final", n)] if last else []):
            for metric in METRICS:
                if stage == "curve" and metric not in ("mmd", "w2", "ksd"):
                    continue
                if _applies(metric, job.target, reference) and (metric not in MODES_ONLY or
                                                                modes > 1):
                    lines.append(_measure(job, index, stage, metric, size, defect, rng))
    return [*lines, job]


def _header(samplers: list[str], targets: list[str], seeds: int, n: int) -> dict[str, Any]:
    suite = Suite("toy2d", "Six plane targets, seven samplers.", items(TargetSpec, targets),
                  items(SamplerSpec, samplers), items(MetricSpec, METRICS), tuple(range(seeds)),
                  Budget("seconds", 5.0), n, preset="toy5s",
                  preset_note="chosen on random mixtures, never on the judged targets")
    return header(
        suite, "python -m bench run --suite toy2d --workers 2 --out runs/x",
        samplers={s: {"summary": f"{s} in a sentence.", "update": "x + eta v",
                      "kind": SAMPLERS[s][0], "family": FAMILY.get(s, "baseline"),
                      "reference": "A. Author (2020), eq. 3", "cannot": "",
                      "preset": "toy5s" if SAMPLERS[s][1] else "", "params": {"step_size": 0.1}}
                  for s in samplers},
        targets={t: {"summary": f"{t}: a law in the plane.", "reference": "B. Author",
                     "dim": 2, "scale": 2.0, "log_z": 0.0, "reference_note": "",
                     "mode_weights": [1 / TARGETS[t]] * TARGETS[t] if TARGETS.get(t) else None,
                     "has_reference": t in TARGETS, "fingerprint": "abc",
                     "log_prob_only": t not in TARGETS} for t in targets},
        metrics={m: {"title": title, "blind": blind, "reference": "", "signed": signed,
                     "version": 1} for m, (title, blind, signed, _, _) in METRICS.items()})


def _floors(target: str, n: int, draws: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(len(target))
    table = {}
    for metric in METRICS:
        if _applies(metric, target, True):
            for size in {n, min(n, 2000), 1000, 512}:
                count = 200 if metric == "w2" else draws
                values = np.array([null_value(metric, rng, size) for _ in range(count)])
                table[f"{metric}/{size}"] = (np.zeros(count) if metric == "missing_modes"
                                             else values)
    return {"fingerprint": np.array("abc"), **table}


def _density(folder: Path, target: str) -> np.ndarray[Any, Any]:
    x = np.linspace(-3, 3, 81)
    grid = np.stack(np.meshgrid(x, x), -1)
    means = np.array([[-1, -1], [1, 1], [-1, 1], [1, -1]]) * (1.5 if "far" in target else 1.0)
    squares = ((grid[:, :, None] - means) ** 2).sum(-1)
    log_prob = np.log(np.exp(-squares / 2 / 0.2**2).sum(-1) + 1e-30)
    (folder / "density").mkdir(exist_ok=True)
    np.savez(folder / "density" / f"{target}.npz", x=x, y=x, log_prob=log_prob)
    return means


def unsealed(text: str) -> str:
    """Lines of version 1, which carry no checksum and no count: to be edited by hand."""
    text = re.sub(r',"crc":"[0-9a-f]{8}"}', "}", text)
    return re.sub(r',"lines":\d+', "", text).replace('{"v":3,', '{"v":1,')


def make(folder: Path, samplers: list[str] | None = None, targets: list[str] | None = None,
         seeds: int = 3, n: int = 5000, draws: int = 1000, trouble: bool = True,
         quality: dict[str, float] | None = None) -> Path:
    """Write a run's folder; with ``trouble`` it holds failures of every sort."""
    samplers = list(SAMPLERS) if samplers is None else samplers
    targets = [*TARGETS, "mine"] if targets is None else targets
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "samples").mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    lines: list[Record] = []
    for target in targets:
        means = _density(folder, target)
        for label in samplers:
            for seed in range(seeds):
                if target == "mine" and label == "exact":
                    continue
                job = _job(label, target, seed, 5.0, rng)
                lines += _troubled(job, target, n, rng, trouble, {**QUALITY, **(quality or {})})
                size = 512 if label == "svgd" else 2000
                cloud = means[rng.integers(4, size=size)] + 0.2 * rng.standard_normal((size, 2))
                if label in ("initial", "overhead"):
                    cloud = 2.0 * rng.standard_normal((size, 2))
                np.savez(folder / "samples" / f"{job.key}.npz", points=cloud.astype(np.float32))
    write(folder, _header(samplers, targets, seeds, n), lines,
          {target: _floors(target, n, draws) for target in targets if target in TARGETS})
    if trouble:
        with open(folder / "records.jsonl", "a", encoding="utf-8") as file:
            file.write('{"v":1,"sort":"job","key":"torn')
    return folder


def _troubled(job: Job, target: str, n: int, rng: np.random.Generator, trouble: bool,
              quality: dict[str, float]) -> list[Record]:
    reference = target in TARGETS
    defect = quality[job.label]
    if trouble and job.label == "svgd" and target == "banana" and job.seed == 1:
        return _records(replace(job, status="diverged", reason=HOSTILE), defect, reference, n,
                        rng, upto=2)
    if trouble and job.label == "hmc" and target == "gmm40_fab":
        return [replace(job, status="timeout", reason="no answer within 60 s")]
    if trouble and job.label == "dft":
        if target == "gmm4":
            return _records(replace(job, status="unaffordable", updates=40,
                                    reason="40 updates within the budget, 100 are the least"),
                            defect, reference, n, rng)
    if trouble and job.label == "ula" and target == "gmm4" and job.seed == 2:
        job = replace(job, probe=(0.1, 0.25))
    return _records(job, defect, reference, n, rng)
