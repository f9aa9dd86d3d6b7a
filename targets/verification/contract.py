"""What a target must keep for its numbers to mean anything, checked before anything is spent.

A log-density that reads the batch (a mean over rows, a standardisation), keeps state between
calls, writes into its argument or contradicts its own score makes every sampler look bad, and no
table shows why. Each breach is one sentence that says what to write instead.

Values are compared in float64, where a correct target agrees with itself far below the limits
here; shapes, types and devices in the precision of the run.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.core.density import NoGradient
from targets.base import Target

POINTS = 64  # of N(0, scale^2 I), where every sampler starts
ALONE = 5  # rows that are evaluated by themselves
#: Two evaluations of one row may differ by this share of max(1, |value|).
REPEATS = 1e-5
#: A derivative may differ from finite differences by this share, at one step at least.
SLOPES = 1e-3
STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # of finite differences, in scales
#: More points than this must disagree: a kink of a correct density may hit one.
KINKS = 2
#: The share of starting points at which the density may be zero.
OUTSIDE = 0.25

_REMEDY = ("where the support is bounded, write the density in unbounded coordinates with the "
           "log-Jacobian (x = exp(u): add u; docs/adding.md, Bounded supports), or declare a "
           "scale at which starting points lie inside and return -inf beyond")


class Breach(ValueError):
    """A target breaks its contract; the message says how, and what to write."""


def starting_points(target: Target) -> Tensor:
    """Fixed points of N(0, scale^2 I) on the target's device, (POINTS, dim)."""
    rng = torch.Generator().manual_seed(0)
    x = target.scale * torch.randn(POINTS, target.dim, generator=rng)
    return x.to(target.device, target.dtype)


def check(target: Target) -> None:
    """Raise Breach at the first way in which the target breaks its contract."""
    _check_outputs(target)
    exact = target.to("cpu", torch.float64)
    x = starting_points(exact)
    try:
        inside = _check_support(exact, x)
        _check_rows(exact, "log_prob", exact.log_prob, x, inside)
        if not target.has_score:
            return
        _check_rows(exact, "score", exact.score, x, inside)
        _check_both(exact, x)
        _check_slopes(exact, x[inside])
    except (Breach, NoGradient):
        raise
    except Exception as error:
        raise Breach(f"log_prob or score cannot be evaluated in float64, which the judge uses "
                     f"({type(error).__name__}: {error}); keep constants as tensor attributes, "
                     "which move with the target") from error


def _check_outputs(target: Target) -> None:
    """Type, shape, dtype and device of what the run's own precision gives; x left as it was."""
    x = starting_points(target)[:7]
    _check_output("log_prob", _called(target.log_prob, "log_prob", x), x, (len(x),))
    alone = _called(target.log_prob, "log_prob", x[:1])
    _check_output("log_prob", alone, x[:1], (1,))
    try:
        _check_output("score", _called(target.score, "score", x), x, tuple(x.shape))
    except NoGradient:
        return


def _called(method: Callable[[Tensor], Tensor], what: str, x: Tensor) -> Tensor:
    """The method's answer; a breach where it fails or writes into the points."""
    given = x.clone()
    try:
        answer = method(given)
    except NoGradient:
        raise
    except Exception as error:
        raise Breach(f"{what} cannot be evaluated at points of shape {tuple(x.shape)}: "
                     f"{type(error).__name__}: {error}") from error
    if not torch.equal(given, x):
        raise Breach(f"{what} changes the points it is given; write x = x - a, not x -= a or "
                     "x[...] = a")
    return answer


