"""What a target is: an interface that samplers use, and one that only metrics use.

A new target is one file in this folder with one class that carries a literal ``name`` equal to
the file's name. The least it needs is ``dim``, ``scale`` and ``log_prob``; everything else has a
default (derivatives by autograd, no reference, no modes), and each thing it adds makes more
metrics apply.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from bench.core.density import NoGradient
from bench.core.seal import guarded


@dataclass(frozen=True)
class Truth:
    """A known expectation: E_p[of(x)] = value, with the standard error of that knowledge."""

    name: str
    of: Callable[[Tensor], Tensor]
    value: float
    se: float = 0.0


_LEAVES = "leaves torch's graph (NumPy, .detach() or no_grad inside)"
_NO_SCORE = (f"the target gives no gradient: its log_prob {_LEAVES}; write it with torch "
             "operations, or give the target a score method")
_NO_HESSIAN = (f"the target gives no Hessian-vector products: its score {_LEAVES}; write it with "
               "torch operations, or override hvp")


#: What may be called on a bare target while a sampler runs: it makes copies and evaluates nothing.
_OPEN = frozenset({"to", "declaring", "tempered"})


class Target(ABC):
    """A density p(x) proportional to exp(log_prob(x)) over R^dim.

    Subclasses are value objects: they hold constants only and are never changed after they are
    made. ``to`` gives a copy elsewhere.
    """

    name: ClassVar[str]
    citation: ClassVar[str] = "user-defined"
    #: How the conformance kit tries it (``bench.conformance.targets.Settings``).
    law_settings: ClassVar[Mapping[str, Any]] = {}
    #: Laws of the kit that it does not keep, each with the reason.
    exempt: ClassVar[Mapping[str, str]] = {}
    dim: int
    scale: float

    _device: torch.device = torch.device("cpu")
    _dtype: torch.dtype = torch.float64
    _behind_meter: bool = False

    def __init_subclass__(cls) -> None:
        for name, item in list(vars(cls).items()):
            if isinstance(item, FunctionType) and not name.startswith("_") and name not in _OPEN:
                setattr(cls, name, guarded(item))

    # ---- sampling interface ---------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where this copy's constants live."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of this copy's constants; float64 unless moved by ``to``."""
        return self._dtype

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) up to a constant: (n, dim) -> (n,)."""

    def score(self, x: Tensor) -> Tensor:
        """Gradient of ``log_prob``: (n, dim) -> (n, dim); by autograd unless overridden.

        An override must be differentiable, since ``hvp`` goes backward through it. Raises
        NoGradient where ``log_prob`` cannot be differentiated.
        """
        with torch.enable_grad():
            leaf = x if x.requires_grad else x.detach().requires_grad_()
            return _gradient(_in_graph(self, leaf), leaf, create_graph=x.requires_grad)

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(log_prob(x), score(x))`` in one pass, shapes (n,) and (n, dim)."""
        if type(self).score is not Target.score:
            return self.log_prob(x), self.score(x)
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            value = _in_graph(self, leaf)
            gradient = _gradient(value, leaf)
        return value.detach(), gradient

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """Hessian of ``log_prob`` at each x_i times v_i: (n, dim), (n, dim) -> (n, dim)."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            score = self.score(leaf)
            if not score.requires_grad:
                if type(self).score is not Target.score:
                    raise NoGradient(_NO_HESSIAN)
                return torch.zeros_like(v)  # autograd found a constant score
            (product,) = torch.autograd.grad(score, leaf, v, allow_unused=True)
        return torch.zeros_like(v) if product is None else product

    # ---- judging interface ----------------------------------------------------------------------

    @property
    def has_score(self) -> bool:
        """Whether ``score`` answers; found by asking it at one point."""
        try:
            self.score(torch.zeros((1, self.dim), device=self.device, dtype=self.dtype))
        except NoGradient:
            return False
        return True

    #: True where ``sample`` gives points to judge against.
    has_reference: bool = False
    #: How the reference was made, in a sentence.
    reference_note: str = "exact"
    #: False where second moments do not exist: tables then say so next to W2 and covariances.
    finite_variance: bool = True
    #: log of the integral of exp(log_prob), where known.
    log_z: float | None = None
    #: Shape (k,), the mass of each mode; None where modes mean nothing.
    mode_weights: Tensor | None = None

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n independent points of p, shape (n, dim), on this copy's device and dtype."""
        raise NotImplementedError(f"target '{type(self).__name__}' has no exact sampler")

    def blocks(self, n: int, count: int, rng: torch.Generator) -> tuple[Tensor, ...]:
        """``count`` sets of n points, each (n, dim), that share no point."""
        return tuple(self.sample(n, rng) for _ in range(count))

    def truths(self) -> tuple[Truth, ...]:
        """Known expectations under p."""
        return ()

    def mode_of(self, x: Tensor) -> Tensor:
        """Index of the mode each point belongs to: (n, dim) -> (n,) int64."""
        raise NotImplementedError(f"target '{type(self).__name__}' declares no modes")

    #: True where ``mode_distance`` answers: modes with a centre and a covariance.
    has_mode_distance: bool = False

    def mode_distance(self, x: Tensor) -> Tensor:
        """Least Mahalanobis distance of each point to a mode's centre: (n, dim) -> (n,)."""
        raise NotImplementedError(f"target '{type(self).__name__}' declares no widths of modes")

    def view(self) -> tuple[float, float, float, float]:
        """A window (x0_min, x0_max, x1_min, x1_max) for pictures of the first two coordinates."""
        r = 3.0 * self.scale
        return (-r, r, -r, r)

    # ---- copies --------------------------------------------------------------------------------

    def to(self, device: str | torch.device, dtype: torch.dtype) -> Self:
        """A copy whose tensors live on ``device``, floating ones as ``dtype``."""
        moved = copy.copy(self)
        for key, value in vars(self).items():
            object.__setattr__(moved, key, _moved(value, device, dtype))
        object.__setattr__(moved, "_device", torch.device(device))
        object.__setattr__(moved, "_dtype", dtype)
        return moved

    def declaring(self, scale: float) -> Self:
        """The same density under another declared scale, hence another start of every sampler."""
        other = copy.copy(self)
        object.__setattr__(other, "scale", float(scale))
        return other

    def tempered(self, temperature: float) -> Target:
        """The target at energy E / temperature; overridden where a reference exists there too."""
        return Tempered(self, temperature)


