"""How far our own code is from what the machine can do, in one interleaved run.

    python -m tests.benchmarks.limits [--device cuda] [--threads 1] [--rounds 7] [--to FILE.md]

Learned samplers: one update, over its matrix products alone (torch.mm on arrays of its shapes,
forward and backward) plus its target evaluations alone (the same number of rows). Draws of a
one-step generator, over its matrix products. Chains: a compiled and an uncompiled step. All
measured in turn, so that a slow minute slows everything. The machine's own matrix rate and
bandwidth stand above the table.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.core.compilation import compiling
from bench.core.registry import load
from bench.core.seal import sealed
from bench.core.seeds import stream
from bench.harness.meter import Ledger, MeteredTarget
from bench.jobs.execute import steady_torch
from samplers.base import Sampler
from samplers.learning import networks as nets
from samplers.mcmc import hmc, mala, ula
from samplers.transitions.metropolis import evaluated
from targets.base import Target

Work = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """A ratio: the work over the limits it is held against."""

    name: str
    bar: str
    work: Work
    limits: tuple[Work, ...]


class Products:
    """The matrix products of layers with inputs and outputs of these sizes, on ``rows`` rows."""

    def __init__(self, sizes: list[tuple[int, int]], rows: int, device: str,
                 backward: bool) -> None:
        def some(*shape: int) -> Tensor:
            return torch.randn(shape, device=device)

        self.pairs: list[tuple[Tensor, Tensor]] = []
        for k, (inputs, outputs) in enumerate(sizes):
            x, w, g = some(rows, inputs), some(inputs, outputs), some(rows, outputs)
            self.pairs.append((x, w))
            if backward:
                self.pairs.append((x.T, g))  # by the weights
                if k:
                    self.pairs.append((g, w.T))  # by the inputs
        self.out = [some(a.shape[0], b.shape[1]) for a, b in self.pairs]

    def __call__(self) -> None:
        for (a, b), out in zip(self.pairs, self.out, strict=True):
            torch.mm(a, b, out=out)


def mlp(inputs: int, width: int, hidden: int, outputs: int) -> list[tuple[int, int]]:
    """Sizes of an MLP's layers."""
    return [(inputs, width), *[(width, width)] * (hidden - 1), (width, outputs)]


def machine(device: str) -> tuple[float, float]:
    """(GFLOP/s of a large float32 product, GB/s of a copy)."""
    n = 2048 if device == "cpu" else 8192
    a, b, c = (torch.randn(n, n, device=device) for _ in range(3))
    big = torch.empty(1 << 26, device=device)
    other = torch.empty_like(big)
    return (2 * n**3 / once(lambda: torch.mm(a, b, out=c), device, 5) / 1e9,
            2 * big.nbytes / once(lambda: other.copy_(big), device, 5) / 1e9)


def once(work: Work, device: str, calls: int = 1) -> float:
    """Seconds of the quickest of some calls; the device is waited for at both ends only."""
    seconds = []
    for _ in range(calls):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


class Bench:
    """Samplers on the metered four-mode mixture of the plane."""

    def __init__(self, device: str) -> None:
        self.device = device
        target: Target = load("targets", "gmm4").to(device, torch.float32)
        self.target, self.face = target, MeteredTarget(target, Ledger(target.device))

    def steps(self, sampler: Sampler, count: int = 1, compiled: bool = False,
              burn: int = 0) -> Work:
        """``count`` steps of a sampler after ``burn`` of them."""
        rng = stream("speed", "limits", 0, device=torch.device(self.device))
        state = sampler.init(self.face, rng)

        def work(steps: int = count) -> None:
            nonlocal state
            with sealed(), compiling(compiled):
                for _ in range(steps):
                    state = sampler.step(self.face, state, 0.5, rng)

        work(burn)
        return work

    def draw(self, sampler: Sampler, n: int) -> Work:
        """A draw of n points from an untrained sampler."""
        rng = stream("speed", "limits", 1, device=torch.device(self.device))
        state = sampler.init(self.face, rng)
        return lambda: sampler.draw(self.face, state, n, rng)

    def evaluations(self, what: str, rows: int) -> Work:
        """The target alone."""
        x = torch.randn(rows, 2, device=self.device)
        points = (x, x) if what == "hvp" else (x,)
        return lambda: getattr(self.target, what)(*points)


