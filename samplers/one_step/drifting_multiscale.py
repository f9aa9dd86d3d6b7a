"""Multiscale drifting: the one-step drifting generator with a shared pool, many widths and codes.

Theory. Drifting (arXiv 2603.17579) moves the points x of a generator's distribution q along the
difference of two smoothed scores and regresses the generator onto the moved points. Written for
many widths s with weights w_s,

    V(x) = sum_s w_s s^k [ grad log (p * phi_s)(x) - grad log (q * phi_s)(x) ]
    L(theta) = mean_i |f_theta(z_i) - sg(x_i + V(x_i))|^2.

V vanishes at every x if q = p, whatever the widths; if it vanishes and the smoothed distributions
agree at one width, then q = p, since smoothing is injective. Everything here concerns how V is
estimated.

**Target side.** One proposal u from a kernel around each of m centres, with widths of a ladder:

    q~(u) = sum_s alpha_s mean_k N(u; c_k, s^2 I),      b(u) = exp(-E(u)) / q~(u),

m log-density evaluations an update serve every x. b is unbiased: E mean_i b(u_i) g(u_i) = integral
of exp(-E) g. Points are kept with their b for ``window`` updates and as many as there are support
points are drawn from them by weight (``u*``). With K = phi_s(x - .) normalised over the cloud,

    s^2 grad log (p * phi_s)(x) ~ sum K u* - x,        s^2 grad log (q * phi_s)(x) ~ sum K y - x.

**Sampler side.** The y are fresh draws of the generator, not the batch itself.

**Bias and variance.** Each side is a ratio of means over N points: to first order its bias is
-Cov(K, K u) / (N E[K]^2), of order s^2 times the score over the n_s = N E[K] / max K points within
reach, and its variance of order s^2 / n_s. The bias of one side is *not* small in tails, where n_s
is a few. But u* and y are two sets of the same size, each of (nearly) independent draws, of p and
of q, both independent of x. At q = p they can be exchanged, so E[V(x)] = -E[V(x)] = 0: the drift
is unbiased at the solution for every x, width and N. What stays: a window repeats points, which
counts where it holds few effective points within reach of x. Measured at q = p on a Gaussian, in
widths, inward positive, N = 96, 2.5 and 3.5 deviations out: one side alone .16 and .98; this drift
-.004 +- .017 and -.05 +- .04; with the paper's self-inclusive batch +.55 and +2.17; weighting the
pool instead of drawing from it -.07 and -.40 (outward here, inward on the arms of a banana). In
the thin tail of a banana, 3.5 deviations out, with few effective points in reach, +2.7 of a
one-sided 8.4 remained before there were scouts. tests/samplers/test_drifting_solution.py holds
the first three. The y have independent codes: stratified ones leave no tail empty and break the
symmetry.

**Widths.** alpha climbs by the weights themselves (samplers/one_step/bandwidths.py): widths that
do not help to predict the target lose their weight; w = alpha over the rungs in use.

**Centres.** Any will do, for q~ knows where they are: the y, heavy points and chains of MALA
(samplers/one_step/centres.py).

**Mass.** pi of the codes by an EM step (samplers/one_step/codes.py), exact at q = p.

References
----------
.. [1] Cao, Yan, Zhao. One-Step Sampler for Boltzmann Distributions via Drifting.
   arXiv 2603.17579, 2026.
.. [2] Deng, Li, Li, Du, He. Generative modeling via drifting. arXiv 2602.04770, 2026.
.. [3] Douc, Guillin, Marin, Robert. Annals of Statistics 35 (2007): widths learned by weights.
.. [4] Owen, Zhou. JASA 95 (2000): mixture importance sampling.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from bench.core.density import Density
from bench.core.log_weights import effective_size, normalised, systematic
from samplers.base import Sampler, normal, uniform
from samplers.learning.networks import in_blocks
from samplers.learning.optimisation import adam, descend, follow
from samplers.mcmc.mala import MalaState
from samplers.one_step.bandwidths import SCHEDULES, Bandwidths, Schedule
from samplers.one_step.centres import start_walkers, walked
from samplers.one_step.codes import CodedGenerator, mass_step, rescue, responsibilities
from samplers.one_step.kernels import misfits, smoothed_score
from samplers.one_step.proposal_pool import Window
from samplers.one_step.target_drift import (
    ESTIMATORS,
    Estimator,
    Resampled,
    TargetSide,
    target_side,
)

SamplerSide = Literal["fresh", "self_exclusive", "self_inclusive"]
Normalisation = Literal["score", "width", "square"]
#: k in V = sum_s w_s s^k (...): the score itself, a length of order one, the mean-shift vector.
POWERS: dict[Normalisation, int] = {"score": 0, "width": 1, "square": 2}
EMBEDDING = 16
#: Updates between two searches for a mode without a code, and the progress at which they end.
PATROL, SETTLED = 10, 0.7


@dataclass
class MultiscaleState:
    """What is learned and followed, and the last update's numbers (on the device)."""

    generator: CodedGenerator
    average: CodedGenerator
    optimiser: torch.optim.Adam
    mass: Tensor  # (codes,)
    average_mass: Tensor
    widths: Bandwidths
    side: TargetSide
    walkers: MalaState | None
    updates: int = 0
    loss: Tensor | None = None
    pool_ess: Tensor | None = None
    support: Tensor | None = None


