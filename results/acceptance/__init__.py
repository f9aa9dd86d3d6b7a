"""Acceptance criteria set for a sampler before it was run, and whether a run meets them.

``criteria`` reads them from one TOML file each, ``observed`` finds what a run measured, ``judged``
compares the two; ``tables``, ``variants`` and ``figure`` show the result.
"""
