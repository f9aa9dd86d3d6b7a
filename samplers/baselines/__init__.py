"""Baselines of every table: the floor, the ceiling, the overhead."""