@dataclass(frozen=True)
class DriftingMultiscale(Sampler):
    """One-step generator with codes, drifted at many widths that it finds itself.

    Lengths are in units of the declared scale: ``top`` is the widest kernel, each of ``rungs`` is
    half as wide as the one before. ``support``: fresh points on the sampler side, which are also
    the centres of the pool. ``window``: updates whose proposals are kept. Each part of the method
    is an option, so that its share can be measured:

    - ``bandwidths``: ``adaptive``, ``ladder``, ``annealed`` or ``fixed``; the latter two are given
      ``bandwidth``, in the target's units;
    - ``estimator``: ``resampled``, ``weighted``, ``local`` or ``gradient`` (``perturbations`` a
      point) or ``second_order``; the mass step needs ``resampled``;
    - ``sampler_side``: ``fresh``, ``self_exclusive`` or ``self_inclusive``;
    - ``normalisation``: ``width`` (V is of order s), ``score`` or ``square`` (the mean-shift);
    - ``codes``: 1 is the plain generator; ``mass_rate``: 0 holds the codes' masses equal;
    - ``walkers``: 0 leaves gradients out; ``restarts``: as many of them, oldest first, start
      anew from the initial distribution in every update; ``scouts``: 0 leaves heavy points alone.

    The learning rate falls to nothing along a cosine, the mass rate to a tenth; draws use weights
    and masses averaged with the decay ``ema``. ``drifting`` is bandwidths = fixed, estimator =
    local, sampler_side = self_inclusive, codes = 1, walkers = scouts = 0, ema = 0, at a constant
    rate.

    Defaults were chosen on ``random_mixture`` 0-3 and ``random_bends`` 0-6, on one mixture of 40
    modes with other centres than ``gmm40_fab``'s, on one funnel with other parameters than
    ``funnel``'s, and on mixtures in 5, 10, 20 and 32 dimensions with other centres than
    ``gmm_nd``'s seed 0. The recipe they start from (codes, pool, ladder, fresh support, mass
    step) came out of trials that saw four-mode mixtures, a double well, a banana and
    ``gmm40_fab`` itself.
    """

    latent: int = 16
    width: int = 128
    layers: int = 3
    codes: int = 256
    batch: int = 256
    support: int = 512
    walkers: int = 128
    restarts: int = 0
    scouts: int = 128
    window: int = 100
    learning_rate: float = 5e-3
    mass_rate: float = 0.02
    ema: float = 0.995
    bandwidths: Schedule = "adaptive"
    top: float = 1.0
    rungs: int = 8
    bandwidth: float = 0.22
    estimator: Estimator = "resampled"
    perturbations: int = 64
    sampler_side: SamplerSide = "fresh"
    normalisation: Normalisation = "width"

    name = "drifting_multiscale"
    kind = "amortised"
    family = "one-step"
    learned = True
    anneals = True
    update = ("u ~ kernels around y ~ f and walkers, b = exp(-E(u)) / q~(u); V = sum over widths "
              "of w s^k (mean-shift to u drawn by b, less mean-shift to y); Adam step on mean "
              "|f(z, c) - sg(x + V)|^2; masses of c by an EM step")
    citation = "ours, after Cao, Yan, Zhao 2026, arXiv 2603.17579; see the module"
    limitations = ("cannot give modes their weights where no kernel around m centres covers the "
                   "target: from about 20 dimensions on a few proposals carry all weight; "
                   "resolve detail finer than the 2^-7th of the scale; draw tails beyond a "
                   "Gaussian latent's reach (funnel)")
    law_settings = {
        "steps": 700,
        "parameters": {"codes": 64, "width": 64, "batch": 128, "support": 256, "walkers": 32,
                       "window": 50}}

    def __post_init__(self) -> None:
        for field, allowed in (("bandwidths", SCHEDULES), ("estimator", ESTIMATORS),
                               ("sampler_side", get_args(SamplerSide)),
                               ("normalisation", tuple(POWERS))):
            if getattr(self, field) not in allowed:
                raise ValueError(f"{field} must be one of {', '.join(allowed)}, not "
                                 f"{getattr(self, field)!r}")
        if self.codes > 1 and self.mass_rate > 0 and self.estimator != "resampled":
            raise ValueError(f"the mass step needs estimator = resampled, not "
                             f"{self.estimator!r}; set mass_rate = 0 or codes = 1")
        if not 0 <= self.restarts <= self.walkers:
            raise ValueError(f"restarts must lie between 0 and walkers = {self.walkers}, not "
                             f"{self.restarts}")

    def init(self, target: Density, rng: torch.Generator) -> MultiscaleState:
        """An untrained generator of mean 0 and deviation ``scale``, walkers from N(0, scale^2)."""
        generator = CodedGenerator((self.latent, EMBEDDING, self.width), self.layers, self.codes,
                                   target, rng)
        mass = torch.full((self.codes,), 1.0 / self.codes, device=target.device,
                          dtype=target.dtype)
        widths = Bandwidths.start(self.bandwidths, target, self.rungs, self.top, self.bandwidth)
        drawn = self.support if self.sampler_side == "fresh" else self.batch
        room = self.window * (self.support + self.walkers + self.scouts)
        side = target_side(self.estimator, self.perturbations, drawn, Window.empty(target, room))
        walkers = start_walkers(target, self.walkers, rng)
        return MultiscaleState(generator, copy.deepcopy(generator).requires_grad_(False),
                               adam(generator.parameters(), self.learning_rate), mass,
                               mass.clone(), widths, side, walkers)

    def step(self, target: Density, state: MultiscaleState, progress: float,
             rng: torch.Generator) -> MultiscaleState:
        """One update of the generator, the widths, the walkers and the masses."""
        state.widths = state.widths.at(progress, self.top * target.scale)
        with torch.no_grad():
            y_code = torch.multinomial(state.mass, self.support, replacement=True, generator=rng)
            y = self._push(target, state.generator, y_code, rng)
            pool = state.side.gather(target, self._centres(target, state, y, progress, rng),
                                     state.widths, rng)
        x_code = systematic(state.mass, self.batch, uniform(target, (1,), rng))
        x = self._push(target, state.generator, x_code, rng)
        with torch.no_grad():
            drift = self._drift(target, state, x.detach(), y, rng)
            goal = x + drift
        loss = (x - goal).square().sum(dim=1).mean()
        self._descend(state, loss, progress)
        with torch.no_grad():
            self._move_mass(target, state, x.detach(), y, y_code, progress, rng)
            if pool is not None:
                state.widths = state.widths.observed(pool.shares, progress)
                state.pool_ess = pool.efficiency
            decay = min(self.ema, state.updates / (state.updates + 10))
            follow(state.average, state.generator, decay)
            state.average_mass = torch.lerp(state.mass, state.average_mass, decay)
        state.support = y
        return state

    def draw(self, target: Density, state: MultiscaleState, n: int,
             rng: torch.Generator) -> Tensor:
        """n fresh points of the averaged generator: one forward pass, in blocks."""
        def points(m: int) -> Tensor:
            code = torch.multinomial(state.average_mass, m, replacement=True, generator=rng)
            return self._push(target, state.average, code, rng)

        return in_blocks(target, n, points)

    def diagnostics(self, state: MultiscaleState) -> dict[str, float]:
        """Drift norm, effective sizes, the width in use, and the errors of ``misfits``.

        ``pool_ess``: of this update's weights, as a share of its points. ``window_ess``: of all
        weights kept, in points. ``main_width``: the rung of largest weight, in target units; s
        in ``misfits``, which gives the errors.
        """
        found: dict[str, float] = {}
        if state.loss is not None:
            found |= {"loss": float(state.loss), "drift_norm": float(state.loss.sqrt())}
        if state.pool_ess is not None:
            found["pool_ess"] = float(state.pool_ess)
        if isinstance(state.side, Resampled) and state.updates:
            found["window_ess"] = float(effective_size(normalised(state.side.window.log_weights)))
        found["main_width"] = s = state.widths.main()
        found["codes_in_use"] = float(state.mass.square().sum().reciprocal())
        u, y = state.side.points, state.support
        if u is not None and y is not None:
            found |= misfits(u, y, s)
        return found

    # ---- the parts of a step -------------------------------------------------------------------

    def _push(self, target: Density, generator: CodedGenerator, code: Tensor,
              rng: torch.Generator) -> Tensor:
        """Points of the generator at fresh latents, one for each code: (n,) -> (n, dim)."""
        return generator(normal(target, (len(code), self.latent), rng), code)

    def _centres(self, target: Density, state: MultiscaleState, y: Tensor, progress: float,
                 rng: torch.Generator) -> Tensor:
        """The support, the walkers after one transition, and the scouts."""
        centres = [y]
        if state.walkers is not None:
            state.walkers = walked(target, state.walkers, self.restarts, state.updates, progress,
                                   rng)
            centres.append(state.walkers.x)
        scouts = state.side.scouts(self.scouts) if self.scouts else None
        if scouts is not None:
            centres.append(scouts)
        return torch.cat(centres)

    def _drift(self, target: Density, state: MultiscaleState, x: Tensor, y: Tensor,
               rng: torch.Generator) -> Tensor:
        """V at x, shape (batch, dim)."""
        widths, weights = state.widths.active()
        factors = [w * s ** POWERS[self.normalisation]
                   for s, w in zip(widths, weights, strict=True)]
        cloud = y if self.sampler_side == "fresh" else x
        ours = smoothed_score(x, cloud, widths, factors,
                              exclude=self.sampler_side == "self_exclusive")
        return state.side.score(target, x, widths, factors, rng) - ours

    def _descend(self, state: MultiscaleState, loss: Tensor, progress: float) -> None:
        for group in state.optimiser.param_groups:
            group["lr"] = self.learning_rate * (0.5 + 0.5 * math.cos(math.pi * progress))
        descend(state.optimiser, loss)
        state.loss = loss.detach()
        state.updates += 1

    def _move_mass(self, target: Density, state: MultiscaleState, x: Tensor, y: Tensor,
                   code: Tensor, progress: float, rng: torch.Generator) -> None:
        """The EM step of the codes' masses at the main width."""
        u = state.side.points
        if self.codes == 1 or self.mass_rate == 0 or u is None:
            return
        s = state.widths.main()
        of_p, of_q = (responsibilities(a + s * normal(target, tuple(a.shape), rng), y, code,
                                       self.codes, s) for a in (u, x))
        rate = self.mass_rate * (0.55 + 0.45 * math.cos(math.pi * progress))
        state.mass = mass_step(state.mass, of_p - of_q, rate)
        if state.updates % PATROL == 0 and progress < SETTLED:
            rescue([state.generator, state.average], state.optimiser,
                   [state.mass, state.average_mass], u, y, s)
