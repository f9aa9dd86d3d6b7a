"""Measures which injected defects each metric detects, and whether its floors hold.

``python -m bench.maintain audits --targets gmm4`` writes one file a target
(``results.records.audit_file``), and computes only what is not there yet for the same target,
metric version, defect version and floor. All metrics on gmm4 at 1,000 and 5,000 points took 366 s
of one core, 40 draws with defects at 5,000.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import ReportError, UserError
from bench.core.places import AUDITS, FLOORS
from bench.core.registry import load, own
from bench.jobs.floors import committed_floors
from bench.maintain.options import named_targets, numbers
from metrics.audit.audit import audit
from metrics.audit.power import CannotJudge, Effort
from results.records.audit_file import read_content, write_content
from targets.base import Target


def write_audit(name: str, ns: Sequence[int], effort: Effort, floors: Path, out: Path,
                jobs: int = 1) -> None:
    """Bring the audit of a target up to date; raises UserError where it cannot be made."""
    target: Target = load("targets", name)
    known = committed_floors(name, target, [load("metrics", m) for m in own("metrics")], floors)
    if not known:
        raise UserError(f"target '{name}' has no floors in {floors}; draw them with "
                        f"python -m bench.maintain floors --targets {name}")
    path = out / f"{name}.json"
    stored = _stored(path)
    try:
        content = audit(name, ns, effort, known, stored, jobs=jobs,
                        say=lambda line: print(line, file=sys.stderr, flush=True))
    except CannotJudge as error:
        raise UserError(f"the audit of '{name}' stops: {error}") from error
    write_content(path, content)


def _stored(path: Path) -> dict[str, Any]:
    """What is there already; nothing where it is damaged or of an older format."""
    try:
        return read_content(path) if path.exists() else {}
    except ReportError:
        return {}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.maintain audits", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", required=True, type=named_targets,
                        help="names, separated by commas")
    parser.add_argument("--n", default="1000,5000", type=numbers, help="numbers of points")
    parser.add_argument("--draws", type=int, default=Effort.draws, help="draws with each defect")
    parser.add_argument("--null", type=int, default=Effort.null, help="draws without a defect")
    parser.add_argument("--floors", type=Path, default=FLOORS)
    parser.add_argument("--out", type=Path, default=AUDITS)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args(arguments)
    for name in options.targets:
        write_audit(name, options.n, Effort(options.draws, options.null), options.floors,
                    options.out, options.jobs)
    return 0
