"""Nine equal modes on a square grid."""

from __future__ import annotations

from targets.mixtures.lattice import Lattice


class Grid9(Lattice):
    """Nine equal Gaussians on a grid: centres {-5, 0, 5}^2, variance 0.3; normalised.

    From the code of GFlowNet diffusion samplers (GFNOrg/gfn-diffusion, "9gmm").

    Scale: the root mean square coordinate, 4.12, to the nearest half.

    Useful because it is the mildest of the grids: neighbours stand 9 standard deviations apart,
    and a start at this scale has points near every mode. Equal weights on a symmetric grid reward
    a sampler that only copies a symmetric start; ``gmm4_skewed`` does not.
    """

    name = "grid9"
    citation = "GFNOrg/gfn-diffusion, 9gmm"

    def __init__(self) -> None:
        super().__init__((-5.0, 0.0, 5.0), 0.3, scale=4.0)
