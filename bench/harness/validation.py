"""What crosses the border from a user's code into records: made plain, or refused in a sentence.

Samplers, targets and metrics may hold numbers as Python's, NumPy's or as tensors of one element;
records hold plain floats, whole numbers and text. Points are handed on as detached copies, so that
nothing that happens to a sampler's own tensors later can change what is judged.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.errors import UserError
from bench.harness.attribution import Ended
from metrics.base import Estimate
from samplers.base import LogWeights, Sampler
from targets.base import Target

#: Elements of an array among hyperparameters that are written out; of a larger one its shape is.
WRITTEN = 100


def what(value: object) -> str:
    """A value in a few words, for sentences about it."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape} and {value.dtype}"
    return "None" if value is None else f"{type(value).__name__} {str(value)[:60]!r}"


def number(value: object) -> float:
    """A plain float of a number, a NumPy scalar or a tensor of one element; else TypeError."""
    if isinstance(value, Tensor | np.ndarray | np.generic) and math.prod(value.shape) == 1:
        value = value.item()
    if not isinstance(value, int | float):
        raise TypeError(f"a number is wanted, not {what(value)}")
    with suppress(OverflowError):  # a whole number beyond all floats
        return float(value)
    return math.inf


def whole(value: object) -> int:
    """A plain whole number, from the same sources; else TypeError."""
    found = number(value)
    if not found.is_integer():
        raise TypeError(f"a whole number is wanted, not {what(value)}")
    return int(found)


def plain(value: Any) -> Any:  # noqa: ANN401
    """A value as JSON has it: numbers, text, lists and dicts; what is none of these as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor | np.ndarray | np.generic):
        if math.prod(value.shape) > WRITTEN or (
                isinstance(value, Tensor) and value.layout != torch.strided):
            return what(value)
        found = value.tolist()
        return found if isinstance(found, bool | int | float | str) else plain(found)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return str(value)[:200]


def hyperparameters(instance: object) -> dict[str, Any]:
    """The fields of a dataclass as plain values."""
    found = plain(instance) if dataclasses.is_dataclass(instance) else {}
    return dict(found)


def settled(target: Target, name: str) -> Target:
    """The target with plain dim, scale and log Z, and its modes' weights as a tensor.

    A copy where something had to be converted, else the target itself; UserError where it cannot.
    """
    plain_facts: dict[str, Any] = {}
    for fact, convert in (("dim", whole), ("scale", number), ("log_z", number)):
        value = getattr(target, fact, None)
        if value is None and fact == "log_z":
            continue
        try:
            plain_facts[fact] = convert(value)
        except TypeError as error:
            raise UserError(f"target '{name}' declares {fact}: {error}") from None
    if plain_facts["dim"] < 1 or not 0 < plain_facts["scale"] < math.inf:
        raise UserError(f"target '{name}' must declare dim (a whole number) and scale > 0")
    weights: Any = target.mode_weights
    if weights is not None and not isinstance(weights, Tensor):
        plain_facts["mode_weights"] = torch.as_tensor(weights, dtype=torch.float64)
    changed = {k: v for k, v in plain_facts.items() if type(getattr(target, k)) is not type(v)}
    if not changed:
        return target
    other = copy.copy(target)
    for fact, value in changed.items():
        object.__setattr__(other, fact, value)
    return other


def held_points(sampler: Sampler, n: int, label: str) -> int:
    """How many points a draw of n gives, as the sampler says; UserError where that cannot be."""
    try:
        held = whole(sampler.points(n))
    except Exception as error:
        raise UserError(f"sampler '{label}': points({n}) cannot be had "
                        f"({type(error).__name__}: {error})") from error
    if not 1 <= held <= n:
        raise UserError(f"sampler '{label}': points({n}) says {held}; it must be from 1 to {n}")
    return held


def points(drawn: object, n: int, sampler: Sampler, target: Density) -> Tensor:
    """A detached copy of what ``draw`` returned, (m, dim) in the target's type, if it may be."""
    if not isinstance(drawn, Tensor):
        raise Ended("failed", f"draw returned {what(drawn)}; return a torch tensor of shape "
                    f"(m, {target.dim})")
    with torch._C.DisableTorchFunctionSubclass():  # a subclass may answer otherwise than it is
        if drawn.layout != torch.strided:
            raise Ended("failed", f"draw returned points as {drawn.layout}; return a dense tensor")
        drawn = drawn.detach().as_subclass(Tensor)
        _refuse(drawn, n, sampler, target)
        return drawn.to(target.dtype, copy=True)


