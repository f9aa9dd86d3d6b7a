"""One job in this process: a sampler on a target under a budget, by name or as objects."""

from __future__ import annotations

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
from bench.interface.metric_choice import Metrics, metrics_of
from bench.interface.progress import Bar
from bench.interface.result import Result
from bench.interface.scoring import Setting
from bench.jobs.execute import check_compiler, check_device, steady_torch
from bench.jobs.one_job import execute_job
from bench.jobs.prepare import check_contract, check_reference
from bench.suite.declarations import KINDS
from bench.suite.schema import fractions_of
from bench.suite.suite import DTYPES
from bench.suite.values import MOST_POINTS, whole
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
    judges = metrics_of(metrics)
    made = _sampler(sampler, hyperparameters)
    bare = instances.target(target) if isinstance(target, str) else target
    _check_instance(bare, Target)
    name = _name_of(bare)
    _check(n, n_curve, device, dtype, compile)
    spend = parse_budget(budget)
    with _as_in_a_run(device):
        known = settled(bare, name)
        known = known if reference is None else _referenced(known, reference)
        home = known.to("cpu", getattr(torch, dtype))
        check_contract(home, name)
        if isinstance(home, Referenced):
            check_reference(home, n)
        there = home.to(device, home.dtype)
        setting = Setting(there, name, seed, n, min(n, n_curve), compile)
        asked = {label: m for label, m in judges.items() if isinstance(m, LogWeightMetric)}
        with Bar(f"{made.name} on {name}", progress) as bar:
            done = execute_job(made, there, asked, spend, n=n, n_curve=n_curve, seed=seed,
                               fractions=fractions_of(checkpoints, spend), target_name=name,
                               compile=compile, on_checkpoint=bar.advance)
        return Result(done, setting, spend, judges)


def _sampler(given: str | Sampler, hyperparameters: dict[str, Any]) -> Sampler:
    if isinstance(given, str):
        return instances.sampler(given, **hyperparameters)
    _check_instance(given, Sampler)
    cls = type(given).__name__
    if hyperparameters:
        raise UserError(f"{', '.join(hyperparameters)}: hyperparameters go with the name of a "
                        f"sampler; make the instance of {cls} with them instead")
    _name_of(given)
    if getattr(given, "kind", None) not in KINDS:
        raise UserError(f"class {cls} has no kind; add a line such as kind = \"continuing\" "
                        f"(one of {', '.join(KINDS)})")
    return given


def _check_instance(given: object, base: type) -> None:
    """Refuse what is neither a name nor an object of the kind."""
    kind = base.__name__.lower()
    if isinstance(given, base):
        return
    if isinstance(given, type) and issubclass(given, base):
        raise UserError(f"{given.__name__} is a class; give an instance, {given.__name__}()")
    raise UserError(f"{given!r} is no {kind}; give a name (bench.{kind}s() lists them) or an "
                    f"instance of a class derived from bench.{base.__name__}")


def _name_of(made: Sampler | Target) -> str:
    name = getattr(made, "name", None)
    if not isinstance(name, str) or not name:
        cls = type(made).__name__
        raise UserError(f"class {cls} has no name; add the line name = \"{cls.lower()}\"")
    return name


def _referenced(target: Target, pool: ArrayLike) -> Referenced:
    try:
        return Referenced(target, torch.as_tensor(np.asarray(pool)), "points handed to bench.run")
    except (ValueError, TypeError) as error:
        raise UserError(f"the reference cannot be used: {error}") from None


def _check(n: int, n_curve: int, device: str, dtype: str, compile: bool) -> None:
    for what, value in (("n", n), ("n_curve", n_curve)):
        if wrong := whole(value, 10, MOST_POINTS):
            raise UserError(f"{what} {wrong}")
    if dtype not in DTYPES:
        raise UserError(f"dtype '{dtype}' is not one of {', '.join(DTYPES)}"
                        f"{nearest(str(dtype), DTYPES)}")
    try:
        torch.device(device)
    except (RuntimeError, TypeError):
        raise UserError(f"device '{device}' is not cpu, cuda or cuda:NUMBER") from None
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
