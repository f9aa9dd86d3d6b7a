"""Posteriors of logistic regression: densities, evidence, pools, and how pools are made."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

import targets.posteriors.reference_pool
from bench.core.fingerprint import fingerprint, same
from bench.core.log_weights import effective_size, normalised
from bench.maintain.references.importance import Frame, laplace, student
from bench.maintain.references.long_chains import CHAINS
from targets.base import Target
from targets.posteriors.logistic_regression import (
    LogisticPosterior,
    observed,
    scaled,
    standardised,
)
from targets.posteriors.reference_pool import stored
from tests.support.target_cases import generator, made

#: name: (dimension, observations, of these with the label 1, prior standard deviation)
POSTERIORS = {"ionosphere": (34, 351, 225, 1.0), "sonar": (61, 208, 111, 1.0),
              "german_credit": (25, 1000, 700, 10.0), "breast_cancer": (31, 569, 357, 10.0)}

each = pytest.mark.parametrize("name", POSTERIORS)


def posterior(name: str) -> LogisticPosterior:
    target = made(name)
    assert isinstance(target, LogisticPosterior)
    return target


def limit(count: int) -> float:
    """What the largest of that many |z| exceeds by chance once in a thousand times at most."""
    return float(stats.norm.isf(5e-4 / count))


# ---- the densities -----------------------------------------------------------------------------


def by_hand(name: str, w: np.ndarray) -> np.ndarray:
    """log p of weights (n, d) from the data's file, label by label, by scipy."""
    table = np.loadtxt(targets.posteriors.reference_pool.DATA / f"{name}.csv.gz", delimiter=",",
                       skiprows=1)
    keep = [j for j in range(table.shape[1] - 1) if np.ptp(table[:, j]) > 0]
    x = stats.zscore(table[:, keep])
    if name in ("german_credit", "breast_cancer"):
        x += table[:, keep].mean(0) / table[:, keep].std(0)
    dim, m, ones, sd = POSTERIORS[name]
    assert x.shape == (m, dim - 1) and (table[:, -1] == 1).sum() == ones
    p = w[:, :1] + w[:, 1:] @ x.T
    likelihood = np.where(table[:, -1] == 1, special.log_expit(p), special.log_expit(-p))
    return likelihood.sum(1) + stats.norm.logpdf(w, scale=sd).sum(1)


@each
def test_the_density_is_that_of_the_model(name: str) -> None:
    w = stored(name).pool[:50].double()
    expected = by_hand(name, w.numpy())
    np.testing.assert_allclose(posterior(name).log_prob(w).numpy(), expected, rtol=1e-12)
    assert not np.allclose(posterior(name).log_prob(-w).numpy(), expected, rtol=1e-3)


def test_the_constant_feature_of_ionosphere_changes_nothing() -> None:
    """With it the weights are 35: one more that follows its prior alone, and the same Z."""
    features, label = observed("ionosphere")
    assert not features[:, 1].any()
    w = stored("ionosphere").pool[:50].double()
    extra = torch.randn(50, 1, generator=generator(), dtype=torch.float64)
    design = np.column_stack([standardised(np.delete(features, 1, axis=1)), np.zeros(351)])
    published = LogisticPosterior(design, label == 1, 1.0).log_prob(torch.cat([w, extra], 1))
    prior = torch.from_numpy(stats.norm.logpdf(extra[:, 0].numpy()))
    torch.testing.assert_close(published, posterior("ionosphere").log_prob(w) + prior)


def test_without_its_prior_breast_cancer_has_no_density() -> None:
    """Its labels are separable, so that the likelihood does not fall along some direction."""
    def least_margin(name: str) -> float:
        features, label = observed(name)
        flat = LogisticPosterior(scaled(features), label == 1, prior_sd=1e4)
        side = torch.from_numpy(np.where(label == 1, 1.0, -1.0))
        return float((side * (torch.from_numpy(scaled(features)) @ laplace(flat).centre)).min())

    assert least_margin("breast_cancer") > 1.0
    assert least_margin("german_credit") < -1.0


@each
def test_far_out_single_precision_stays_exact(name: str) -> None:
    """Margins of thousands, where exp overflows."""
    target = posterior(name)
    x = 1e3 * torch.randn(50, target.dim, generator=generator())
    single = target.to("cpu", torch.float32)
    torch.testing.assert_close(single.log_prob(x).double(), target.log_prob(x.double()),
                               rtol=1e-5, atol=0)
    torch.testing.assert_close(single.score(x).double(), target.score(x.double()),
                               rtol=1e-4, atol=1e-2)


# ---- evidence and moments, by importance sampling ----------------------------------------------


@cache
def weighed(name: str) -> tuple[Tensor, Tensor]:
    """Draws of a t with the moments of the pool, (n, d), and their log-weights."""
    proposal = Frame.of(stored(name).pool.double())
    w, log_q = student(proposal, 100_000, generator(4))
    return w, posterior(name).log_prob(w) - log_q


def log_mean(log_weights: Tensor) -> tuple[float, float]:
    n = len(log_weights)
    value = float(torch.logsumexp(log_weights, 0)) - math.log(n)
    return value, math.sqrt(1.0 / float(effective_size(normalised(log_weights))) - 1.0 / n)


@each
def test_log_z_by_importance_sampling(name: str) -> None:
    target = posterior(name)
    w, log_weights = weighed(name)
    found, se = log_mean(log_weights)
    assert target.log_z is not None and se < 0.02
    assert abs(found - target.log_z) < 4.0 * se
    features, label = observed(name)
    if name == "ionosphere":
        features = np.delete(features, 1, axis=1)
    other = LogisticPosterior(
        (standardised if POSTERIORS[name][3] == 1.0 else scaled)(features), label == 1,
        prior_sd=1.1 * POSTERIORS[name][3])  # a prior a tenth wider
    wrong = log_weights + other.log_prob(w) - target.log_prob(w)
    assert abs(log_mean(wrong)[0] - target.log_z) > 4.0 * log_mean(wrong)[1]


