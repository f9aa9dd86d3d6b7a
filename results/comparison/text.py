"""What a comparison says in one sentence: better, worse, or not shown."""

from __future__ import annotations

from dataclasses import dataclass

from results.comparison.alignment import AlignedRuns
from results.comparison.findings import Findings, PairwiseComparison, Verdict
from results.presentation.table import listing, number, p_value_text, plural
from results.statistics.null_distribution import LEVEL
from results.statistics.power import MOST_SEEDS


@dataclass(frozen=True)
class MetricFindings:
    """Findings with the title of the metric that they are by; ``key`` makes ids."""

    aligned: AlignedRuns
    findings: Findings
    key: str
    title: str


def sentence(by: MetricFindings, against: str | None) -> str:
    """Better, worse or not shown: all against one, or the best-looking against the next."""
    found = by.findings
    seeds = sorted({len(t.paired.seeds) for p in found.pairs for t in p.targets})
    amount = f"{seeds[0]} to {seeds[-1]} seeds" if len(seeds) > 1 else plural(seeds[0], "seed")
    size = f"by {by.title} on {plural(len(found.targets), 'target')} with {amount}"
    said = _best(found, size) if against is None else _all_against(found, against, size)
    return said + ("" if _decided(found, against) else _without_power(found))


def _decided(found: Findings, against: str | None) -> bool:
    """Whether the sentence claims a difference, so that the power needs no word."""
    best = _first_and_next(found)[1]
    return against is None and best is not None and best.verdict != Verdict.NOT_SHOWN


def _all_against(found: Findings, against: str, size: str) -> str:
    groups = []
    for verdict in (Verdict.BETTER, Verdict.WORSE, Verdict.NOT_SHOWN):
        names = [x for x in found.order if x != against and found.pair(x, against)
                 and found.verdict(x, against) == verdict]
        groups.append(f"{verdict}: {', '.join(names) or 'none'}")
    return f"Against {against}, {size}: {'; '.join(groups)}."


def _first_and_next(found: Findings) -> tuple[list[str], PairwiseComparison | None]:
    """Samplers that tie with the best-looking one, and its comparison with the next."""
    first, *rest = found.order
    tied = [x for x in rest if (p := found.pair(first, x)) and p.sign_flip.statistic == 0]
    return tied, next((p for x in rest if x not in tied and (p := found.pair(first, x))), None)


def _best(found: Findings, size: str) -> str:
    first, (tied, after) = found.order[0], _first_and_next(found)
    text = f"{first} looks best {size}"
    text += f"; {listing(tied)} {'tie' if len(tied) > 1 else 'ties'} with it" if tied else ""
    if after is None:
        return f"{text}."
    second = after.b if after.a == first else after.a
    verdict, p = found.verdict(first, second), f"adjusted {p_value_text(after.adjusted_p)}"
    if verdict != Verdict.NOT_SHOWN:
        return f"{text}. Against the next, {second}, it is {verdict} ({p})."
    more = f"about {after.seeds_needed}" if after.seeds_needed else f"more than {MOST_SEEDS:,}"
    return (f"{text}. That it is better than the next, {second}, is not shown ({p}; {more} seeds "
            "a target might show it).")


def _without_power(found: Findings) -> str:
    """Said where no outcome whatever could have been significant; else empty."""
    level = LEVEL * found.level_share / max(len(found.pairs), 1)
    least = [p.sign_flip.least for p in found.pairs if p.sign_flip.statistic != 0]
    if not least or min(least) <= level:
        return ""
    return (" So few seeds and targets could show no difference at all: the least p there is, "
            f"{number(min(least), 2)}, is above {number(level, 2)}.")
