"""Samplers as the conformance kit tries them: with the small settings of their own files."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench.conformance.kit import KITS
from bench.conformance.samplers import SamplerCase
from bench.conformance.trial import Trial
from bench.core.errors import MissingPackage
from bench.core.registry import catalogue

SEED = int(os.environ.get("KIT_SEED", "0"))  # at which the distributions must be recovered
SAMPLERS = sorted(catalogue()["samplers"])


def case(name: str) -> SamplerCase:
    """The kit's case; skips where an optional package is not installed."""
    try:
        made: SamplerCase = KITS["samplers"].case(name, None, SEED)
    except MissingPackage as error:
        pytest.skip(str(error))
    return made


def trial(name: str) -> Trial:
    """A short run on the skewed distribution, not yet begun."""
    return case(name).trial()


def marked(name: str) -> Any:
    """The name as a parameter, slow where the sampler's own file says so."""
    settings = catalogue()["samplers"][name].attributes.get("law_settings") or {}
    return pytest.param(name, marks=pytest.mark.slow) if settings.get("slow") else name
