"""Comparisons that hold: samplers paired over seeds and targets, corrected for how many there are.

``gather`` finds what runs share, ``paired`` and ``statistics`` are the tests, ``judge`` corrects
them together, ``found`` is what they found; ``view``, ``words``, ``figure`` and ``page`` show it.
``calibration`` measures how often all of it errs.
"""
