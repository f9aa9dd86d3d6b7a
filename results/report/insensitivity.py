"""What metrics can see, from the committed audits (``results/audit``): power and blind spots.

An audit holds, for a target, how often each metric told samples with a planted defect from its
floor at a 5 % false-alarm rate. A grade is *seen* with a power of at least .9; a metric is *blind*
to a defect where even its strongest grade is seen in less than a quarter of the draws. All defects
are planted in the same draws, so the powers of one metric move together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import ReportError
from bench.core.places import AUDITS
from results.presentation.table import MISSING, Cell, Column, Table, listing, number
from results.records.run_folder import Run

FORMAT = 2
SEEN, BLIND = 0.9, 0.25


@dataclass(frozen=True)
class Power:
    """Draws that saw a defect; ``n`` is the number of points they were made at."""

    seen: int
    draws: int
    n: int

    @property
    def share(self) -> float:
        """The power."""
        return self.seen / self.draws


@dataclass(frozen=True)
class Audit:
    """The content of one audit: a target, its defects, and every metric's draws."""

    target: str
    digest: str
    defects: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of points at which some metric was audited, ascending."""
        return tuple(sorted({int(n) for m in self.metrics.values() for n in m["n"]}))

    def title(self, metric: str) -> str:
        """A metric's title."""
        return str(self.metrics[metric]["title"]).replace("^2", "²")

    def audited(self, metric: str, n: int) -> bool:
        """Whether a metric was audited at n points."""
        return str(n) in self.metrics.get(metric, {}).get("n", {})

    def grades(self, defect: str) -> tuple[str, ...]:
        """Strengths of a defect in words, weakest first."""
        return tuple(self.defects[defect]["grades"])

    def power(self, metric: str, defect: str, grade: str, n: int) -> Power | None:
        """The power at n; from fewer points where all draws there saw the grade already."""
        if not self.audited(metric, n):
            return None
        for size in (s for s in reversed(self.sizes) if s <= n and self.audited(metric, s)):
            power = self.metrics[metric]["n"][str(size)]["power"]
            entry = power.get(defect, {}).get(grade)
            if entry is not None:
                seen, draws = entry
                return Power(seen, draws, size) if size == n or seen == draws else None
        return None


def parse(content: dict[str, Any]) -> Audit:
    """An audit from its file's content; the null is no defect."""
    if content.get("format") != FORMAT:
        raise ReportError(f"the audit is of format {content.get('format')}, this program reads "
                          f"{FORMAT}; audit again")
    sorts = {k: v for k, v in content["defects"].items() if k != "none"}
    return Audit(content["target"], content["digest"], sorts, content["metrics"])


