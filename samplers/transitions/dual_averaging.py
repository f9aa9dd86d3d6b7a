"""The search for a step size: dual averaging of the acceptance over many chains.

With t the number of adaptive steps, alpha_t the acceptance probability averaged over all chains
and delta the wanted one,

    H_t = (1 - 1/(t + 10)) H_{t-1} + (delta - alpha_t)/(t + 10)
    log eps_{t+1} = log eps_0 - sqrt(t)/0.05 H_t
    log eps_bar_t = t^-0.75 log eps_{t+1} + (1 - t^-0.75) log eps_bar_{t-1}.

eps is used while adapting and eps_bar afterwards. One step for all cannot free a chain that
starts where the density is far steeper than in its bulk, so while adapting each chain halves its
own step for every rejection beyond a few:

    r_i <- r_i + 1 if chain i rejected, else max(0, r_i - P/2);  eps_i = eps 2^-max(0, r_i - P).

With the patience P = 4 at an acceptance of .57 one to three per cent of the chains in the bulk are
slowed; a random walk, which rejects most of its proposals, needs P = 16 for that (with 4 most
chains would be slowed, hence accepted, and eps would grow without end). Everything stays in
tensors where the target lives: adapting never waits for the device.

Reference. M. Hoffman, A. Gelman, The No-U-Turn Sampler, JMLR 15 (2014), section 3.2.

Departures. log eps_0 itself is the point of attraction (theirs is log 10 eps_0, after a search
that would cost evaluations), alpha_t is a mean over chains, and the halving is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.core.density import Density

_GAIN, _DELAY, _DECAY = 0.05, 10, 0.75
PATIENCE = 4


@dataclass(frozen=True)
class StepSize:
    """An adapted step size; all tensors are 0-d but ``rejections``, r_i, shape (chains, 1)."""

    log_start: Tensor
    log_step: Tensor
    log_mean: Tensor
    deficit: Tensor
    rejections: Tensor
    adapted: int
    accepted: Tensor  # sum of mean acceptance probabilities since the step was frozen
    frozen: int
    patience: int = PATIENCE

    @classmethod
    def start(cls, target: Density, chains: int, step: float,
              patience: int = PATIENCE) -> StepSize:
        """The search, begun at ``step``."""
        log_step = torch.tensor(step, device=target.device, dtype=target.dtype).log()
        zero = torch.zeros_like(log_step)
        return cls(log_step, log_step, log_step, zero, log_step.new_zeros(chains, 1), 0, zero, 0,
                   patience)

    def value(self, adapting: bool) -> Tensor:
        """The step to use now: each chain's own, (chains, 1), or the one all settled on, 0-d."""
        if not adapting:
            return self.log_mean.exp()
        return self.log_step.exp() * torch.exp2((self.patience - self.rejections).clamp_max(0.0))

    def observe(self, accepted: Tensor, probability: Tensor, wanted: float,
                adapting: bool) -> StepSize:
        """After a transition: who moved, (chains,) bool, and the mean acceptance, 0-d."""
        if not adapting:
            return replace(self, accepted=self.accepted + probability, frozen=self.frozen + 1)
        t = self.adapted + 1
        deficit = self.deficit + (wanted - probability - self.deficit) / (t + _DELAY)
        log_step = self.log_start - t**0.5 / _GAIN * deficit
        log_mean = self.log_mean + t**-_DECAY * (log_step - self.log_mean)
        relief = (1 + self.patience // 2) * accepted[:, None].to(log_step.dtype)
        rejections = (self.rejections + 1 - relief).clamp_min(0.0)
        return replace(self, log_step=log_step, log_mean=log_mean, deficit=deficit,
                       rejections=rejections, adapted=t)

    def diagnostics(self) -> dict[str, float]:
        """The settled step, and the mean acceptance since it was frozen (if it was)."""
        found = {"step_size": float(self.log_mean.exp()), "adaptive_steps": float(self.adapted)}
        if self.frozen:
            found["acceptance"] = float(self.accepted) / self.frozen
        return found
