"""What is said of a law beside a target's: made by samplers, judged by metrics, known to both."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LogWeights:
    """What a sampler that knows its own law q says of it; p~ is exp(log_prob), Z its integral.

    ``at_draws``: log w = log p~(x) - log q(x) at fresh draws x of q, shape (n,), so that
    E exp = Z; of a sampler whose law is one of paths, the same ratio of the laws of paths; of
    weighted particles their log-weights, scaled so that the mean of exp is the estimate of Z.
    ``at_target``: log w at the given exact points of p, (n,); of paths, at paths drawn backward
    from them. ``log_z``: the sampler's own estimate of log Z with its standard error, where it
    has a better one than the log-mean-exp of ``at_draws``. ``gap``: |grad log q - grad log p|^2
    at draws of q, (n,).
    """

    at_draws: Tensor | None = None
    at_target: Tensor | None = None
    log_z: tuple[float, float] | None = None
    gap: Tensor | None = None
