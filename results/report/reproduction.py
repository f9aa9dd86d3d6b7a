"""What failed and why, what ran and how to run it again: nothing without a trace."""

from __future__ import annotations

import json
import math
import shlex
from typing import Any

from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, duration, number, slug
from results.records.command_line import without_options
from results.records.endings import OVER_BUDGET, ending
from results.records.frames import Scores
from results.records.run_folder import Run
from results.records.schema import Job
from results.statistics.metric_result import MetricResult

#: Options of the run's command that a row's own command replaces or leaves to the reader.
DROPPED = ("--samplers", "--targets", "--out", "--resume", "--workers")


def failures_table(run: Run) -> Table | None:
    """Every job that did not end well within its budget, with its reason; None where all did."""
    bad = [job for job in run.jobs if ending(job) != "ok"]
    if not bad:
        return None
    columns = tuple(Column(t, numeric=t in ("seed", "steps", "time"))
                    for t in ("target", "sampler", "seed", "status", "reason", "steps", "time"))
    bad.sort(key=lambda j: (run.targets.index(j.target), run.labels.index(j.label), j.seed))
    rows = tuple((Cell(j.target, float(run.targets.index(j.target))),
                  name_cell(run, j.label, j.target), Cell(str(j.seed), float(j.seed)),
                  Cell(ending(j), ending(j), mark="fail"), Cell(_reason(j), _reason(j)),
                  Cell(str(j.steps), float(j.steps)),
                  Cell(duration(j.train.wall), j.train.wall)) for j in bad)
    return Table("failures", "Jobs that did not end well", columns, rows)


def notes_table(run: Run) -> Table | None:
    """What the jobs' records note, each note once with its seeds; None where they note nothing."""
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for job in run.jobs:
        for note in job.notes:
            seeds.setdefault((job.target, job.label, note), []).append(job.seed)
    rows = tuple((Cell(t, float(run.targets.index(t))), name_cell(run, x, t),
                  Cell(", ".join(map(str, sorted(found))), float(min(found))), Cell(note, note))
                 for (t, x, note), found in sorted(seeds.items(), key=lambda item: (
                     run.targets.index(item[0][0]), run.labels.index(item[0][1]), item[0][2])))
    columns = tuple(Column(t, numeric=False) for t in ("target", "sampler", "seeds", "note"))
    return Table("job-notes", "Notes about jobs", columns, rows) if rows else None


def _reason(job: Job) -> str:
    if ending(job) == OVER_BUDGET:
        return f"spent {number(100 * job.overshoot, 3)} % more than its budget; not ranked"
    return job.reason or "not given"


def missing_table(run: Run) -> Table | None:
    """Pairs of the plan with fewer records than seeds; None where all are accounted for."""
    seeds = int(run.suite.get("seeds") or 0)
    rows = [(Cell(t, float(run.targets.index(t))), name_cell(run, x),
             Cell(f"{len(run.of(x, t))} of {seeds}", float(len(run.of(x, t))), mark="fail"))
            for t in run.targets for x in run.labels if len(run.of(x, t)) < seeds
            and run.planned(x, t)]
    if not rows:
        return None
    return Table("missing", "Planned, but without a record",
                 (Column("target", numeric=False), Column("sampler", numeric=False),
                  Column("records")), tuple(rows))


def command(run: Run, label: str, target: str) -> str:
    """The command that reproduces the jobs of a pair: the run's own, for this pair alone."""
    kept = without_options(str(run.header.get("command") or ""), DROPPED)
    if not kept or not any(w.startswith("--suite") for w in kept):
        kept = (kept or ["python", "-m", "bench", "run"]) + [
            "--suite", str(run.suite.get("name", ""))]
    return shlex.join([*kept, "--samplers", label, "--targets", target])


