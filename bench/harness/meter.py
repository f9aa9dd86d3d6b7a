"""The meter: what a sampler sees of a target, with every evaluation counted.

The metered interface offers ``log_prob``, ``score``, ``log_prob_and_score`` and ``hvp``, nothing
that leads to the target behind it. Derivatives taken by autograd are charged where they are
computed: going backward through ``log_prob`` is a gradient, backward through ``score`` (or twice
backward through ``log_prob``) a Hessian-vector product; third derivatives raise. What a target
calls inside itself is free. A target answers only in the process that made its ledger.

Counting happens on the host, except where the call is compiled or captured: there a counter tensor
is incremented inside the graph, since a host integer would be frozen into it (or force a
recompilation at each call).
"""

from __future__ import annotations

import copy
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from bench.core.cost import Cost
from targets.base import Target

KINDS = ("density", "score", "hvp")


class MeterError(RuntimeError):
    """An evaluation that could not be counted, and was therefore refused."""


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


class Ledger:
    """Evaluations by kind, apart for each phase (``train``, ``draw``, ``uncharged``).

    Exact from any thread. It belongs to the process that made it: a copy elsewhere raises.
    """

    def __init__(self, device: torch.device) -> None:
        self._lock = threading.Lock()
        self._phase = "train"
        self._host = {phase: dict.fromkeys(KINDS, 0) for phase in ("train", "draw", "uncharged")}
        self._graph = torch.zeros(len(KINDS), dtype=torch.int64, device=device)
        self._graph_seen = [0] * len(KINDS)
        self._elsewhere = False
        _ledgers.add(self)

    def check_process(self) -> None:
        """Raise MeterError in a copy of the process that made this ledger: nobody would see it."""
        if self._elsewhere:
            raise MeterError("the target was evaluated in another process than its job's own, "
                             "where nothing can be counted; evaluate in the process of the "
                             "sampler (its threads are counted)")

    def leave(self) -> None:
        """Raise from now on, in a copy of the process that made the ledger."""
        self._elsewhere = True

    def charge(self, kind: str, rows: int) -> None:
        """Count on the host, or inside the graph that is being compiled or captured."""
        self.check_process()
        if torch.compiler.is_compiling() or _capturing(self._graph.device):
            self._graph[KINDS.index(kind)].add_(rows)
            return
        with self._lock:
            self._host[self._phase][kind] += rows

    def reconcile(self) -> None:
        """Book what graphs counted; reads the device, so call it while the clock stands."""
        self.check_process()
        counted = self._graph.tolist()
        if counted == self._graph_seen:
            return
        for kind, now, seen in zip(KINDS, counted, self._graph_seen, strict=True):
            self._host[self._phase][kind] += now - seen
        self._graph_seen = counted

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Book evaluations under ``train``, ``draw`` or ``uncharged`` for a while."""
        self.reconcile()
        before, self._phase = self._phase, name
        try:
            yield
        finally:
            self.reconcile()
            self._phase = before

    def total(self, phase: str) -> int:
        """All evaluations of a phase, whatever their kind."""
        return sum(self._host[phase].values())

    def cost(self, phase: str) -> Cost:
        """What was counted so far in a phase, by graphs too."""
        self.reconcile()
        return Cost(**self._host[phase])


def _leave_ledgers() -> None:
    for ledger in _ledgers:
        ledger.leave()


# A process that is forked holds copies of all ledgers. They are told, rather than ask for their
# process at each call: a compiled graph that counts inside asks for the mark, and is made anew.
os.register_at_fork(after_in_child=_leave_ledgers)


def _capturing(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


# The targets behind the interfaces, by an opaque number: an interface or a graph node holds only
# that, so that no chain of attributes leads from what a sampler holds to an unmetered target.
# While a sampler runs, every other target is sealed (bench.core.seal). A number is used again once
# its interface is gone, so that the next seed's target stands where a compiled graph looks for it;
# unless a graph node may still hold it.
_behind: dict[int, tuple[Target, Ledger]] = {}
_held: set[int] = set()


def _answering(target: Target) -> Target:
    """A copy that answers while targets are sealed, and so do the targets it is made of."""
    inner = copy.copy(target)
    for key, value in vars(target).items():
        if isinstance(value, Target):
            object.__setattr__(inner, key, _answering(value))
    object.__setattr__(inner, "_behind_meter", True)
    return inner


def _release(handle: int) -> None:
    if handle not in _held:
        del _behind[handle]


def _hold(handle: int) -> int:
    _held.add(handle)
    return handle


def _rows_of(x: Tensor) -> int:
    return int(x.shape[0])


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, handle: int) -> Tensor:  # noqa: ANN401
        target, ledger = _behind[handle]
        ledger.charge("density", _rows_of(x))
        ctx.save_for_backward(x)
        ctx.handle = _hold(handle)
        return target.log_prob(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        return grads[0].unsqueeze(-1) * _Score.apply(x, ctx.handle), None


class _Score(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, handle: int) -> Tensor:  # noqa: ANN401
        target, ledger = _behind[handle]
        ledger.charge("score", _rows_of(x))
        ctx.save_for_backward(x)
        ctx.handle = _hold(handle)
        return target.score(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (x,) = ctx.saved_tensors
        return _Hvp.apply(x, grads[0], ctx.handle), None


class _Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, handle: int) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        target, ledger = _behind[handle]
        ledger.charge("score", _rows_of(x))
        value, score = target.log_prob_and_score(x)
        ctx.save_for_backward(x, score)
        ctx.handle = _hold(handle)
        return value, score

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        x, score = ctx.saved_tensors
        return grads[0].unsqueeze(-1) * score + _Hvp.apply(x, grads[1], ctx.handle), None


class _Hvp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor, handle: int) -> Tensor:  # noqa: ANN401
        target, ledger = _behind[handle]
        ledger.charge("hvp", _rows_of(x))
        return target.hvp(x, v)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        raise MeterError("third derivatives of a target are not metered; use at most "
                         "Hessian-vector products")


def _plain(x: Tensor) -> bool:
    """Whether no derivative can be taken through the call, so that it needs no graph node."""
    if x.requires_grad:
        return False
    return torch.compiler.is_compiling() or not (
        torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0)


def _apply(function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
    try:
        return function(*args)
    except RuntimeError as error:
        if "functorch" in str(error):
            raise MeterError("rows cannot be counted under torch.func transforms (vmap, grad, "
                             "...): pass whole batches, and use score or hvp") from None
        raise


class MeteredTarget:
    """A target's metered sampling interface, a ``bench.core.density.Density``."""

    __slots__ = ("__weakref__", "_handle", "device", "dim", "dtype", "scale")

    def __init__(self, target: Target, ledger: Ledger) -> None:
        self._handle = next(h for h in itertools.count(1) if h not in _behind)
        _behind[self._handle] = (_answering(target), ledger)
        weakref.finalize(self, _release, self._handle)
        self.dim = int(target.dim)
        self.scale = float(target.scale)
        self.device = target.device
        self.dtype = target.dtype

    def log_prob(self, x: Tensor) -> Tensor:
        """log p, shape (n,); charges n log-densities, and n gradients on the way back."""
        if _plain(x):
            return self._charged("density", x).log_prob(x)
        return _apply(_LogProb.apply, self._points(x), self._handle)

    def score(self, x: Tensor) -> Tensor:
        """Gradient, (n, dim); charges n of them, and n Hessian-vector products on the way back."""
        if _plain(x):
            return self._charged("score", x).score(x)
        return _apply(_Score.apply, self._points(x), self._handle)

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both at once, for n gradients."""
        if _plain(x):
            return self._charged("score", x).log_prob_and_score(x)
        return _apply(_Both.apply, self._points(x), self._handle)

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian-vector products, (n, dim); linear in v, not differentiable further."""
        return _apply(_Hvp.apply, self._points(x), self._points(v), self._handle)

    def _charged(self, kind: str, x: Tensor) -> Target:
        target, ledger = _behind[self._handle]
        ledger.charge(kind, len(self._points(x)))
        return target

    def _points(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise MeterError(f"points must have shape (n, {self.dim}), not {tuple(x.shape)}: "
                             "rows of anything else could not be counted")
        return x

    def __reduce__(self) -> Any:  # noqa: ANN401
        raise MeterError("a metered target belongs to its job and cannot be copied or sent away")


class TruthfulTarget(MeteredTarget):
    """The interface of the baseline ``exact``, which may also draw from the target, uncharged."""

    __slots__ = ()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Exact points, shape (n, dim)."""
        target, ledger = _behind[self._handle]
        ledger.check_process()
        return target.sample(n, rng)
