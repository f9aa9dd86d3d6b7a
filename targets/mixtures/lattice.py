"""Equal normals on the points of a square lattice."""

from __future__ import annotations

from itertools import product

import numpy as np

from targets.mixtures.gaussian_mixture import Mixture


class Lattice(Mixture):
    """p(x) = 1/m^2 sum over (a, b) of N(x; (a, b), v I), a and b each among m ``marks``."""

    def __init__(self, marks: tuple[float, ...], variance: float, scale: float) -> None:
        centres = np.array(list(product(marks, repeat=2)))
        super().__init__(np.ones(len(centres)), centres,
                         np.tile(variance * np.eye(2), (len(centres), 1, 1)), scale)
