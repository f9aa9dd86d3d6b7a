r"""Known defects of graded strength, injected in exact samples.

They show what a metric detects. Each takes n exact points and gives n points of a distribution
that is wrong in one way. Points stay independent of each other (a coin is tossed for each), but
for ``Duplicates`` and for the sample mean that ``Wider``, ``Narrower``, ``HeavyTails`` and
``Straightened`` are taken about. Strength grows with the damage; ``text`` says it in the defect's
own unit. ``version`` is raised with every change that moves points.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bench.core.fingerprint import probes
from metrics.audit.defect import Defect, uniform
from metrics.audit.mode_defects import Between, ModeDropped, Tilted
from targets.base import Target
from targets.curved.sheared_gaussian import ShearedGaussian

#: Outliers lie this many root mean square radii (scale times root of the dimension) away.
OUTLIER_DISTANCE = 5.0


class Nothing(Defect):
    """No defect: exact samples, whose rate of alarms is the false-alarm rate."""

    name = "none"
    title = "no defect"
    grades = (0.0,)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """The points themselves."""
        return x


class Shift(Defect):
    """All points moved along the diagonal (1, ..., 1), by the strength times the scale."""

    name = "shift"
    title = "a shift"
    grades = (0.02, 0.05, 0.1, 0.3)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """x + strength * scale * (1, ..., 1) / sqrt(dim)."""
        return x + self.strength * target.scale / math.sqrt(target.dim)

    @property
    def text(self) -> str:
        """In units of the target's scale."""
        return f"{self.strength:g} scale"


class Wider(Defect):
    """Stretched about the sample mean by 1 + strength."""

    name = "wider"
    title = "a wider rescale"
    grades = (0.05, 0.2)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """mean + (1 + strength) (x - mean)."""
        mean = x.mean(0)
        return mean + (1.0 + self.strength) * (x - mean)


class Narrower(Defect):
    """Shrunk about the sample mean by 1 - strength."""

    name = "narrower"
    title = "a narrower rescale"
    grades = (0.05, 0.2)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """mean + (1 - strength) (x - mean)."""
        mean = x.mean(0)
        return mean + (1.0 - self.strength) * (x - mean)


class HeavyTails(Defect):
    """Each point's gap to the mean of its mode times a Student-t factor; strength = 1 / nu.

    The factor sqrt((nu - 2) / c), c chi-squared with nu degrees of freedom, has mean square one:
    second moments stay, the tails and the middle gain. Without modes the gap is to the mean of
    all points. The means are those of the samples.
    """

    name = "heavy_tails"
    title = "heavy tails"
    grades = (0.1, 1.0 / 3.0)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """mean + factor (x - mean)."""
        nu = round(1.0 / self.strength)
        normal = torch.randn(len(x), nu, generator=rng, device=x.device, dtype=torch.float64)
        factor = ((nu - 2.0) / normal.square().sum(1)).sqrt().to(x.dtype)
        mean = x.mean(0).expand_as(x).clone()
        if target.mode_weights is not None:
            modes = target.mode_of(x)
            for k in modes.unique().tolist():
                mean[modes == k] = x[modes == k].mean(0)
        return mean + factor[:, None] * (x - mean)

    @property
    def text(self) -> str:
        """Degrees of freedom."""
        return f"nu {1.0 / self.strength:g}"


class Outliers(Defect):
    """A share of the points replaced by far ones, in uniform directions from the sample mean.

    Their distance is ``OUTLIER_DISTANCE`` * scale * sqrt(dim).
    """

    name = "outliers"
    title = "outliers"
    grades = (0.01, 0.05)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """Each point is an outlier with probability ``strength``."""
        out = uniform(len(x), x, rng) < self.strength
        z = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
        radius = OUTLIER_DISTANCE * target.scale * math.sqrt(target.dim)
        far = x.mean(0) + radius * z / z.norm(dim=1, keepdim=True)
        return torch.where(out[:, None], far, x)


class Duplicates(Defect):
    """Every point repeated: n / strength different points, each ``strength`` times, shuffled."""

    name = "duplicates"
    title = "duplicated points"
    grades = (2.0, 5.0, 20.0)

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """The first ceil(n / strength) points again and again, n in all, in random order."""
        distinct = math.ceil(len(x) / self.strength)
        rows = torch.arange(len(x), device=x.device) % distinct
        return x[rows[torch.randperm(len(x), generator=rng, device=x.device)]]

    @property
    def text(self) -> str:
        """How often each point stands there."""
        return f"x {self.strength:g}"


class Straightened(Defect):
    """A bent ridge straightened: x1 loses a share of its curve g(x0), less its sample mean.

    At strength 1 nothing of the bend is left: x1 - g(x0) is normal in these targets.
    """

    name = "straightened"
    title = "a bend straightened"
    grades = (0.1, 0.3, 1.0)

    def applies(self, target: Target) -> bool:
        """Sheared normals whose shear is not constant."""
        if not isinstance(target, ShearedGaussian):
            return False
        home = target.to("cpu", torch.float64)
        return float(home.shear(probes(home.dim, home.scale)[:, 0]).std()) > 0.0

    def inject(self, x: Tensor, target: Target, rng: torch.Generator) -> Tensor:
        """(x0, x1 - strength (g(x0) - mean g))."""
        assert isinstance(target, ShearedGaussian)
        curve = target.shear(x[:, 0])
        return torch.stack([x[:, 0], x[:, 1] - self.strength * (curve - curve.mean())], 1)


KINDS: tuple[type[Defect], ...] = (Nothing, ModeDropped, Tilted, Shift, Wider, Narrower,
                                   HeavyTails, Outliers, Duplicates, Between, Straightened)


def defects(target: Target) -> list[Defect]:
    """All defects at all strengths that apply to a target, ``none`` first."""
    made = [kind(strength) for kind in KINDS for strength in kind.grades]
    return [defect for defect in made if defect.applies(target)]
