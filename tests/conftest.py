"""What every test process does first, so that the same numbers come out each time."""

from __future__ import annotations

import pytest
import torch

torch.set_num_threads(1)
# The first multi-threaded call of these in a process can be imprecise (pytorch issue 188792).
for _dtype in (torch.float32, torch.float64):
    for _function in (torch.exp, torch.log, torch.sqrt, torch.log1p, torch.sin, torch.cos):
        _function(torch.full((8,), 0.5, dtype=_dtype))


@pytest.fixture(autouse=True)
def outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that tests make must not annotate the job of GitHub Actions they may run in."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
