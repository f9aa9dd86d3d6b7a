"""The script that is run on a GPU works on a CPU, and its limits are what they say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.core.registry import load
from tests.benchmarks import limits
from tests.benchmarks.limits import Bench, Products, Row


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench("cpu")


def test_a_line_of_the_table(bench: Bench) -> None:
    calls: list[str] = []
    row = Row("work", "at most 2", lambda: calls.append("work"), (lambda: calls.append("limit"),))
    line = limits.measured(row, "cpu", rounds=2)
    assert calls[6:] == ["work", "limit"] * 2  # in turn, after three calls of each
    assert line.startswith("| work | ") and line.endswith(" | at most 2 |")


@pytest.mark.parametrize("part", [limits.updates, lambda b: limits.draws(b, 5000)])
def test_work_and_limits_run(bench: Bench, part: object) -> None:
    for row in part(bench):  # type: ignore[operator]
        for work in (row.work, *row.limits):
            work()


def test_the_device_agrees_with_the_cpu() -> None:
    assert limits.disagreement("cpu") == 0.0


def test_no_device_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert limits.main(["--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("error: no CUDA device")


def flops(products: Products) -> int:
    return sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b in products.pairs)


@pytest.mark.parametrize("backward", [False, True])
def test_products_are_those_of_the_network(bench: Bench, backward: bool) -> None:
    """Counted by torch itself on the network of drifting."""
    from torch.utils.flop_counter import FlopCounterMode

    made = load("samplers", "drifting", batch=64)
    net: nn.Module = made.init(bench.face, torch.Generator()).generator
    with FlopCounterMode(display=False) as counter:
        y = net(torch.randn(64, made.latent))
        if backward:
            y.sum().backward()
    sizes = limits.mlp(made.latent, made.width, made.layers, 2)
    assert flops(Products(sizes, 64, "cpu", backward)) == counter.get_total_flops()
