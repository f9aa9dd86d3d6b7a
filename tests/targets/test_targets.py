"""Every target that discovery finds keeps the laws of the conformance kit, hot and cold."""

from __future__ import annotations

import pytest
import torch

from bench.conformance.law import Law
from bench.conformance.targets import LAWS
from tests.support.target_cases import CASES, NAMES, Parameters, case, made

#: Laws of what a target declares, and of copies: they say nothing new at another temperature.
AT_ONE = {"keeps_the_contract", "tempering_divides_the_log_density", "scale_is_about_the_size",
          "a_single_precision_copy_agrees", "single_precision_points_obey_stein",
          "points_come_from_the_generator_alone", "the_window_shows_the_points"}
TRIED = [pytest.param(name, tau, more, law,
                      id=f"{name}{'' if not more else more[0][1]}@{tau:g}-{law.name}")
         for name, tau, more in CASES for law in LAWS
         if law.name not in AT_ONE or (tau, more) == (1.0, ())]


@pytest.mark.parametrize(("name", "tau", "parameters", "law"), TRIED)
def test_keeps_the_law(name: str, tau: float, parameters: Parameters, law: Law) -> None:
    """Without exemptions: the funnel is tried in coordinates that straighten its neck."""
    outcome = law.examine(case(name, tau, parameters), {})
    assert outcome.status != "failed", f"expected: {outcome.expected}; measured: {outcome.said}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_tempering_divides_the_log_density(name: str, tau: float) -> None:
    x = case(name).start
    torch.testing.assert_close(made(name, tau).log_prob(x), made(name).log_prob(x) / tau)
