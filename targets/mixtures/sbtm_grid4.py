"""Sixteen equal modes on a close square grid."""

from __future__ import annotations

from targets.mixtures.lattice import Lattice


class SbtmGrid4(Lattice):
    """Sixteen equal unit normals at spacing 4: centres {-6, -2, 2, 6}^2; normalised.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), which starts all particles
    from N(0, I); centres and weights are those of Vilin97/SBTM-sampling ("gaussians_near_2d").
    Departure: that code bounds the density from below by 1e-10 before it takes the logarithm, so
    that its score is zero far from every mode; here it is right everywhere.

    Scale: the root mean square coordinate, 4.58, to the nearest half; a rerun of the paper
    overrides it by 1.

    Useful next to ``sbtm_grid10``: barriers of about 1.3 nats, which Langevin dynamics crosses in
    a moderate time, so that a sampler is judged by how evenly it spreads.
    """

    name = "sbtm_grid4"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__((-6.0, -2.0, 2.0, 6.0), 1.0, scale=4.5)
