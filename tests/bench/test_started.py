"""Processes that a sampler starts: charged while they live and after, counted in memory, sealed.

Before, all of it was free: 60,200 evaluations in a fork pool were charged as 300.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.core import compilation as part
from bench.core.seal import SealedError, sealed
from bench.harness import processes
from bench.harness.clock import Clock
from bench.harness.meter import Ledger, MeteredTarget, MeterError
from bench.harness.processes import cpu_seconds, descendants, exceeds
from samplers.mcmc.ula import Ula
from targets.base import Target

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
BURN = "import time\nwhile time.process_time() < 0.4: pass\n"
MIB = 1 << 20


class Quartic(Target):
    """log p = -sum x^4 / 4."""

    name = "quartic"
    dim = 2
    scale = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x**4).sum(-1) / 4

    def score(self, x: Tensor) -> Tensor:
        return -(x**3)


def metered() -> tuple[MeteredTarget, Ledger]:
    target = Quartic()
    ledger = Ledger(target.device)
    return MeteredTarget(target, ledger), ledger


def forked(act: Callable[[], object]) -> str:
    """What an act raises in a copy of this process, as a sentence."""
    out, into = os.pipe()
    copy = os.fork()
    if not copy:
        try:
            act()
            said = "nothing"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    os.waitpid(copy, 0)
    with open(out, "rb") as file:
        return file.read().decode()


@pytest.mark.parametrize("verb", ["log_prob", "score", "log_prob_and_score"])
def test_a_metered_target_answers_in_its_own_process_only(verb: str) -> None:
    face, ledger = metered()
    x = torch.ones(3, 2)
    assert forked(lambda: getattr(face, verb)(x)).startswith("MeterError: the target was eval")
    assert forked(lambda: getattr(face, verb)(x.requires_grad_())).startswith("MeterError")
    assert forked(lambda: face.hvp(x, x)).startswith("MeterError")
    assert ledger.cost("train").evaluations() == 0
    getattr(face, verb)(torch.ones(3, 2))
    assert ledger.cost("train").evaluations() == 3


def test_a_graph_goes_backward_in_its_own_process_only() -> None:
    face, _ = metered()
    x = torch.ones(3, 2, requires_grad=True)
    value = face.log_prob(x).sum()
    assert forked(lambda: torch.autograd.grad(value, x)).startswith("MeterError")


@pytest.mark.filterwarnings("default")  # Dynamo trips over deprecations of torch's
def test_a_compiled_step_counts_in_its_own_process_only() -> None:
    """The count stands inside the graph, so that a copy would have kept it to itself."""
    face, ledger = metered()
    torch._dynamo.reset()
    step = torch.compile(lambda x: x + 0.1 * face.score(x), backend="eager")
    for _ in range(3):
        step(torch.ones(5, 2))
    assert ledger.cost("train").score == 15
    assert "MeterError" in forked(lambda: step(torch.ones(5, 2)))


def _work(x: Tensor) -> Tensor:
    return _face.score(x)


_face: MeteredTarget


def test_a_pool_of_copies_gets_a_sentence() -> None:
    global _face
    _face = metered()[0]
    with get_context("fork").Pool(1) as pool, pytest.raises(MeterError, match="another process"):
        pool.map(_work, [torch.ones(3, 2)])


def test_a_process_started_by_a_sampler_is_sealed() -> None:
    code = ("import torch; from bench.core.registry import load\n"
            "from bench.core.seal import SealedError\n"
            "try: load('targets', 'gaussian').score(torch.zeros(1, 2))\n"
            "except SealedError: print('sealed')")

    def said() -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=True).stdout

    with sealed():
        assert said() == "sealed\n"
        assert forked(lambda: Quartic().score(torch.ones(3, 2))).startswith(SealedError.__name__)
    assert said() == ""


def test_processor_time_of_processes_is_charged_once() -> None:
    clock = Clock(torch.device("cpu"))
    with clock.timing():
        subprocess.run([sys.executable, "-c", BURN], check=True)
        assert 0.4 <= clock.seconds() < 0.8
        # alive, and below a process that only waits
        nested = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r} + " \
                 "'time.sleep(60)'])"
        child = subprocess.Popen([sys.executable, "-c", nested])
        until = time.monotonic() + 30
        while clock.seconds() < 0.8 and time.monotonic() < until:
            time.sleep(0.05)
        before = clock.seconds()
        assert 0.8 <= before < 1.6
        for pid in [child.pid, *descendants(child.pid)]:
            os.kill(pid, signal.SIGKILL)
        child.wait()
        assert clock.seconds() < before + 0.3
    assert clock.read().cpu == clock.read().seconds >= 0.4


def test_without_processes_the_clock_lists_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at every step: a list of processes would cost more than many a step."""
    def childless(*_: object) -> None:
        raise ChildProcessError

    listed: list[int] = []
    monkeypatch.setattr(os, "waitid", childless)
    monkeypatch.setattr(processes, "descendants", lambda pid: listed.append(pid) or [])
    assert cpu_seconds() > 0
    assert listed == []
    monkeypatch.setattr(os, "waitid", lambda *_: None)
    cpu_seconds()
    assert listed == [os.getpid()]


def test_the_compiler_is_not_charged() -> None:
    """It is a process too: what the clock counts of it, the bill takes off."""
    part.compile_cost()
    clock = Clock(torch.device("cpu"))
    with clock.timing():
        part._Watch.start(None)
        subprocess.run([sys.executable, "-c", BURN], check=True)
        part._Watch.end(None)
        clock.subtract(part.compile_cost().cpu, 0.0)
        assert clock.seconds() < 0.2


def test_memory_counts_helpers_but_no_shared_page_twice() -> None:
    hold = f"import time; x = bytearray({300 * MIB}); x[::4096] = b'1' * len(x[::4096])\n"
    fork = "import os\nfor _ in range(3):\n    if not os.fork(): time.sleep(60)\n"
    for code, more, less in (
            (f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {hold!r} + "
             "'print(1, flush=True); time.sleep(60)'])", 250, 1000),
            (hold + fork + "print(1, flush=True); time.sleep(60)", 250, 600)):
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                                 start_new_session=True)
        assert child.stdout is not None
        child.stdout.readline()
        try:
            assert exceeds(child.pid, more * MIB) and not exceeds(child.pid, less * MIB)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()


def test_no_process_is_started_by_our_own_samplers() -> None:
    """So that the slow reading of the clock is nobody's but a plugin's."""
    before = descendants(os.getpid())  # such as the helper of other tests
    face, _ = metered()
    sampler, rng = Ula(chains=8), torch.Generator().manual_seed(0)
    sampler.step(face, sampler.init(face, rng), 0.0, rng)
    assert descendants(os.getpid()) == before
