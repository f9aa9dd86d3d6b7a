"""The laws that every target keeps: of its density, and of its exact points where it has any.

All is computed in double precision unless a law says otherwise. A target's own file may say in
``law_settings`` what ``Settings`` below hold, and in ``exempt`` which laws it does not keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from torch import Tensor

from bench.conformance.law import Broken, Law, NotApplicable, require, unknown_laws
from bench.conformance.quadrature import PLAIN, Chart, Grid, chi_square_z, make_grid, z_score
from bench.core.density import NoGradient
from bench.core.errors import UserError
from targets.base import Target
from targets.posteriors.reference_pool import Pooled, stored
from targets.verification import contract

Z = 4.5  # standard errors that random deviations may take, over hundreds of comparisons


@dataclass(frozen=True)
class Settings:
    """How a target is tried: what ``law_settings`` in its file may say.

    ``points``: how many exact points are drawn. ``reach``: how far the window of the grid goes
    beyond them, in their ranges, and ``side``, its midpoints a side. ``shown``: the least share
    of the points that ``view`` shows. ``heavy``: truths with tails so heavy that no sample mean
    comes near, which are checked by quadrature alone.
    """

    points: int = 100_000
    reach: float = 0.6
    side: int = 800
    shown: float = 0.995
    heavy: tuple[str, ...] = ()


def read_settings(cls: type[Target]) -> Settings:
    """A target's ``law_settings``; UserError where it says something else than they can."""
    known = [f.name for f in fields(Settings)]
    for key in cls.law_settings:
        if key not in known:
            raise UserError(f"target '{cls.name}': law_settings has no '{key}' (it may have: "
                            f"{', '.join(known)})")
    return Settings(**cls.law_settings)


@dataclass(frozen=True)
class TargetCase:
    """A target in double precision on the CPU, and what several laws need of it, made once."""

    target: Target
    settings: Settings = field(default_factory=Settings)
    chart: Chart = PLAIN

    @cached_property
    def start(self) -> Tensor:
        """300 points of N(0, scale^2 I), (300, dim)."""
        return self.target.scale * _normal(300, self.target.dim, 3)

    def referenced(self) -> Target:
        """The target, where it has exact points."""
        if not self.target.has_reference:
            raise NotApplicable("the target has no exact points (sample and has_reference)")
        return self.target

    @cached_property
    def points(self) -> Tensor:
        """Exact points, (n, dim)."""
        return self.drawn(self.referenced(), self.settings.points, 1)

    def drawn(self, target: Target, n: int, seed: int) -> Tensor:
        """n exact points of a copy of the target; fewer where its pool holds fewer."""
        held = len(stored(target.name).pool) if isinstance(target, Pooled) else n
        return target.sample(min(n, held), _generator(seed))

    @cached_property
    def grid(self) -> Grid:
        """The density on a grid, on a line or in the plane."""
        if self.target.dim > 2:
            raise NotApplicable("the target is neither on a line nor in the plane")
        return make_grid(self.target, self.points, self.chart, self.settings.reach,
                         self.settings.side)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=_generator(seed), dtype=torch.float64)


def _close(got: Tensor, want: Tensor, rtol: float, atol: float, what: str) -> None:
    """Broken unless two sets of values agree; says where they differ most."""
    excess = (got - want).abs() - atol - rtol * want.abs()
    worst = int(excess.nan_to_num(math.inf).argmax())
    a, b = float(got.flatten()[worst]), float(want.flatten()[worst])
    require(bool((excess <= 0).all()), f"{what}: {a:.8g} against {b:.8g} at worst")


def _with_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    try:
        return function(x)
    except NoGradient as error:
        raise NotApplicable(str(error)) from None


# ---- the density --------------------------------------------------------------------------------


def keeps_the_contract(case: TargetCase) -> None:
    """What a run checks before it spends anything: shapes, dtypes, rows that do not depend on each
    other, points left alone, a finite density where samplers start; and exemptions from known laws
    """
    unknown = unknown_laws(case.target.exempt, LAWS)
    require(not unknown, f"exempt names {', '.join(unknown)}, which no law is called")
    for dtype in (torch.float32, torch.float64):
        try:
            contract.check(case.target.to("cpu", dtype))
        except contract.Breach as error:
            raise Broken(str(error)) from None


