"""Regressions of sample quality: runs frozen as a baseline, and later runs judged against it.

``baseline`` is what is kept of a run, ``freeze`` makes it and ``baseline_file`` writes and reads
it; ``matching`` says what must be equal. ``two_samples`` are the seeds of a test, ``quality`` and
``cost`` test them (``outcome``), ``detectable`` is the power, ``measured_change`` the numbers
behind a verdict and ``verdicts`` judges all cells together; ``tables`` and ``formats`` show it.
``history``: entries over commits, cut into ``segments``, with their ``change_points``.
``calibration_tables`` shows how often a check errs and which injected bugs it detects.
"""
