"""``python -m bench.maintain`` lists the maintainers' programs; with a name it runs one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from bench.core.errors import BenchError, unknown
from bench.core.exits import MISTAKE, answer, say_error


class Program(NamedTuple):
    """Where a program's ``main(arguments)`` stands, and what it does."""

    module: str
    sentence: str


PROGRAMS = {
    "floors": Program("floors", "draws null distributions of metrics on exact samples"),
    "audits": Program("audits", "measures which injected defects each metric detects"),
    "references": Program("references.program", "makes and verifies reference samples by chains"),
    "mutations": Program("mutations", "runs the program with one injected bug at a time"),
    "check-calibration": Program("check_calibration", "simulates errors of the regression check"),
    "comparison-calibration": Program("comparison_calibration",
                                      "simulates errors of a comparison's intervals and tests"),
    "interval-study": Program("interval_study", "simulates coverage of other 95 % intervals"),
    "acceptance": Program("acceptance", "holds a finished run to criteria set before it"),
    "docs-tables": Program("docs_tables", "writes the generated tables of the documentation"),
}


def listing() -> str:
    """Every program with its sentence, as lines."""
    width = max(map(len, PROGRAMS))
    lines = [f"  {name:{width}}  {program.sentence}" for name, program in PROGRAMS.items()]
    return "\n".join(["usage: python -m bench.maintain PROGRAM [--help]", "", *lines])


def main(arguments: Sequence[str]) -> int:
    """List the programs, or run one with the arguments that follow its name."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing())
        return 0
    name, *rest = arguments
    try:
        if name not in PROGRAMS:
            raise unknown("program", name, PROGRAMS)
        module = importlib.import_module(f"bench.maintain.{PROGRAMS[name].module}")
        return int(module.main(rest))
    except BenchError as error:
        say_error(str(error))
        return MISTAKE


if __name__ == "__main__":
    sys.exit(answer(lambda: main(sys.argv[1:])))
