"""Checks of targets and references that users bring."""
