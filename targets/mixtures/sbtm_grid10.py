"""Sixteen equal modes on a wide square grid."""

from __future__ import annotations

from targets.mixtures.lattice import Lattice


class SbtmGrid10(Lattice):
    """Sixteen equal unit normals at spacing 10: centres {-15, -5, 5, 15}^2; normalised.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), which starts all particles
    from N(0, I); centres and weights are those of Vilin97/SBTM-sampling ("gaussians_far_2d").
    Departure: that code bounds the density from below by 1e-10 before it takes the logarithm, so
    that its score is zero far from every mode; here it is right everywhere.

    Scale: the root mean square coordinate, 11.22, to the nearest half; a rerun of the paper
    overrides it by 1.

    Useful because the twelve outer modes are out of reach of the paper's start: from N(0, I) plain
    dynamics fills the inner four only.
    """

    name = "sbtm_grid10"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__((-15.0, -5.0, 5.0, 15.0), 1.0, scale=11.0)
