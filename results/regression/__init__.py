"""Regressions of sample quality: runs frozen as a baseline, and later runs judged against it.

``snapshot`` is what is kept of a run, ``file`` how it is written, ``matching`` what must be equal,
``scores`` and ``statistics`` how one cell is tested, ``judge`` how all are judged together,
``view`` and ``formats`` how that is told, ``history`` how cells moved over commits,
``calibration`` how often the check errs and what it catches.
"""
