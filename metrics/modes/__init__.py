"""Weights and loss of modes."""
