"""Speeds: of our own work, beside its limits, and beside other libraries."""