def score_is_the_gradient(case: TargetCase) -> None:
    """score equal to differences of log_prob, to autograd through it, and to log_prob_and_score"""
    target, x = case.target, case.start
    score, step = _with_gradient(target.score, x), 3e-6 * target.scale
    for i in range(target.dim):
        move = torch.zeros(target.dim, dtype=torch.float64)
        move[i] = step
        slope = (target.log_prob(x + move) - target.log_prob(x - move)) / (2 * step)
        _close(score[:, i], slope, 1e-5, 1e-5 / target.scale, f"coordinate {i} of score against "
               "finite differences")
    try:
        by_autograd = Target.score(target, x)
    except NoGradient:
        by_autograd = score
    _close(score, by_autograd, 1e-9, 1e-9, "score against autograd")
    value, again = target.log_prob_and_score(x)
    _close(value, target.log_prob(x), 1e-7, 1e-7, "log_prob_and_score against log_prob")
    _close(again, score, 1e-7, 1e-7, "log_prob_and_score against score")


def hvp_is_the_derivative_of_the_score(case: TargetCase) -> None:
    """hvp equal to differences of score and to autograd through it"""
    target, x = case.target, case.start
    v, step = _normal(len(x), target.dim, 4), 3e-6 * target.scale
    product = _with_gradient(lambda points: target.hvp(points, v), x)
    slope = (target.score(x + step * v) - target.score(x - step * v)) / (2 * step)
    size = float(product.norm(dim=1).median())
    _close(product, slope, 1e-4, 1e-5 * size, "hvp against finite differences")
    by_autograd = _with_gradient(lambda points: Target.hvp(target, points, v), x)
    _close(product, by_autograd, 1e-7, 1e-7 * size, "hvp against autograd")


def tempering_divides_the_log_density(case: TargetCase) -> None:
    """log_prob at temperature 2 half of what it is at 1"""
    _close(case.target.tempered(2.0).log_prob(case.start), case.target.log_prob(case.start) / 2.0,
           1e-7, 1e-7, "log_prob at temperature 2")


def a_single_precision_copy_agrees(case: TargetCase) -> None:
    """log_prob, score and hvp of a copy in single precision near those in double precision"""
    single, x = case.target.to("cpu", torch.float32), case.start.float()
    v = torch.randn(x.shape, generator=_generator(4))
    asked: dict[str, Callable[[Target, Tensor], Tensor]] = {
        "log_prob": lambda target, p: target.log_prob(p),
        "score": lambda target, p: target.score(p),
        "hvp": lambda target, p: target.hvp(p, v.to(p.dtype))}
    for what, ask in asked.items():
        try:
            low, high = ask(single, x), ask(case.target, x.double())
        except NoGradient:
            continue
        require(low.dtype == torch.float32, f"{what} in single precision is {low.dtype}")
        _close(low.double(), high, 3e-4, 3e-5 * float(high.std()), f"{what} in single precision")
    if case.target.has_reference:
        dtype = single.sample(7, _generator(0)).dtype
        require(dtype == torch.float32, f"exact points in single precision are {dtype}")


# ---- exact points -------------------------------------------------------------------------------


def points_come_from_the_generator_alone(case: TargetCase) -> None:
    """The same exact points under the same seed, others under another, and no global randomness"""
    target = case.referenced()
    before = torch.get_rng_state()
    first, again, other = (target.sample(50, _generator(seed)) for seed in (5, 5, 6))
    require(torch.equal(first, again), "two draws under one seed differ")
    # of thousands of pairs of coordinates one may be close at random
    same = float(torch.isclose(first, other).double().mean(0).max())
    require(same < 0.05, f"{same:.0%} of a coordinate is the same under two seeds")
    require(torch.equal(before, torch.get_rng_state()), "sample uses torch's global state")


def exact_points_agree_with_the_truths(case: TargetCase) -> None:
    """The mean of every truth over the exact points within 4.5 standard errors of its value"""
    x = case.points
    if not case.target.truths():
        raise NotApplicable("the target states no truths")
    for truth in case.target.truths():
        if truth.name not in case.settings.heavy:
            z = z_score(truth.of(x), truth.value)
            require(abs(z) < Z,
                    f"{truth.name} lies {z:.1f} standard errors from {truth.value:.6g}")


def exact_points_obey_stein(case: TargetCase) -> None:
    """E score = 0 and E x score^T = -I over the exact points, within 4.5 standard errors"""
    _obey_stein(case.target, case.points, cross=True)


def single_precision_points_obey_stein(case: TargetCase) -> None:
    """The same of points and scores in single precision"""
    single = case.referenced().to("cpu", torch.float32)
    _obey_stein(single, case.drawn(single, min(50_000, case.settings.points), 2), cross=False)


