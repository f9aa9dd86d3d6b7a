"""Whether something changed that must not have: states around a draw, a sampler's own things.

A digest covers tensors, arrays, networks, optimisers, generators and whatever plain containers and
objects hold them. Of very large states the first ``CONTENT`` bytes are read and of the rest
torch's counters of changes, so that a checkpoint stays cheap. What lives in closures, iterators
and ``functools.cache`` is not seen.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.harness.attribution import Ended
from samplers.base import Sampler

#: Bytes of tensors that one digest reads.
CONTENT = 1 << 25
#: Objects within objects that it follows.
DEPTH = 60
_NO_DATA = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType, staticmethod,
            classmethod, property, cached_property)


def digest(value: Any) -> bytes:  # noqa: ANN401
    """Sixteen bytes that change where the value's content does."""
    reader = _Reader()
    reader.read(value, 0)
    return reader.hash.digest()


class _Reader:
    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self.left = CONTENT
        self.met: dict[int, Any] = {}  # keeps what it met alive, so that no id comes twice

    def read(self, value: Any, depth: int) -> None:  # noqa: ANN401
        """Add a value to the digest, and what it holds."""
        self._word(type(value).__qualname__)
        if value is None or isinstance(value, bool | int | float | complex | str | bytes
                                       | torch.dtype | torch.device | np.generic):
            self._word(repr(value))
        elif isinstance(value, _NO_DATA):
            self._word(getattr(value, "__qualname__", ""))
        elif id(value) in self.met or depth > DEPTH:
            self._word("again")
        else:
            self.met[id(value)] = value
            for part in self._parts(value):
                self.read(part, depth + 1)

    def _word(self, text: str) -> None:
        self.hash.update(text.encode(errors="surrogatepass") + b"\0")

    def _parts(self, value: Any) -> Iterator[Any]:  # noqa: ANN401
        """What a value holds, in order; content that is bytes goes to the digest at once."""
        if isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray):
            self._word(f"{value.shape}{value.dtype}")
            yield from value.flat if value.dtype.hasobject else ()
            self._bytes(value, value.nbytes)
        elif isinstance(value, torch.Generator):
            self._tensor(value.get_state())
        elif isinstance(value, np.random.Generator):
            yield value.bit_generator.state
        elif isinstance(value, random.Random):
            yield value.getstate()
        elif isinstance(value, Mapping):
            for key, held in value.items():
                yield from (key, held)
        elif isinstance(value, list | tuple | deque):
            yield from value
        elif isinstance(value, set | frozenset):
            yield from sorted(map(digest, value))
        else:
            yield from _attributes(value)

    def _tensor(self, value: Tensor) -> None:
        value = value.detach()
        self._word(f"{tuple(value.shape)}{value.dtype}{value.device}")
        if value.layout != torch.strided or value.device.type == "meta":
            return
        size = value.numel() * value.element_size()
        if size > self.left:
            self._word("" if value.is_inference() else str(value._version))
            return
        self._bytes(value.cpu().contiguous().flatten().view(torch.uint8).numpy(), size)

    def _bytes(self, content: np.ndarray, size: int) -> None:
        if size <= self.left and not content.dtype.hasobject:
            self.hash.update(np.ascontiguousarray(content).data)
            self.left -= size


def _attributes(value: object) -> Iterator[Any]:
    """Names and values of an object's attributes, but for what it computed once and remembers."""
    if isinstance(value, nn.Module):
        yield {**value._parameters, **value._buffers, **value._modules}
        yield {k: v for k, v in vars(value).items() if not k.startswith("_")}
    elif isinstance(value, torch.optim.Optimizer):
        yield value.state_dict()
    elif is_dataclass(value) and not isinstance(value, type):
        yield {f.name: getattr(value, f.name, None) for f in fields(value)}
    else:
        own = {name: getattr(value, name) for cls in type(value).__mro__
               for name in _slots(cls) if hasattr(value, name)}
        remembered = {k for cls in type(value).__mro__ for k, v in vars(cls).items()
                      if isinstance(v, cached_property)}
        yield own | {k: v for k, v in getattr(value, "__dict__", {}).items()
                     if k not in remembered}


def _slots(cls: type) -> tuple[str, ...]:
    named = vars(cls).get("__slots__", ())
    return tuple(n for n in ((named,) if isinstance(named, str) else named)
                 if n not in ("__weakref__", "__dict__"))


class Kept:
    """A state as it was, to be compared with what a verb that only reads leaves of it."""

    def __init__(self, state: Any) -> None:  # noqa: ANN401
        self._state, self._was = state, digest(state)

    def check(self, verb: str) -> None:
        """End the job if the verb changed the state."""
        if digest(self._state) != self._was:
            raise Ended("failed", f"{verb} changed the state and must leave it as it was: what "
                        "it does is not charged to training; change copies, or do it in step")


def possessions(sampler: Sampler) -> dict[str, bytes]:
    """Digests of what a sampler could keep outside its state: itself, its classes, its module."""
    cls = type(sampler)
    remembered = {k for c in cls.__mro__ for k, v in vars(c).items()
                  if isinstance(v, cached_property)}
    found = {f"attribute '{k}'": v for k, v in vars(sampler).items() if k not in remembered}
    for c in cls.__mro__[:cls.__mro__.index(Sampler)]:
        found |= {f"class attribute '{k}'": v for k, v in vars(c).items() if _data(k, v)}
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    found |= {f"module's '{k}'": v for k, v in module.items() if _data(k, v)}
    return {name: digest(value) for name, value in found.items()}


def _data(name: str, value: object) -> bool:
    return not (name.startswith("__") or name == "_abc_impl" or isinstance(value, _NO_DATA))
