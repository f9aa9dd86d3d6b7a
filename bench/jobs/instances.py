"""Instances of what a job's specification names: its target, its metrics, its sampler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.errors import UserError
from bench.core.registry import load
from bench.harness.validation import settled
from bench.jobs.spec import RunSettings
from bench.suite.specs import ItemSpec, SamplerSpec, TargetSpec
from metrics.base import Metric
from samplers.base import Sampler
from targets.base import Target
from targets.reference import Referenced


def make(spec: ItemSpec, plugin: Path | None) -> Any:  # noqa: ANN401
    """An instance of a suite's item, from this project or the run's plugin.

    UserError where it cannot be made, MissingPackage where it needs a package that is not there.
    """
    return load(spec.registry, spec.name, plugin, **spec.params)


def make_target(spec: TargetSpec, settings: RunSettings, device: str | None = None) -> Target:
    """The judged target of a job, on its device and in its dtype; UserError where that fails."""
    try:
        return _make_target(spec, settings, device or settings.device)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"target '{spec.name}' cannot be made: {type(error).__name__}: {error}"
                        ) from error


def _make_target(spec: TargetSpec, settings: RunSettings, device: str) -> Target:
    target = settled(make(spec, settings.plugin), spec.name)
    if spec.temperature != 1.0:
        target = target.tempered(spec.temperature)
    reference = settings.references.get(spec.label)
    if reference:
        try:
            pool = torch.as_tensor(np.load(reference, allow_pickle=False))
            target = Referenced(target, pool, f"a run named by the user: {Path(reference).name}")
        except (ValueError, TypeError, OSError, EOFError) as error:
            raise UserError(f"reference '{reference}' cannot be used: {error}") from None
    return target.to(device, getattr(torch, settings.dtype))


def as_declared(target: Target, spec: TargetSpec) -> Target:
    """The target as samplers meet it: under the suite's own scale where the suite states one.

    The judge keeps the target's own: fingerprint and floors belong to the density alone.
    """
    return target if spec.scale is None else target.declaring(spec.scale)


def make_metrics(settings: RunSettings) -> dict[str, Metric]:
    """The metrics of the suite by their labels."""
    return {spec.label: make(spec, settings.plugin) for spec in settings.metrics}


def make_sampler(spec: SamplerSpec, settings: RunSettings) -> Sampler:
    """The sampler of a job."""
    sampler: Sampler = make(spec, settings.plugin)
    return sampler
