"""Every metric against a naive oracle in float64, closed forms, identities and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment
from scipy.stats import chisquare, gaussian_kde, norm, wasserstein_distance
from torch import Tensor

from bench.conformance.distributions import Standard
from bench.core import registry
from metrics.base import Evidence, Metric
from metrics.kernel.pair_sums import difference_products
from metrics.transport.sliced_w2 import directions
from metrics.transport.w2 import squared_distances, transport
from targets.base import Target, Truth

torch.set_num_threads(1)
#: Those of points alone; what trains a network is tested in tests/metrics/test_nll.py.
NAMES = sorted(name for name, entry in registry.catalogue()["metrics"].items()
               if "weights" not in entry.attributes.get("needs", ())
               and not entry.attributes.get("trains"))


def metric(name: str, **parameters: Any) -> Metric:
    made: Metric = registry.load("metrics", name, **parameters)
    return made


def value(name: str, x: Tensor, evidence: Evidence) -> float:
    return metric(name).estimate(x, evidence).value


def home(name: str) -> int:
    """The dimension in which a metric is tried: the plane, or the line where it knows no other."""
    return next(dim for dim in (2, 1) if metric(name).applies(Standard(dim)))


def case(n: int, dim: int = 2, shift: float = 0.4, dtype: torch.dtype = torch.float32,
         seed: int = 0) -> tuple[Tensor, Evidence]:
    """Samples of N(shift, I) cast as ``dtype``, and evidence of N(0, I)."""
    target = Standard(dim).to("cpu", dtype)
    rng = torch.Generator().manual_seed(seed)
    return target.sample(n, rng) + shift, Evidence(target, target.sample(n, rng), seed)


# ---- naive oracles -----------------------------------------------------------------------------


def distances(x: Tensor, y: Tensor) -> np.ndarray:
    a, b = x.double().numpy(), y.double().numpy()
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def off(k: np.ndarray) -> float:
    n = len(k)
    return float((k.sum() - np.trace(k)) / (n * (n - 1)))


def bandwidth(evidence: Evidence, n: int) -> float:
    m = min(n, 500)
    d = np.sqrt(distances(evidence.first(m), evidence.first(m)))[np.triu_indices(m, 1)]
    return float(np.sort(d)[(len(d) - 1) // 2])


def oracle_mmd(x: Tensor, e: Evidence) -> float:
    y, m = e.first(len(x)), bandwidth(e, len(x))

    def k(a: Tensor, b: Tensor) -> np.ndarray:
        d = distances(a, b)
        return np.mean([np.exp(-d / (2 * (f * m) ** 2)) for f in (0.5, 1.0, 2.0)], axis=0)

    return off(k(x, x)) + off(k(y, y)) - 2 * float(k(x, y).mean())


def oracle_mmd_drifting(x: Tensor, e: Evidence) -> float:
    y, m = e.first(len(x)), bandwidth(e, len(x))
    xx, yy, xy = (np.exp(-distances(a, b) / (2 * m**2)).mean()
                  for a, b in ((x, x), (y, y), (x, y)))
    return float(xx + yy - 2 * xy)


def stein_kernel(x: Tensor, e: Evidence) -> np.ndarray:
    """facts: k0 with c = 1, beta = -1/2, term by term."""
    a, s = x.double().numpy(), e.target.score(x).double().numpy()
    d = a[:, None] - a[None]
    sq, dim, beta = (d**2).sum(-1), a.shape[1], -0.5
    b = 1 + sq
    return (s @ s.T * b**beta
            - 2 * beta * (s[:, None] * d).sum(-1) * b ** (beta - 1)
            + 2 * beta * (s[None] * d).sum(-1) * b ** (beta - 1)
            - 2 * dim * beta * b ** (beta - 1)
            - 4 * beta * (beta - 1) * sq * b ** (beta - 2))


def oracle_sliced(x: Tensor, e: Evidence) -> float:
    along = directions(e, 100).numpy()
    u, v = (np.sort(p.double().numpy() @ along, axis=0) for p in (x, e.first(len(x))))
    return float(np.sqrt(((u - v) ** 2).mean()))


def oracle_w2(x: Tensor, e: Evidence) -> float:
    cost = distances(x, e.first(len(x)))
    i, j = linear_sum_assignment(cost)
    return float(np.sqrt(cost[i, j].mean()))


def oracle_central(x: Tensor, e: Evidence) -> float:
    rng = torch.Generator().manual_seed(e.seed)
    y = np.concatenate([e.target.sample(5000, rng).double().numpy() for _ in range(10)])
    low, high = np.quantile(y, [0.025, 0.975], axis=0, method="inverted_cdf")
    low = np.sort(y, axis=0)[1250]  # the order statistic next inside, as the upper one is
    a, b = (np.clip(p, low, high) for p in (x.double().numpy(), y))
    return abs(float(a.var(axis=0, ddof=1).sum() / b.var(axis=0, ddof=1).sum() - 1))


def oracle_energy(x: Tensor, e: Evidence) -> tuple[np.ndarray, np.ndarray]:
    return tuple(0.5 * (p.double().numpy() ** 2).sum(1)  # type: ignore[return-value]
                 for p in (x, e.first(len(x))))


def oracle_outlier(x: Tensor, e: Evidence) -> float:
    u, v = oracle_energy(x, e)
    k = math.ceil(0.99 * len(v))
    return float((u > np.sort(v)[k - 1]).mean() - (1 - k / (len(v) + 1)))


def oracle_chi2(x: Tensor, e: Evidence) -> float:
    right = int((x[:, 0] > 0).sum())
    return float(chisquare([len(x) - right, right]).statistic)


def oracle_tv_grid(x: Tensor, e: Evidence) -> float:
    edges = np.linspace(-3.0, 3.0, 41)
    axes = [np.diff(norm.cdf(edges))] * x.shape[1]
    p = axes[0] if len(axes) == 1 else np.outer(*axes)
    f = np.histogramdd(x.double().numpy(), [edges] * len(axes))[0] / len(x)
    return 0.5 * float(np.abs(f - p).sum() + abs(p.sum() - f.sum()))


def oracle_tv_histogram(x: Tensor, e: Evidence) -> float:
    a, b = x.double().numpy(), e.first(len(x)).double().numpy()
    both = np.concatenate([a, b])
    window = list(zip(both.min(0), both.max(0), strict=True))
    f, g = (np.histogramdd(p, 200, window)[0] for p in (a, b))
    return 0.5 * float(np.abs(f / f.sum() - g / g.sum()).sum())


def oracle_kl(x: Tensor, e: Evidence) -> float:
    y = e.target.sample(10_000, torch.Generator().manual_seed(e.seed)).double().numpy()[:, 0]
    a = x.double().numpy()[:, 0]
    grid = np.linspace(min(a.min(), y.min()), max(a.max(), y.max()), 1000)
    f, g = gaussian_kde(a)(grid), gaussian_kde(y)(grid)
    return float(np.trapezoid(f * np.log(f / (g + 1e-10) + 1e-10), grid))


ORACLES = {
    "mmd": oracle_mmd,
    "mmd_drifting": oracle_mmd_drifting,
    "ksd": lambda x, e: off(stein_kernel(x, e)),
    "ksd_dft": lambda x, e: math.sqrt(stein_kernel(x, e).sum()) / len(x),
    "w2": oracle_w2,
    "w2_blocks": oracle_w2,  # fewer than 1,000 points are one pair
    "sliced_w2": oracle_sliced,
    "mean_error": lambda x, e: float(np.linalg.norm(x.double().numpy().mean(0))),
    "cov_error": lambda x, e: float(np.linalg.norm(np.cov(x.double().numpy().T)
                                                   - np.eye(x.shape[1]))),
    "cov_trace": lambda x, e: abs(float(np.trace(np.cov(x.double().numpy().T))) / x.shape[1] - 1),
    "cov_trace_central": oracle_central,
    "between_mass": lambda x, e: float(((x.double().numpy() ** 2).sum(1) > 16).mean()),
    "mean_energy": lambda x, e: abs(float(np.subtract(*map(np.mean, oracle_energy(x, e))))),
    "energy_w1": lambda x, e: wasserstein_distance(*oracle_energy(x, e)),
    "mode_tv": lambda x, e: abs(float((x[:, 0] > 0).double().mean()) - 0.5),
    "missing_modes": lambda x, e: float(min((x[:, 0] > 0).sum(), (x[:, 0] <= 0).sum())
                                        < 0.05 * len(x)),
    "outlier_mass": oracle_outlier,
    "mode_chi2": oracle_chi2,
    "kl_kde": oracle_kl,
    "tv_grid": oracle_tv_grid,
    "tv_histogram_idem": oracle_tv_histogram,
}


def test_every_metric_has_an_oracle() -> None:
    assert sorted(ORACLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n,dim", [(64, 2), (613, 2), (513, 3), (530, 20)])
def test_agrees_with_naive_oracle(name: str, n: int, dim: int) -> None:
    """Sizes on, off and across the edge of a block; 20 dimensions take the expanded product."""
    for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-10)):
        fits = metric(name).applies(Standard(dim))
        x, evidence = case(n, dim if fits else home(name), dtype=dtype)
        got, want = value(name, x, evidence), ORACLES[name](x, evidence)
        assert got == pytest.approx(want, rel=20 * tolerance, abs=20 * tolerance)


def test_missing_modes_counts() -> None:
    x, evidence = case(200)
    for share, missing in ((0.04, 1.0), (0.06, 0.0)):
        x[:, 0] = torch.where(torch.arange(200) < 200 * share, 1.0, -1.0)
        assert value("missing_modes", x, evidence) == missing


def test_near_points_far_from_the_origin_keep_their_distance() -> None:
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) * 1e-2 + 1000.0
    t = x.T.contiguous()
    out, left, right = (torch.empty(50, 50) for _ in range(3))
    got = difference_products(t, t, t, t, out, left, right)
    assert np.allclose(got.numpy(), distances(x, x), rtol=1e-6, atol=0)


# ---- closed forms ------------------------------------------------------------------------------


def test_mmd_of_shifted_normals() -> None:
    """E k_h between N(a, I) and N(b, I) is (h^2/(h^2+2)) exp(-|a-b|^2 / (2 (h^2+2))) in 2-D."""
    x, evidence = case(6000, shift=0.5)
    m = bandwidth(evidence, 6000)
    want = np.mean([2 * h**2 / (h**2 + 2) * (1 - math.exp(-0.5 / (2 * (h**2 + 2))))
                    for h in (m / 2, m, 2 * m)])
    got = metric("mmd").estimate(x, evidence)
    assert got.se is not None and got.se < 0.08 * want
    assert abs(got.value - want) < 3 * got.se


def test_ksd_of_a_shifted_normal() -> None:
    """The scores differ by the constant shift, so KSD^2 = |shift|^2 E k(X, X')."""
    x, evidence = case(6000, shift=0.5)
    want = 0.5 * quad(lambda t: math.exp(-t) / math.sqrt(1 + 4 * t), 0, math.inf)[0]
    got = metric("ksd").estimate(x, evidence)
    assert got.se is not None and got.se < 0.08 * want
    assert abs(got.value - want) < 3 * got.se


def test_a_pure_shift_is_its_length() -> None:
    """Samples that are the moved reference: transport, means and slices measure the shift."""
    _, evidence = case(500)
    x = evidence.first(500) + torch.tensor([3.0, 4.0])
    assert value("w2", x, evidence) == pytest.approx(5.0, rel=1e-6)
    moved = torch.tensor([3.0, 4.0], dtype=torch.float64)
    along = (moved @ directions(evidence, 100)).square().mean().sqrt()
    assert value("sliced_w2", x, evidence) == pytest.approx(float(along), rel=1e-5)
    before = evidence.first(500).mean(0)
    assert value("mean_error", x, evidence) == pytest.approx(
        float((before.double() + moved).norm()), rel=1e-6)
    assert value("cov_error", x, evidence) == pytest.approx(
        value("cov_error", evidence.first(500), evidence), rel=1e-4)


@pytest.mark.parametrize("name", ["w2", "w2_blocks", "sliced_w2", "energy_w1",
                                  "mean_energy"])
def test_the_reference_itself_is_at_distance_zero(name: str) -> None:
    _, evidence = case(300)
    got = metric(name).estimate(evidence.first(300), evidence)
    assert got.value == pytest.approx(0.0, abs=1e-7)
    if name in ("w2", "sliced_w2"):
        assert got.se is None or got.se == 0.0


# ---- identities --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mmd", "mmd_drifting", "w2", "sliced_w2"])
def test_a_common_shift_does_not_matter(name: str) -> None:
    x, evidence = case(300, dtype=torch.float64)
    moved = Evidence(evidence.target, evidence.first(300) + 7.0, evidence.seed)
    assert value(name, x + 7.0, moved) == pytest.approx(value(name, x, evidence), rel=1e-9)


def test_w2_obeys_the_triangle() -> None:
    a, evidence = case(200, shift=0.0, dtype=torch.float64)
    b, c = a * torch.tensor([2.0, 0.5]), evidence.first(200)
    ab = math.sqrt(transport(squared_distances(a, b))[0])
    bc = math.sqrt(transport(squared_distances(b, c))[0])
    assert value("w2", a, evidence) <= ab + bc


@pytest.mark.parametrize("name", ["mmd", "ksd", "ksd_dft", "w2", "sliced_w2"])
def test_duplicated_samples_score_worse(name: str) -> None:
    """A tenth of the points, each ten times: same distribution, less information."""
    x, evidence = case(1000, shift=0.0)
    copies = x[:100].repeat(10, 1)
    assert value(name, copies, evidence) > 1.5 * value(name, x, evidence)


def test_bandwidth_comes_from_the_reference_alone() -> None:
    x, evidence = case(600)
    value("mmd", x, evidence)
    kept = {k: v for k, v in evidence.memo.items() if k.startswith("median")}
    value("mmd", 100.0 * x, evidence)
    assert len(kept) == 1
    assert kept == {k: v for k, v in evidence.memo.items() if k.startswith("median")}


@pytest.mark.parametrize("name", NAMES)
def test_shared_work_never_answers_for_other_samples(name: str) -> None:
    """One evidence, two sample sets and two sizes, asked in turn, also after a change in place."""
    x, evidence = case(300, home(name))
    y = 2.0 * x
    fresh = [value(name, p, Evidence(evidence.target, evidence.reference, evidence.seed))
             for p in (x, y, x[:200])]
    assert [value(name, p, evidence) for p in (x, y, x[:200])] == fresh
    assert value(name, x, evidence) == fresh[0]
    x.mul_(2.0)
    assert value(name, x, evidence) == fresh[1]


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_non_finite_samples_are_refused(name: str) -> None:
    x, evidence = case(50, home(name))
    x[3, -1], x[7, 0] = math.nan, math.inf
    with pytest.raises(ValueError, match="2 of 50 samples are not finite"):
        value(name, x, evidence)


@pytest.mark.parametrize("name", [n for n in NAMES if "reference" in metric(n).needs
                                  and n not in ("kl_kde", "cov_trace_central")])  # draw their own
def test_too_small_a_reference_is_refused(name: str) -> None:
    x, evidence = case(50)
    with pytest.raises(ValueError, match="wants 50 reference points, the evidence holds 40"):
        value(name, x, Evidence(evidence.target, evidence.first(40)))


@pytest.mark.parametrize("name", ["mean_energy", "energy_w1", "ksd", "ksd_dft"])
def test_samples_of_density_zero_are_no_number(name: str) -> None:
    class Cut(Standard):
        def log_prob(self, x: Tensor) -> Tensor:
            return torch.where(x[:, 0] > 5, -math.inf, super().log_prob(x))

        def score(self, x: Tensor) -> Tensor:
            return torch.where(x[:, :1] > 5, -math.inf, -x)

    x, evidence = case(50)
    x[0] = 6.0
    with pytest.raises(ValueError, match="1 of 50 points lie where the density is zero"):
        metric(name).estimate(x, Evidence(Cut().to("cpu", torch.float32), evidence.reference))


def test_metrics_apply_where_the_target_gives_what_they_need() -> None:
    class Bare(Target):
        name = "bare"
        dim, scale = 2, 1.0

        def log_prob(self, x: Tensor) -> Tensor:
            return -x.square().sum(1)

    class FewTruths(Standard):
        def truths(self) -> tuple[Truth, ...]:
            return super().truths()[:2]

    assert [n for n in NAMES if metric(n).applies(Bare())] == ["ksd", "ksd_dft"]
    assert [n for n in NAMES if not metric(n).applies(Standard())] == ["kl_kde"]
    assert all(metric(n).applies(Standard(1)) for n in NAMES)
    assert [n for n in NAMES if not metric(n).applies(FewTruths())] == ["cov_error", "cov_trace",
                                                                        "kl_kde"]
    far = registry.load("targets", "double_well")  # modes, but no centres and widths
    assert metric("mode_tv").applies(far) and not metric("between_mass").applies(far)


# ---- exact transport ---------------------------------------------------------------------------


def test_transport_that_stops_early_is_an_error() -> None:
    x, evidence = case(300)
    cost = squared_distances(x, evidence.first(300))
    with pytest.raises(RuntimeError, match="no optimum.*numItermax"):
        transport(cost, iterations=50)


def test_w2_caps_points_and_spreads_them_over_the_samples() -> None:
    x, evidence = case(300)
    small = metric("w2", cap=100)
    assert small.points(300) == 100 and small.points(50) == 50
    assert metric("w2").points(10**6) == 2000
    want = oracle_w2(x[::3], evidence)
    assert small.estimate(x, evidence).value == pytest.approx(want, rel=1e-6)
