"""What a sampler declares: read from its file before anything runs, compared when it does."""

from __future__ import annotations

from dataclasses import dataclass

from bench.core.entry import Entry
from bench.core.errors import UserError, nearest

KINDS = ("amortised", "continuing", "one-shot", "baseline")
FAMILIES = ("mcmc", "particles", "diffusion", "flow", "one-step", "baseline")


def check_declared(entry: Entry) -> None:
    """Refuse a sampler whose kind, or whose family where it states one, is none that there is."""
    for what, known in (("kind", KINDS), ("family", FAMILIES)):
        said = entry.attributes.get(what)
        if said in known or (what == "family" and what not in entry.attributes):
            continue
        near = nearest(said, known) if isinstance(said, str) else ""
        found = f"'{said}'" if said is not None else "nothing that can be read"
        raise UserError(f"sampler '{entry.name}' declares as its {what} {found}{near}; write "
                        f"{what} = one of {', '.join(known)}, as a plain literal in its class")


@dataclass(frozen=True)
class Declared:
    """What a sampler's file declares of it (``samplers.base.Sampler`` says what it means)."""

    kind: str
    learned: bool
    anneals: bool

    @classmethod
    def of(cls, entry: Entry) -> Declared:
        """What an entry of the registry declares."""
        said = entry.attributes
        return cls(said.get("kind", ""), bool(said.get("learned")), bool(said.get("anneals")))


def undeclared(sampler: object, name: str, declared: Declared) -> str:
    """The sentence that says how a sampler differs from what its file says, or nothing."""
    for what, listed in (("name", name), *vars(declared).items()):
        found = getattr(sampler, what, None)
        if found != listed:
            return (f"the sampler says {what} = {found!r} when it runs, and its file says "
                    f"{listed!r}; write {what} as a plain literal in its class and leave it so")
    return ""
