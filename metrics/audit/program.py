r"""What a metric can see: the power of each to detect planted defects, and whether floors hold.

One draw takes 2 n exact points, n as samples and n as reference. Every defect of
``metrics.audit.defects`` is planted in the same samples and every metric is asked, with one
evidence a draw. A defect is *seen* where p <= .05 against the metric's floor, as the judge has it;
power is the share of draws that see it. Without a defect the same draws give the false-alarm rate
and the null mean. Draws are seeded by target, n and their own number, apart from the seeds of
jobs and of floors. ``python -m metrics.audit.program`` writes one file a target, and computes only
what is not there yet for the same target, metric version, defect version and floor:

    metrics/M/ruler              growth and contrast (``metrics.audit.false_alarms``)
    metrics/M/n/N/floor          number of floor draws, and their checksum
    metrics/M/n/N/null           draws, seen, reached (ties count), mean, sd, skewness
    metrics/M/n/N/power/D/GRADE  [seen, draws]

Beyond 2,000 points fewer draws are made (``Effort``), and a grade that a metric saw in every draw
at a smaller n (at least 20) is not drawn again: points that are independent under the defect give
no less power when there are more of them. Duplicated points are not, and are always drawn. All
metrics on gmm4 at 1,000 and 5,000 points took 366 s of one core, 40 draws with defects at 5,000.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.fingerprint import digest, fingerprint, same
from bench.core.places import AUDITS, FLOORS
from bench.core.registry import load as registered
from bench.core.registry import own
from metrics.audit.defect import Defect
from metrics.audit.defects import Duplicates, Nothing, defects
from metrics.audit.false_alarms import LEVEL, null_of, ruler, threshold
from metrics.audit.power import CannotJudge, Effort, Loader, Tally, Task, Wanted, cost, run
from metrics.base import Metric
from metrics.floors import _kept, named_targets, numbers
from targets.base import Target

Array = np.ndarray
FORMAT = 1
SURE = 20  # draws that must all see a grade before it is taken as seen at a larger n


def load(room: str, name: str) -> Any:  # noqa: ANN401
    """The entry of that name in our rooms."""
    return registered(room, name)


def checksum(law: Array) -> str:
    """Eight hex digits of a floor's draws."""
    return f"{zlib.crc32(np.ascontiguousarray(law, dtype=np.float32).tobytes()):08x}"


def heading(target: Target, name: str, planned: Sequence[Defect]) -> dict[str, Any]:
    """What tells whether an audit still holds for a target, and what its defects mean there."""
    sorts: dict[str, Any] = {}
    for defect in planned:
        sort = sorts.setdefault(defect.name, {"title": defect.title, "version": defect.version,
                                              "grades": {}})
        sort["grades"][defect.text] = defect.note(target)
    behaviour = [_short(v, 9) for v in fingerprint(target)]
    return {"format": FORMAT, "target": name, "digest": digest(fingerprint(target)),
            "fingerprint": behaviour, "level": LEVEL, "defects": sorts, "metrics": {}}


