"""Kernel discrepancies."""
