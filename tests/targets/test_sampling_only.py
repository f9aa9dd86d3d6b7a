"""A target without its judging interface: the same density, and nothing to judge it by."""

from __future__ import annotations

import subprocess
import sys

# Classes lose their functions for good, so this happens in a process of its own.
PROGRAM = """
import torch
from bench.core.registry import catalogue, load
from targets.base import Target
from bench.core.fingerprint import fingerprint
from targets.sampling_only import sampling_only

def every():
    for name in sorted(catalogue()["targets"]):
        target = load("targets", name).to("cpu", torch.float32)
        yield name, target
        if name in ("gmm4", "donut", "sonar"):
            yield f"{name} at 2", target.tempered(2.0)

made = dict(every())
x = {name: torch.randn(5, t.dim) for name, t in made.items()}
v = {name: torch.randn(5, t.dim) for name, t in made.items()}
before = {name: (fingerprint(t), t.hvp(x[name], v[name])) for name, t in made.items()}
rng = torch.Generator()
for name, target in made.items():
    bare = sampling_only(target)
    same = fingerprint(bare) == before[name][0]
    assert same and torch.equal(bare.hvp(x[name], v[name]), before[name][1]), name
    assert not bare.has_reference and bare.log_z is None and bare.mode_weights is None, name
    assert bare.truths() == (), name
    for call in (lambda: bare.sample(2, rng), lambda: bare.blocks(2, 1, rng),
                 lambda: type(target).sample(target, 2, rng), lambda: bare.mode_of(x[name])):
        try:
            call()
        except NotImplementedError:
            continue
        raise SystemExit(f"{name} still judges")
print(len(made), "targets")
"""


def test_every_target_keeps_its_density_and_loses_what_judges_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert int(done.stdout.split()[0]) >= 41
