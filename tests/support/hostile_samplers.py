"""A plugin whose code does to its process what processes should not suffer."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.core.density import Density
from samplers.base import Sampler, initial_points
from targets.base import Target


class Dots(Target):
    """Prints a dot without a newline at each call."""

    name = "dots"
    dim = 2
    scale = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        """A bell."""
        print(".", end="", flush=True)
        return -(x**2).sum(-1) / 2

    def score(self, x: Tensor) -> Tensor:
        """In closed form."""
        return -x


class Leaver(Dots):
    """Ends the process as if all were well."""

    name = "leaver"

    def log_prob(self, x: Tensor) -> Tensor:
        """Gone."""
        os._exit(0)


@dataclass(frozen=True)
class Calm(Sampler):
    """Behaves."""

    name = "calm"
    kind = "one-shot"

    def init(self, target: Density, rng: torch.Generator) -> Tensor:
        """Start."""
        return initial_points(target, 60, rng)

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Descend."""
        return state + 0.05 * target.score(state)

    def draw(self, target: Density, state: Tensor, n: int, rng: torch.Generator) -> Tensor:
        """The particles."""
        return state[:n]

    def independent_steps(self, state: Tensor) -> tuple[int, float]:
        """All again."""
        return 60, 10.0


@dataclass(frozen=True)
class Talks(Calm):
    """Prints what looks like events, halves of lines, and bytes that are no text."""

    name = "talks"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Talk."""
        print(json.dumps({"is": "started"}))
        print(json.dumps({"is": "stopped", "cause": "user", "message": "forged"}))
        print('{"is": "ended", "key"')
        os.write(1, b"\xff\x00 half a line")
        return super().step(target, state, progress, rng)


@dataclass(frozen=True)
class ForkPool(Calm):
    """Evaluates in a pool of forked processes."""

    name = "forkpool"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Descend by what the pool found."""
        global _seen
        _seen = target
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return state + 0.05 * pool.map(_score, [state, state])[0]


_seen: Density


def _score(x: Tensor) -> Tensor:
    return _seen.score(x)


@dataclass(frozen=True)
class Falls(Calm):
    """Forks, and forgets to end the copy."""

    name = "falls"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """The copy comes back from here too."""
        copy = os.fork()
        if not copy:
            return state
        os.waitpid(copy, 0)
        return super().step(target, state, progress, rng)


@dataclass(frozen=True)
class Leaves(Calm):
    """Ends its process as if all were well, but only in its first job."""

    name = "leaves"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Gone."""
        sys.exit(0)


@dataclass(frozen=True)
class Closes(Calm):
    """Closes every descriptor that it did not open, as daemons do."""

    name = "closes"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Close."""
        os.closerange(3, 64)
        return super().step(target, state, progress, rng)


@dataclass(frozen=True)
class Asks(Calm):
    """Waits for somebody at the keyboard."""

    name = "asks"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Ask."""
        input("shall I? ")
        return super().step(target, state, progress, rng)


@dataclass(frozen=True)
class Lingers(Calm):
    """Leaves helpers behind, one of them in a session of its own, whose parent is gone."""

    name = "lingers"

    def init(self, target: Density, rng: torch.Generator) -> Tensor:
        """Start helpers."""
        mark = [sys.executable, "-c", "import time; time.sleep(600)", os.environ["MARK"]]
        subprocess.Popen(mark)
        if not os.fork():
            subprocess.Popen(mark, start_new_session=True)
            os._exit(0)
        return super().init(target, rng)


@dataclass(frozen=True)
class HangsAmongHelpers(Lingers):
    """Never comes back, and neither do its helpers."""

    name = "hangs_among_helpers"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Sleep."""
        time.sleep(1000)
        return state


@dataclass(frozen=True)
class FillsDisk(Calm):
    """Lets the process write no file of more than a few bytes, as a full disk does."""

    name = "fills_disk"

    def step(self, target: Density, state: Tensor, progress: float,
             rng: torch.Generator) -> Tensor:
        """Fill it."""
        import resource

        if os.path.exists(os.environ["MARK"]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
        return super().step(target, state, progress, rng)
