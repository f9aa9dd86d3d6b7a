"""Labels: what a user may call samplers, targets and metrics, so that files can bear the names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import UserError
from bench.core.registry import catalogue
from bench.suite.specs import ItemSpec

LABEL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
#: So long may a label be: two of them, a seed and a suffix make the name of a file.
LONGEST = 80
#: Names that some systems keep for devices, with any suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.ASCII)


def check_labels(kind: str, specs: Sequence[ItemSpec], plugin: Path | None) -> None:
    """Refuse labels that cannot name files, that differ by case alone or mean something else."""
    seen: dict[str, str] = {}
    for spec in specs:
        label = spec.label
        if (not isinstance(label, str) or not LABEL.fullmatch(label) or len(label) > LONGEST
                or RESERVED.fullmatch(label)):
            raise UserError(
                f"label {label!r} of {kind[:-1]} '{spec.name}' is not usable; write at most "
                f"{LONGEST} letters, digits, '_', '-' and '.', not beginning with '.', and no "
                f"device's name: {{name = \"{spec.name}\", label = \"...\"}}")
        if label != spec.name and label in catalogue(plugin)[kind]:
            raise UserError(f"label '{label}' of {kind[:-1]} '{spec.name}' is the name of another "
                            f"{kind[:-1]}; choose another label")
        if (other := seen.setdefault(label.casefold(), label)) != label:
            raise UserError(f"the {kind} '{other}' and '{label}' differ by case alone, which not "
                            "every file system tells apart; choose another label")
    if doubles := [x for x, count in Counter(s.label for s in specs).items() if count > 1]:
        raise UserError(f"'{doubles[0]}' stands twice in '{kind}'; give the variant its own label")
