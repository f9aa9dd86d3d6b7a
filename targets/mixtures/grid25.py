"""Twenty-five equal modes on a square grid."""

from __future__ import annotations

from targets.mixtures.lattice import Lattice


class Grid25(Lattice):
    """Twenty-five equal Gaussians on a grid: centres {-10, -5, 0, 5, 10}^2, variance 0.3.

    Normalised. From the code of GFlowNet diffusion samplers (GFNOrg/gfn-diffusion, "25gmm").

    Scale: the root mean square coordinate, 7.09, to the nearest half.

    Useful because the outer modes hold 16 of the 25 shares: a sampler that starts narrow, or whose
    network favours the middle, loses them first.
    """

    name = "grid25"
    citation = "GFNOrg/gfn-diffusion, 25gmm"

    def __init__(self) -> None:
        super().__init__((-10.0, -5.0, 0.0, 5.0, 10.0), 0.3, scale=7.0)
