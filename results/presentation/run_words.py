"""What a run says of how it was made, in words."""

from __future__ import annotations

from typing import Any

from results.presentation.table import listing


def mixture(made: dict[str, Any]) -> str:
    """What a header says of changes while the run was made; '' where there were none."""
    return "; ".join(f"resumed at {c['when']} although {listing(c['what'])}"
                     for c in made.get("changes") or ())
