"""Three thin concentric rings."""

from __future__ import annotations

from targets.wells_and_rings.concentric_rings import Rings as Concentric


class Rings(Concentric):
    """Three rings about the origin: log p(x) = -100 min_k (|x| - r_k)^2, radii 1, 3 and 5.

    Not normalised; log Z by quadrature. There is no factor 1/2 in the exponent (a ring's standard
    deviation is 0.0707) and the density is with respect to dx, so that the rings hold 1/9, 1/3 and
    5/9 of the mass.

    From the codes sde_sampler (juliusberner) and Beyond ELBOs (arXiv 2406.07423,
    DenisBless/variational_sampling_methods), which share it.

    Scale: the root mean square coordinate, 2.92, to the nearest half.

    Useful because modes are curves, thin ones: the barrier between neighbours is 100 nats, and the
    way around a ring is 90 to 440 of its standard deviations. Halfway between rings the score
    jumps by 400.
    """

    name = "rings"
    citation = "juliusberner/sde_sampler; arXiv 2406.07423 (variational_sampling_methods)"

    def __init__(self) -> None:
        super().__init__((1.0, 3.0, 5.0), 0.01, scale=3.0)
