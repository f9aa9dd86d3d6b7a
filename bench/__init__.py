"""Samplers of unnormalised densities under matched, metered budgets: the Python interface.

    import bench

    r = bench.run("hmc", "gmm4", budget="3e5evals", n=1000, seed=0, chains=500)
    r.points                  # (1000, 2)
    r.scores(["mmd", "ksd"])  # values with standard errors, floors and p-values

``docs/python.md`` shows the rest; ``help(bench.run)`` says what each function takes. The command
line (``python -m bench``) calls the same functions. What a user can get wrong is a
``bench.UserError`` of one sentence. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.shadowing import clash
from bench.core.system import unsupported

if TYPE_CHECKING:
    from bench.core.errors import UserError
    from bench.interface.checking import check, freeze
    from bench.interface.comparing import compare
    from bench.interface.instances import metric, sampler, target
    from bench.interface.listing import metrics, samplers, suites, targets
    from bench.interface.single import run
    from bench.interface.suites import load, resume, run_suite
    from metrics.base import Metric
    from samplers.base import Sampler
    from targets.base import Target

#: Where each name comes from when it is first used.
_MODULES = {
    "UserError": "bench.core.errors",
    "Sampler": "samplers.base", "Target": "targets.base", "Metric": "metrics.base",
    "sampler": "bench.interface.instances", "target": "bench.interface.instances",
    "metric": "bench.interface.instances",
    "samplers": "bench.interface.listing", "targets": "bench.interface.listing",
    "metrics": "bench.interface.listing", "suites": "bench.interface.listing",
    "run": "bench.interface.single",
    "run_suite": "bench.interface.suites", "resume": "bench.interface.suites",
    "load": "bench.interface.suites",
    "compare": "bench.interface.comparing",
    "check": "bench.interface.checking", "freeze": "bench.interface.checking",
}

__all__ = ["Metric", "Sampler", "Target", "UserError", "check", "compare", "freeze", "load",
           "metric", "metrics", "resume", "run", "run_suite", "sampler", "samplers", "suites",
           "target", "targets"]

#: The command line puts the working folder last before it asks what is in the way.
_COMMANDS = ("-m", "sampler-bench")

if Path(sys.argv[0] if sys.argv else "").name not in _COMMANDS and (
        _sentence := unsupported() or clash()):
    raise ImportError(_sentence)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _MODULES:
        raise AttributeError(f"module 'bench' has no attribute '{name}'")
    found = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    return __all__