def _check_output(what: str, got: object, x: Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(got, Tensor):
        raise Breach(f"{what} returns {type(got).__name__}, not a tensor; end it with "
                     "torch.as_tensor(..., dtype=x.dtype, device=x.device)")
    if tuple(got.shape) != shape:
        raise Breach(f"{what} of points of shape {tuple(x.shape)} has shape {tuple(got.shape)}, "
                     f"expected {shape}; work along the last dimension only, one value a row")
    if got.dtype != x.dtype:
        raise Breach(f"{what} of {_short(x.dtype)} points is {_short(got.dtype)}; keep constants "
                     "as tensor attributes, which move with the target, or end it with "
                     ".to(x.dtype)")
    if got.device != x.device:
        raise Breach(f"{what} of points on {x.device} lies on {got.device}; keep constants as "
                     "tensor attributes, which move with the target")
    if got.requires_grad:
        raise Breach(f"{what} of points that want no gradient wants one, as its parameters do; "
                     "call requires_grad_(False) on them")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_support(target: Target, x: Tensor) -> Tensor:
    """Where the density is positive, (n,) bool; a breach where it is so at too few points."""
    value = target.log_prob(x).detach()
    bad = int((torch.isnan(value) | (value == torch.inf)).sum())
    if bad:
        raise Breach(f"log_prob is not finite (NaN or +inf) at {bad} of {len(x)} points drawn "
                     f"from N(0, scale^2 I); {_REMEDY}")
    inside = torch.isfinite(value)
    outside = int((~inside).sum())
    if outside > OUTSIDE * len(x):
        raise Breach(f"log_prob is not finite: it is -inf at {outside} of {len(x)} points drawn "
                     f"from N(0, scale^2 I), where samplers start; {_REMEDY}")
    return inside


def _check_rows(target: Target, what: str, method: Callable[[Tensor], Tensor], x: Tensor,
                inside: Tensor) -> None:
    """A row's value must be its own: the same again, alone, and in another order."""
    value = method(x).detach()
    if not _agree(method(x).detach(), value):
        raise Breach(f"{what} of the same points differs from call to call; a target holds "
                     "constants only: no random numbers, no state kept between calls")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    rows = [int(i) for i in inside.nonzero()[:ALONE, 0]]
    alone = torch.cat([method(x[i : i + 1]).detach() for i in rows])
    if not (_agree(alone, value[rows]) and _agree(method(x[order]).detach(), value[order])):
        raise Breach(f"{what} of a row depends on the other rows: a batch differs from its rows "
                     "alone or in another order; no mean, sum or standardisation over dim 0, and "
                     "mind (n, 1) + (n,), which is (n, n)")


def _agree(a: Tensor, b: Tensor) -> bool:
    """Whether two sets of values are those of one function; non-finite ones must be the same."""
    near = (a - b).abs() <= REPEATS * b.nan_to_num(0.0, 0.0, 0.0).abs().clamp(1.0)
    return bool((near | (a == b) | (a.isnan() & b.isnan())).all())


def _check_both(target: Target, x: Tensor) -> None:
    value, score = target.log_prob_and_score(x)
    if not (_agree(value.detach(), target.log_prob(x).detach())
            and _agree(score.detach(), target.score(x).detach())):
        raise Breach("log_prob_and_score differs from log_prob and score; leave it out, or give "
                     "the same values")


def _check_slopes(target: Target, x: Tensor) -> None:
    """The score against differences of log_prob, and ``hvp`` against differences of the score."""
    along = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    along = along / along.norm(dim=1, keepdim=True)
    score = target.score(x).detach()
    bad = int((~torch.isfinite(score)).any(1).sum())
    if bad:
        raise Breach(f"the score is not finite at {bad} of {len(x)} points where log_prob is; "
                     "torch.where passes NaN of the branch not taken: clamp what it is given")
    slope = (score * along).sum(1, keepdim=True)
    if _off(lambda points: target.log_prob(points)[:, None], x, along, slope, target.scale):
        raise Breach("the score is not the gradient of log_prob (checked by finite differences); "
                     "mend the formula, or leave score out and let autograd find it")
    try:
        bent = target.hvp(x, along).detach()
    except NoGradient:
        return
    if _off(target.score, x, along, bent, target.scale):
        raise Breach("hvp is not the derivative of the score (checked by finite differences); "
                     "write score with torch operations, without .detach() or no_grad, or "
                     "override hvp")


def _off(function: Callable[[Tensor], Tensor], x: Tensor, along: Tensor, derivative: Tensor,
         scale: float) -> bool:
    """Whether a derivative (n, k) along given directions disagrees with differences of (n, k).

    A point agrees where it does at one step: a step is too long for a narrow mode and too short
    for a density that is computed in single precision inside, but for a right derivative not all.
    """
    typical = derivative.square().mean().sqrt()
    agrees = torch.zeros(len(x), dtype=torch.bool)
    for step in (s * scale for s in STEPS):
        ahead, behind = function(x + step * along).detach(), function(x - step * along).detach()
        found = (ahead - behind) / (2.0 * step)
        size = torch.maximum(found.abs(), derivative.abs()) + 1e-3 * typical
        near = ((found - derivative).abs() <= SLOPES * size).all(1)
        agrees |= near | ~torch.isfinite(found).all(1)  # an edge lies between
    return int((~agrees).sum()) > KINKS