def updates(bench: Bench) -> list[Row]:
    """An update of each learned sampler, over its products and its target evaluations."""
    drifting, idem, dft = (load("samplers", name) for name in ("drifting", "idem", "dft"))
    inner = load("samplers", "idem", warm_start="prior", inner_updates=10**9)
    timed = [(idem.embedding, idem.width), (2 * idem.embedding, idem.width),
             *[(idem.width, idem.width)] * 3, (idem.width, 2)]
    generator = mlp(dft.latent, dft.width, dft.layers, 2)
    score_net = mlp(2, dft.width, dft.layers, 2)
    back = [(b, a) for a, b in reversed(score_net)]  # to the inputs alone

    def products(sizes: list[tuple[int, int]], rows: int, backward: bool) -> Products:
        return Products(sizes, rows, bench.device, backward)

    return [
        Row("drifting: an update", "at most 1.5", bench.steps(drifting),
            (products(mlp(drifting.latent, drifting.width, drifting.layers, 2), drifting.batch,
                      True),
             bench.evaluations("log_prob", drifting.batch * drifting.perturbations))),
        Row("idem: an inner update", "at most 1.5", bench.steps(inner),
            (products(timed, idem.batch, True),
             bench.evaluations("log_prob_and_score", idem.batch * idem.mc_samples))),
        Row("dft: two updates of the score network, one of the generator", "at most 1.5",
            bench.steps(dft, 3),
            (*[products(generator, dft.batch, False), products(score_net, dft.batch, True)] * 2,
             products(generator, dft.batch, True), products(score_net, dft.batch, False),
             products(back, dft.batch, False),
             bench.evaluations("score", dft.batch), bench.evaluations("hvp", dft.batch)))]


def draws(bench: Bench, n: int = 100_000) -> list[Row]:
    """A draw of each one-step generator, over its products."""
    size = nets.BLOCK if bench.device == "cpu" else nets.WIDE_BLOCK
    return [Row(f"{name}: a draw of {n:,} points", "at most 1.25", bench.draw(made, n),
                tuple(Products(mlp(made.latent, made.width, made.layers, 2), min(size, n - k),
                               bench.device, False) for k in range(0, n, size)))
            for name in ("drifting", "dft") for made in [load("samplers", name)]]


def chains(bench: Bench) -> list[Row]:
    """Twenty steps of 1,024 chains as written, over the same compiled."""
    return [Row(f"{name}: uncompiled over compiled", "", bench.steps(made, 20),
                (bench.steps(made, 20, compiled=True, burn=60),))
            for name in ("ula", "mala", "hmc") for made in [load("samplers", name, chains=1024)]]


def disagreement(device: str) -> float:
    """Largest difference from the CPU, in float64, of one transition of each chain sampler."""
    worst = 0.0
    for name in ("gmm4", "banana", "funnel", "gmm40_fab"):
        home = load("targets", name)
        rng = torch.Generator().manual_seed(0)
        x = 0.3 * home.scale * torch.randn(256, 2, generator=rng, dtype=torch.float64)
        z, u = torch.randn(256, 2, generator=rng), torch.rand(256, generator=rng)
        found = []
        for where in ("cpu", device):
            target = home.to(where, torch.float64)
            at = evaluated(target, x.to(where))
            noise, eps = z.double().to(where), torch.full((256, 1), 0.01, device=where).double()
            found.append([ula.euler(target, at[0], 0.01, noise),
                          mala.transition(target, at, eps, noise, u.double().to(where))[0][0],
                          hmc.transition(target, at, noise, eps, 5, u.double().to(where))[0][0]])
        worst = max(worst, *(float((a - b.cpu()).abs().max())
                             for a, b in zip(*found, strict=True)))
    return worst


def measured(row: Row, device: str, rounds: int) -> str:
    """A line of the table: work and limits in turn, their ratio within each round."""
    works: list[float] = []
    limits: list[float] = []
    for work in (row.work, *row.limits):  # what is compiled, and met for the first time
        once(work, device, 3)
    for _ in range(rounds):
        works.append(once(row.work, device))
        limits.append(sum(once(limit, device) for limit in row.limits))
    ratio = sorted(a / b for a, b in zip(works, limits, strict=True))
    return (f"| {row.name} | {1e3 * statistics.median(works):.2f} "
            f"| {1e3 * statistics.median(limits):.2f} "
            f"| {statistics.median(ratio):.2f} ({ratio[0]:.2f} to {ratio[-1]:.2f}) | {row.bar} |")


def table(device: str, rounds: int) -> list[str]:
    """The lines of the report."""
    gflops, bandwidth = machine(device)
    name = (torch.cuda.get_device_name() if device != "cpu"
            else f"{platform.machine()}, threads: {torch.get_num_threads()}")
    bench = Bench(device)
    lines = [f"{name}; torch {torch.__version__}, Python {platform.python_version()}; "
             f"{gflops:.0f} GFLOP/s, {bandwidth:.0f} GB/s; transitions in float64 differ from the "
             f"CPU's by at most {disagreement(device):.1e}", "",
             "| work | milliseconds | limit | ratio (least to largest) | bar |",
             "|---|---|---|---|---|"]
    lines += [measured(row, device, rounds) for part in (updates, draws, chains)
              for row in part(bench)]
    if device != "cpu":
        lines += ["", f"peak memory {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB"]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--to", type=Path, metavar="FILE.md")
    options = parser.parse_args(arguments)
    if options.device != "cpu" and not torch.cuda.is_available():
        print("error: no CUDA device is there; leave --device out", file=sys.stderr)
        return 2
    steady_torch(options.threads)
    text = "\n".join(table(options.device, options.rounds)) + "\n"
    print(text, end="")
    if options.to:
        options.to.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
