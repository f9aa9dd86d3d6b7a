"""How a job ended, as a reader of results must take it: ranked, shown only, or hardly a run."""

from __future__ import annotations

from results.records.schema import UNANSWERED, Job

#: Beyond this share of its budget spent on top a job is shown and named, and not ranked. The loop
#: stops before the most expensive step so far would exceed the budget, so that an honest sampler
#: overshoots by what its last step or its final draw grew: a few per cent, under a budget of
#: seconds the machine's noise with it. A tenth more evaluations changes hardly any metric beyond
#: its floor's spread; several times the budget is another budget.
OVERSHOOT = 0.10
OVER_BUDGET = "over-budget"
#: Shown and not ranked: it had no state within its budget, or could not answer at all.
UNRANKED = ("unaffordable", OVER_BUDGET, *UNANSWERED)


def ending(job: Job) -> str:
    """The job's status; ``over-budget`` where it ended well but spent far more than it had."""
    over = job.status == "ok" and job.kind != "baseline" and job.overshoot > OVERSHOOT
    return OVER_BUDGET if over else job.status


def inactive(job: Job) -> str:
    """Why a job's points are hardly its sampler's work; empty where they are, or it failed."""
    if job.kind == "baseline" or job.status not in ("ok", "unaffordable"):
        return ""
    if not job.steps:
        return "made no step"
    return "" if job.train.evaluations() else "evaluated nothing"
