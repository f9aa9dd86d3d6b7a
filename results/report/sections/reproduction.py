"""How to reproduce each row: what ran, what judged it, and the command that runs it again."""

from __future__ import annotations

import json
import math
import shlex
from typing import Any

from results.presentation.blocks import Block, Paragraph
from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, slug
from results.records.command_line import without_options
from results.records.frames import Scores
from results.records.run_folder import Run
from results.report.section import Section

#: Options of the run's command that a row's own command replaces or leaves to the reader.
DROPPED = ("--samplers", "--targets", "--out", "--resume", "--workers")


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
    """What each sampler does, where it comes from and its limitations."""
    columns = tuple(Column(t, numeric=False) for t in (
        "sampler", "kind", "what it does", "update", "citation", "limitations"))
    rows = []
    for label in run.labels:
        info = run.sampler(label)
        variant = f"variant of {info['name']}" if info["name"] != label else ""
        rows.append((name_cell(run, label), Cell(str(info["kind"]), seeds=variant),
                     *(Cell(str(info[k]) or "–") for k in
                       ("summary", "update", "reference", "cannot"))))
    return Table("samplers", "What ran", columns, tuple(rows), sortable=False)


def metrics_table(scores: Scores) -> Table:
    """What judged, what it is insensitive to, and how many draws its floors hold."""
    run = scores.run
    columns = (*(Column(t, numeric=False) for t in ("metric", "insensitive to", "citation")),
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


def _blocks(scores: Scores) -> list[Block]:
    return [Paragraph("Commit, code hash, versions and machine stand in the summary. Each command "
                      "runs all seeds of its row."),
            reproduction_table(scores.run), samplers_table(scores.run), metrics_table(scores)]


SECTION = Section("again", "How to reproduce each row", _blocks)
