"""Bayesian logistic regression on the sonar data."""

from __future__ import annotations

from targets.posteriors.logistic_regression import LogisticPosterior, observed, standardised


class Sonar(LogisticPosterior):
    """Logistic regression of 208 sonar echoes on 60 features and an intercept: 61 dimensions.

    Features standardised, sigmoid(x.w) the probability of a mine, w ~ N(0, I). ``log_prob`` is
    log p(labels, w), the prior normalised (equation in targets/posteriors/logistic_regression.py).

    Data and licence: targets/posteriors/data/README.md. Departures: benchmarks write
    "standardised" without the divisor of the variance, 208 here, and put the intercept in any
    place, 0 here.

    Reference: 10,000 points of two runs of 500 chains x 2,000 transitions
    (bench/maintain/references/), whose means are known to .0015 posterior deviations. Split
    R-hat 1.002. Largest of 3,782 |z| (99.9 % limit 5.1): run against run 3.1, Stein's
    identities 4.1 on the runs and 3.5 on the pool, pool against runs 2.6, importance sampling
    (200,000 draws, 14 % effective) against runs 4.4. E[(w - m).s] = -61 within .1 standard errors.

    Log Z: -108.3799 +- .0027 by bridge sampling, -108.3869 +- .0055 by importance sampling; stated
    is their weighted mean, standard error .0024. Laplace's approximation is 3 off.

    Scale: the root mean square coordinate, .895.

    Useful because its dimension is moderate, it has one mode close to a normal, and deviations
    along the axes of its covariance differ 13-fold.
    """

    name = "sonar"
    citation = "UCI Connectionist Bench (Sonar, Mines vs. Rocks), doi:10.24432/C5T01Q"

    scale = 0.89
    log_z = -108.381

    def __init__(self) -> None:
        features, label = observed(self.name)
        super().__init__(standardised(features), label == 1, prior_sd=1.0)