def _obey_stein(target: Target, x: Tensor, cross: bool) -> None:
    score = _with_gradient(target.score, x)
    for i in range(target.dim):
        z = z_score(score[:, i], 0.0)
        require(abs(z) < Z, f"the mean of score {i} lies {z:.1f} standard errors from 0")
        for j in range(target.dim) if cross else (i,):
            z = z_score(x[:, i] * score[:, j], -float(i == j))
            require(abs(z) < Z, f"the mean of x{i} score{j} lies {z:.1f} standard errors from "
                    f"{-int(i == j)}")


def exact_points_fill_cells(case: TargetCase) -> None:
    """Counts of exact points in 1,600 cells, and in 40 strips each way, as the density has them"""
    x, cells = case.points, case.grid
    mass = torch.bincount(cells.block, weights=cells.mass, minlength=1600)
    counts = torch.bincount(cells.blocks_of(x), minlength=1600)
    found = {"in cells": chi_square_z(counts, mass)}
    if case.target.dim == 2:  # the margins, where a small bend of a density is not thinned out
        for axis in (0, 1):
            found[f"in strips along axis {1 - axis}"] = chi_square_z(
                counts.reshape(40, 40).sum(axis), mass.reshape(40, 40).sum(axis))
    for what, z in found.items():
        require(abs(z) < Z, f"the chi-square of counts {what} lies {z:.1f} standard deviations "
                "from its mean")


def log_z_and_truths_by_quadrature(case: TargetCase) -> None:
    """log_z within 2e-6 and every truth within 2e-5 of its integral on a fine grid"""
    cells, target = case.grid, case.target
    total = cells.mass.sum()
    if target.log_z is None and not target.truths():
        raise NotApplicable("the target states neither log_z nor truths")
    found = float(total.log())
    require(target.log_z is None or abs(found - target.log_z) < 2e-6,
            f"log_z = {target.log_z}, and {found:.8g} by quadrature")
    for truth in target.truths():
        terms = truth.of(cells.x) * cells.mass / total
        off = abs(float(terms.sum()) - truth.value)
        require(off < 2e-5 * max(1.0, float(terms.abs().sum())),
                f"{truth.name} = {truth.value:.8g}, and {float(terms.sum()):.8g} by quadrature")


def mode_weights_are_shares(case: TargetCase) -> None:
    """mode_weights that sum to 1 and are the shares of the exact points, and of the density's mass
    in one or two dimensions, that mode_of gives each mode
    """
    weights, x = case.target.mode_weights, case.points
    if weights is None:
        raise NotApplicable("the target declares no modes")
    require(math.isclose(float(weights.sum()), 1.0, abs_tol=1e-12),
            f"they sum to {float(weights.sum())}")
    z = chi_square_z(torch.bincount(case.target.mode_of(x), minlength=len(weights)), weights)
    require(abs(z) < Z, f"the chi-square of counts lies {z:.1f} standard deviations from its mean")
    if case.target.dim > 2:
        return
    owner = torch.cat([case.target.mode_of(part) for part in case.grid.x.split(1 << 15)])
    mass = torch.bincount(owner, weights=case.grid.mass, minlength=len(weights))
    _close(mass / mass.sum(), weights, 0.0, 2e-3, "share of the mass against mode_weights")


def scale_is_about_the_size(case: TargetCase) -> None:
    """A median distance of exact points from the origin of .4 to 1.6 scale sqrt(dim): nearly all
    mass lies within a few scales, and samplers do not start far too wide
    """
    distance = case.points.norm(dim=1).median() / case.target.scale / math.sqrt(case.target.dim)
    require(0.4 < float(distance) < 1.6, f"the median distance is {float(distance):.2f} scale "
            "sqrt(dim)")


def the_window_shows_the_points(case: TargetCase) -> None:
    """At least 99.5 % of the exact points in the window of view()"""
    left, right, bottom, top = case.target.view()
    x = case.points
    y = x[:, min(1, case.target.dim - 1)]
    inside = (x[:, 0] > left) & (x[:, 0] < right) & (y > bottom) & (y < top)
    share = float(inside.double().mean())
    require(share > case.settings.shown, f"{share:.2%} of them are")


LAWS = tuple(map(Law, (
    keeps_the_contract, score_is_the_gradient, hvp_is_the_derivative_of_the_score,
    tempering_divides_the_log_density, a_single_precision_copy_agrees,
    points_come_from_the_generator_alone, exact_points_agree_with_the_truths,
    exact_points_obey_stein, single_precision_points_obey_stein, exact_points_fill_cells,
    log_z_and_truths_by_quadrature, mode_weights_are_shares, scale_is_about_the_size,
    the_window_shows_the_points)))
