"""Samplers compared with each other: paired over seeds and targets, p-values adjusted by Holm.

``alignment`` finds what runs share (``compatibility``: whether they may be compared),
``hypothesis_tests`` makes every test of a comparison and adjusts them together, ``findings`` is
what they found, ``comparison`` holds all of it; ``tables``, ``study_tables``, ``figure``, ``text``
and ``page`` show it. ``studies`` reads how often all of it errs, by simulation. ``break_even``
compares the costs of samplers.
"""
