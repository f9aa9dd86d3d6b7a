"""Bayesian logistic regression on the ionosphere data."""

from __future__ import annotations

import numpy as np

from targets.posteriors.logistic_regression import LogisticPosterior, observed, standardised


class Ionosphere(LogisticPosterior):
    """Logistic regression of 351 radar returns on 33 features and an intercept: 34 dimensions.

    Features standardised, sigmoid(x.w) the probability of a good return, w ~ N(0, I). ``log_prob``
    is log p(labels, w), the prior normalised (equation in
    targets/posteriors/logistic_regression.py).

    Data and licence: targets/posteriors/data/README.md. Departures: benchmarks count 35
    dimensions, with a weight for the second feature, which is 0 in all rows. Such a weight follows
    its prior N(0, 1) apart from all others, so that Z is the same with it; here the feature is
    dropped. The divisor of the variance is 351, and the intercept is coordinate 0.

    Reference: 10,000 points of two runs of 500 chains x 2,000 transitions
    (bench/maintain/references/), whose means are known to .0015 posterior deviations. Split
    R-hat 1.002. Largest of 1,190 |z| (99.9 % limit 4.9): run against run 2.7, Stein's
    identities 3.6 on the runs and 3.0 on the pool, pool against runs 3.0, importance sampling
    (200,000 draws, 27 % effective) against runs 3.4. E[(w - m).s] = -34 within .2 standard errors.

    Log Z: -111.6110 +- .0035 by bridge sampling, -111.6139 +- .0037 by importance sampling; stated
    is their weighted mean, standard error .0025. Laplace's approximation is 1 off.

    Scale: the root mean square coordinate, .992.

    Useful because its dimension is moderate and it has one mode close to a normal: a sampler's
    bias shows here without modes to lose.
    """

    name = "ionosphere"
    citation = "UCI Ionosphere, doi:10.24432/C5W01B"

    scale = 0.99
    log_z = -111.612

    def __init__(self) -> None:
        features, label = observed(self.name)
        super().__init__(standardised(np.delete(features, 1, axis=1)), label == 1, prior_sd=1.0)
