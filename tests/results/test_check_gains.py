"""Better in one metric is not better: what a check may call better, and how it says so."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from bench.core.places import BASELINES
from bench.maintain.check_calibration import MUTATIONS
from results.regression.baseline import SamplerOnTarget
from results.regression.baseline_file import read
from results.regression.formats import as_json, junit, markdown, print_text
from results.regression.verdicts import Check, check
from tests.support.check_fake import cell, snapshot

OLD = {"mmd": np.random.default_rng(1).normal(1e-3, 1e-4, 45),
       "w2": np.random.default_rng(2).normal(0.1, 6e-3, 45)}


def moved(mmd: float, w2: float, seeds: int = 5) -> SamplerOnTarget:
    """Fresh seeds whose metrics lie so many deviations off."""
    rng = np.random.default_rng(3)
    return cell({"mmd": rng.normal(1e-3 + 1e-4 * mmd, 1e-4, seeds),
                 "w2": rng.normal(0.1 + 6e-3 * w2, 6e-3, seeds)}, seeds=range(100, 100 + seeds))


def judged(mmd: float, w2: float, seeds: int = 5) -> Check:
    return check(snapshot(cell(OLD)), snapshot(moved(mmd, w2, seeds)))


def test_a_fall_of_every_metric_is_better() -> None:
    found = judged(-8, -8)
    assert [f.verdict for f in found.findings] == ["better"] and found.code == 0


@pytest.mark.parametrize(("w2", "why"), [
    (1.5, "lower in mmd, not a gain in quality: w2 rose"),
    (0.0, "lower in mmd, not a gain in quality: the worst metric of a seed did not fall")])
def test_a_fall_of_one_metric_is_lower_in_every_format(w2: float, why: str) -> None:
    """Both were '1 better', the first while the other metric rose by 1.5 deviations."""
    found = judged(-8, w2)
    finding, = found.findings
    assert (finding.verdict, finding.reason, found.code) == ("lower", why, 0)
    console = Console(record=True, width=200)
    print_text(found, console)
    cases = ElementTree.fromstring(junit(found)).findall("testcase")
    assert why in str(cases[0][0].text) and cases[0][0].tag == "system-out"
    for text in (console.export_text(), markdown(found), as_json(found)):
        assert why in text and "Better in one metric is not better" in text
        assert "1 better" not in text
    assert json.loads(as_json(found))["findings"][0]["verdict"] == "lower"


def test_a_rise_that_fires_is_worse_whatever_else_fell() -> None:
    finding, = judged(-8, 9).findings
    assert finding.verdict == "worse"


@pytest.mark.parametrize("seeds", [5, 20, 40])
def test_langevin_with_too_little_noise_is_not_called_better(seeds: int) -> None:
    """Noise scaled by .9: the gate said 'better' of squiggle, by the energies alone."""
    base, mutation = read(BASELINES / "smoke.json"), read(MUTATIONS / "ula_noise.json.gz")
    run = replace(mutation, cells=tuple(c.at(range(seeds)) for c in mutation.cells))
    verdicts = {f.name: f.verdict for f in check(base, run, samplers=("ula",)).findings
                if f.what == "quality"}
    assert verdicts["ula", "squiggle"] == "lower" and "better" not in verdicts.values()


def test_too_few_fresh_seeds_clear_nobody() -> None:
    """A confirmation that could not fire said 'not confirmed', and the gate was open."""
    old, run = snapshot(cell(OLD)), snapshot(moved(9, 9))
    found = check(old, run, fresh=snapshot(moved(0, 0, 1)))
    assert [f.verdict for f in found.findings] == ["worse"] and found.code == 1
    enough = check(old, run, fresh=snapshot(moved(0, 0, 20)))
    assert [f.verdict for f in enough.findings] == ["not confirmed"]
