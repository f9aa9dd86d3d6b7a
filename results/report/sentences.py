"""What the numbers say, in sentences a hurried reader understands. All of them are computed.

Nothing is called exact or converged: a number either is or is not distinguishable from exact
samples at the n it was taken at.
"""

from __future__ import annotations

from collections import Counter

from results.presentation.run_words import mixture
from results.presentation.sampler_cells import inactive_words, left_words
from results.presentation.table import listing, number, plural
from results.records.endings import OVER_BUDGET, OVERSHOOT, UNRANKED, ending, inactive
from results.records.frames import Scores
from results.records.leading import MAIN, primary
from results.records.run_folder import Run
from results.report.overview import share_left
from results.report.ranking import competes, judged, median_ranks
from results.report.target_notes import unfloored
from results.statistics.null_distribution import LEVEL, least_draws, usable

GOOD = ("floor", "below")


def verdict(scores: Scores) -> str:
    """The whole run in two sentences; empty where nothing can be ranked."""
    return _overall(scores, primary(scores))


def findings(scores: Scores) -> list[tuple[str, str]]:
    """Each target with what was found there."""
    metric = primary(scores)
    return [(t, _target(scores, t, metric)) for t in scores.run.targets]


def warnings(scores: Scores) -> list[str]:
    """What a reader must know before believing anything."""
    run = scores.run
    found = []
    own = {x: run.sampler(x).get("budget") for x in run.ranked if run.sampler(x).get("budget")}
    if run.suite.get("currency") == "steps" or own:
        differs = "".join(f"; {x} has {budget}" for x, budget in own.items())
        found.append("This run has a paper's budgets, not matched ones: steps are not equal effort"
                     f"{differs}. Ranks and comparisons between samplers say little.")
    if mixed := mixture(run.header):
        found.append(f"This run is mixed: {mixed}. Its jobs are of before and after, and a "
                     "difference between them may be the change's.")
    missing = scores.run.unfinished
    if missing:
        found.append(f"This run is not complete: {plural(missing, 'job')} of the plan left no "
                     "record. Resume it before comparing samplers.")
    bad = [job for job in run.jobs if ending(job) != "ok"]
    if bad:
        counts = Counter((ending(job), job.label) for job in bad)
        words = [f"{amount} {status} ({label})" for (status, label), amount in counts.items()]
        found.append(f"{len(bad)} of {plural(len(run.jobs), 'job')} did not end well: "
                     f"{listing(words)}. They count against their sampler, but for "
                     "unsupported and target-failed ones; their reasons stand under Failures.")
    noted = sum(bool(job.notes) for job in run.jobs)
    if noted:
        found.append(f"{plural(noted, 'job')} of {len(run.jobs)} carry a note about how their "
                     "numbers came about; the notes stand under Failures.")
    disturbed = sum(run.disturbed(job) for job in run.jobs)
    if disturbed:
        found.append(f"The machine was disturbed during {plural(disturbed, 'job')}: the probe "
                     "took more than 1.3 times its median. Their rows say so.")
    found += _overspent(run) + _inactive(run) + _unjudged(scores) + _left_out(scores)
    found += [f"Damaged input: {text}." for text in run.complaints]
    if run.header.get("dirty"):
        found.append("The code had uncommitted changes: the commit alone does not reproduce it.")
    return found


def _overspent(run: Run) -> list[str]:
    """Who spent more than the budget: by how much, and whether it takes that sampler's rank."""
    found = []
    over = [j for j in run.jobs if ending(j) == OVER_BUDGET]
    if over:
        most: dict[tuple[str, str], float] = {}
        for j in over:
            most[j.label, j.target] = max(j.overshoot, most.get((j.label, j.target), 0.0))
        names = [f"{x} on {t} by {number(100 * share, 3)} %" for (x, t), share in most.items()]
        found.append(f"{plural(len(over), 'job')} spent more than {100 * OVERSHOOT:g} % beyond "
                     f"the budget and {'is' if len(over) == 1 else 'are'} shown but not ranked: "
                     f"{listing(names)}.")
    some = [j for j in run.jobs if j not in over and j.overshoot > 0.05]
    if some:
        found.append(f"{plural(len(some), 'job')} overshot the budget by more than 5 %, at most "
                     f"by {number(100 * max(j.overshoot for j in some), 2)} %.")
    return found


def _inactive(run: Run) -> list[str]:
    """Jobs whose points are hardly their sampler's work."""
    counts = Counter((why, j.label) for j in run.jobs if (why := inactive(j)))
    if not counts:
        return []
    names = [f"{label} {why} in {plural(amount, 'job')}"
             for (why, label), amount in counts.items()]
    return [f"Not the work of a sampler under this budget: {listing(names)}. What such a job "
            "hands over it had from elsewhere; a larger budget lets it start."]


