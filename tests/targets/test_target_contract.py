"""What a target must keep, checked before anything is spent: each breach is one sentence.

Before, rows that influence each other, changed arguments, other dtypes, a wrong score and state
kept between calls were accepted, and every sampler looked bad.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.core.density import NoGradient
from bench.core.registry import catalogue, load
from targets.base import Target
from targets.verification.contract import Breach, check

Density = Callable[[Target, Tensor], Tensor]


def bell(x: Tensor) -> Tensor:
    return -x.square().sum(1) / 2


def made(log_prob: Density, **more: object) -> Target:
    """A target in two dimensions of scale 1.5 with the given methods, in single precision."""
    body = {"dim": 2, "scale": 1.5, "log_prob": log_prob, **more}
    return type("Made", (Target,), body)().to("cpu", torch.float32)


def averaged(self: Target, x: Tensor) -> Tensor:
    return (-x.square().sum(1, keepdim=True) / 2 + bell(x) / 5).mean(1)


def standardised(self: Target, x: Tensor) -> Tensor:
    return bell((x - x.mean(0)) / (x.std(0, correction=0) + 1.0))


def in_place(self: Target, x: Tensor) -> Tensor:
    if x.requires_grad:
        x = x.clone()
    x -= 1.0
    return bell(x)


def noisy(self: Target, x: Tensor) -> Tensor:
    return bell(x) + 0.01 * torch.randn(len(x), dtype=x.dtype)


def by_place(self: Target, x: Tensor) -> Tensor:
    return bell(x) + 0.1 * torch.arange(len(x)).to(x)


def half_line(self: Target, x: Tensor) -> Tensor:
    return torch.where((x > 0).all(1), -x.sum(1), -torch.inf)


BREACHES: dict[str, tuple[Target, str]] = {
    "averaged": (made(averaged), "depends on the other rows"),
    "standardised": (made(standardised), "depends on the other rows"),
    "by place": (made(by_place), "depends on the other rows"),
    "in place": (made(in_place), "changes the points it is given"),
    "random": (made(noisy), "from call to call"),
    "column": (made(lambda self, x: bell(x)[:, None]), "has shape (7, 1), expected (7,)"),
    "squeezed": (made(lambda self, x: bell(x).squeeze()), "has shape (), expected (1,)"),
    "points": (made(lambda self, x: x), "has shape (7, 2)"),
    "double": (made(lambda self, x: bell(x).double()), "is float64"),
    "complex": (made(lambda self, x: bell(x) + 0j), "is complex64"),
    "integer": (made(lambda self, x: bell(x).long()), "is int64"),
    "array": (made(lambda self, x: bell(x.detach()).numpy()), "returns ndarray, not a tensor"),
    "nothing": (made(lambda self, x: None), "returns NoneType"),
    "not a number": (made(lambda self, x: x[:, 0].log() - x.sum(1)), "not finite (NaN or +inf)"),
    "half line": (made(half_line), "-inf at 4"),
    "raises": (made(lambda self, x: x @ torch.ones(3)), "cannot be evaluated"),
    "parameters": (made(lambda self, x: bell(x * torch.nn.Parameter(torch.ones(2)))),
                   "wants one, as its parameters do"),
    "sign": (made(lambda self, x: bell(x), score=lambda self, x: x), "not the gradient"),
    "factor": (made(lambda self, x: bell(x), score=lambda self, x: -1.01 * x),
               "not the gradient"),
    "half detached": (made(lambda self, x: bell(x) - x.detach().square().sum(1)),
                      "not the gradient"),
    "both": (made(lambda self, x: bell(x), log_prob_and_score=lambda self, x: (bell(x), x)),
             "log_prob_and_score differs"),
    "hvp": (made(lambda self, x: bell(x), hvp=lambda self, x, v: v), "hvp is not the derivative"),
    "score of a where": (made(lambda self, x: torch.where(
        x[:, 0] > 0, bell(x), bell(x) * (1 - 0 * (x[:, 0].clamp(max=0) - 0).sqrt().nan_to_num()))),
        "score is not finite"),
    "fixed precision": (made(lambda self, x: bell(x @ torch.eye(2, dtype=torch.float32))),
                        "cannot be evaluated in float64"),
}


@pytest.mark.parametrize("case", BREACHES)
def test_each_mistake_is_one_sentence(case: str) -> None:
    target, said = BREACHES[case]
    with pytest.raises(Breach) as raised:
        check(target)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", sorted(catalogue()["targets"]))
def test_every_target_of_ours_keeps_the_contract(name: str) -> None:
    check(load("targets", name).to("cpu", torch.float32))


@pytest.mark.parametrize("log_prob", [
    lambda self, x: -x.abs().sum(1),  # a kink
    lambda self, x: -1e6 * x.square().sum(1),  # steep
    lambda self, x: -x.square().sum(1) + 1e8,  # a large constant
    lambda self, x: torch.where(x.abs().amax(1) < 4.0, bell(x), -torch.inf),  # a far edge
    lambda self, x: (x * 0).sum(1),  # flat
    lambda self, x: torch.logsumexp(-(x[:, None] - torch.tensor([[3.0, 3], [-3, 1]]).to(x))
                                    .square().sum(2) / 2e-4, 1),  # narrow
], ids=["kink", "steep", "constant", "edge", "flat", "narrow"])
def test_a_right_but_awkward_density_is_accepted(log_prob: Density) -> None:
    check(made(log_prob))


def through_numpy(self: Target, x: Tensor) -> Tensor:
    return torch.from_numpy(-np.square(x.numpy()).sum(1) / 2)


WITHOUT = {
    "numpy": through_numpy,
    "detached": lambda self, x: bell(x.detach()),
    "constant": lambda self, x: torch.zeros(len(x), dtype=x.dtype),
    "other graph": lambda self, x: bell(x.detach()).requires_grad_(x.requires_grad),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_no_gradient_is_said_and_the_rest_is_checked(case: str) -> None:
    target = made(WITHOUT[case])
    check(target)
    assert not target.has_score
    x = torch.ones(3, 2)
    for ask in (target.score, target.log_prob_and_score, lambda p: target.hvp(p, p),
                target.tempered(2.0).score):
        with pytest.raises(NoGradient, match="gives no gradient"):
            ask(x)


def test_a_score_outside_torch_has_no_hessian() -> None:
    """Before, its Hessian-vector product was zero without a word."""
    target = made(through_numpy, score=lambda self, x: torch.from_numpy(-x.detach().numpy()))
    check(target)
    assert target.has_score
    with pytest.raises(NoGradient, match="no Hessian"):
        target.hvp(torch.ones(3, 2), torch.ones(3, 2))


class Network(Target):
    """A density with a module inside."""

    dim, scale = 2, 1.0

    def __init__(self) -> None:
        self.net = torch.nn.Linear(2, 1).requires_grad_(False)

    def log_prob(self, x: Tensor) -> Tensor:
        return bell(x) + self.net(x)[:, 0]


def test_a_module_moves_with_its_target() -> None:
    target = Network()
    check(target.to("cpu", torch.float64))
    check(target.to("cpu", torch.float32))
    assert target.net.weight.dtype == torch.float32
