"""What metrics are insensitive to, from the committed audits (``results.records.audit_file``).

An audit holds, for a target, in how many draws each metric detected an injected defect: rejected
the damaged samples against its floor at a 5 % false-alarm rate. A grade counts as *detected* with
a power of at least .9; a metric is *insensitive* to a defect where even its strongest grade is
detected in less than a quarter of the draws. All defects are injected in the same draws, so the
powers of one metric move together.
"""

from __future__ import annotations

from dataclasses import dataclass

from results.presentation.table import listing, number
from results.records.audit_file import Audit, Power, committed_audits
from results.records.run_folder import Run

DETECTED, INSENSITIVE = 0.9, 0.25


def smallest_detected(audit: Audit, metric: str, defect: str, n: int) -> str | None:
    """The weakest grade from which on every grade is detected with 90 % power; None if none."""
    found = None
    for grade in reversed(audit.grades(defect)):
        power = audit.power(metric, defect, grade, n)
        if power is None or power.share < DETECTED:
            break
        found = grade
    return found


@dataclass(frozen=True)
class Insensitivity:
    """A defect that a metric does not detect even at its strongest grade."""

    metric: str
    defect: str
    title: str
    grade: str
    power: Power

    def __str__(self) -> str:
        return f"{self.title} (power {number(self.power.share, 2, 2)} at {self.grade})"


def insensitivities(audit: Audit, metric: str, n: int) -> list[Insensitivity]:
    """What a metric is insensitive to at n points."""
    found = []
    for defect, kind in audit.defects.items():
        grade = audit.grades(defect)[-1]
        power = audit.power(metric, defect, grade, n)
        if power is not None and power.share < INSENSITIVE:
            found.append(Insensitivity(metric, defect, kind["title"], grade, power))
    return found


def insensitivity_sentence(audit: Audit, metric: str, n: int) -> str:
    """'KSD² is insensitive to tilted weights (power 0.06 at 60 %) on gmm4 at n = 1000.', or ''."""
    found = insensitivities(audit, metric, n)
    return (f"{audit.title(metric)} is insensitive to {listing([str(x) for x in found])} on "
            f"{audit.target} at n = {n}.") if found else ""


# ---- of a run ----------------------------------------------------------------------------------


def of_run(run: Run, known: dict[str, Audit] | None = None) -> dict[str, Audit]:
    """Committed audits that hold for a run's targets: found by how the target behaves."""
    by_digest = {a.digest: a for a in (committed_audits() if known is None else known).values()}
    return {name: by_digest[digest] for name in run.targets
            if (digest := str(run.target(name).get("fingerprint"))) in by_digest}


def _size(audit: Audit, metric: str, n: int) -> int | None:
    """The nearest audited number of points above n: fewer points detect no more."""
    sizes = [s for s in audit.sizes if audit.audited(metric, s)]
    return next((s for s in sizes if s >= n), sizes[-1] if sizes else None)


def insensitivity_sentences(run: Run, known: dict[str, Audit] | None = None) -> list[str]:
    """What the metrics of a run are insensitive to on its targets: a sentence a metric and n.

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
        places: dict[int, dict[str, list[Insensitivity]]] = {}
        for name, audit in held.items():
            n = _size(audit, metric, offered)
            if n is not None and audit.metrics[metric]["version"] == version:
                places.setdefault(n, {})[name] = insensitivities(audit, metric, n)
        said += [_grouped(str(info["title"]), n, spots)
                 for n, spots in places.items() if any(spots.values())]
    return said


def _grouped(title: str, n: int, spots: dict[str, list[Insensitivity]]) -> str:
    """'KSD² is insensitive to tilted weights on gmm4 and gmm4_far (n = 5000, power ...).'"""
    groups: dict[tuple[str, ...], list[str]] = {}
    for target, found in spots.items():
        if found:
            groups.setdefault(tuple(s.title for s in found), []).append(target)
    where = "; ".join(f"{listing(titles)} on {listing(targets)}"
                            for titles, targets in groups.items())
    most = max(s.power.share for found in spots.values() for s in found)
    return (f"{title} is insensitive to {where} (n = {n}, power at most "
            f"{number(most, 2, 2)} at the strongest grade injected).")
