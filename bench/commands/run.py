"""``run``: a suite is run, judged, reported; and checked where a baseline is named."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.options import add_plugin, add_rule, names_of
from bench.core.errors import UserError
from bench.core.exits import STOPPED, printable

if TYPE_CHECKING:
    from bench.interface.checking import Check
    from bench.suite.suite import Suite

HELP = "run a suite, judge it, report"
#: Options that say what the suite is: a resumed run has them already.
_SETTINGS = ("suite", "samplers", "targets", "seeds", "budget", "device", "dtype", "compile",
             "referee", "n", "plugin", "reference")
#: What a run remembers of the check it was made for, so that ``--resume`` ends in the same files.
_CHECK = ("check", "alpha", "tolerance", "samplers", "targets")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m bench run``."""
    parser.add_argument("--suite", help="name of a suite, or a TOML file")
    parser.add_argument("--samplers", metavar="A,B", help="only these samplers (baselines stay)")
    parser.add_argument("--targets", metavar="X,Y", help="only these targets")
    parser.add_argument("--seeds", help="number of seeds, or FIRST:LAST (last excluded)")
    parser.add_argument("--budget", help="such as 10s or 2e6evals, for every job")
    parser.add_argument("--device", help="cpu, cuda or cuda:1")
    parser.add_argument("--dtype", help="float32 or float64")
    parser.add_argument("--compile", action="store_true", default=None,
                        help="compile the inner parts of samplers; compiling is not charged")
    parser.add_argument("--referee", action="store_true", default=None,
                        help="run samplers in processes that hold a density alone, judge in "
                        "others")
    parser.add_argument("--n", type=int, help="points judged in the final table")
    parser.add_argument("--workers", type=int, help="jobs at a time (default: one for each "
                        "processor that this process may use)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--out", metavar="DIR", help="a new folder for the run")
    place.add_argument("--resume", metavar="DIR", help="go on with an unfinished run")
    add_plugin(parser)
    parser.add_argument("--reference", metavar="TARGET=FILE.npy", action="append", default=[],
                        help="a long verified run (n, dim) as the reference of your own target")
    parser.add_argument("--allow-changed-code", action="store_true",
                        help="resume although the code has changed since")
    parser.add_argument("--no-report", action="store_true", help="leave the report out")
    parser.add_argument("--check", metavar="FILE", help="then judge against this baseline, and "
                        "run what got worse again with fresh seeds")
    add_rule(parser)


def main(options: argparse.Namespace) -> int:
    """Run a suite, and judge it where a baseline is named; returns the exit code."""
    from bench.interface.plans import workers_of
    from bench.interface.suites import execute

    suite, folder = _planned(options) if options.resume is None else _resumed(options)
    _recall(suite, options)
    if options.check is not None:
        suite = _to_be_checked(suite, options)
    workers, command = workers_of(options.workers), shlex.join(["python", "-m", "bench",
                                                                *sys.argv[1:]])
    try:
        execute(suite, folder, workers, command, options.allow_changed_code)
        if not options.no_report:
            _report(folder)
        if options.check is not None:
            return _checked(options, folder, workers, command)
    except KeyboardInterrupt:
        print("\n" + printable("stopped; finished jobs are safe. Go on with: python -m bench run "
                               f"--resume {shlex.quote(str(folder))}"))
        return STOPPED
    return 0


def _planned(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.interface.plans import new_folder, plan

    if not options.suite:
        raise UserError("run needs --suite NAME (see 'python -m bench list suites') or "
                        "--resume DIR")
    suite = plan(options.suite, samplers=options.samplers, targets=options.targets,
                 seeds=options.seeds, budget=options.budget, n=options.n, plugin=options.plugin,
                 references=_references(options.reference), device=options.device,
                 dtype=options.dtype, compile=options.compile, referee=options.referee)
    return suite, new_folder(options.out, suite.name)


def _references(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        label, is_pair, path = pair.partition("=")
        if not is_pair:
            raise UserError(f"--reference {pair}: write TARGET=FILE.npy")
        if label in found:
            raise UserError(f"--reference {pair}: '{label}' has a reference already; name one")
        found[label] = path
    return found


def _resumed(options: argparse.Namespace) -> tuple[Suite, Path]:
    from bench.interface.suites import planned_by

    if given := [f"--{k}" for k in _SETTINGS if getattr(options, k) not in (None, [])]:
        raise UserError(f"--resume goes on with the settings of the run; leave out "
                        f"{', '.join(given)}")
    folder = Path(options.resume)
    return planned_by(folder), folder


def _recall(suite: Suite, options: argparse.Namespace) -> None:
    """A resumed run goes on with its check; a check named anew judges what the run was for."""
    named = options.check is not None
    for key, value in suite.check.items():
        if not named or key in ("samplers", "targets"):
            setattr(options, key, value)


def _to_be_checked(suite: Suite, options: argparse.Namespace) -> Suite:
    """The suite as a check runs it: five seeds unless told otherwise.

    Raises before anything ran where the baseline could not judge it.
    """
    from bench.interface.checking import check_comparable, rule_of
    from results.regression.verdicts import CHECK_SEEDS

    baseline = Path(options.check)
    if options.resume is None:
        asked = {key: getattr(options, key) for key in _CHECK}
        suite = replace(suite, check={**asked, "check": str(baseline.resolve())})
        if options.seeds is None:
            suite = replace(suite, seeds=tuple(range(CHECK_SEEDS)))
    check_comparable(suite, baseline, *_judged_alone(options))
    rule_of(options.alpha, options.tolerance)
    return suite


def _judged_alone(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    return names_of(options.samplers, "--samplers"), names_of(options.targets, "--targets")


def _report(folder: Path) -> None:
    from bench.interface.suites import load

    run = load(folder)
    page = run.report()
    run.print_report()
    print("\n" + printable(f"report: {page} and {page.with_suffix('.md')}"))


def _checked(options: argparse.Namespace, folder: Path, workers: int, command: str) -> int:
    """Judge the run that has just ended in ``folder``, print and keep what was found."""
    from bench.commands.check import tell_github
    from bench.interface.checking import confirmed, rule_of

    made = confirmed(folder, Path(options.check), rule_of(options.alpha, options.tolerance),
                     *_judged_alone(options), workers, command, options.allow_changed_code)
    print()
    made.print_report()
    _keep(made, folder)
    tell_github(made)
    return made.code


def _keep(made: Check, folder: Path) -> None:
    from results.records.store import write_atomically
    from results.regression.formats import as_json, junit, markdown

    for suffix, text in (("md", markdown), ("xml", junit), ("json", as_json)):
        write_atomically(folder / f"check.{suffix}", text(made.made).encode())
    print(printable(f"check: {folder / 'check.md'} (also .xml, .json)"))
