"""Errors of moments."""
