"""Bayesian posteriors with verified references."""
