"""Saving and loading a sampler's state as plain values, whatever dataclass it is.

``save`` turns a state into numbers, strings, tensors, lists and dicts, which ``torch.save`` writes
and ``torch.load(..., weights_only=True)`` reads: nothing saved is ever executed. ``load`` needs a
template, a state of the same sampler and target fresh from ``init``, for what plain values cannot
say: the classes, and the networks that optimisers point into. A loaded state continues bitwise as
the saved one would have.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from torch import Tensor


def _stateful(value: Any) -> bool:  # noqa: ANN401
    """Networks, optimisers, schedules: what loads its own ``state_dict`` in place."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def save(state: Any) -> Any:  # noqa: ANN401
    """Plain values that share no memory with the state; TypeError for what has none."""
    if state is None or isinstance(state, bool | int | float | str):
        return state
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, torch.Generator):
        return state.get_state()
    if _stateful(state):
        return copy.deepcopy(state.state_dict())
    if dataclasses.is_dataclass(state):
        return {f.name: save(getattr(state, f.name)) for f in dataclasses.fields(state)}
    if isinstance(state, dict):
        return {key: save(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(save(value) for value in state)
    raise TypeError(f"a state cannot hold a {type(state).__name__}: it has no plain form")


def load(template: Any, saved: Any) -> Any:  # noqa: ANN401
    """The state that ``save`` was given. The template is used up: its networks are filled."""
    if isinstance(template, torch.Generator):
        template.set_state(saved)
        return template
    if _stateful(template):
        template.load_state_dict(copy.deepcopy(saved))
        return template
    if dataclasses.is_dataclass(template):
        loaded = copy.copy(template)
        for f in dataclasses.fields(template):
            value = load(getattr(template, f.name), saved[f.name])
            object.__setattr__(loaded, f.name, value)
        return loaded
    if isinstance(template, dict) and template.keys() == saved.keys():
        return {key: load(template[key], value) for key, value in saved.items()}
    if isinstance(template, list | tuple) and len(template) == len(saved):
        return type(template)(load(t, v) for t, v in zip(template, saved, strict=True))
    return saved.clone() if isinstance(saved, Tensor) else saved


def same(a: Any, b: Any) -> bool:  # noqa: ANN401
    """Whether two saved states are bitwise equal."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
