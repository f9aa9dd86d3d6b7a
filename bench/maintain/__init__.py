"""Maintainers' programs: each makes or checks something that is committed.

``python -m bench.maintain`` lists them.
"""
