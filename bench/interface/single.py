"""One job in this process: a sampler on a target under a budget, by name or as objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from bench.core.errors import UserError, nearest
from bench.harness.budget import parse_budget
from bench.harness.validation import settled
from bench.interface import instances
from bench.interface.errors import one_sentence
from bench.interface.instances import check_instance, name_of
from bench.interface.metric_choice import Metrics, metrics_of
from bench.interface.progress import Bar
from bench.interface.result import Result
from bench.interface.scoring import Setting
from bench.jobs.execute import check_compiler, check_device, steady_torch
from bench.jobs.one_job import execute_job
from bench.jobs.prepare import check_contract, check_reference
from bench.suite.declarations import KINDS
from bench.suite.schema import fractions_of
from bench.suite.suite import DEVICES, DTYPES
from bench.suite.values import HIGHEST_SEED, MOST_POINTS, whole
from metrics.importance.log_weight_metric import LogWeightMetric
from samplers.base import Sampler
from targets.base import Target
from targets.reference import Referenced


@one_sentence()
def run(sampler: str | Sampler, target: str | Target, *, budget: str, n: int = 5000, seed: int = 0,
        metrics: Metrics = (), checkpoints: int | Sequence[float] = 5, n_curve: int = 1000,
        reference: ArrayLike | None = None, device: str = "cpu", dtype: str = "float32",
        compile: bool = False, progress: bool = False, **hyperparameters: Any) -> Result:  # noqa: ANN401
    """Let a sampler spend a budget on a target, in this process.

        r = bench.run("hmc", "gmm4", budget="3e5evals", n=1000, seed=0, chains=500)
        r.points, r.status, r.scores(["mmd", "ksd"])

    Args:
        sampler: a name, with hyperparameters as further keywords; or an instance, also of a class
            of your own that derives from ``bench.Sampler``.
        target: a name, or an instance, also of a class of your own derived from ``bench.Target``.
        budget: such as "3e5evals" (evaluations of density, gradient or Hessian-vector product),
            "10s" (CPU or device seconds) or "500steps"; binds training plus the final draw.
        n: points drawn at the end. A sampler that holds its points gives at most what it holds.
        seed: chooses the random numbers and the reference points.
        metrics: judged at every checkpoint; names, instances, or a dict of these by label. Others
            can be asked for later (``Result.scores``), but for those that need what the sampler
            says of its own distribution (elbo, log_z_error, ...).
        checkpoints: a number of them, each at half the budget of the next; or what has been spent
            at each, in the budget's unit, the last being the budget.
        n_curve: points drawn at the checkpoints before the last.
        reference: a long verified run, shape (m, dim), m >= 10 n, for a target that cannot be
            sampled exactly; it must agree with the target's score.
        device: "cpu", "cuda" or "cuda:1".
        dtype: "float32" or "float64".
        compile: compile the inner parts of samplers; compiling is not charged.
        progress: show a bar.
        **hyperparameters: of the sampler that is named; its own defaults for the rest.

    The numbers are those of ``python -m bench run`` for the same sampler, target, seed, n, n_curve
    and budget of evaluations. Whatever the sampler does wrong is a status with a reason. UserError
    for what is no sampler, target, budget and so on; each says what to write.
    """
    judges, made = metrics_of(metrics), _sampler(sampler, hyperparameters)
    bare = _target(target)
    _check(n, n_curve, seed, device, dtype, compile)
    spend, name = parse_budget(str(budget)), name_of(bare)
    with _as_in_a_run(device):
        there = _prepared(bare, name, reference, n, getattr(torch, dtype)).to(
            device, getattr(torch, dtype))
        setting = Setting(there, name, seed, n, min(n, n_curve), compile)
        asked = {label: m for label, m in judges.items() if isinstance(m, LogWeightMetric)}
        with Bar(f"{made.name} on {name}", progress) as bar:
            done = execute_job(made, there, asked, spend, n=n, n_curve=n_curve, seed=seed,
                               fractions=fractions_of(checkpoints, spend), target_name=name,
                               compile=compile, on_checkpoint=bar.advance)
        return Result(done, setting, spend, judges)


def _prepared(bare: Target, name: str, reference: ArrayLike | None, n: int, dtype: torch.dtype
              ) -> Target:
    """The target on the CPU, checked as a run of a suite checks it."""
    known = settled(bare, name)
    if reference is not None:
        try:
            pool = torch.as_tensor(np.asarray(reference))
            known = Referenced(known, pool, "points handed to bench.run")
        except (ValueError, TypeError) as error:
            raise UserError(f"the reference cannot be used: {error}") from None
    home = known.to("cpu", dtype)
    check_contract(home, name)
    if isinstance(home, Referenced):
        check_reference(home, n)
    return home


def _sampler(given: str | Sampler, hyperparameters: dict[str, Any]) -> Sampler:
    if isinstance(given, str):
        return instances.sampler(given, **hyperparameters)
    check_instance(given, Sampler)
    cls = type(given).__name__
    if hyperparameters:
        raise UserError(f"{', '.join(hyperparameters)}: hyperparameters go with the name of a "
                        f"sampler; make the instance of {cls} with them instead")
    name_of(given)
    if getattr(given, "kind", None) not in KINDS:
        raise UserError(f"class {cls} has no kind; add a line such as kind = \"continuing\" "
                        f"(one of {', '.join(KINDS)})")
    return given


def _target(given: str | Target) -> Target:
    if isinstance(given, str):
        return instances.target(given)
    check_instance(given, Target)
    for what, example in (("dim", "2"), ("scale", "1.0")):
        if getattr(given, what, None) is None:
            raise UserError(f"class {type(given).__name__} has no {what}; add a line such as "
                            f"{what} = {example}")
    return given


def _check(n: int, n_curve: int, seed: int, device: str, dtype: str, compile: bool) -> None:
    for what, value in (("n", n), ("n_curve", n_curve)):
        if wrong := whole(value, 10, MOST_POINTS):
            raise UserError(f"{what} {wrong}")
    if wrong := whole(seed, 0, HIGHEST_SEED):
        raise UserError(f"seed {wrong}")
    if dtype not in DTYPES:
        raise UserError(f"dtype '{dtype}' is not one of {', '.join(DTYPES)}"
                        f"{nearest(str(dtype), DTYPES)}")
    if not re.fullmatch(DEVICES, str(device)):
        raise UserError(f"device '{device}' is not cpu, cuda or cuda:NUMBER")
    check_device(device)
    if compile:
        check_compiler(device)


@contextmanager
def _as_in_a_run(device: str) -> Iterator[None]:
    """One thread on the CPU, as jobs of a suite have, and the user's number again afterwards."""
    threads = torch.get_num_threads()
    steady_torch(1 if device == "cpu" else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
