"""By target: what is known of each, and its tables: the floor, every sampler, the baselines."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from results.presentation.blocks import Block, Paragraph, Part
from results.presentation.sampler_cells import failure_word, inactive_words, left_words, name_cell
from results.presentation.scale import decimals, exponent
from results.presentation.table import (
    Cell,
    Column,
    Table,
    duration,
    number,
    p_value_text,
    plural,
    power,
    slug,
)
from results.records.endings import OVER_BUDGET, ending
from results.records.frames import NOT_FINITE, Scores
from results.records.leading import MAIN
from results.records.run_folder import Run
from results.report.section import Section
from results.report.target_notes import notes
from results.statistics.metric_result import MetricResult
from results.statistics.null_distribution import band


def heading(scores: Scores, metric: str, n: int | None) -> Column:
    """Title of a metric's column with its unit and its number of points."""
    info = scores.run.metric(metric)
    scale = exponent(scores, metric)
    parts = ([f"× {power(scale)}"] if scale else []) + ([f"n = {n}"] if n else [])
    return Column(str(info["title"]), ", ".join(parts), True, str(info["blind"]))


def score_cell(scores: Scores, score: MetricResult | None, column_n: int | None) -> Cell:
    """Mean, interval from six seeds on, the seeds' values below that, and the verdict."""
    if score is None:
        return Cell("–", math.inf)
    lost = scores.lost(score.label, score.target, score.metric)
    factor = 10.0 ** exponent(scores, score.metric)
    fine = decimals(scores, score.target, score.metric, score.n)
    text = number(score.mean * factor, 3, fine)
    if score.half is not None:
        text += f" ± {number(score.half * factor, 2)}"
    values = " · ".join(number(v * factor, 3, fine) for v in score.values) if (
        score.half is None and len(score.values) > 1) else ""
    remarks = [f"n = {score.n}"] if score.n != column_n else []
    remarks += [p_value_text(score.p)] if score.p is not None else []
    remarks += [why] if (why := scores.no_floor(score.target, score.metric, score.n)) else []
    left = scores.left_out(score.label, score.target, score.metric)
    remarks += [f"{lost} not finite"] if lost else []
    remarks += [left_words(left)] if len(left) > lost else []
    values = "\n".join(filter(None, (values, ", ".join(remarks))))
    hint = f"{plural(len(score.values), 'seed')}: {', '.join(map(str, score.seeds))}"
    mark = "fail" if lost else score.verdict if score.verdict in ("floor", "below") else (
        "warn" if why else "")
    return Cell(text, score.mean, values, mark, hint)


def status_cell(run: Run, label: str, target: str) -> Cell:
    """How the jobs of a pair ended; a run that died never vanishes."""
    found = run.of(label, target)
    if not found:
        return Cell("no record", 99.0, mark="fail")
    counts = Counter(ending(job) for job in found)
    text = ", ".join(f"{amount} {status}" for status, amount in sorted(
        counts.items(), key=lambda item: (item[0] != "ok", item[0])))
    disturbed = sum(run.disturbed(job) for job in found)
    bad = len(found) - counts["ok"]
    notes = [f"{disturbed} disturbed"] if disturbed else []
    if counts[OVER_BUDGET]:
        notes.append(f"up to {number(100 * max(j.overshoot for j in found), 2)} % over")
    notes += inactive_words(found)
    return Cell(text, float(bad), ", ".join(notes), "fail" if bad else "warn" if notes else "")


def _time_cell(scores: Scores, label: str, target: str) -> Cell:
    found = scores.run.of(label, target)
    walls = [job.train.wall + job.draw.wall for job in found]
    if not walls:
        return Cell("–", math.inf)
    values = " · ".join(duration(w) for w in walls) if len(walls) > 1 else ""
    return Cell(duration(float(np.median(walls))), float(np.median(walls)), values)


def target_metrics(scores: Scores, target: str) -> list[str]:
    """Metrics that some job on the target was judged by, the table's own first."""
    have = [m for m in scores.metrics
            if any(scores.final(label, target, m) for label in scores.run.labels)]
    return [m for m in MAIN if m in have] + [m for m in have if m not in MAIN]


