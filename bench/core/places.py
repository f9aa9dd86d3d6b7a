"""Where committed data lies."""

from __future__ import annotations

from pathlib import Path

#: The folder that holds the five packages.
ROOT = Path(__file__).resolve().parents[2]

SUITES = ROOT / "bench" / "suite" / "files"
PRESETS = ROOT / "bench" / "suite" / "presets"

_DATA = ROOT / "results" / "data"
#: Null distributions of metrics, a file a target.
FLOORS = _DATA / "floors"
#: What each metric can detect, a file a target.
AUDITS = _DATA / "audits"
#: Runs frozen to judge later ones by.
BASELINES = _DATA / "baselines"
#: Figures of papers, a file a table.
PUBLISHED = _DATA / "published"
#: Acceptance criteria that were set before a run, a file a suite.
ACCEPTANCE = _DATA / "acceptance"
#: Simulations of the statistics themselves.
STUDIES = _DATA / "studies"
#: Finished runs that the documentation is made from; not part of the wheel.
RUNS = _DATA / "runs"