def audits(folder: Path = AUDITS) -> dict[str, Audit]:
    """All audits of a folder, by target."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = parse(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError) as error:
            raise ReportError(f"audit '{path}' cannot be read ({error}); make it again with "
                              f"python -m bench.maintain audits --targets {path.stem}") from None
    return found


def smallest_seen(audit: Audit, metric: str, defect: str, n: int) -> str | None:
    """The weakest grade from which on every grade is seen with 90 % power; None if none is."""
    found = None
    for grade in reversed(audit.grades(defect)):
        power = audit.power(metric, defect, grade, n)
        if power is None or power.share < SEEN:
            break
        found = grade
    return found


@dataclass(frozen=True)
class Spot:
    """A defect that a metric does not see even at its strongest grade."""

    metric: str
    defect: str
    title: str
    grade: str
    power: Power

    def __str__(self) -> str:
        return f"{self.title} (power {number(self.power.share, 2, 2)} at {self.grade})"


def blind_spots(audit: Audit, metric: str, n: int) -> list[Spot]:
    """What a metric cannot see at n points."""
    spots = []
    for defect, sort in audit.defects.items():
        grade = audit.grades(defect)[-1]
        power = audit.power(metric, defect, grade, n)
        if power is not None and power.share < BLIND:
            spots.append(Spot(metric, defect, sort["title"], grade, power))
    return spots


def blind_sentence(audit: Audit, metric: str, n: int, title: str = "") -> str:
    """'KSD² cannot see tilted weights (power 0.06 at 60 %) on gmm4 at n = 1000.'; '' if all."""
    spots = blind_spots(audit, metric, n)
    return (f"{title or audit.title(metric)} cannot see {listing([str(s) for s in spots])} on "
            f"{audit.target} at n = {n}.") if spots else ""


# ---- tables ------------------------------------------------------------------------------------


def _size_names(sizes: Sequence[int]) -> str:
    return ", ".join(f"{n:,}".replace(",", "\u202f") for n in sizes)


def _smallest_cell(audit: Audit, metric: str, defect: str, sizes: Sequence[int]) -> Cell:
    """The smallest grade seen, one for each n; unseen is a dot that the notes explain."""
    if defect not in audit.defects or not any(audit.audited(metric, n) for n in sizes):
        return Cell(MISSING)
    texts = []
    for n in sizes:
        texts.append(smallest_seen(audit, metric, defect, n) or "not seen"
                     if audit.audited(metric, n) else MISSING)
    last = audit.power(metric, defect, audit.grades(defect)[-1], sizes[-1])
    share = last.share if last else 0.0
    mark = "fail" if share < BLIND else "warn" if texts[-1] == "not seen" else ""
    text = texts[0] if len(set(texts)) == 1 else " / ".join(texts)
    hint = f"power {number(share, 2, 2)} at {audit.grades(defect)[-1]}, n = {sizes[-1]}"
    return Cell(text, 1.0 - share, mark=mark, hint=hint)


def power_table(audit: Audit, metrics: Sequence[str], n: int) -> Table:
    """Power of each metric at n points: a row for each grade of each defect."""
    shown = [m for m in metrics if audit.audited(m, n)]
    columns = (Column("defect", numeric=False), Column("strength", numeric=False),
               *(Column(m, hint=audit.title(m)) for m in shown))
    rows = []
    for defect, sort in audit.defects.items():
        for grade, note in sort["grades"].items():
            cells = [Cell(sort["title"]), Cell(f"{grade}, {note}" if note else grade)]
            for metric in shown:
                power = audit.power(metric, defect, grade, n)
                cells.append(Cell(MISSING) if power is None else Cell(
                    number(power.share, 2, 2), power.share, hint=f"{power.draws} draws",
                    mark="good" if power.share >= SEEN else ""))
            rows.append(tuple(cells))
    return Table(f"power--{audit.target}--{n}", f"{audit.target}: power at n = {n}", columns,
                 tuple(rows), notes=(_draws_note(audit, shown, n),), sortable=False)


def _draws_note(audit: Audit, metrics: Sequence[str], n: int) -> str:
    counts: dict[int, list[str]] = {}
    for metric in metrics:
        entries = [e for grades in audit.metrics[metric]["n"][str(n)]["power"].values()
                   for e in grades.values()]
        if entries:
            counts.setdefault(entries[0][1], []).append(metric)
    told = "; ".join(f"{draws} for {', '.join(names)}" for draws, names in counts.items())
    return (f"Share of draws with p ≤ 0.05. Draws: {told or 'none at this n'}. What every draw "
            "saw with fewer points was not drawn again.")


def smallest_table(audit: Audit, metrics: Sequence[str]) -> Table:
    """The smallest defect seen with 90 % power, at each n: a row for each defect."""
    shown = [m for m in metrics if m in audit.metrics]
    rows = tuple((Cell(sort["title"]), *(_smallest_cell(audit, m, defect, audit.sizes)
                                         for m in shown))
                 for defect, sort in audit.defects.items())
    columns = (Column("defect", numeric=False),
               *(Column(m, numeric=False, hint=audit.title(m)) for m in shown))
    return Table(f"smallest--{audit.target}", f"{audit.target}: smallest defect seen with 90 % "
                 f"power at n = {_size_names(audit.sizes)}", columns, rows, sortable=False)


def blindness_table(targets: Sequence[str], metrics: Sequence[str],
                    known: dict[str, Audit] | None = None) -> Table:
    """The smallest defect seen with 90 % power at each n: a row for each target and metric."""
    known = audits() if known is None else known
    shown = {t: known[t] for t in targets if t in known}
    sorts = {d: sort["title"] for a in shown.values() for d, sort in a.defects.items()}
    sizes = sorted({n for a in shown.values() for n in a.sizes})
    rows = tuple((Cell(target), Cell(audit.title(metric)),
                  *(_smallest_cell(audit, metric, defect, audit.sizes) for defect in sorts))
                 for target, audit in shown.items() for metric in metrics
                 if metric in audit.metrics)
    columns = (Column("target", numeric=False), Column("metric", numeric=False),
               *(Column(title, numeric=False) for title in sorts.values()))
    return Table("blindness", f"Smallest defect seen with 90 % power at n = {_size_names(sizes)}",
                 columns, rows)


# ---- in a report -------------------------------------------------------------------------------


def of_run(run: Run, known: dict[str, Audit] | None = None) -> dict[str, Audit]:
    """Committed audits that hold for a run's targets: found by how the target behaves."""
    by_digest = {a.digest: a for a in (audits() if known is None else known).values()}
    return {name: by_digest[digest] for name in run.targets
            if (digest := str(run.target(name).get("fingerprint"))) in by_digest}


def _size(audit: Audit, metric: str, n: int) -> int | None:
    """The audited number of points nearest above n: what is unseen there is unseen with fewer."""
    sizes = [s for s in audit.sizes if audit.audited(metric, s)]
    return next((s for s in sizes if s >= n), sizes[-1] if sizes else None)


def blind_sentences(run: Run, known: dict[str, Audit] | None = None) -> list[str]:
    """What the metrics of a run cannot see on its targets; at most one sentence a metric and n.

    Only where the audit is of this target, by its fingerprint, and of this version of the metric.
    """
    offered = int(run.suite.get("n") or 0)
    versions = {m: max(x.version for x in run.measures if x.metric == m)
                for m in dict.fromkeys(x.metric for x in run.measures)}
    held = of_run(run, known)
    said = []
    for label, version in versions.items():
        info = run.metric(label)
        if info["params"]:
            continue  # the audits are of the defaults
        metric = str(info["name"])
        places: dict[int, dict[str, list[Spot]]] = {}
        for name, audit in held.items():
            n = _size(audit, metric, offered)
            if n is not None and audit.metrics[metric]["version"] == version:
                places.setdefault(n, {})[name] = blind_spots(audit, metric, n)
        said += [_grouped(str(info["title"]), n, spots)
                 for n, spots in places.items() if any(spots.values())]
    return said


def _grouped(title: str, n: int, spots: dict[str, list[Spot]]) -> str:
    """'KSD² cannot see tilted weights on gmm4 and gmm4_far (n = 5000, power at most 0.08 ...).'"""
    groups: dict[tuple[str, ...], list[str]] = {}
    for target, found in spots.items():
        if found:
            groups.setdefault(tuple(s.title for s in found), []).append(target)
    told = "; ".join(f"{listing(titles)} on {listing(targets)}"
                     for titles, targets in groups.items())
    most = max(s.power.share for found in spots.values() for s in found)
    return (f"{title} cannot see {told} (n = {n}, power at most {number(most, 2, 2)} at the "
            "strongest grade planted).")
