"""Tables of quality, one a target: the floor, every sampler, the controls."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from results.presentation.palette import colour, glyph
from results.presentation.table import Cell, Column, Table, chance, duration, number, plural, power
from results.records.endings import OVER_BUDGET, ending, idle
from results.records.families import FAMILIES
from results.records.frames import NOT_FINITE, Scores
from results.records.run_folder import Run
from results.records.schema import Job, joined
from results.report.notes import notes
from results.statistics.floors import Score, band

#: What the table of a target shows; everything else stands folded below it.
MAIN = ("mmd", "w2", "ksd", "mode_tv", "missing_modes")


def slug(*parts: str) -> str:
    """An id for HTML from names a user chose; different names keep different ids."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else f".{ord(c):x}."
                   for c in joined(*parts))


def exponent(scores: Scores, metric: str) -> int:
    """The power of ten a metric is multiplied by, one for the whole report: floors become ~1."""
    run = scores.run
    most = {t: max((n for u, m, n in run.draws if (u, m) == (t, metric)), default=0)
            for t in run.targets}
    sizes = [size for t, n in most.items()
             if n and (size := abs(band(run.draws[t, metric, n])[2])) > 0]
    if not sizes:
        return 0
    size = float(np.median(sizes))
    return -math.floor(math.log10(size)) if size < 0.01 else 0


def decimals(scores: Scores, target: str, metric: str, n: int | None) -> int:
    """Decimals beyond which a number on the report's scale would be finer than its floor."""
    draws = scores.run.draws.get((target, metric, n or 0))
    if draws is None:
        return 99
    low, _, high = band(draws)
    width = (high - low) * 10.0 ** exponent(scores, metric)
    return max(math.ceil(1.3 - math.log10(width)), 0) if width > 0 else 99


def heading(scores: Scores, metric: str, n: int | None) -> Column:
    """Title of a metric's column with its unit and its number of points."""
    info = scores.run.metric(metric)
    scale = exponent(scores, metric)
    parts = ([f"× {power(scale)}"] if scale else []) + ([f"n = {n}"] if n else [])
    return Column(str(info["title"]), ", ".join(parts), True, str(info["blind"]))


def score_cell(scores: Scores, score: Score | None, column_n: int | None) -> Cell:
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
    remarks += [chance(score.p)] if score.p is not None else []
    remarks += [why] if (why := scores.no_floor(score.target, score.metric, score.n)) else []
    left = scores.left_out(score.label, score.target, score.metric)
    remarks += [f"{lost} not finite"] if lost else []
    remarks += [left_words(left)] if len(left) > lost else []
    values = "\n".join(filter(None, (values, ", ".join(remarks))))
    hint = f"{plural(len(score.values), 'seed')}: {', '.join(map(str, score.seeds))}"
    mark = "fail" if lost else score.verdict if score.verdict in ("floor", "below") else (
        "warn" if why else "")
    return Cell(text, score.mean, values, mark, hint)


def left_words(left: dict[int, str]) -> str:
    """Seeds that ended well and stand in no mean, by reason."""
    whys: dict[str, list[int]] = {}
    for seed, why in left.items():
        whys.setdefault(why, []).append(seed)
    return "; ".join(f"left out: seed{'s' if len(seeds) > 1 else ''} "
                     f"{', '.join(map(str, seeds))} ({why})" for why, seeds in whys.items())


def idle_words(jobs: Iterable[Job]) -> list[str]:
    """How many of some jobs made no step, or evaluated nothing."""
    jobs = list(jobs)
    counts = Counter(why for job in jobs if (why := idle(job)))
    return [f"{amount} of {len(jobs)} {why}" for why, amount in counts.items()]


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
    notes += idle_words(found)
    return Cell(text, float(bad), ", ".join(notes), "fail" if bad else "warn" if notes else "")


def _time_cell(scores: Scores, label: str, target: str) -> Cell:
    found = scores.run.of(label, target)
    walls = [job.train.wall + job.draw.wall for job in found]
    if not walls:
        return Cell("–", math.inf)
    values = " · ".join(duration(w) for w in walls) if len(walls) > 1 else ""
    return Cell(duration(float(np.median(walls))), float(np.median(walls)), values)


def failure_word(run: Run, label: str, target: str) -> str:
    """The way most jobs of a pair ended."""
    counts = Counter(ending(job) for job in run.of(label, target))
    return counts.most_common(1)[0][0] if counts else "no record"


def name_cell(run: Run, label: str, target: str = "") -> Cell:
    """A sampler's name with its colour, linked to how its row is reproduced.

    Jobs that did not work (on the target, or on any) are marked here, so that all tables say so.
    """
    role = {"exact": "floor", "prior": "ceiling", "idle": "overhead"}.get(
        str(run.sampler(label)["name"]), "control") if label in run.controls else ""
    if run.crowded and not role:
        role = FAMILIES[run.family(label)]
    link = slug("job", target, label) if target else ""
    still = idle_words(j for j in run.jobs if j.label == label and target in ("", j.target))
    return Cell(label, float(run.labels.index(label)), "\n".join(filter(None, (role, *still))),
                "warn" if still else "", link=link, swatch=colour(run, label),
                glyph=glyph(run, label), sampler=label)


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
    """A target's rows: the floor, every sampler, the controls; values over seeds."""
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
        kinds.append("control" if label in run.controls else "")
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
