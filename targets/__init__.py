"""Densities known up to a constant: one file a target, with what is needed to judge samples."""

from targets.base import Density, Target, Tempered, Truth

__all__ = ["Density", "Target", "Tempered", "Truth"]
