"""Functions of tensors compiled into one graph, where the harness has switched that on.

A function under ``@compilable`` runs as it is written unless ``compiling()`` is on. Then
torch.compile makes one kernel or a few of it, at the first call with inputs of a kind (shapes,
whole numbers, target): the same operations on the same numbers, so the same result up to rounding.
Random numbers are drawn before and handed in, so that both ways spend the stream alike.

Compiling takes seconds, may happen in the middle of a job (a trajectory of a new length), and is
no part of sampling: ``compile_cost`` tells the harness what it cost since the last call, to be
taken off the clock. torch keeps what it made on disk, so that the next process is quicker. What
cannot be compiled (no C++ compiler, a target written in NumPy) runs as written, and the cost says
why.
"""

from __future__ import annotations

import functools
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

#: Kinds of inputs one function may meet in a process; beyond, torch would fall back in silence.
VARIANTS = 256

BACKEND = "inductor"
#: Elements for which a second thread is worth waking.
LEAST_SHARE = 1 << 14


@dataclass(frozen=True)
class CompileCost:
    """What compiling cost: processor and wall seconds, graphs made, and why some were not."""

    cpu: float = 0.0
    wall: float = 0.0
    graphs: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: CompileCost) -> CompileCost:
        return CompileCost(self.cpu + other.cpu, self.wall + other.wall,
                           self.graphs + other.graphs,
                           tuple(dict.fromkeys(self.notes + other.notes)))


NOTHING = CompileCost()

_on = False
_unread = NOTHING  # what compiling has cost since it was last asked for
_graphs: dict[Callable[..., Any], Callable[..., Any]] = {}
_uncompilable: set[Callable[..., Any]] = set()


@contextmanager
def compiling(on: bool = True) -> Iterator[None]:
    """Compile such functions for a while (or, within such a while, do not)."""
    global _on
    before, _on = _on, on
    try:
        yield
    finally:
        _on = before


def switched_on() -> bool:
    """Whether compilable functions are compiled now."""
    return _on


def compile_cost() -> CompileCost:
    """What compiling cost since the last call; ``NOTHING`` itself where nothing was compiled."""
    global _unread
    unread, _unread = _unread, NOTHING
    return unread


def forget() -> None:
    """Drop all graphs, as a fresh process would begin."""
    _graphs.clear()
    _uncompilable.clear()
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()


def compilable(function: Callable[P, R]) -> Callable[P, R]:
    """The function, compiled into one graph while ``compiling()`` is on."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _on or function in _uncompilable or torch.compiler.is_compiling():
            return function(*args, **kwargs)
        if function not in _graphs:
            _graphs[function] = _compiled(function)
        try:
            result: R = _graphs[function](*args, **kwargs)
        except torch._dynamo.exc.TorchDynamoException as error:
            _uncompilable.add(function)
            why = f"{function.__name__} runs uncompiled: {_first_line(error)}"
            _record(CompileCost(notes=(why,)))
            return function(*args, **kwargs)
        return result

    return call


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    cpu, wall = _cpu_seconds(), time.perf_counter()
    import torch._dynamo.callback
    import torch._inductor.config as inductor

    torch._dynamo.config.recompile_limit = VARIANTS
    torch._dynamo.config.accumulated_recompile_limit = 8 * VARIANTS
    # one graph at a time: a pool of compiling processes would outlive what it is good for
    inductor.compile_threads = 1
    inductor.cpp.min_chunk_size = LEAST_SHARE
    inductor.size_asserts = inductor.alignment_asserts = False  # guards have checked already
    watched = torch._dynamo.callback.callback_handler
    if _Watch.start not in watched.start_callbacks:
        watched.register_start_callback(_Watch.start)
        watched.register_end_callback(_Watch.end)
    _record(CompileCost(_cpu_seconds() - cpu, time.perf_counter() - wall))
    return torch.compile(function, fullgraph=True, dynamic=False, backend=BACKEND)


def _cpu_seconds() -> float:
    """Processor time of this process and of the compilers it has started and waited for."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


class _Watch:
    """Told by torch when it begins to compile and when it has ended."""

    began = (0.0, 0.0, 0)

    @staticmethod
    def start(_: object) -> None:
        _Watch.began = (_cpu_seconds(), time.perf_counter(), _Watch.graphs())

    @staticmethod
    def end(_: object) -> None:
        cpu, wall, graphs = _Watch.began
        _record(CompileCost(_cpu_seconds() - cpu, time.perf_counter() - wall,
                  _Watch.graphs() - graphs))

    @staticmethod
    def graphs() -> int:
        return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def _record(more: CompileCost) -> None:
    global _unread
    _unread += more


def _first_line(error: Exception) -> str:
    lines: list[Any] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return str(lines[0])[:200] if lines else type(error).__name__
