"""Gaussians that are bent, sheared or pinched."""
