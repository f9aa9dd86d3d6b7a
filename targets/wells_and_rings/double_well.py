"""Two curved wells."""

from __future__ import annotations

from targets.wells_and_rings.two_wells import TwoWells


class DoubleWell(TwoWells):
    """A double well: energy k (x0^2 - 1)^2 + x1^2 / 2 with k = 3.

    log p(x) = -3 (x0^2 - 1)^2 - x1^2 / 2, not normalised; log Z by quadrature.

    Named by the drifting paper (arXiv 2603.17579), which gives no formula; form and k are our
    choice among the forms in use, and no agreement with its Table 1 is claimed. It is a candidate
    for the paper's double well, next to ``double_well_fab`` and ``double_well_steep``.

    Scale: the root mean square coordinate, 0.97, to the nearest half.

    Useful because the wells are not Gaussian and the barrier (3 nats) is low enough that chains
    cross it now and then: the mode weights measure how often.
    """

    name = "double_well"
    citation = "arXiv 2603.17579, section 5 (formula not given there: ours)"

    def __init__(self) -> None:
        super().__init__(steepness=3.0, square=1.0, scale=1.0)
