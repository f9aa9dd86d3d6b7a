"""Whose fault an exception is that came out of a sampler's verb, and what its job is called.

What the sampler raises is ``failed``; what the target raises while the sampler asks it properly is
``target-failed``; a full disk is nobody's status: it stops the run, which ``--resume`` continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.core.errors import MissingPackage, StoreError
from bench.harness import meter
from results.records.schema import Status
from results.records.store import FULL
from targets.base import Target


class Ended(Exception):
    """A job ends here, before its budget; ``status`` and ``reason`` are what its record says."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason[:500]


@contextmanager
def asked(verb: str) -> Iterator[None]:
    """Around a sampler's verb: whatever it raises becomes the end of its job."""
    try:
        yield
    except Exception as error:
        raise ended(verb, error) from error


def ended(verb: str, error: Exception) -> Ended:
    """What an exception out of a verb makes of the job; StoreError where the disk is full."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, Ended):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        raise StoreError(f"the disk is full ({error}); make room and go on with --resume"
                         ) from error
    if is_memory(error):
        return Ended("out-of-memory", str(error) or "memory is exhausted")
    if isinstance(error, NotImplementedError | MissingPackage):
        return Ended("unsupported", str(error))
    return _asked_in_vain(verb, error, said) or Ended("failed", f"{verb} raised {said}")


def is_memory(error: Exception) -> bool:
    """Whether memory ran out, of the machine or of the device."""
    return (isinstance(error, MemoryError | torch.OutOfMemoryError)
            or "can't allocate memory" in str(error))


def _asked_in_vain(verb: str, error: Exception, said: str) -> Ended | None:
    """The end of a job whose target raised; None where it was not the target.

    Told by the frames the exception went through: a target's own, entered from the meter. So a
    call that goes well pays nothing, and a sampler may catch what its target raises by its class.
    """
    frame, inside, points, of_target = error.__traceback__, False, None, False
    while frame is not None:
        seen = frame.tb_frame.f_locals
        if frame.tb_frame.f_code.co_filename == meter.__file__:
            inside, points, of_target = True, seen.get("x", points), False
        elif inside and isinstance(seen.get("self"), Target):
            of_target = True
            target: Target = seen["self"]
        frame = frame.tb_next
    if not of_target:
        return None
    if isinstance(points, Tensor):
        if points.dtype != target.dtype or points.device.type != target.device.type:
            return Ended("failed", f"{verb} asked the target at points of {points.dtype} on "
                         f"{points.device}, not {target.dtype} on {target.device}, and it raised "
                         f"{said}")
        if not bool(torch.isfinite(points).all()):
            return Ended("diverged", f"{verb} asked the target at points that are not finite, and "
                         f"it raised {said}")
    return Ended("target-failed", f"the target raised {said} (asked by {verb})")
