"""The one serialised form of a suite: what ``run.json`` says of it, and how that is read back.

Its keys are those of ``Suite``, but for the items, which stand together under ``items``, for the
seeds (``seeds`` is their number, ``seed_list`` which) and for the budget (``budget`` as text,
``currency`` and ``amount`` as what it means).
"""

from __future__ import annotations

from typing import Any

from bench.core.errors import UserError
from bench.core.serialised import decode, encode
from bench.suite.suite import Suite

ITEMS = ("targets", "samplers", "metrics")


def to_facts(suite: Suite) -> dict[str, Any]:
    """The suite as values of JSON; two runs with the same facts are the same run."""
    facts = encode(suite)
    items = {kind: facts.pop(kind) for kind in ITEMS}
    if not suite.check:
        del facts["check"]
    return {**facts, "plugin": facts["plugin"] or "", "items": items,
            "seeds": len(suite.seeds), "seed_list": list(suite.seeds),
            "budget": str(suite.budget), "currency": suite.budget.currency,
            "amount": suite.budget.amount}


def from_facts(facts: dict[str, Any]) -> Suite:
    """The suite of a run's header, so that a run can be resumed without its suite file.

    UserError where the header does not hold one.
    """
    try:
        return decode(Suite, {
            **facts, **facts["items"], "plugin": facts.get("plugin") or None,
            "seeds": facts["seed_list"],
            "budget": {"currency": facts["currency"], "amount": facts["amount"]}})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("the header of the run does not say what was asked "
                        f"({type(error).__name__}: {error}); restore its run.json or run anew"
                        ) from None
