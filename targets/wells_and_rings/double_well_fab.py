"""The tilted double well of FAB."""

from __future__ import annotations

from targets.wells_and_rings.two_wells import TwoWells


class DoubleWellFab(TwoWells):
    """A tilted double well: energy x0^4 - 6 x0^2 - x0 / 2 + x1^2 / 2.

    log p(x) = -(x0^2 - 3)^2 + 9 + x0 / 2 - x1^2 / 2, not normalised; the integral over x0 is
    11784.51. The right half-plane holds 0.844 of the
    mass.

    A candidate for the double well of the drifting paper (arXiv 2603.17579), which names one and
    gives no formula: this is the pair that FAB's ManyWell repeats, the commonest double well in
    the literature on learned samplers. No agreement with the paper's Table 1 is claimed.

    Scale: the root mean square coordinate, 1.41, to the nearest half.

    Useful because the wells have unequal masses and the barrier (8 nats from the left, 10 from the
    right) is hardly crossed: a sampler that moves each point to the nearest well keeps the weights
    of its initial distribution.
    """

    name = "double_well_fab"
    citation = ("arXiv 2603.17579, section 5 (formula not given there); Midgley et al. (2023), "
                "FAB, ManyWell; lollcat/fab-torch")

    def __init__(self) -> None:
        super().__init__(steepness=1.0, square=3.0, scale=1.5, tilt=0.5, offset=-9.0)
