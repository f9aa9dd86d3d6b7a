"""Metrics of a sampler's own distribution, by importance weights."""
