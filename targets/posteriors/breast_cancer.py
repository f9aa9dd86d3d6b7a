"""Bayesian logistic regression on the Wisconsin breast cancer data."""

from __future__ import annotations

from targets.posteriors.logistic_regression import LogisticPosterior, observed, scaled


class BreastCancer(LogisticPosterior):
    """Logistic regression of 569 tumours on 30 features and an intercept: 31 dimensions.

    Features over their standard deviations, not centred; sigmoid(x.w) the probability of a benign
    tumour; w ~ N(0, 10^2 I). ``log_prob`` is log p(labels, w), the prior normalised (equation in
    targets/posteriors/logistic_regression.py). Data and licence:
    targets/posteriors/data/README.md.

    Departures: some benchmarks compute this prior and then leave it out; here it stays. The labels
    are linearly separable, so that the likelihood alone has no finite integral and no distribution
    to be sampled: log Z and samples published without the prior are not those of this target. With
    the labels exchanged the distribution is the mirror image, w for -w.

    Reference: 10,000 points of two runs of 500 chains x 3,000 transitions (``python -m
    bench.maintain references --targets breast_cancer --steps 3000``), whose means are known to
    .0012 posterior deviations. Split R-hat 1.001. Largest of 992 |z|, which chance keeps below
    4.9: run against run 2.5, Stein's identities 2.4 on the runs and 2.4 on the pool, pool against
    runs 2.7, importance sampling (200,000 draws, 6 % effective) against runs 3.2. E[(w - m).s] =
    -31 within .8 standard errors. A first run, without independent proposals, was rejected by
    these checks.

    Log Z: -77.574 +- .004 by bridge sampling, -77.558 +- .009 by importance sampling; stated is
    their weighted mean, standard error .004. Laplace's approximation is 2.7 off.

    Scale: the root mean square coordinate, 7.69.

    Useful because the distribution is wide and skewed where the prior alone holds it and narrow
    where the labels do: deviations along the axes of its covariance differ 400-fold, its curvature
    varies from place to place, and Hamiltonian chains with one step stay where they are for
    hundreds of transitions.
    """

    name = "breast_cancer"
    citation = "UCI Breast Cancer Wisconsin (Diagnostic), doi:10.24432/C5DW2B"

    scale = 7.7
    log_z = -77.571

    def __init__(self) -> None:
        features, label = observed(self.name)
        super().__init__(scaled(features), label == 1, prior_sd=10.0)
