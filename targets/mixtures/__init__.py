"""Mixtures of simple distributions."""
