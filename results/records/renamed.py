"""Names in older files that have changed since, read as they are today.

Lines of a run before version 3, headers before version 2 and baseline files before version 2 call
the baseline samplers ``initial`` and ``overhead`` by the names ``prior`` and ``idle``, and their
kind ``control``. A job's key stays as it was written: the files of its samples are named by it.
"""

from __future__ import annotations

from typing import Any

SAMPLERS = {"prior": "initial", "idle": "overhead"}
_OLD_KIND, _KIND = "control", "baseline"


def sampler_and_label(name: str, label: str) -> tuple[str, str]:
    """A baseline sampler's name and its label today; a label of its own is kept."""
    new = SAMPLERS.get(name, name)
    return new, new if label == name else label


def job_of_today(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of an older job's line under today's names."""
    if values.get("kind") != _OLD_KIND:
        return values
    name, label = sampler_and_label(str(values.get("sampler")), str(values.get("label")))
    return values | {"kind": _KIND, "sampler": name, "label": label}


def header_of_today(header: dict[str, Any]) -> dict[str, Any]:
    """An older run's header under today's names: its samplers, and its suite's items.

    It keeps its version: such a run can be read, not resumed.
    """
    samplers, labels = {}, {}
    for label, said in header["samplers"].items():
        new = label
        if said.get("kind") == _OLD_KIND:
            name, new = sampler_and_label(str(said.get("name", label)), label)
            said = said | {"name": name, "kind": _KIND, "family": _KIND}
            labels[label] = new
        samplers[new] = said
    items = header["suite"].get("items")
    if not isinstance(items, dict):
        return header | {"samplers": samplers}
    renamed = [_item(item, labels) for item in items.get("samplers") or ()]
    suite = header["suite"] | {"items": items | {"samplers": renamed}}
    return header | {"samplers": samplers, "suite": suite}


def _item(item: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    label = str(item.get("label"))
    if label not in labels:
        return item
    return item | {"name": SAMPLERS.get(item["name"], item["name"]), "label": labels[label]}


def cell_of_today(cell: dict[str, Any]) -> dict[str, Any]:
    """A sampler on a target, from an older baseline file, under today's names."""
    settings = cell["settings"]
    name, label = sampler_and_label(str(settings.get("sampler")), cell["sampler"])
    return cell | {"sampler": label, "settings": settings | {"sampler": name}}