@each
def test_truths_by_importance_sampling(name: str) -> None:
    w, log_weights = weighed(name)
    share, worst, shifted = torch.softmax(log_weights, 0), 0.0, 0.0
    truths = [t for t in posterior(name).truths() if "*" not in t.name]
    assert len(truths) == 2 * posterior(name).dim and all(t.se > 0 for t in truths)
    for truth in truths:
        value = truth.of(w)
        mean = share @ value
        spread = (share @ (value - mean).square()).sqrt()
        se = math.hypot(float((share.square() @ (value - mean).square()).sqrt()), truth.se)
        worst = max(worst, abs(float(mean) - truth.value) / se)
        shifted = max(shifted, abs(float(mean - 0.1 * spread) - truth.value) / se)
        assert truth.se < 0.01 * float(spread)
    assert worst < limit(len(truths)) < shifted


# ---- the pools ---------------------------------------------------------------------------------


def stein_z(target: Target, x: Tensor) -> float:
    """The largest |z| of all Stein identities about the points' mean, over its limit."""
    s, centred = target.score(x), x - x.mean(0)
    table = centred[:, :, None] * s[:, None, :] + torch.eye(target.dim)
    rows = torch.cat([s, table.flatten(1)], 1)
    z = rows.mean(0) / rows.std(0) * math.sqrt(len(rows))
    return float(z.abs().max()) / limit(z.numel())


@each
def test_the_pool_obeys_stein_and_laplace_does_not(name: str) -> None:
    target, pool = posterior(name), stored(name).pool.double()
    assert pool.shape == (10_000, target.dim)
    assert stein_z(target, pool) < 1.0
    z = torch.randn(pool.shape, generator=generator(), dtype=torch.float64)
    assert stein_z(target, laplace(target).place(z)) > 1.0
    assert stein_z(target, pool + 0.1 * pool.std(0)) > 1.0


@each
def test_the_energies_of_the_pool_follow_the_law(name: str) -> None:
    """Beyond moments: the share of the pool above each decile of the weighted energies."""
    w, log_weights = weighed(name)
    energy, share = -posterior(name).log_prob(w), torch.softmax(log_weights, 0)
    order = energy.argsort()
    pool = stored(name).pool.double()
    of_pool = -posterior(name).log_prob(pool)
    of_cold = -posterior(name).log_prob(pool.mean(0) + 0.98 * (pool - pool.mean(0)))

    def worst(energies: Tensor) -> float:
        z = []
        for q in torch.linspace(0.1, 0.9, 9):
            edge = energy[order][int((share[order].cumsum(0) < q).sum())]
            below = (energy <= edge).double()
            error = math.hypot(float((share.square() @ (below - q).square()).sqrt()),
                               float((q * (1 - q) / len(energies)).sqrt()))
            z.append(abs(float((energies <= edge).double().mean() - share @ below)) / error)
        return max(z)

    assert worst(of_pool) < limit(9) < worst(of_cold)


@each
def test_neighbouring_rows_of_a_chain_are_independent(name: str) -> None:
    """Rows lie in the order of the runs: (2, 10, 500) of them, times before chains."""
    def worst(rows: Tensor) -> float:
        z = (rows - rows.mean((0, 1, 2))) / rows.std((0, 1, 2))
        f = torch.cat([z, z.square() - 1.0], -1)
        lag = (f[:, 1:] * f[:, :-1]).flatten(0, 2)
        return float((lag.mean(0) / lag.std(0) * math.sqrt(len(lag))).abs().max())

    rows = stored(name).pool.double().view(2, 10, CHAINS, -1)
    assert worst(rows) < limit(2 * rows.shape[-1])
    sticky = rows.clone()
    sticky[:, 1::2, :250] = rows[:, ::2, :250]  # half of the chains stand still every other time
    assert worst(sticky) > limit(2 * rows.shape[-1])


@each
def test_a_pool_is_that_of_the_present_density(name: str) -> None:
    kept = stored(name).fingerprint.tolist()
    target = posterior(name).declaring(1.0)
    assert same(kept, fingerprint(target))
    assert not same(kept, fingerprint(target.tempered(1.01)))


@each
def test_the_scale_is_the_root_mean_square_coordinate(name: str) -> None:
    second = np.trace(stored(name).second) / posterior(name).dim
    assert float(f"{math.sqrt(second):.2g}") == posterior(name).scale


def test_rows_are_drawn_without_replacement() -> None:
    target = posterior("sonar").to("cpu", torch.float32)
    x, y = target.blocks(5000, 2, generator())
    assert len(torch.cat([x, y]).unique(dim=0)) == 10_000
    with pytest.raises(ValueError, match="the pool holds 10000"):
        target.sample(10_001, generator())


def test_a_pool_is_read_when_points_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("read")

    stored.cache_clear()
    monkeypatch.setattr(targets.posteriors.reference_pool.np, "load", refuse)
    target = type(posterior("sonar"))()
    target.to("cpu", torch.float32).score(torch.zeros(3, 61))
    with pytest.raises(RuntimeError, match="read"):
        target.sample(3, generator())


def test_listing_reads_no_data() -> None:
    code = ("import sys; from bench.commands.parser import main; main(['list']); "
            "assert 'targets.posteriors.reference_pool' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and "breast_cancer" in done.stdout, done.stderr
