"""Every metric that discovery finds keeps the laws of the conformance kit."""

from __future__ import annotations

import pytest

from bench.conformance.kit import KITS
from bench.conformance.law import Law
from bench.conformance.metrics import LAWS
from bench.core.errors import MissingPackage
from bench.core.registry import catalogue

NAMES = [pytest.param(name, marks=pytest.mark.slow) if entry.attributes.get("trains") else name
         for name, entry in sorted(catalogue()["metrics"].items())]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_keeps_the_law(name: str, law: Law) -> None:
    try:
        case = KITS["metrics"].case(name, None, 0)
    except MissingPackage as error:
        pytest.skip(str(error))
    outcome = law.examine(case, case.metric.exempt)
    assert outcome.status != "failed", f"expected: {outcome.expected}; measured: {outcome.said}"
