"""Samplers excused from a law of the conformance kit, with the reason; printed by ``list``.

Keys are (sampler, law), a law being the name of the kit's test without its ``test_``. No sampler
that claims to sample its target may be excused from ``recovers_law``.
"""

from __future__ import annotations

EXEMPTIONS: dict[tuple[str, str], str] = {
    ("initial", "recovers_law"): "a baseline: draws the initial distribution, which must fail",
    ("overhead", "recovers_law"): "a baseline: draws the initial distribution, which must fail",
}
