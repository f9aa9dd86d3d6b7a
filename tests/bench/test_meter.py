"""Every way past the meter is tried: each is counted, or raises."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.core.registry import catalogue, load
from bench.core.seal import SealedError, sealed
from bench.harness.meter import Ledger, MeteredTarget, MeterError
from targets.base import Target


class Quartic(Target):
    """log p = -sum x^4 / 4, all derivatives by autograd."""

    name = "quartic"
    dim = 2
    scale = 1.0

    def log_prob(self, x: Tensor) -> Tensor:
        return -(x**4).sum(-1) / 4


class ClosedForm(Quartic):
    """The same with its score written out, so that nothing breaks a graph."""

    def score(self, x: Tensor) -> Tensor:
        return -(x**3)


@pytest.fixture
def metered() -> tuple[MeteredTarget, Ledger]:
    target = Quartic()
    ledger = Ledger(target.device)
    return MeteredTarget(target, ledger), ledger


def rows(ledger: Ledger, phase: str = "train") -> tuple[int, int, int]:
    ledger.reconcile()
    cost = ledger.cost(phase)
    return cost.density, cost.score, cost.hvp


def points(n: int, grad: bool = False) -> Tensor:
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.requires_grad_(grad)


def test_plain_calls_are_charged_by_row(metered: Any) -> None:
    face, ledger = metered
    face.log_prob(points(3))
    face.score(points(5))
    face.log_prob_and_score(points(7))
    face.hvp(points(11), points(11))
    assert rows(ledger) == (3, 12, 11)


def test_backward_through_log_prob_is_a_score_row(metered: Any) -> None:
    face, ledger = metered
    x = points(4, grad=True)
    (g,) = torch.autograd.grad(face.log_prob(x).sum(), x)
    assert rows(ledger) == (4, 4, 0)
    torch.testing.assert_close(g, -x.detach() ** 3)


def test_backward_through_score_is_a_hessian_row(metered: Any) -> None:
    face, ledger = metered
    x = points(4, grad=True)
    (g,) = torch.autograd.grad(face.score(x).sum(), x)
    assert rows(ledger) == (0, 4, 4)
    torch.testing.assert_close(g, -3 * x.detach() ** 2)


def test_twice_backward_through_log_prob(metered: Any) -> None:
    face, ledger = metered
    x = points(4, grad=True)
    (g,) = torch.autograd.grad(face.log_prob(x).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert rows(ledger) == (4, 4, 4)
    torch.testing.assert_close(h, -3 * x.detach() ** 2)


def test_backward_through_both(metered: Any) -> None:
    face, ledger = metered
    x = points(4, grad=True)
    value, score = face.log_prob_and_score(x)
    (g,) = torch.autograd.grad(value.sum() + score.sum(), x)
    assert rows(ledger) == (0, 4, 4)
    torch.testing.assert_close(g, -x.detach() ** 3 - 3 * x.detach() ** 2)


def test_third_derivatives_raise(metered: Any) -> None:
    face, _ = metered
    x = points(4, grad=True)
    (h,) = torch.autograd.grad(face.score(x).sum(), x, create_graph=True)
    with pytest.raises(MeterError, match="third derivatives"):
        torch.autograd.grad(h.sum(), x)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # torch's own jvp still uses it
@pytest.mark.parametrize("transform", [
    lambda f, x: torch.func.vmap(lambda y: f(y[None]).squeeze(0))(x),
    lambda f, x: torch.func.vmap(torch.func.grad(lambda y: f(y[None]).sum()))(x),
    lambda f, x: torch.func.grad(lambda y: f(y).sum())(x),
    lambda f, x: torch.func.jacrev(f)(x),
    lambda f, x: torch.func.jvp(f, (x,), (x,)),
    lambda f, x: torch.func.hessian(lambda y: f(y).sum())(x),
], ids=["vmap", "vmap_grad", "grad", "jacrev", "jvp", "hessian"])
def test_function_transforms_raise(metered: Any, transform: Any) -> None:
    face, _ = metered
    for f in (face.log_prob, face.score):
        with pytest.raises((MeterError, RuntimeError)):
            transform(f, points(4))


def test_vmap_over_batches_raises_rather_than_under_counts(metered: Any) -> None:
    face, ledger = metered
    with pytest.raises(MeterError, match="torch.func"):
        torch.func.vmap(face.log_prob)(points(12).reshape(3, 4, 2))
    assert rows(ledger) == (0, 0, 0)


def test_more_axes_raise(metered: Any) -> None:
    face, _ = metered
    with pytest.raises(MeterError, match="shape"):
        face.log_prob(points(12).reshape(3, 4, 2))


def test_threads_are_counted_exactly(metered: Any) -> None:
    face, ledger = metered
    threads = [threading.Thread(target=lambda: [face.score(points(3)) for _ in range(200)])
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(ledger) == (0, 2400, 0)


@pytest.mark.filterwarnings("default")  # Dynamo trips over a deprecation of torch's own
@pytest.mark.parametrize("backend", ["eager", "aot_eager",
                                     pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_calls_count_inside_the_graph(backend: str) -> None:
    target = ClosedForm()
    ledger = Ledger(target.device)
    face = MeteredTarget(target, ledger)
    graphs = 0

    def counting(graph: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return torch._dynamo.lookup_backend(backend)(graph, inputs)

    @torch.compile(backend=counting)
    def step(x: Tensor) -> Tensor:
        return x + 0.1 * face.score(x)

    torch._dynamo.reset()
    x = points(50)
    for _ in range(20):
        x = step(x)
    assert rows(ledger) == (0, 1000, 0)
    assert graphs == 1, "the counter must not force a recompilation"


@pytest.mark.filterwarnings("default")
def test_compiled_gradients_are_counted(metered: Any) -> None:
    face, ledger = metered

    @torch.compile(backend="eager")
    def step(x: Tensor) -> Tensor:
        leaf = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(face.log_prob(leaf).sum(), leaf)
        return (leaf + 0.1 * g).detach()

    torch._dynamo.reset()
    x = points(50)
    for _ in range(10):
        x = step(x)
    assert rows(ledger) == (500, 500, 0)


def test_phases_are_apart(metered: Any) -> None:
    face, ledger = metered
    face.score(points(2))
    with ledger.phase("draw"):
        face.score(points(5))
    with ledger.phase("uncharged"):
        face.score(points(7))
    assert rows(ledger) == (0, 2, 0)
    assert rows(ledger, "draw") == (0, 5, 0)


def reachable(start: Any, depth: int = 5) -> list[Any]:
    """All that a walk over attributes, slots, items and closures finds."""
    seen: dict[int, Any] = {}
    frontier = [start]
    for _ in range(depth):
        found: list[Any] = []
        for thing in frontier:
            for name in dir(thing):
                if name == "__globals__":  # a module's globals are imports, which are sealed
                    continue
                try:
                    found.append(getattr(thing, name))
                except Exception:
                    continue
            if isinstance(thing, tuple | list):
                found += list(thing)
            if isinstance(thing, dict):
                found += list(thing.values())
        frontier = [f for f in found if id(f) not in seen and not isinstance(f, type)]
        seen |= {id(f): f for f in frontier}
    return list(seen.values())


def test_no_attribute_leads_to_the_bare_target(metered: Any) -> None:
    face, _ = metered
    x = points(3, grad=True)
    value, score = face.log_prob_and_score(x)
    for start in (face, face.log_prob(x).grad_fn, value.grad_fn, score.grad_fn):
        assert not [f for f in reachable(start, depth=3) if isinstance(f, Target)]


def test_the_walk_would_find_a_target_that_is_there() -> None:
    class Leaky:
        def __init__(self) -> None:
            self.inner = {"deep": [Quartic()]}

    assert [f for f in reachable(Leaky(), depth=4) if isinstance(f, Target)]


def test_copies_and_pickles_are_refused(metered: Any) -> None:
    face, _ = metered
    for attempt in (lambda: pickle.dumps(face), lambda: copy.deepcopy(face)):
        with pytest.raises(MeterError):
            attempt()


def test_a_target_of_ones_own_is_sealed(metered: Any) -> None:
    face, ledger = metered
    target = Quartic()
    with sealed():
        for attempt in (target.log_prob, target.score, target.log_prob_and_score,
                        Quartic().log_prob, target.to("cpu", torch.float32).log_prob):
            with pytest.raises(SealedError, match="past the meter"):
                attempt(points(2))
        face.score(points(3))
    assert rows(ledger) == (0, 3, 0)
    target.log_prob(points(2))


@pytest.mark.parametrize("name", sorted(catalogue()["targets"]))
def test_every_target_is_sealed(name: str) -> None:
    target = load("targets", name)
    with sealed():
        for attempt in (target.log_prob, target.score, target.log_prob_and_score):
            with pytest.raises(SealedError):
                attempt(points(2))
        if target.has_reference:
            with pytest.raises(SealedError):
                target.sample(3, torch.Generator())
