"""What every table says of a sampler: its name with its marks, and how its jobs ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from results.presentation.palette import colour, glyph
from results.presentation.table import Cell, slug
from results.records.endings import ending, inactive
from results.records.families import FAMILIES
from results.records.run_folder import Run
from results.records.schema import Job


def name_cell(run: Run, label: str, target: str = "") -> Cell:
    """A sampler's name with its colour, linked to how its row is reproduced.

    Jobs that did not work (on the target, or on any) are marked here, so that all tables say so.
    """
    role = {"exact": "floor", "initial": "ceiling", "overhead": "harness time"}.get(
        str(run.sampler(label)["name"]), "baseline") if label in run.baselines else ""
    if run.crowded and not role:
        role = FAMILIES[run.family(label)]
    link = slug("job", target, label) if target else ""
    still = inactive_words(j for j in run.jobs if j.label == label and target in ("", j.target))
    return Cell(label, float(run.labels.index(label)), "\n".join(filter(None, (role, *still))),
                "warn" if still else "", link=link, swatch=colour(run, label),
                glyph=glyph(run, label), sampler=label)


def inactive_words(jobs: Iterable[Job]) -> list[str]:
    """How many of some jobs made no step, or evaluated nothing."""
    jobs = list(jobs)
    counts = Counter(why for job in jobs if (why := inactive(job)))
    return [f"{amount} of {len(jobs)} {why}" for why, amount in counts.items()]


def left_words(left: dict[int, str]) -> str:
    """Seeds that ended well and stand in no mean, by reason."""
    whys: dict[str, list[int]] = {}
    for seed, why in left.items():
        whys.setdefault(why, []).append(seed)
    return "; ".join(f"left out: seed{'s' if len(seeds) > 1 else ''} "
                     f"{', '.join(map(str, seeds))} ({why})" for why, seeds in whys.items())


def failure_word(run: Run, label: str, target: str) -> str:
    """The way most jobs of a pair ended."""
    counts = Counter(ending(job) for job in run.of(label, target))
    return counts.most_common(1)[0][0] if counts else "no record"
