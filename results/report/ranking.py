"""Who is better: at the budget, and at equal weighted evaluations.

*Rank at the budget.* On each target a sampler's rank is 1 + the number of samplers that did
strictly better: fewer failed jobs first (seeds whose points cannot be compared with the others'
count as failed), then less excess over the floor. All that are indistinguishable from the floor
share a rank. The table shows the median rank over targets. Who has no rank on a target by the
metric (nothing within its budget, no floor at its number of points) is last there, and has no
median without a rank anywhere.

*Rank at equal evaluations.* Two samplers on a target are compared at E, the smaller of their two
totals of weighted evaluations (training and draw): each by its last checkpoint within E, on the
points of the curve. A sampler that anneals has only its end. Less excess wins, equal excess (both
at the floor) is half a win each. Where one has no checkpoint within E the pair is undecided and
left out, unless the other is already no worse than what that one reaches with more. Nothing is
interpolated. The rank is by the share won; with fewer than half of its comparisons decided a
sampler has none. It depends on the weights of density, gradient and Hessian-vector evaluations,
which is why it is shown under both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from results.presentation.sampler_cells import name_cell
from results.presentation.table import Cell, Column, Table, plural, slug
from results.records.endings import OVERSHOOT
from results.records.frames import Point, Scores
from results.records.schema import UNANSWERED

Weights = tuple[float, float, float]
WEIGHTS: tuple[Weights, ...] = ((1.0, 1.0, 1.0), (1.0, 2.0, 4.0))


def judged(scores: Scores, metric: str) -> list[str]:
    """Targets on which the metric has a floor that can reject; others cannot rank."""
    return [t for t in scores.run.targets if scores.floored(t, metric)]


def competes(scores: Scores, label: str, target: str, metric: str) -> bool:
    """Whether a sampler is ranked on a target by a metric; ``Scores.unranked`` says why not."""
    return not scores.unranked(label, target, metric)


def _standing(scores: Scores, label: str, target: str, metric: str) -> tuple[int, float]:
    score = scores.final(label, target, metric)
    failed = scores.blamed(label, target) + len(scores.left_out(label, target, metric))
    excess = None if score is None else score.excess
    return failed, math.inf if excess is None else excess


def ranks(scores: Scores, target: str, metric: str) -> dict[str, int]:
    """Rank of each competing sampler on a target; ties share the better rank."""
    keys = {label: _standing(scores, label, target, metric) for label in scores.run.ranked
            if competes(scores, label, target, metric)}
    return {label: 1 + sum(other < mine for other in keys.values())
            for label, mine in keys.items()}


def median_ranks(scores: Scores, metric: str) -> dict[str, float]:
    """Median rank over targets. Without a rank on some means last there; on all, none.

    Where a sampler is unsupported, or its target failed, it has no rank on that target.
    """
    found: dict[str, list[int]] = {}
    competed: set[str] = set()
    for target in judged(scores, metric):
        table = ranks(scores, target, metric)
        competed |= table.keys()
        for label in scores.run.ranked:
            if label in table:
                found.setdefault(label, []).append(table[label])
            elif scores.unranked(label, target, metric) not in ("no record", *UNANSWERED):
                found.setdefault(label, []).append(len(table) + 1)
    return {label: float(np.median(p)) for label, p in found.items() if label in competed}


@dataclass(frozen=True)
class Share:
    """Comparisons won (ties count half) of those decided, and how many were undecided."""

    won: float = 0.0
    decided: int = 0
    undecided: int = 0

    @property
    def ranked(self) -> bool:
        """Whether enough was decided for a rank: at least half."""
        return self.decided > 0 and self.decided >= self.undecided

    @property
    def share(self) -> float:
        """Share won of the decided comparisons; nan where none was."""
        return self.won / self.decided if self.decided else math.nan

    def __add__(self, other: Share) -> Share:
        return Share(self.won + other.won, self.decided + other.decided,
                     self.undecided + other.undecided)


def _ladder(scores: Scores, label: str, target: str, metric: str,
            weights: Weights) -> list[tuple[float, Point]]:
    points = scores.curve(label, target, metric)
    kept = points[-1:] if scores.anneals(label) else points
    return [(float(np.median([c.evaluations(weights) for c in p.spent.values()])), p)
            for p in kept]


def _compare_pair(scores: Scores, pair: tuple[str, str], target: str, metric: str,
          weights: Weights) -> tuple[float, bool]:
    """Share of the first of a pair (1, 0.5 or 0), and whether the comparison was decided."""
    failed = [scores.blamed(label, target) for label in pair]
    if failed[0] != failed[1]:
        return float(failed[0] < failed[1]), True
    ladders = [_ladder(scores, label, target, metric, weights) for label in pair]
    if not ladders[0] or not ladders[1]:
        return 0.5, False
    limit = min(ladders[0][-1][0], ladders[1][-1][0]) * (1 + 1e-9)
    within = [[p for rows, p in ladder if rows <= limit] for ladder in ladders]
    one, two = ((w or [ladder[-1][1]])[-1].score.excess
                for w, ladder in zip(within, ladders, strict=True))
    if one is None or two is None:  # no floor at the curve's points: nothing can be shown
        return 0.5, False
    # A better end of the one that was not yet there says nothing about the smaller budget.
    if (not within[0] and one < two) or (not within[1] and two < one):
        return 0.5, False
    return (0.5 if one == two else float(one < two)), True


def shares(scores: Scores, metric: str, weights: Weights) -> dict[str, Share]:
    """Comparisons each sampler won at equal weighted evaluations, over targets and rivals."""
    total = {label: Share() for label in scores.run.ranked}
    for target in judged(scores, metric):
        able = [x for x in scores.run.ranked if competes(scores, x, target, metric)]
        for pair in combinations(able, 2):
            won, decided = _compare_pair(scores, pair, target, metric, weights)
            for label, part in zip(pair, (won, 1 - won), strict=True):
                total[label] += Share(part, 1, 0) if decided else Share(0.0, 0, 1)
    return {label: share for label, share in total.items() if share.decided + share.undecided}


def ranking_table(scores: Scores, metric: str, folded: bool = False) -> Table:
    """Median rank at the budget and shares won under both weightings."""
    run = scores.run
    targets = judged(scores, metric)
    medians = median_ranks(scores, metric)
    won = [shares(scores, metric, w) for w in WEIGHTS]
    rows = []
    for label in sorted(run.ranked, key=lambda x: (medians.get(x, math.inf), run.labels.index(x))):
        finals = [s for t in targets if competes(scores, label, t, metric)
                  and (s := scores.final(label, t, metric))]
        floor = sum(s.verdict in ("floor", "below") for s in finals)
        failed = sum(scores.failed(label, t) for t in run.targets)
        median = medians.get(label)
        without = _without(scores, label, metric, targets)
        rows.append((name_cell(run, label),
                     Cell("not ranked" if median is None else f"{median:g}",
                          math.inf if median is None else median, without),
                     *(_share_cell(w, label) for w in won),
                     Cell(f"{floor} of {len(targets)}", -float(floor)),
                     Cell(str(failed), float(failed), mark="fail" if failed else "")))
    subs = ["density 1 : gradient 1 : Hessian 1", "density 1 : gradient 2 : Hessian 4"]
    columns = (Column("sampler", numeric=False),
               Column("rank at the budget", f"median of {plural(len(targets), 'target')}"),
               *(Column("rank at equal evaluations", sub) for sub in subs),
               Column("at the floor", "targets"), Column("not ok", "jobs"))
    return Table(slug("ranking", metric), f"Ranking by {run.metric(metric)['title']}", columns,
                 tuple(rows), notes=() if folded else RANKING_NOTES, folded=folded)


def _without(scores: Scores, label: str, metric: str, targets: list[str]) -> str:
    """Where and why a sampler has no rank."""
    whys: dict[str, list[str]] = {}
    for target in targets:
        if why := scores.unranked(label, target, metric):
            whys.setdefault(why, []).append(target)
    return "\n".join(f"{why}: {', '.join(names)}" for why, names in whys.items())


def _share_cell(won: dict[str, Share], label: str) -> Cell:
    mine = won.get(label)
    if mine is None or not mine.ranked:
        words = f"{mine.undecided} of {mine.decided + mine.undecided} undecided" if mine else ""
        return Cell("no rank", math.inf, words)
    rank = 1 + sum(other.share > mine.share for other in won.values() if other.ranked)
    undecided = f", {mine.undecided} undecided" if mine.undecided else ""
    return Cell(f"{rank}.", float(rank),
                f"won {100 * mine.share:.0f} % of {mine.decided}{undecided}")


RANKING_NOTES = (
    "Rank at the budget: 1 + the number of samplers that did strictly better on a target (fewer "
    "failed jobs and fewer seeds left out, then less excess over the floor); all that are "
    "indistinguishable from the floor share a rank. An unaffordable sampler, one that spent more "
    f"than {100 * OVERSHOOT:g} % beyond its budget, and one whose points have no floor at their "
    "number is not ranked: last on that target, and without a median if it has a rank nowhere. "
    "The second line says why.",
    "Rank at equal evaluations: each pair of samplers on each target is compared at the smaller "
    "of their two totals of weighted evaluations, each by its last checkpoint within it, at the "
    "curves' number of points; a tie counts half, and the rank is by the share won. Under a "
    "budget of seconds the numbers of evaluations differ widely, and a pair where one sampler "
    "has no checkpoint that early is undecided and left out, unless the other is already no "
    "worse than what that one reaches with more. Fewer than half decided: no rank. An "
    "annealing sampler has only the end of its run. Nothing is interpolated.")
