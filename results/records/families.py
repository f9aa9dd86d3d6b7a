"""The families samplers are grouped by, in the order in which tables and legends show them."""

from __future__ import annotations

#: What a sampler says of itself, and how it is written.
FAMILIES = {"mcmc": "Markov chains", "particles": "particles", "diffusion": "diffusions",
            "flow": "flows", "one-step": "one-step generators", "": "others"}
#: More samplers than this and tables say of each what family it belongs to.
CROWDED = 12


def known(family: object) -> str:
    """The family as a key of ``FAMILIES``: the empty one for any that is not known."""
    return family if isinstance(family, str) and family in FAMILIES else ""
