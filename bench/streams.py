"""Streams of random numbers: one for each purpose, so that none disturbs another.

Training, each checkpoint's draw, the warm-up on a throw-away state and the reference block of a
seed have their own streams. All samplers of a seed share the stream of the same purpose, and so
start from the same points and are judged against the same reference.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch


def stream(purpose: str, target: str, seed: int, index: int = 0,
           device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose on one target under one seed."""
    words = (zlib.crc32(purpose.encode()), zlib.crc32(target.encode()), seed, index)
    (state,) = np.random.SeedSequence(words).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state) >> 1)
