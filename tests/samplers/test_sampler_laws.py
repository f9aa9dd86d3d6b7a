"""Every sampler that discovery finds keeps the laws of the conformance kit.

``KIT_SEED=3 python -m pytest tests/samplers/test_sampler_laws.py -m "slow or not slow" -k
recovers`` repeats the recovery of the distributions at another seed than 0; docs/samplers.md says
at which it was.
"""

from __future__ import annotations

import pytest

from bench.conformance.law import Law
from bench.conformance.samplers import LAWS, recovers_distribution
from tests.support.sampler_cases import SAMPLERS, case, marked

CONTRACT = [law for law in LAWS if law.check is not recovers_distribution]


def examined(law: Law, name: str) -> None:
    tried = case(name)
    outcome = law.examine(tried, tried.sampler.exempt)
    assert outcome.status != "failed", f"expected: {outcome.expected}; measured: {outcome.said}"


@pytest.mark.parametrize("name", [marked(name) for name in SAMPLERS])
def test_recovers_distribution(name: str) -> None:
    examined(Law(recovers_distribution), name)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.name)
def test_keeps_the_contract(law: Law, name: str) -> None:
    examined(law, name)