def _short(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")


def held(stored: dict[str, Any], head: dict[str, Any], metric: Metric) -> dict[str, Any]:
    """What a stored audit holds of a metric for this target and this version of the metric."""
    if stored.get("format") != FORMAT or not same(stored["fingerprint"], head["fingerprint"]):
        return {}
    found: dict[str, Any] = stored["metrics"].get(metric.name, {})
    return found if found.get("version") == metric.version else {}


def held_at(stored: dict[str, Any], head: dict[str, Any], metric: Metric, n: int,
            law: Array) -> dict[str, Any]:
    """What a stored audit holds of it at n, for these defects and this floor."""
    at_n = held(stored, head, metric).get("n", {}).get(str(n), {})
    if at_n.get("floor") != [len(law), checksum(law)]:
        return {}
    power = {d: grades for d, grades in at_n["power"].items() if d in head["defects"] and
             head["defects"][d]["version"] == stored["defects"].get(d, {}).get("version")}
    return {**at_n, "power": power}


def _entry(at_n: dict[str, Any], defect: Defect) -> list[int]:
    """[seen, draws] of a grade."""
    if isinstance(defect, Nothing):
        draws, seen = (at_n.get("null") or (0, 0))[:2]
        return [seen, draws]
    entry: list[int] = at_n.get("power", {}).get(defect.name, {}).get(defect.text, [0, 0])
    return entry


def _sure(defect: Defect, metric: str, smaller: Sequence[dict[str, dict[str, Any]]]) -> bool:
    """Whether a metric saw a grade in every draw with fewer points."""
    entries = [_entry(at.get(metric, {}), defect) for at in smaller]
    return (not isinstance(defect, Nothing | Duplicates)
            and any(seen == draws >= SURE for seen, draws in entries))


def missing(planned: Sequence[Defect], judges: Sequence[Metric], n: int, effort: Effort,
            known: dict[str, dict[str, Any]],
            smaller: Sequence[dict[str, dict[str, Any]]]) -> Wanted:
    """What is to be drawn at n: not what is known, nor what fewer points have settled."""
    wanted = []
    for defect in planned:
        counts = {m.name: effort.of(m, n, defect) for m in judges
                  if effort.lacks(_entry(known[m.name], defect)[1], m, n, defect)
                  and not _sure(defect, m.name, smaller)}
        if counts:
            wanted.append((defect, counts))
    return wanted


def _merged(at_n: dict[str, Any], metric: str, law: Array, found: Tally,
            wanted: Wanted) -> dict[str, Any]:
    """The stored entry of a metric at n with what was drawn anew put in its place."""
    power = {d: dict(grades) for d, grades in at_n.get("power", {}).items()}
    null = at_n.get("null")
    for defect, counts in wanted:
        if metric not in counts:
            continue
        if isinstance(defect, Nothing):
            fresh = astuple(null_of(found.null[metric], threshold(law)))
            null = [_short(v) if isinstance(v, float) else v for v in fresh]
        else:
            seen = found.seen[defect.name, defect.text, metric]
            power.setdefault(defect.name, {})[defect.text] = [seen, counts[metric]]
    return {"floor": [len(law), checksum(law)], "null": null, "power": power}


def audit(name: str, ns: Sequence[int], effort: Effort, laws: dict[str, Array],
          stored: dict[str, Any] | None = None, only: Sequence[str] | None = None, jobs: int = 1,
          loader: Loader = load, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The audit of a target: what ``stored`` holds and still stands, and the rest drawn.

    ``laws``: floors by METRIC/POINTS; a metric without one at some n is left out there.
    ``only``: names of metrics (without it all of ours but those with ``default = False``).
    ``say`` is told before and after drawing.
    """
    target: Target = loader("targets", name)
    judges: list[Metric] = [m for m in (loader("metrics", m) for m in (only or own("metrics")))
                            if m.applies(target) and (only or m.default)]
    planned = defects(target)
    content = heading(target, name, planned)
    stored = stored or {}
    made: dict[str, Any] = {m.name: _facts(m, target, held(stored, content, m)) for m in judges}
    smaller: list[dict[str, dict[str, Any]]] = []
    for n in sorted(ns):
        keys = {m.name: f"{m.name}/{m.points(n)}" for m in judges}
        here = [m for m in judges if keys[m.name] in laws]
        law = {m.name: laws[keys[m.name]] for m in here}
        at_n = {m.name: held_at(stored, content, m, n, law[m.name]) for m in here}
        wanted = missing(planned, here, n, effort, at_n, smaller)
        if wanted:
            found = _draw(Task(loader, name, n, 0, 0, wanted, {}), law, jobs, say)
            at_n = {m: _merged(at_n[m], m, law[m], found, wanted) for m in at_n}
        for m, entry in at_n.items():
            made[m]["n"][str(n)] = entry
        smaller.append(at_n)
    return {**content, "metrics": made}


def _facts(metric: Metric, target: Target, stored: dict[str, Any]) -> dict[str, Any]:
    """What holds of a metric at every n; a stored ruler is taken over."""
    numbers = stored.get("ruler")
    if numbers is None:
        found = ruler(metric, target)
        numbers = [None if v is None else _short(v, 4) for v in (found.growth, found.contrast)]
    return {"version": metric.version, "title": metric.title, "signed": metric.signed,
            "own_ruler": metric.own_ruler, "ruler": numbers, "n": {}}


def _draw(task: Task, law: dict[str, Array], jobs: int, say: Callable[[str], None]) -> Tally:
    """All draws of a task whose range and limits follow from what is wanted."""
    asked = {m for _, counts in task.wanted for m in counts}
    last = max(count for _, counts in task.wanted for count in counts.values())
    limits = {m: threshold(law[m]) for m in law if m in asked}
    task = replace(task, last=last, limits=limits)
    say(f"{task.target}: {len(asked)} metrics under {len(task.wanted)} grades of defects at "
        f"n = {task.n}, about {cost(task):.0f} s of CPU")
    started = time.monotonic()
    found = run(task, jobs)
    say(f"{task.target}: done in {time.monotonic() - started:.0f} s")
    return found


# ---- files -------------------------------------------------------------------------------------


def dumps(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    """JSON with a line for each defect of each metric, so that a change shows where it is."""
    if not isinstance(value, dict) or depth > 5 or not value:
        return json.dumps(value, allow_nan=False)
    pad = " " * (depth + 1)
    rows = [f"{pad}{json.dumps(k)}: {dumps(v, depth + 1)}" for k, v in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(dumps(content) + "\n", encoding="utf-8")
    os.replace(partial, path)


def committed_floors(path: Path, target: Target, judges: Sequence[Metric]) -> dict[str, Array]:
    """Floors of a file that hold for this target and these versions, by METRIC/POINTS."""
    identity = np.array(fingerprint(target), dtype=np.float64)
    return _kept(path, identity, {m.name: m.version for m in judges})


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m metrics.audit.program", description=__doc__,
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
        target: Target = load("targets", name)
        path = options.out / f"{name}.json"
        laws = committed_floors(options.floors / f"{name}.npz", target,
                                [load("metrics", m) for m in own("metrics")])
        if not laws:
            parser.error(f"target '{name}' has no floors in {options.floors}; draw them with "
                         f"python -m metrics.floors --targets {name}")
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        try:
            content = audit(name, options.n,
                            Effort(options.draws, options.null), laws, stored, jobs=options.jobs,
                            say=lambda line: print(line, file=sys.stderr, flush=True))
        except CannotJudge as error:
            parser.error(f"the audit of '{name}' stops: {error}")
        write(path, content)


if __name__ == "__main__":
    main()
