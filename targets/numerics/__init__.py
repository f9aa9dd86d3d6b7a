"""Numerical methods of the targets."""
