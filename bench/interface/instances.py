"""Samplers, targets and metrics by name, as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError
from bench.core.registry import load

if TYPE_CHECKING:
    from metrics.base import Metric
    from samplers.base import Sampler
    from targets.base import Target


def sampler(name: str, /, **parameters: Any) -> Sampler:  # noqa: ANN401
    """A sampler with the given hyperparameters, its own defaults for the rest.

        bench.sampler("hmc", chains=500)

    UserError for an unknown name or hyperparameter (``bench.samplers()`` lists them), or where an
    optional package is missing.
    """
    made: Sampler = load("samplers", name, **parameters)
    return made


def target(name: str, /, **parameters: Any) -> Target:  # noqa: ANN401
    """A target, in float64 on the CPU; ``to(device, dtype)`` gives a copy elsewhere.

        gmm = bench.target("gmm_nd", dim=8)
        gmm.log_prob(torch.zeros(5, 8, dtype=torch.float64))  # (5,)

    UserError for an unknown name or parameter (``bench.targets()`` lists them).
    """
    made: Target = load("targets", name, **parameters)
    return made


def metric(name: str, /, **parameters: Any) -> Metric:  # noqa: ANN401
    """A metric with the given settings, its own defaults for the rest.

        bench.metric("w2", cap=500)

    UserError for an unknown name or setting (``bench.metrics()`` lists them).
    """
    made: Metric = load("metrics", name, **parameters)
    return made


def check_instance(given: object, base: type) -> None:
    """Refuse what is no instance of a class derived from ``base``."""
    kind = base.__name__.lower()
    if isinstance(given, base):
        return
    if isinstance(given, type) and issubclass(given, base):
        raise UserError(f"{given.__name__} is a class; give an instance, {given.__name__}()")
    raise UserError(f"{given!r} is no {kind}; give a name (bench.{kind}s() lists them) or an "
                    f"instance of a class derived from bench.{base.__name__}")


def name_of(made: Sampler | Target | Metric) -> str:
    """What an instance is called: the name of its class, which must have one."""
    name, cls = getattr(made, "name", None), type(made)
    if isinstance(name, str) and name:
        return name
    if cls.__module__.startswith("targets."):  # such as what tempered() gives
        return cls.__name__.lower()
    raise UserError(f"class {cls.__name__} has no name; add the line name = "
                    f"\"{cls.__name__.lower()}\"")
