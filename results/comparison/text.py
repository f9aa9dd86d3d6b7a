"""What a comparison says in one sentence: better, worse, or not shown."""

from __future__ import annotations

from dataclasses import dataclass

from results.comparison.alignment import Field
from results.comparison.findings import Duel, Judgement
from results.presentation.table import chance, listing, number, plural
from results.statistics.null_distribution import LEVEL
from results.statistics.power import MOST_SEEDS


@dataclass(frozen=True)
class Part:
    """A judgement with the name it is shown under; ``key`` makes ids."""

    field: Field
    found: Judgement
    key: str
    title: str


def sentence(part: Part, against: str | None) -> str:
    """Better, worse or not shown: all against one, or the best-looking against the next."""
    found = part.found
    seeds = sorted({len(t.pair.seeds) for d in found.duels for t in d.targets})
    amount = f"{seeds[0]} to {seeds[-1]} seeds" if len(seeds) > 1 else plural(seeds[0], "seed")
    size = f"by {part.title} on {plural(len(found.targets), 'target')} with {amount}"
    blind = _hopeless(found)
    if against is not None:
        words = []
        for verdict in ("better", "worse", "not shown"):
            names = [x for x in found.order if x != against and found.duel(x, against)
                     and found.verdict(x, against) == verdict]
            words.append(f"{verdict}: {', '.join(names) or 'none'}")
        return f"Against {against}, {size}: {'; '.join(words)}.{blind}"
    first, *rest = found.order
    tied = [x for x in rest if (d := found.duel(first, x)) and d.flip.statistic == 0]
    after = next((d for x in rest if x not in tied and (d := found.duel(first, x))), None)
    text = f"{first} looks best {size}"
    text += f"; {listing(tied)} {'tie' if len(tied) > 1 else 'ties'} with it" if tied else ""
    if after is None:
        return f"{text}.{blind}"
    second = after.b if after.a == first else after.a
    verdict = found.verdict(first, second)
    if verdict != "not shown":
        return f"{text}. Against the next, {second}, it is {verdict} ({_chance(after)})."
    more = f"about {after.more}" if after.more else f"more than {MOST_SEEDS:,}"
    return (f"{text}. That it is better than the next, {second}, is not shown ({_chance(after)}; "
            f"{more} seeds a target might show it).{blind}")


def _chance(duel: Duel) -> str:
    return f"{chance(duel.adjusted)} after correction"


def _hopeless(found: Judgement) -> str:
    level = LEVEL * found.share / max(len(found.duels), 1)
    if all(d.flip.least > level for d in found.duels if d.flip.statistic != 0):
        least = [d.flip.least for d in found.duels if d.flip.statistic != 0]
        return (" So few seeds and targets could show no difference at all: the least p there is, "
                f"{number(min(least), 2)}, is above {number(level, 2)}." if least else "")
    return ""
