"""Running the laws of its kind on a sampler, target or metric, built-in or of a plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.conformance import metrics, samplers, targets
from bench.conformance.law import Law, Outcome
from bench.core.registry import load


@dataclass(frozen=True)
class Kit:
    """The laws of a kind, and how one of its entries becomes a case for them.

    ``case`` takes the name, the plugin file or None, and a seed.
    """

    laws: tuple[Law, ...]
    case: Callable[[str, Path | None, int], Any]


def _sampler(name: str, plugin: Path | None, seed: int) -> samplers.SamplerCase:
    settings = samplers.read_settings(type(load("samplers", name, plugin)))
    made = load("samplers", name, plugin, **settings.parameters)
    return samplers.SamplerCase(made, settings, seed)


def _target(name: str, plugin: Path | None, seed: int) -> targets.TargetCase:
    target = load("targets", name, plugin)
    return targets.TargetCase(target, targets.read_settings(type(target)))


def _metric(name: str, plugin: Path | None, seed: int) -> metrics.MetricCase:
    settings = metrics.read_settings(type(load("metrics", name, plugin)))
    return metrics.MetricCase(load("metrics", name, plugin, **settings.parameters), settings)


KITS = {"samplers": Kit(samplers.LAWS, _sampler), "targets": Kit(targets.LAWS, _target),
        "metrics": Kit(metrics.LAWS, _metric)}


def examine(kind: str, name: str, plugin: Path | None = None, seed: int = 0) -> Iterator[Outcome]:
    """What comes of each law, in order, as soon as it is known.

    Raises UserError for a name that is not registered or cannot be made, MissingPackage where an
    optional package is not installed.
    """
    kit = KITS[kind]
    exempt = type(load(kind, name, plugin)).exempt
    case = kit.case(name, plugin, seed)
    for law in kit.laws:
        yield law.examine(case, exempt)
