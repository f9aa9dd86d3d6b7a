"""Acceptance criteria as data: ``results/data/acceptance/*.toml``.

    title, suite                   what they are, and the suite whose run they are read from
    sampler, against               who must meet them, and ``no_worse`` than whom
    n, seeds                       points a value, and how many seeds a criterion wants
    notes = ["...", ...]           how the words were read
    [[criteria]]                   targets: labels of the suite; statistic: one of ``STATISTICS``;
                                   text: the criterion in words; metric: of those that judge
                                   samples; optional: limit = "<= 0.02" or ">= 4" (absent:
                                   reported only)

A target's criteria are read together, in the order of its first.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import ReportError
from bench.core.places import ACCEPTANCE
from bench.core.toml_fields import Fields

_LIMIT = re.compile(r"([<>]=)\s*(\d*\.?\d+(?:e[+-]?\d+)?)")

#: Statistic -> the side its limit is on ("" where it has none).
STATISTICS = {
    "mean": "<=",  # of the seeds' values
    "max": "<=",  # the worst seed
    "mean_over_floor": "<=",  # mean over seeds, in units of the floor's mean
    "signed_mean": "<=",  # modulus of the mean over seeds of the signed value, parts[0]
    "at_floor": ">=",  # seeds that do not differ significantly from exact samples
    "no_worse": "",  # than the rival: failed seeds first, then the excess over the floor
    "seconds": "<=",  # CPU seconds of training and one draw, the worst seed
    "evaluations": "<=",  # of every kind, of training and one draw, the worst seed
}
#: Those that read a job's cost, and so no metric.
COSTS = ("seconds", "evaluations")


@dataclass(frozen=True)
class Criterion:
    """One criterion on one target; ``limit`` None is reported without a verdict."""

    target: str
    metric: str  # "" for a cost
    statistic: str
    limit: float | None
    text: str

    @property
    def binding(self) -> bool:
        """Whether it can be met or missed at all."""
        return self.limit is not None or self.statistic == "no_worse"


@dataclass(frozen=True)
class Criteria:
    """A file of criteria, those of a target together, in the order of their first."""

    title: str
    suite: str
    sampler: str
    against: str
    n: int
    seeds: int
    notes: tuple[str, ...]
    criteria: tuple[Criterion, ...]


def read_criteria(path: Path = ACCEPTANCE / "drifting_bars.toml") -> Criteria:
    """Read and check one file; ReportError names the file, the place and what is wrong there."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ReportError(f"{path.name}: not readable as TOML ({error})") from None
    top = Fields(path.name, raw)
    found = [criterion for part in top.parts("criteria") for criterion in _criteria(part)]
    order = list(dict.fromkeys(c.target for c in found))
    found.sort(key=lambda c: order.index(c.target))
    made = Criteria(top.text("title"), top.text("suite"), top.text("sampler"), top.text("against"),
                top.whole("n"), top.whole("seeds"), top.texts("notes"), tuple(found))
    top.done()
    return made


def _criteria(part: Fields) -> list[Criterion]:
    statistic = part.text("statistic")
    if statistic not in STATISTICS:
        part.fail(f"no statistic '{statistic}'; there are: {', '.join(STATISTICS)}")
    metric, targets = part.text("metric", ""), part.texts("targets")
    if bool(metric) == (statistic in COSTS):
        part.fail(f"'{statistic}' wants {'no' if metric else 'a'} metric")
    if not targets:
        part.fail("'targets' is empty: name at least one")
    text, limit = part.text("text"), _limit(part, statistic)
    part.done()
    return [Criterion(target, metric, statistic, limit, text) for target in targets]


def _limit(part: Fields, statistic: str) -> float | None:
    written = part.text("limit", "")
    if not written:
        return None
    found, side = _LIMIT.fullmatch(written.strip()), STATISTICS[statistic]
    if found is None or found[1] != side:
        part.fail(f"'limit' of '{statistic}' must be "
                  + (f'written as "{side} 0.5"' if side else "left out") + f", not {written!r}")
    return float(found[2])
