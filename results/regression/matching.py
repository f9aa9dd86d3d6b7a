"""What must be equal for a cell of two snapshots to be compared: settings, target and metrics.

The sampler's code may differ, that is the point; what it was asked to do may not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from results.presentation.table import listing
from results.regression.baseline import SamplerOnTarget, Snapshot

#: Targets behave alike up to this share (as fingerprints do), metrics up to that.
TARGET_TOLERANCE, METRIC_TOLERANCE = 1e-6, 1e-4

_WORDS = {"budget": "budget", "n": "number of points", "n_curve": "number of points of the curve",
          "fractions": "checkpoints", "device": "device", "dtype": "dtype"}


def difference(old: Snapshot, new: Snapshot, a: SamplerOnTarget, b: SamplerOnTarget) -> str:
    """Why a cell of two snapshots cannot be compared; empty where it can."""
    target = _target(old, new, a.target)
    return "; ".join(filter(None, (_setting(old, new, a, b), target,
                                   _metrics(old, new, a, b, not target))))


def _setting(old: Snapshot, new: Snapshot, a: SamplerOnTarget, b: SamplerOnTarget) -> str:
    said = [f"{_WORDS[k]} {_short(old.settings.get(k))} → {_short(new.settings.get(k))}"
            for k in _WORDS if old.settings.get(k) != new.settings.get(k)]
    for key in ("sampler", "budget"):
        if a.settings.get(key) != b.settings.get(key) and not said:
            said.append(f"{key} {a.settings.get(key)} → {b.settings.get(key)}")
    timed = "seconds" in str(a.settings.get("budget"))
    compiled = [bool(s.settings.get("compile")) for s in (old, new)]
    if timed and compiled[0] != compiled[1]:  # evaluations count alike either way
        said.append(f"compiling {compiled[0]} → {compiled[1]}")
    for what, key in (("", "params"), ("target's ", "target_params")):
        said += _changes(what, a.settings.get(key) or {}, b.settings.get(key) or {})
    if not said and timed and _machine(old) != _machine(new):
        return (f"the budget is in seconds, and {_machine(new)} is another machine than "
                f"{_machine(old)}")
    return f"a setting differs: {listing(said)}" if said else ""


def _machine(snapshot: Snapshot) -> str:
    facts = snapshot.made.get("machine") or {}
    return f"{facts.get('cpu')} ({facts.get('cores')} cores)"


def _changes(what: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is asked for differently; an option that came later and is not used (None) is not."""
    return [f"{what}{k} {_short(old.get(k, 'absent'))} → {_short(new.get(k, 'absent'))}"
            for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]


def _short(value: Any) -> str:  # noqa: ANN401
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _target(old: Snapshot, new: Snapshot, name: str) -> str:
    a, b = old.targets.get(name, {}), new.targets.get(name, {})
    if "behaviour" not in a or "behaviour" not in b:
        return f"what the target {name} was is not recorded"
    if not alike(a["behaviour"], b["behaviour"], TARGET_TOLERANCE, TARGET_TOLERANCE):
        return (f"the target {name} is another density (fingerprint {a.get('fingerprint')} → "
                f"{b.get('fingerprint')})")
    return ""


def _metrics(old: Snapshot, new: Snapshot, a: SamplerOnTarget, b: SamplerOnTarget,
             same: bool) -> str:
    """``same``: the target is; on another density a metric's figures may move by themselves."""
    changed = [f"{m} ({why})" for m in dict.fromkeys((*a.metrics, *b.metrics))
               if (why := _metric(old, new, a, b, m, same))]
    return f"a metric differs: {listing(changed)}" if changed else ""


def _metric(old: Snapshot, new: Snapshot, a: SamplerOnTarget, b: SamplerOnTarget, name: str,
            same: bool) -> str:
    one, other = old.metrics.get(name), new.metrics.get(name)
    if one is None or other is None:
        return "only in the baseline" if other is None else "not in the baseline"
    if one["version"] != other["version"]:
        return f"version {one['version']} → {other['version']}"
    if said := _changes("", one["params"], other["params"]):
        return listing(said)
    x, y = (s.targets[a.target].get("metric_behaviour", {}).get(name) for s in (old, new))
    if same and not alike([x], [y], METRIC_TOLERANCE, 1e-9):
        return f"scores fixed points {_figure(x)} → {_figure(y)} under the same version"
    sizes = [dict(zip(c.metrics, c.sizes, strict=True)).get(name) for c in (a, b)]
    if None not in sizes and sizes[0] != sizes[1]:
        return f"taken at n = {sizes[0]} → {sizes[1]}"
    return ""


def _figure(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"


def alike(a: Sequence[float | None], b: Sequence[float | None], tolerance: float,
          least: float) -> bool:
    """Whether numbers agree up to a share of the larger one, or to ``least``; None with None."""
    return len(a) == len(b) and all(
        u is v or (u is not None and v is not None
                   and math.isclose(u, v, rel_tol=tolerance, abs_tol=least))
        for u, v in zip(a, b, strict=True))