def _refuse(drawn: Tensor, n: int, sampler: Sampler, target: Density) -> None:
    wrong = ""
    if not drawn.is_floating_point():
        wrong = f"{what(drawn)}; return real numbers of {target.dtype}"
    elif drawn.ndim != 2 or drawn.shape[1] != target.dim:
        wrong = f"{what(drawn)}; return (m, {target.dim}), the target's dimension"
    elif drawn.device != target.device:
        wrong = f"points on {drawn.device}; return them on {target.device}"
    elif not len(drawn):
        wrong = "no point; a state can be drawn from after every step"
    elif len(drawn) > n:
        wrong = f"{len(drawn)} points where {n} were asked for; return at most n"
    elif len(drawn) < n and sampler.kind == "amortised":
        wrong = (f"{len(drawn)} of {n} points; an amortised sampler gives as many as are asked "
                 "for (kind 'continuing' or 'one-shot' holds a fixed number)")
    if wrong:
        raise Ended("failed", f"draw returned {wrong}")


def diagnostics(found: object) -> tuple[dict[str, float], list[str]]:
    """A sampler's diagnostics as plain finite numbers, and a note for each that is no number."""
    if not isinstance(found, dict):
        raise Ended("failed", f"diagnostics returned {what(found)}; return a dict of numbers")
    kept: dict[str, float] = {}
    notes = []
    for key, value in found.items():
        try:
            kept[str(key)] = number(value)
        except TypeError as error:
            notes.append(f"the diagnostic '{key}' is left out: {error}")
    return {k: v for k, v in kept.items() if math.isfinite(v)}, notes


def independent_steps(found: object) -> tuple[int, float]:
    """(points held at once, steps until an independent set) as plain numbers."""
    held, steps = 0, 0.0
    with suppress(TypeError, ValueError, IndexError):
        if isinstance(found, tuple | list):
            held, steps = whole(found[0]), number(found[1])
    if held < 1 or not 0 < steps < math.inf:
        raise Ended("failed", f"independent_steps returned {what(found)}; return (points held "
                    "at once, steps until an independent set): a whole number from 1, one above 0")
    return held, steps


def log_weights(found: object) -> LogWeights | None:
    """What ``log_weights`` returned: detached copies, and plain numbers of its estimate."""
    if found is None:
        return None
    if not isinstance(found, LogWeights):
        raise Ended("failed", f"log_weights returned {what(found)}; return a LogWeights or None")
    parts: dict[str, Any] = {}
    for name in ("at_draws", "at_target", "gap"):
        part = getattr(found, name)
        if part is not None and not (isinstance(part, Tensor) and part.ndim == 1
                                     and part.is_floating_point()):
            raise Ended("failed", f"log_weights returned {what(part)} as {name}; return a tensor "
                        "of shape (n,)")
        parts[name] = None if part is None else part.detach().clone()
    if found.log_z is not None:
        try:
            value, error = found.log_z
            parts["log_z"] = number(value), number(error)
        except (TypeError, ValueError):
            raise Ended("failed", f"log_weights returned {what(found.log_z)} as log_z; return "
                        "(value, standard error)") from None
    return LogWeights(**parts)


def estimate(found: object) -> Estimate:
    """A metric's estimate in plain numbers; TypeError where it is none."""
    if not isinstance(found, Estimate):
        raise TypeError(f"estimate must return an Estimate, not {what(found)}")
    return Estimate(number(found.value), None if found.se is None else number(found.se),
                    tuple(number(part) for part in found.parts))


def updates(state: Any) -> int:  # noqa: ANN401
    """The optimiser updates that the state of a learned sampler counts."""
    try:
        return whole(state.updates)
    except (AttributeError, TypeError):
        raise Ended("failed", "a sampler with learned = True keeps 'updates' in its state, the "
                    "whole number of optimiser updates so far; add it") from None