def reproduction_table(run: Run) -> Table:
    """A row a sampler and target: command, seeds, preset, parameters, the target's identity."""
    columns = tuple(Column(t, numeric=False) for t in (
        "target", "sampler", "command", "seeds", "preset", "parameters", "target is"))
    rows, anchors = [], []
    for target in run.targets:
        for label in run.labels:
            jobs = run.of(label, target)
            if not jobs:
                continue
            seeds = ", ".join(str(j.seed) for j in jobs)
            known = " ".join(filter(None, (_plain(jobs[0].target_params), jobs[0].fingerprint)))
            device = f"{jobs[0].device}, {jobs[0].dtype}, {jobs[0].threads} thread(s)"
            rows.append((Cell(target, float(run.targets.index(target))), name_cell(run, label),
                         Cell(command(run, label, target), code=True), Cell(seeds, seeds, device),
                         Cell(jobs[0].preset or "own defaults"),
                         Cell(_plain(jobs[0].params) or "none", code=True),
                         Cell(known or "–", code=True)))
            anchors.append(slug("job", target, label))
    return Table("reproduce", "How to reproduce each row", columns, tuple(rows),
                 anchors=tuple(anchors), sortable=False)


def _plain(params: dict[str, Any]) -> str:
    return " ".join(f"{k}={json.dumps(v)}" for k, v in sorted(params.items()))


def samplers_table(run: Run) -> Table:
    """What each sampler does, where it comes from and what it cannot do."""
    columns = tuple(Column(t, numeric=False) for t in (
        "sampler", "kind", "what it does", "update", "reference", "cannot"))
    rows = []
    for label in run.labels:
        info = run.sampler(label)
        variant = f"variant of {info['name']}" if info["name"] != label else ""
        rows.append((name_cell(run, label), Cell(str(info["kind"]), seeds=variant),
                     *(Cell(str(info[k]) or "–") for k in
                       ("summary", "update", "reference", "cannot"))))
    return Table("samplers", "What ran", columns, tuple(rows), sortable=False)


def metrics_table(scores: Scores) -> Table:
    """What judged, what it is blind to, and how many draws its floors hold."""
    run = scores.run
    columns = (*(Column(t, numeric=False) for t in ("metric", "cannot see", "reference")),
               Column("version"), Column("floor draws"))
    rows = []
    for metric in scores.metrics:
        info = run.metric(metric)
        sizes = sorted({len(d) for (_, m, _), d in run.draws.items() if m == metric})
        settings = ", ".join(f"{k} = {v}" for k, v in info["params"].items())
        names = [x for x in (str(info["name"]), settings) if x and x != info["title"]]
        rows.append((Cell(str(info["title"]), seeds="\n".join(names)),
                     Cell(str(info["blind"]) or "not stated"), Cell(str(info["reference"]) or "–"),
                     Cell(str(info.get("version", 1)), float(info.get("version", 1))),
                     Cell(" or ".join(map(str, sizes)) or "none",
                          float(sizes[0]) if sizes else math.inf)))
    return Table("metrics", "What judged", columns, tuple(rows), sortable=False)


def curve_table(scores: Scores, target: str, metric: str, factor: float, title: str) -> Table:
    """The numbers of a curve: medians over seeds at each checkpoint."""
    run = scores.run
    curves = {x: p for x in run.labels if (p := scores.curve(x, target, metric))}
    shares = sorted({round(p.progress, 4) for points in curves.values() for p in points})
    columns = (Column("sampler", numeric=False),
               *(Column(f"{number(100 * s, 3)} %", "of the budget") for s in shares))
    rows = []
    for label, points in curves.items():
        by = {round(p.progress, 4): p.score for p in points}
        rows.append((name_cell(run, label), *(_curve_cell(by.get(s), factor) for s in shares)))
    kinds = tuple("muted" if x in run.baselines else "" for x in curves)
    return Table(slug("curve", metric, target), title, columns, tuple(rows), kinds, folded=True)


def _curve_cell(score: MetricResult | None, factor: float) -> Cell:
    if score is None:
        return Cell("–", math.inf)
    values = sorted(score.values)
    middle = values[len(values) // 2] if len(values) % 2 else (
        values[len(values) // 2 - 1] + values[len(values) // 2]) / 2
    return Cell(number(middle * factor), middle,
                mark=score.verdict if score.verdict in ("floor", "below") else "")
