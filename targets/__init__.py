"""Densities known up to a constant: one file a target, with what is needed to judge samples."""

from bench.core.density import Density
from targets.base import Target, Tempered, Truth

__all__ = ["Density", "Target", "Tempered", "Truth"]
