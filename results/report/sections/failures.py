"""Failures: jobs that did not end well, notes of jobs, planned jobs without a record."""

from __future__ import annotations

from results.presentation.blocks import Block, Paragraph
from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, duration, number
from results.records.endings import OVER_BUDGET, ending
from results.records.frames import Scores
from results.records.run_folder import Run
from results.records.schema import Job
from results.report.section import Section


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


def _reason(job: Job) -> str:
    if ending(job) == OVER_BUDGET:
        return f"spent {number(100 * job.overshoot, 3)} % more than its budget; not ranked"
    return job.reason or "not given"


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


def _blocks(scores: Scores) -> list[Block]:
    run = scores.run
    blocks: list[Block] = [t for t in (failures_table(run), missing_table(run)) if t]
    blocks = blocks or [Paragraph("Every planned job ended well.")]
    noted = notes_table(run)
    blocks += [noted] if noted else []
    return blocks + [Paragraph(text, "note") for text in run.complaints]


SECTION = Section("failed", "Failures", _blocks)
