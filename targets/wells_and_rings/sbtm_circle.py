"""A ring away from the origin."""

from __future__ import annotations

from targets.wells_and_rings.concentric_rings import Rings


class SbtmCircle(Rings):
    """A blurred ring of radius 1 about (4, 0): log p(x) = -(|x - (4, 0)| - 1)^2 / 0.4.

    Not normalised (the code's own constant makes exp(log p) no density either); log Z by
    quadrature.

    From Score-Based Deterministic Density Sampling (arXiv 2504.18130), which starts all particles
    from N(0, I), through Vilin97/SBTM-sampling, which holds two different distributions under this
    name. This is its density, whose score the samplers follow: a normal of *variance* 0.2 at the
    distance to the circle, with respect to dx. Its ``sample`` draws uniform points of the circle
    with normal noise of *standard deviation* 0.2 in the plane (and takes angle and noise from the
    same key); figures measured against those points do not judge the sampler.

    Scale: the root mean square coordinate, 2.99, to the nearest half; a rerun of the paper
    overrides it by 1.

    Useful because the distribution lies off the start, to one side, and is wide enough that its
    middle is a shallow pit of 2.5 nats: a transport must open a hole that the start does not have.
    """

    name = "sbtm_circle"
    citation = "arXiv 2504.18130; Vilin97/SBTM-sampling"

    def __init__(self) -> None:
        super().__init__((1.0,), 0.4, scale=3.0, centre=(4.0, 0.0))
