"""Speeds of our own work: ``python -m pytest tests/benchmarks --benchmark-only``.

Shown and never gated. With benchmarks disabled (the default) each piece of work is done once,
which still tests that it runs, and the compiled ones are left out.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.peers import BARS
from tests.benchmarks.work import UNCOMPILED, WORK

CASES = [(name, compiled) for name in WORK for compiled in (False, True)
         if not (compiled and name in UNCOMPILED)]


@pytest.mark.filterwarnings("default")  # Dynamo trips over deprecations of torch's own
@pytest.mark.parametrize(("name", "compiled"), CASES,
                         ids=[f"{n}{' (compiled)' if c else ''}" for n, c in CASES])
def test_work(benchmark: Any, name: str, compiled: bool) -> None:
    """``extra_info`` holds the units a call does; units over the mean time is the rate."""
    if compiled and benchmark.disabled:
        pytest.skip("compiled work is timed, or tested by tests/bench/test_fused.py")
    unit, make = WORK[name]
    once, units = make(compiled)
    once()
    benchmark.pedantic(once, rounds=7, warmup_rounds=1)
    benchmark.extra_info |= {"unit": unit, "units": units}


def test_every_work_has_its_bars() -> None:
    assert set(BARS) == set(WORK)
