"""Streams of random numbers: one for each purpose, so that none disturbs another.

Training, each checkpoint's draw, the warm-up on a throw-away state and the reference block of a
seed have their own streams. All samplers of a seed share the stream of the same purpose, and so
start from the same points and are judged against the same reference.

A sampler must draw from the generator handed in. One that draws from the process's global states
all the same gets those from a stream of the job's own, and is named: its numbers are then those of
its seed, whatever else ran in the process.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def stream(purpose: str, target: str, seed: int, index: int = 0,
           device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose on one target under one seed."""
    return torch.Generator(device).manual_seed(_seed(purpose, target, seed, index))


def _seed(purpose: str, target: str, seed: int, index: int) -> int:
    words = (zlib.crc32(purpose.encode()), zlib.crc32(target.encode()), seed, index)
    (state,) = np.random.SeedSequence(words).generate_state(1, np.uint64)
    return int(state) >> 1


@contextmanager
def global_stream(purpose: str, target: str, seed: int, index: int = 0,
                  device: torch.device | str = "cpu") -> Iterator[Callable[[], list[str]]]:
    """Put the global random states on a stream of their own for a while, and then back.

    Yields what names those that were drawn from since.
    """
    before, start = _states(device), _seed(f"global {purpose}", target, seed, index)
    torch.manual_seed(start)
    np.random.seed(start % 2**32)
    random.seed(start)
    fresh = _states(device)
    try:
        yield lambda: [name for name, state in _states(device).items()
                       if not _equal(state, fresh[name])]
    finally:
        torch.set_rng_state(before["torch"])
        np.random.set_state(before["numpy"])
        random.setstate(before["Python"])
        if "torch.cuda" in before:
            torch.cuda.set_rng_state(before["torch.cuda"], device)


def _states(device: torch.device | str) -> dict[str, Any]:
    """The states of the global generators, by the library that owns them."""
    states = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(),
              "Python": random.getstate()}
    if torch.device(device).type == "cuda":
        states["torch.cuda"] = torch.cuda.get_rng_state(device)
    return states


def _equal(one: Any, two: Any) -> bool:  # noqa: ANN401
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b)
               for a, b in zip(one, two, strict=True))