def _usual_n(scores: Scores, target: str, metric: str) -> int | None:
    found = [s.n for label in scores.run.labels if (s := scores.final(label, target, metric))]
    return Counter(found).most_common(1)[0][0] if found else None


def _floor_row(scores: Scores, target: str, metrics: list[str], tail: int) -> tuple[Cell, ...]:
    cells = [Cell("floor", -1.0, "exact samples, drawn anew")]
    for metric in metrics:
        draws = scores.run.draws.get((target, metric, _usual_n(scores, target, metric) or 0))
        if draws is None:
            cells.append(Cell("–", math.inf, "not stored"))
            continue
        factor = 10.0 ** exponent(scores, metric)
        fine = decimals(scores, target, metric, _usual_n(scores, target, metric))
        mean, low, high = (number(v * factor, 3, fine)
                           for v in (float(draws.mean()), *band(draws)[::2]))
        cells.append(Cell(mean, float(draws.mean()), f"95 %: {low} to {high}",
                          hint=f"{len(draws)} draws"))
    return (*cells, *(Cell("", math.inf) for _ in range(tail)))


def target_table(scores: Scores, target: str, metrics: list[str], more: bool = False) -> Table:
    """A target's rows: the floor, every sampler, the baselines; values over seeds."""
    run = scores.run
    sizes = {m: _usual_n(scores, target, m) for m in metrics}
    columns = [Column("sampler", numeric=False), *(heading(scores, m, sizes[m]) for m in metrics)]
    if not more:
        columns += [Column("wall-clock", "train + draw"), Column("jobs", numeric=False)]
    has_floor = any(key[0] == target for key in run.draws)
    rows, kinds = [], []
    if has_floor:
        rows.append(_floor_row(scores, target, metrics, 0 if more else 2))
        kinds.append("floor")
    for label in run.labels:
        if not run.of(label, target) and not run.planned(label, target):
            continue
        cells = [name_cell(run, label, target)]
        for metric in metrics:
            cells.append(_judged_cell(scores, label, target, metric, sizes[metric]))
        if not more:
            cells += [_time_cell(scores, label, target), status_cell(run, label, target)]
        rows.append(tuple(cells))
        kinds.append("muted" if label in run.baselines else "")
    caption = f"{target}: {'other metrics' if more else 'quality at the end of the budget'}"
    return Table(slug("more" if more else "quality", target), caption, tuple(columns),
                 tuple(rows), tuple(kinds), notes=tuple(notes(scores, target, metrics, sizes)),
                 folded=more)


def _judged_cell(scores: Scores, label: str, target: str, metric: str, n: int | None) -> Cell:
    """The score; where no job ended well, its status, above a score that is not ranked."""
    cell = score_cell(scores, scores.final(label, target, metric), n)
    if not any(ending(j) == "ok" for j in scores.run.of(label, target)):
        word = failure_word(scores.run, label, target)
        seeds = f"{cell.text}\n{cell.seeds}".strip() if cell.text != "–" else ""
        return replace(cell, text=word, order=math.inf, seeds=seeds, mark="fail")
    left = scores.left_out(label, target, metric)
    if left and cell.text == "–":
        lost = scores.lost(label, target, metric)
        return Cell(NOT_FINITE if lost else "not scored", math.inf,
                    left_words(left) if len(left) > lost else "", "fail")
    return cell


def _about(scores: Scores, target: str) -> str:
    info = scores.run.target(target)
    known = str(info["reference_note"]) if info["has_reference"] else (
        "No reference: only reference-free metrics apply and there is no floor. Missed modes and "
        "a wrong split of mass between them go undetected.")
    return " ".join(x for x in (str(info["summary"]), known) if x)


def _part(scores: Scores, target: str) -> Part:
    have = target_metrics(scores, target)
    main = [m for m in have if m in MAIN] or have[:1]
    more = [m for m in have if m not in main]
    tables = [target_table(scores, target, main)]
    tables += [target_table(scores, target, more, more=True)] if more else []
    about = _about(scores, target)
    return Part(target, (*([Paragraph(about)] if about else []), *tables),
                slug("target", target))


def _blocks(scores: Scores) -> list[Block]:
    return [_part(scores, target) for target in scores.run.targets]


SECTION = Section("targets", "By target", _blocks)
