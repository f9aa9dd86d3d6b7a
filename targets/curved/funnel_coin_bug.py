"""The field that stood in for the funnel in published tables."""

from __future__ import annotations

import torch
from torch import Tensor

from targets.base import Target


class FunnelCoinBug(Target):
    """Not a density: the potential of a wrong funnel score, for rerunning a published column only.

    log p(x) = (x1 - 4)^3 / 81 - x1 / 3 - x1 / 2 - (x0 - 1)^2 e^(-x1) / 2, up to a constant. It
    grows without bound as x1 does, so its integral is infinite: there is no distribution to
    sample, no reference, no truth and no floor. Use ``funnel`` for everything else.

    louissharrock/Coin-SVGD differentiates the normal of x1 in the funnel by its scale instead of
    its argument and so has s1 = ((x1 - 4)^2 - 9) / 27 - 1/2 + (x0 - 1)^2 e^(-x1) / 2, whose
    potential this is. Denoising Fisher Training (Table 1) took its targets from there, and its
    Langevin and SVGD rows agree with this field used both to sample and to judge, and not with the
    correct score: Langevin .387 .231 .144 .116 at 50, 100, 200 and 500 steps of .01 from N(0, I);
    with this field .386 .212 .142 .106, with the correct score .439 .287 .230 .144.

    What holds the points is a well along x1 at x0 = 1, from x1 = 1 (bottom) to 7 (top): with x0
    integrated out log p is (x1 - 4)^3 / 81 - x1 / 3, and 4/3 nats bar the way out.

    Scale: that of ``funnel``.
    """

    name = "funnel_coin_bug"
    citation = "louissharrock/Coin-SVGD distributions.py; Denoising Fisher Training, Table 1"

    dim = 2
    scale = 5.0

    def log_prob(self, x: Tensor) -> Tensor:
        """The potential of the wrong field: (n, 2) -> (n,)."""
        a, b = x[:, 0] - 1.0, x[:, 1]
        return (b - 4.0) ** 3 / 81.0 - b / 3.0 - 0.5 * b - 0.5 * a * a * torch.exp(-b)

    def score(self, x: Tensor) -> Tensor:
        """The wrong field, (n, 2) -> (n, 2)."""
        a, b = x[:, 0] - 1.0, x[:, 1]
        pull = a * torch.exp(-b)
        second = ((b - 4.0) ** 2 - 9.0) / 27.0 - 0.5 + 0.5 * a * pull
        return torch.stack([-pull, second], 1)

    def view(self) -> tuple[float, float, float, float]:
        """The window of ``funnel``."""
        return (-40.0, 42.0, -5.0, 13.0)