def _in_graph(target: Target, leaf: Tensor) -> Tensor:
    """``log_prob`` at points that want a gradient, which NumPy refuses: that is no gradient."""
    try:
        return target.log_prob(leaf)
    except RuntimeError as error:
        if "numpy() on Tensor that requires grad" in str(error):
            raise NoGradient(_NO_SCORE) from None
        raise


def _gradient(value: Tensor, leaf: Tensor, create_graph: bool = False) -> Tensor:
    """Gradient of the summed values, (n, dim); NoGradient where no graph leads to the points."""
    if not value.requires_grad:
        raise NoGradient(_NO_SCORE)
    (gradient,) = torch.autograd.grad(value.sum(), leaf, create_graph=create_graph,
                                      allow_unused=True)
    if gradient is None:
        raise NoGradient(_NO_SCORE)
    return gradient


def _moved(value: Any, device: str | torch.device, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """A constant of a target elsewhere: a tensor, target, module, tuple of these, or another."""
    if isinstance(value, Tensor):
        return value.to(device, dtype if value.is_floating_point() else value.dtype)
    if isinstance(value, Target):
        return value.to(device, dtype)
    if isinstance(value, torch.nn.Module):  # its ``to`` moves in place
        return copy.deepcopy(value).to(device, dtype)
    if type(value) is tuple:
        return tuple(_moved(v, device, dtype) for v in value)
    return value


class Tempered(Target):
    """Any target with its energy divided by a temperature: log p = log_prob / tau.

    Tempering keeps the sampling interface and loses the reference, the truths and log Z.
    """

    citation = "design choice: the temperature of drifting (arXiv 2603.17579, section 1)"

    def __init__(self, base: Target, temperature: float) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, not {temperature}")
        self.base = base
        self.temperature = temperature
        self.dim = base.dim
        self.scale = base.scale
        self._device, self._dtype = base.device, base.dtype

    def log_prob(self, x: Tensor) -> Tensor:
        """The base log-density over the temperature."""
        return self.base.log_prob(x) / self.temperature

    def score(self, x: Tensor) -> Tensor:
        """The base score over the temperature."""
        return self.base.score(x) / self.temperature

    def log_prob_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both of the base over the temperature."""
        value, score = self.base.log_prob_and_score(x)
        return value / self.temperature, score / self.temperature

    def hvp(self, x: Tensor, v: Tensor) -> Tensor:
        """The base product over the temperature."""
        return self.base.hvp(x, v) / self.temperature

    def view(self) -> tuple[float, float, float, float]:
        """The base window."""
        return self.base.view()
