"""Densities and histograms."""
