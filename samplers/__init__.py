"""Samplers of unnormalised densities: one file an algorithm."""

from samplers.base import Sampler, initial_points, normal, uniform

__all__ = ["Sampler", "initial_points", "normal", "uniform"]
