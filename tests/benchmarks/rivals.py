"""The other libraries, each doing the work of ``work.py`` the way its own documentation does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks.work import (
    BANDWIDTH,
    CHAINS,
    LEAPFROG,
    PARTICLES,
    POINTS,
    PROJECTIONS,
    STEP,
    WIDTH,
    Once,
    points,
)

CENTRES = jnp.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
PRECISIONS = jnp.linspace(0.5, 2.0, 50)


def log_prob(dim: int) -> Callable[[Any], Any]:
    """Of one point, up to a constant."""
    if dim == 2:
        return lambda x: jax.scipy.special.logsumexp(
            -0.5 * jnp.sum((x - CENTRES) ** 2, axis=1) / WIDTH**2)
    return lambda x: -0.5 * jnp.sum(x * x * PRECISIONS)


def _ready(function: Callable[[Any, Any], Any], state: Any) -> Once:
    """``function(state, key)`` again and again, each time from where it ended."""
    held = [state, jax.random.key(0)]

    def once() -> None:
        held[1], key = jax.random.split(held[1])
        held[0], kept = jax.block_until_ready(function(held[0], key))

    return once


def _chains(name: str, dim: int) -> tuple[Once, float]:
    import blackjax
    from blackjax.mcmc.diffusions import DiffusionState, overdamped_langevin

    density = log_prob(dim)
    x = jax.random.normal(jax.random.key(1), (CHAINS, dim))
    steps = 50 if name == "hmc" else 200
    if name == "ula":
        value_and_grad = jax.value_and_grad(density)
        one = overdamped_langevin(value_and_grad)
        state = DiffusionState(x, *jax.vmap(value_and_grad)(x))

        def move(key: Any, s: Any) -> Any:
            return one(key, s, STEP**2)
    else:
        sampler = (blackjax.hmc(density, step_size=STEP, inverse_mass_matrix=jnp.ones(dim),
                                num_integration_steps=LEAPFROG) if name == "hmc"
                   else blackjax.mala(density, step_size=STEP**2))
        state = jax.vmap(sampler.init)(x)

        def move(key: Any, s: Any) -> Any:
            return sampler.step(key, s)[0]

    @jax.jit
    def run(state: Any, key: Any) -> Any:
        def body(s: Any, k: Any) -> Any:
            s = jax.vmap(move)(jax.random.split(k, CHAINS), s)
            return s, s.position

        return jax.lax.scan(body, state, jax.random.split(key, steps))

    return _ready(run, state), float(CHAINS * steps * (LEAPFROG if name == "hmc" else 1))


def _svgd(fixed: bool) -> tuple[Once, float]:
    import blackjax
    import optax
    from blackjax.vi.svgd import update_median_heuristic

    steps = 50 if fixed else 10
    algorithm = blackjax.svgd(
        jax.grad(log_prob(2)), optax.adagrad(0.01),
        update_kernel_parameters=(lambda s: s) if fixed else update_median_heuristic)
    x = jax.random.normal(jax.random.key(1), (PARTICLES, 2))
    state = algorithm.init(x, {"length_scale": 2 * BANDWIDTH**2})

    @jax.jit
    def run(state: Any, key: Any) -> Any:
        return jax.lax.scan(lambda s, _: (algorithm.step(s), None), state, None, length=steps)

    return _ready(run, state), float(steps)


def _ksd_sgmcmcjax() -> tuple[Once, float]:
    from sgmcmcjax.ksd import imq_KSD

    x = jnp.asarray(points(0).numpy())
    s = jax.vmap(jax.grad(log_prob(2)))(x)
    return lambda: jax.block_until_ready(imq_KSD(x, s)), float(POINTS) ** 2


def _ksd_stein_thinning() -> tuple[Once, float]:
    from stein_thinning.kernel import make_imq
    from stein_thinning.stein import ksd

    x = points(0).numpy()
    s = np.asarray(jax.vmap(jax.grad(log_prob(2)))(jnp.asarray(x)))
    kernel = make_imq(x)
    return (lambda: ksd(lambda i, j: kernel(x[i], x[j], s[i], s[j]), len(x)),
            float(POINTS) ** 2)


def _mmd() -> tuple[Once, float]:
    from sklearn.metrics.pairwise import rbf_kernel

    x, y = points(0).numpy(), points(1).numpy()

    def once() -> float:
        xx, yy, xy = (rbf_kernel(a, b, gamma=0.5) for a, b in ((x, x), (y, y), (x, y)))
        n = len(x)
        off = [(k.sum() - np.trace(k)) / (n * (n - 1)) for k in (xx, yy)]
        return float(off[0] + off[1] - 2 * xy.mean())

    return once, float(POINTS) ** 2


def _sliced() -> tuple[Once, float]:
    import ot

    x, y = points(0).numpy(), points(1).numpy()
    return (lambda: ot.sliced_wasserstein_distance(x, y, n_projections=PROJECTIONS, seed=0),
            float(POINTS) ** 2)


def of(name: str) -> dict[str, tuple[Once, float]]:
    """The peers that do a piece of work."""
    word, _, rest = name.partition(", ")
    if word in ("hmc", "mala", "ula"):
        return {"BlackJAX": _chains(word, int(rest.removesuffix("-D")))}
    if word == "svgd":
        return {"BlackJAX": _svgd(rest == "fixed bandwidth")}
    if word == "ksd":
        return {"sgmcmcjax": _ksd_sgmcmcjax(), "stein-thinning": _ksd_stein_thinning()}
    return {"scikit-learn": _mmd()} if word == "mmd" else {"POT": _sliced()}
