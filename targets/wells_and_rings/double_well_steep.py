"""The double well of sde_sampler."""

from __future__ import annotations

from targets.wells_and_rings.two_wells import TwoWells


class DoubleWellSteep(TwoWells):
    """A double well: energy (x0^2 - 2)^2 + x1^2 / 2.

    log p(x) = -(x0^2 - 2)^2 - x1^2 / 2, not normalised; log Z by quadrature.

    A candidate for the double well of the drifting paper (arXiv 2603.17579), which names one and
    gives no formula: x0 has the distribution of juliusberner/sde_sampler's double well with
    separation 2, x1 a standard normal, as that code adds to reach a dimension. No agreement with
    the paper's Table 1 is claimed.

    Scale: the root mean square coordinate, 1.19, to the nearest half.

    Useful next to ``double_well``: the same shape with wells further apart (+-1.41) and a barrier
    of 4 nats.
    """

    name = "double_well_steep"
    citation = ("arXiv 2603.17579, section 5 (formula not given there); juliusberner/sde_sampler "
                "DoubleWell")

    def __init__(self) -> None:
        super().__init__(steepness=1.0, square=2.0, scale=1.0)
