"""A target that keeps its density and loses what judges it, for a process that must not know.

A density's code names what it uses. Starting from the functions of the sampling interface, every
function and constant whose name their code mentions is kept, and so on for those; all others
(exact sampler, truths, modes, reference points, and the constants that only these use) are removed
from the classes of this process and from the target itself. Names in strings count as mentioned,
so that ``getattr(self, "_part")`` goes on working; a name put together at run time does not.

What this cannot remove: a function of a module that anybody may import, and the program's files.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import CodeType, FunctionType

from targets.base import Target

#: What a sampler may call, and what the harness needs to hand a target over.
KEPT = ("log_prob", "score", "log_prob_and_score", "hvp", "to", "device", "dtype", "dim", "scale",
        "name", "_device", "_dtype", "_behind_meter")


def sampling_only(target: Target) -> Target:
    """The target without its judging interface; its classes lose it for good in this process."""
    families = [cls for part in _parts(target) for cls in type(part).__mro__
                if issubclass(cls, Target) and cls is not Target]
    needed = _mentioned([*families, Target])
    for cls in dict.fromkeys(families):
        for name, item in list(vars(cls).items()):
            if not name.startswith("__") and name not in needed and _removable(item):
                delattr(cls, name)
    return _stripped(target, needed)


def _parts(target: Target) -> Iterator[Target]:
    """The target and the targets it is made of."""
    yield target
    for value in vars(target).values():
        if isinstance(value, Target):
            yield from _parts(value)


def _removable(item: object) -> bool:
    """Functions and what stands for one; constants of a class are left, they hold no points."""
    return isinstance(item, FunctionType | property | classmethod | staticmethod)


def _mentioned(families: list[type]) -> set[str]:
    """Names that the density's code mentions, and the code of what it mentions, and so on."""
    needed, waiting = set(KEPT), list(KEPT)
    while waiting:
        name = waiting.pop()
        for cls in families:
            for code in _codes(vars(cls).get(name)):
                fresh = _names(code) - needed
                needed |= fresh
                waiting += fresh
    return needed


def _codes(item: object) -> Iterator[CodeType]:
    """The code of a function, of what it closes over (a guarded method), or of a property."""
    if isinstance(item, property):
        yield from _codes(item.fget)
    elif isinstance(item, classmethod | staticmethod):
        yield from _codes(item.__func__)
    elif isinstance(item, FunctionType):
        yield item.__code__
        for cell in item.__closure__ or ():
            yield from _codes(cell.cell_contents)


def _names(code: CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names(constant)
        elif isinstance(constant, str):
            found.add(constant)
    return found


def _stripped(target: Target, needed: set[str]) -> Target:
    bare = copy.copy(target)
    for name, value in list(vars(target).items()):
        if isinstance(value, Target):
            object.__setattr__(bare, name, _stripped(value, needed))
        elif name not in needed:
            vars(bare).pop(name, None)
    for name, nothing in (("has_reference", False), ("log_z", None), ("mode_weights", None),
                          ("reference_note", "none")):
        object.__setattr__(bare, name, nothing)
    return bare
