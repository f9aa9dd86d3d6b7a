"""What a sampler is: a frozen set of hyperparameters with three verbs, driven by the harness.

A new sampler is one file in this folder with one frozen dataclass that carries a literal ``name``
equal to the file's name. It never loops over its own steps, never counts its own cost, never owns
a random generator: ``step`` is the paper's displayed update, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import LogWeights

Kind = Literal["amortised", "continuing", "one-shot", "baseline"]
Family = Literal["mcmc", "particles", "diffusion", "flow", "one-step", "baseline"]


class Sampler(ABC):
    """Hyperparameters as dataclass fields; the algorithm as ``init``, ``step`` and ``draw``.

    Class attributes (plain literals, read without importing the file):

    - ``kind``: ``amortised`` (a fresh draw costs only ``draw``), ``continuing`` (a fresh set costs
      the continuation by the autocorrelation time), ``one-shot`` (a fresh set costs the run again)
      or ``baseline`` (floor, ceiling, overhead: takes ``steps`` steps and ends).
    - ``family``: ``mcmc``, ``particles``, ``diffusion``, ``flow``, ``one-step`` or ``baseline``;
      tables and figures group by it.
    - ``packages``: optional packages it imports; without them it is listed as needing them, and
      its jobs become records that say so.
    - ``learned``: a network is trained; then the state has ``updates``, the optimiser updates.
    - ``anneals``: ``step`` reads ``progress``, so an intermediate point of a run is not what a
      smaller budget would give.
    - ``law_settings``: small settings for the conformance kit (``python -m bench test NAME``):
      ``steps``, ``parameters``, and ``bias`` with its reason in ``why``, as
      ``bench.conformance.samplers.Settings`` explains.
    - ``exempt``: laws of the kit that it does not keep, each with the reason.
    - ``update``: the update in words. ``citation``: paper, equations. ``limitations``: what it
      cannot do.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    family: ClassVar[Family]
    packages: ClassVar[tuple[str, ...]] = ()
    learned: ClassVar[bool] = False
    anneals: ClassVar[bool] = False
    update: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    limitations: ClassVar[str] = ""
    law_settings: ClassVar[Mapping[str, Any]] = {}
    exempt: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def init(self, target: Density, rng: torch.Generator) -> Any:  # noqa: ANN401
        """The state before the first step; it can already be drawn from."""

    @abstractmethod
    def step(self, target: Density, state: Any, progress: float, rng: torch.Generator) -> Any:  # noqa: ANN401
        """One optimiser update, one transition of all chains, or one slice of simulation.

        ``progress`` is the fraction of the budget spent, in [0, 1).
        """

    @abstractmethod
    def draw(self, target: Density, state: Any, n: int, rng: torch.Generator) -> Tensor:  # noqa: ANN401
        """At most n points of shape (m, dim), m <= n; an amortised sampler always gives n.

        Leaves the state as it was: drawing has its own generator and never changes training.
        """

    def points(self, n: int) -> int:
        """How many points a draw of n gives: fewer where they are held and not made."""
        return n

    def independent_steps(self, state: Any) -> tuple[int, float]:  # noqa: ANN401
        """Continuing and one-shot: (points held at once, steps until an independent set)."""
        raise NotImplementedError(f"a sampler of kind '{self.kind}' has no independent_steps")

    def log_weights(self, target: Density, state: Any, n: int, points: Tensor | None,  # noqa: ANN401
              rng: torch.Generator) -> LogWeights | None:
        """What the sampler knows of its own distribution at about n draws; None if nothing.

        ``points`` are exact points of the target, (m, dim), or None where there are none: they may
        be evaluated and must not be kept. Leaves the state as it was; uncharged, since only
        metrics ask.
        """
        return None

    def diagnostics(self, state: Any) -> dict[str, float]:  # noqa: ANN401
        """Numbers about the run (acceptance, loss, drift norm); read while the clock stands."""
        return {}


def normal(target: Density, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Standard normal numbers where the target lives."""
    return torch.randn(shape, generator=rng, device=target.device, dtype=target.dtype)


def uniform(target: Density, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) where the target lives."""
    return torch.rand(shape, generator=rng, device=target.device, dtype=target.dtype)


def on_host(rng: torch.Generator, step: int) -> torch.Generator:
    """Where a number is drawn that steers Python: on a CPU the generator itself.

    Of an accelerator's, a generator on the CPU that its seed and the step's number make, so that
    no step waits for the device.
    """
    if rng.device.type == "cpu":
        return rng
    return torch.Generator().manual_seed(rng.initial_seed() + step)


def initial_points(target: Density, n: int, rng: torch.Generator) -> Tensor:
    """The initial distribution of every sampler: N(0, scale^2 I), shape (n, dim)."""
    return target.scale * normal(target, (n, target.dim), rng)
