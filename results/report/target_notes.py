"""What stands below a table of quality: what its numbers rest on, and what they do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from results.presentation.table import listing
from results.records.frames import Scores

#: Metrics whose definition needs the target's second moments.
SECOND_MOMENTS = ("w2", "sliced_w2", "w2_blocks", "cov_error", "cov_trace", "cov_trace_central")


def notes(scores: Scores, target: str, metrics: Sequence[str],
          sizes: Mapping[str, int | None]) -> list[str]:
    """Missing moments, missing floors, draws behind floors, what metrics are insensitive to."""
    return [text for text in (_heavy_tails(scores, target, metrics),
                              *unfloored(scores, target, metrics),
                              _draws(scores, target, sizes),
                              _insensitive(scores, metrics)) if text]


def unfloored(scores: Scores, target: str, metrics: Sequence[str]) -> list[str]:
    """Samplers whose points have no floor at their number, why, and what to do."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        for label in scores.run.ranked:
            score = scores.final(label, target, metric)
            if score is not None and score.draws is None and scores.floored(target, metric):
                found.setdefault(f"{label} on {target} (n = {score.n})", []).append(
                    str(scores.run.metric(metric)["title"]))
    asked = scores.run.suite.get("n", "?")
    return [f"No floor at its number of points, so without a rank by {listing(titles)}: {where}. "
            f"It did not draw the {asked} points asked for; a sampler that holds fewer declares "
            "how many in points(n), and the run draws that floor."
            for where, titles in found.items()]


def _heavy_tails(scores: Scores, target: str, metrics: Sequence[str]) -> str:
    """What a distance of second moments means where the target has none."""
    run = scores.run
    names = [str(run.metric(m)["title"]) for m in metrics
             if run.metric(m).get("name", m) in SECOND_MOMENTS]
    if run.target(target)["finite_variance"] or not names:
        return ""
    return (f"{target} has infinite variance: what {listing(names)} would estimate is not finite "
            "here. The numbers compare the farthest points, grow with n and hang on single "
            "points; only the drawn floor says what exact samples score.")


def _draws(scores: Scores, target: str, sizes: Mapping[str, int | None]) -> str:
    by_count: dict[int, list[str]] = {}
    for metric, n in sizes.items():
        if n and (draws := scores.run.draws.get((target, metric, n))) is not None:
            by_count.setdefault(len(draws), []).append(str(scores.run.metric(metric)["title"]))
    said = "; ".join(f"{size} for {', '.join(names)}" for size, names in by_count.items())
    return f"Floor draws: {said}." if said else ""


def _insensitive(scores: Scores, metrics: Sequence[str]) -> str:
    infos = [scores.run.metric(m) for m in metrics]
    blind = [f"{info['title']}: {info['blind']}" for info in infos if info["blind"]]
    return "What they are insensitive to. " + " ".join(
        b if b.endswith(".") else b + "." for b in blind) if blind else ""