def _unjudged(scores: Scores) -> list[str]:
    """Floors with too few draws to reject, and samplers without one at their number of points."""
    few: dict[int, list[str]] = {}
    for (target, metric, _), draws in scores.run.draws.items():
        if usable(draws) is None:
            few.setdefault(len(draws), []).append(f"{metric} on {target}")
    found = [f"{count} floor draws cannot reject at {LEVEL:g}: draw at least {least_draws()}. "
             f"Nothing is said of {listing(list(dict.fromkeys(names)))}."
             for count, names in few.items()]
    return found + [text for target in scores.run.targets
                    for text in unfloored(scores, target, scores.metrics)]


def _left_out(scores: Scores) -> list[str]:
    """Seeds that ended well and stand in no mean."""
    found: dict[str, list[str]] = {}
    for metric in scores.metrics:
        for target in scores.run.targets:
            for label in scores.run.labels:
                left = scores.left_out(label, target, metric)
                if left:
                    words = f"{label} on {target}: {left_words(left).removeprefix('left out: ')}"
                    found.setdefault(words, []).append(metric)
    return [f"Ended well and left out of the mean of {listing(metrics)}, counted against the "
            f"sampler: {words}." for words, metrics in found.items()]


def _overall(scores: Scores, metric: str) -> str:
    ranks = median_ranks(scores, metric)
    targets = judged(scores, metric)
    if not ranks or not targets:
        return ""
    title = scores.run.metric(metric)["title"]
    best = min(ranks.values())
    first = [label for label, rank in ranks.items() if rank == best]
    counts = {label: sum((s := scores.final(label, t, metric)) is not None and s.verdict in GOOD
                         for t in targets if competes(scores, label, t, metric))
              for label in first}
    floors = listing([f"{label} on {counts[label]}" for label in first])
    budget = scores.run.suite.get("budget", "")
    return (f"Best at {budget or 'this budget'} by {title}: {listing(first)} (median rank "
            f"{best:g} over {plural(len(targets), 'target')}). Statistically indistinguishable "
            f"from exact samples: {floors} of {plural(len(targets), 'target')}.")


def _target(scores: Scores, target: str, metric: str) -> str:
    run = scores.run
    if not run.target(target)["has_reference"] or not any(k[0] == target for k in run.draws):
        return _undetected(scores, target)
    parts = _floor_parts(scores, target, metric)
    parts += _mode_parts(scores, target)
    failed = [f"{x} ({scores.failed(x, target)} of {len(run.of(x, target))})"
              for x in run.ranked if scores.failed(x, target)]
    if failed:
        parts.append(f"Jobs not ok: {listing(failed)}")
    still = [f"{x} ({', '.join(words)})" for x in run.ranked
             if (words := inactive_words(run.of(x, target)))]
    if still:
        parts.append(f"Not the sampler's own work: {listing(still)}")
    return ". ".join(parts) + "."


def _undetected(scores: Scores, target: str) -> str:
    have = [str(scores.run.metric(m)["title"]) for m in scores.metrics
            if any(scores.final(x, target, m) for x in scores.run.labels)]
    if scores.run.target(target)["has_reference"]:
        return "No floor is stored, so nothing is said of what is good."
    return (f"No reference, so only {listing(have) if have else 'nothing'} could be "
            "scored and there is no floor. A missed mode, a wrong split of mass between modes, or "
            "too heavy a tail that the score is insensitive to would go undetected.")


def _floor_parts(scores: Scores, target: str, metric: str) -> list[str]:
    if not scores.floored(target, metric):
        title = scores.run.metric(metric)["title"]
        return [f"No floor of {title} can reject anything here, so nobody is called good or best"]
    finals = {x: s for x in scores.run.ranked if competes(scores, x, target, metric)
              and (s := scores.final(x, target, metric))}
    near = [x for x, s in finals.items() if s.verdict in GOOD]
    if not near:
        if not finals:
            return ["No sampler left a result that can be ranked"]
        best = min(finals, key=lambda x: finals[x].excess or 0.0)
        share = share_left(scores, best, target, metric)
        left = f" ({number(100 * share, 2)} % of the ceiling's excess left)" if share else ""
        return [f"Every sampler is distinguishable from exact samples; closest is {best}{left}"]
    words = [x + _also(scores, x, target, metric) for x in near]
    verb = "is" if len(words) == 1 else "are"
    return [f"{listing(words)} {verb} statistically indistinguishable from exact samples"]


def _also(scores: Scores, label: str, target: str, metric: str) -> str:
    """Other metrics of the table that differ significantly from their floor."""
    differ = [str(scores.run.metric(m)["title"]) for m in MAIN if m != metric
            and (s := scores.final(label, target, m)) is not None and s.verdict == "above"]
    return f" (distinguishable by {listing(differ)})" if differ else ""


def _mode_parts(scores: Scores, target: str) -> list[str]:
    total = len(scores.run.target(target)["mode_weights"] or ())
    missed = [f"{x} {number(s.mean, 2)}" for x in scores.run.ranked
              if (s := scores.final(x, target, "missing_modes")) is not None
              and s.mean > 0 and s.verdict not in GOOD
              and not all(ending(j) in UNRANKED for j in scores.run.of(x, target))]
    return [f"Modes missed (of {total}, mean over seeds): {listing(missed)}"] if missed else []
