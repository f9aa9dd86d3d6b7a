"""Affine coupling flows: distributions that can be drawn from and whose density is known.

A flow is x = L f^-1(z) with z ~ N(0, I), L the target's declared scale and f a chain of

    coupling:  y_a = x_a,  y_b = exp(a(x_a)) x_b + b(x_a),        rotation:  y = exp(A - A') x,

a coupling's halves being the even and the odd coordinates by turns, a and b one network. Both are
inverted in closed form, and

    log q(x) = log N(f(x / L); 0, I) + sum over couplings of sum a(x_a) - dim log L.

Weights are filled from the generator handed in, and every network's last layer and every A with
zeros: an untrained flow is the initial distribution N(0, L^2 I). The layers are zuko's, in which a
is bent so that |a| < log 1000.

References. L. Dinh, J. Sohl-Dickstein, S. Bengio, Density estimation using Real NVP,
arXiv 1605.08803; zuko, https://zuko.readthedocs.io.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import zuko
from torch import Tensor, nn
from zuko.flows.coupling import GeneralCouplingTransform

from bench.core.density import Density
from samplers.base import normal
from samplers.learning.networks import BLOCK, WIDE_BLOCK


class CouplingFlow(nn.Module):
    """``layers`` couplings, each with a network of two hidden layers of ``width``, and rotations.

    In one dimension there is nothing to couple: the flow is then a chain of affine maps.
    """

    def __init__(self, target: Density, rng: torch.Generator, layers: int, width: int) -> None:
        super().__init__()
        self.dim, self.scale = target.dim, target.scale
        chain: list[nn.Module] = []
        with torch.random.fork_rng(devices=[]):  # zuko fills its weights from torch's generator
            for i in range(layers):
                mask = torch.arange(self.dim) % 2 == i % 2
                chain.append(GeneralCouplingTransform(self.dim, mask=mask,
                                                      hidden_features=(width, width)))
                angles = torch.zeros(self.dim, self.dim)
                chain.append(zuko.lazy.UnconditionalTransform(zuko.transforms.RotationTransform,
                                                              angles))
        self.chain = nn.ModuleList(chain).to(target.device, target.dtype)
        self._fill(target, rng)

    @torch.no_grad()
    def _fill(self, target: Density, rng: torch.Generator) -> None:
        """Hidden layers N(0, 1 / inputs), all else zero: f starts as the identity."""
        for parameter in self.parameters():
            parameter.zero_()
        for network in (m for m in self.modules() if isinstance(m, zuko.nn.MLP)):
            hidden = [m for m in network if isinstance(m, zuko.nn.Linear)][:-1]
            for layer in hidden:
                shape = tuple(layer.weight.shape)
                layer.weight.copy_(normal(target, shape, rng) / math.sqrt(shape[1]))

    def log_prob(self, x: Tensor) -> Tensor:
        """log q: (n, dim) -> (n,), differentiable through x and the weights."""
        z, log_det = x / self.scale, -self.dim * math.log(self.scale)
        for part in self.chain:
            z, more = part().call_and_ladj(z)
            log_det = log_det + more
        return log_normal(z) + log_det

    def sample(self, target: Density, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """n fresh points (n, dim) and log q there (n,), differentiable through the weights."""
        z = normal(target, (n, self.dim), rng)
        log_q = log_normal(z) - self.dim * math.log(self.scale)
        for part in reversed(self.chain):
            z, more = back(part(), z)
            log_q = log_q - more
        return z * self.scale, log_q

    @torch.no_grad()
    def sample_in_blocks(self, target: Density, n: int,
                         rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The same for any n, without derivatives and in bounded memory."""
        size = block(target.device)
        parts = [self.sample(target, min(size, n - i), rng) for i in range(0, n, size)]
        x, log_q = zip(*parts, strict=True)
        return torch.cat(x), torch.cat(log_q)

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log q (n,) and its gradient (n, dim) at points (n, dim), in blocks."""
        found: list[tuple[Tensor, Tensor]] = []
        for part in x.detach().split(block(x.device)):
            with torch.enable_grad():
                log_q = self.log_prob(part.requires_grad_())
                (score,) = torch.autograd.grad(log_q.sum(), part)
            found.append((log_q.detach(), score))
        values, scores = zip(*found, strict=True)
        return torch.cat(values), torch.cat(scores)


    def score(self, x: Tensor) -> Tensor:
        """Gradient of log q at points (n, dim)."""
        return self.log_prob_and_score(x)[1]

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian of log q at each point times the same row of v, (n, dim)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (score,) = torch.autograd.grad(self.log_prob(x).sum(), x, create_graph=True)
            (product,) = torch.autograd.grad(score, x, v)
        return product


def block(device: torch.device) -> int:
    """Points that go through a flow at once."""
    return BLOCK if device.type == "cpu" else WIDE_BLOCK


def back(transform: Any, y: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """The x that a transform takes to y, (n, dim), and log |dx / dy|, (n,).

    A coupling's own inverse asks its network twice, for x and for the determinant.
    """
    if not isinstance(transform, zuko.transforms.CouplingTransform):
        return transform.inv.call_and_ladj(y)
    kept, changed = transform.split(y)
    changed, log_det = transform.meta(kept).inv.call_and_ladj(changed)
    return transform.merge(kept, changed, y.shape), log_det


def log_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I): (n, dim) -> (n,)."""
    return -z.square().sum(dim=1) / 2 - z.shape[1] * math.log(2 * math.pi) / 2


def carried(target: Density, x: Tensor) -> Tensor:
    """log p~ at points (n, dim) through which gradients flow: (n,), for a gradient a point."""
    value, score = target.log_prob_and_score(x.detach())
    return value + (score * (x - x.detach())).sum(dim=1)
