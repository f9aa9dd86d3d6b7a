"""Measures of sample quality: one file a metric, each with its standard error and floor."""

from metrics.base import Estimate, Evidence, Metric

__all__ = ["Estimate", "Evidence", "Metric"]
