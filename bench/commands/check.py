"""What ``baseline``, ``check``, ``run --check`` and ``history`` do."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from bench.core.errors import ReportError, UserError, nearest
from bench.core.exits import printable
from bench.jobs.plan import suite_facts
from bench.jobs.suite_run import run_suite
from bench.suite.schema import parse_seeds
from bench.suite.suite import Suite, from_facts
from bench.suite.values import words
from results.presentation.console import open_console
from results.records.run_folder import load
from results.records.store import read_header, write_atomically
from results.regression.baseline import SETTINGS, Snapshot, freeze
from results.regression.baseline_file import read, save
from results.regression.formats import (
    FORMATS,
    as_json,
    github,
    junit,
    markdown,
    print_text,
)
from results.regression.scores import Rule
from results.regression.verdicts import BASELINE_SEEDS, CHECK_SEEDS, FRESH_SEEDS, Check
from results.regression.verdicts import check as judge

#: Folder of the confirming run within a checked run's folder.
AGAIN = "confirmation"
#: What a run remembers of the check it was made for, so that ``--resume`` ends in the same files.
ASKED = ("check", "alpha", "tolerance", "samplers", "targets")


def baseline(options: argparse.Namespace) -> int:
    """Freeze a run; raises ReportError where it is too small or not finished."""
    made = frozen(Path(options.dir))
    if options.seeds is not None:
        kept = frozenset(parse_seeds(options.seeds))
        made = replace(made, cells=tuple(c.of(kept) for c in made.cells))
    few = [c for c in made.cells if len(c.seeds) < BASELINE_SEEDS]
    if few:
        raise ReportError(f"'{options.dir}' is too small for a baseline: {few[0].sampler} on "
                          f"{few[0].target} has {len(few[0].seeds)} seeds; run --seeds "
                          f"{BASELINE_SEEDS + 5} (at least {BASELINE_SEEDS})")
    size = save(made, Path(options.to))
    print(printable(f"{options.to}: {len(made.cells)} cells, {len(made.seeds)} seeds, "
                    f"{size / 1024:.0f} KiB"))
    return 0


def frozen(folder: Path) -> Snapshot:
    """A finished run as a snapshot; raises ReportError where jobs are missing."""
    run = load(folder)
    planned = [(s["label"], t["label"], seed) for seed in run.suite.get("seed_list", [])
               for s in run.suite["items"]["samplers"] for t in run.suite["items"]["targets"]]
    have = {(j.label, j.target, j.seed) for j in run.jobs}
    if left := sum(job not in have for job in planned):
        raise ReportError(f"'{folder}' is not finished: {left} of {len(planned)} jobs left no "
                          f"record; go on with 'python -m bench run --resume {folder}'")
    return freeze(run)


def _rule(options: argparse.Namespace) -> Rule:
    if not 0 < options.alpha < 1:
        raise UserError(f"--alpha {options.alpha:g} is no chance; give a number between 0 and 1")
    if not 0 <= options.tolerance < math.inf:
        raise UserError(f"--tolerance {options.tolerance:g} is no share; give 0 or more")
    return Rule(options.alpha, options.tolerance)


def _chosen(text: str | None, known: Collection[str], option: str) -> frozenset[str]:
    names = frozenset() if text is None else frozenset(words(text, option))
    if strange := names - set(known):
        name = min(strange)
        raise UserError(f"{option} {name}: not in the baseline{nearest(name, known)} "
                        f"(it holds {', '.join(sorted(known))})")
    return names


def _judged(base: Snapshot, folder: Path, rule: Rule, samplers: str | None,
            targets: str | None, again: Path | None) -> Check:
    """The run in ``folder``, and its confirmation where there is one, against the baseline."""
    return judge(base, frozen(folder), rule, frozen(again) if again is not None else None,
                 _chosen(samplers, {c.sampler for c in base.cells}, "--samplers"),
                 _chosen(targets, {c.target for c in base.cells}, "--targets"))


def check(options: argparse.Namespace) -> int:
    """Judge a finished run: 0 no regression, 1 regression, 2 not judged."""
    if options.format not in FORMATS:
        raise UserError(f"unknown --format '{options.format}'{nearest(options.format, FORMATS)} "
                        f"(known: {', '.join(FORMATS)})")
    folder = Path(options.dir)
    again = folder / AGAIN if (folder / AGAIN / "run.json").exists() else None
    made = _judged(read(Path(options.baseline)), folder, _rule(options), options.samplers,
                   options.targets, again)
    if options.format == "text":
        print_text(made, open_console())
    else:
        print({"markdown": markdown, "junit": junit, "json": as_json}[options.format](made),
              end="")
    _tell_github(made)
    return made.code


def _tell_github(made: Check) -> None:
    """In a job of GitHub Actions: the Markdown in its summary, and annotations."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(markdown(made))
        except OSError as error:
            print(f"warning: no step summary: {error}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github(made):
            print(line, file=sys.stderr)  # standard output may hold JSON or XML


def for_check(suite: Suite, options: argparse.Namespace) -> Suite:
    """The suite as a check runs it: five seeds unless told otherwise.

    Raises before anything ran where the baseline could not judge it.
    """
    base = read(Path(options.check))
    _rule(options)
    if options.resume is None:
        asked = {key: getattr(options, key) for key in ASKED}
        suite = replace(suite, check={**asked, "check": str(Path(options.check).resolve())})
        if options.seeds is None:
            suite = replace(suite, seeds=tuple(range(CHECK_SEEDS)))
    if base.suite != suite.name:
        raise ReportError(f"'{options.check}' is a baseline of suite '{base.suite}', not of "
                          f"'{suite.name}'")
    _chosen(options.samplers, {c.sampler for c in base.cells}, "--samplers")
    _chosen(options.targets, {c.target for c in base.cells}, "--targets")
    facts = suite_facts(suite)
    for key in SETTINGS:
        if base.settings.get(key) != (have := json.loads(json.dumps(facts[key]))):
            raise ReportError(f"the baseline was made with {key} = {base.settings.get(key)}, the "
                              f"run would have {have}; leave that option out, or freeze a new "
                              "baseline")
    return suite


def run_checked(options: argparse.Namespace, folder: Path, workers: int, command: str) -> int:
    """Judge the run that has just ended in ``folder``; run again what got worse."""
    base, rule = read(Path(options.check)), _rule(options)
    samplers, targets = options.samplers, options.targets
    made = _judged(base, folder, rule, samplers, targets, None)
    if made.fired:
        print(f"\n{len(made.fired)} of {len(made.findings)} got worse; running {FRESH_SEEDS} "
              "fresh seeds to confirm", flush=True)
        if code := run_suite(_again(made, folder), folder / AGAIN, workers, command,
                             options.allow_changed_code, report=False, resume=folder):
            return code
        made = _judged(base, folder, rule, samplers, targets, folder / AGAIN)
    print()
    print_text(made, open_console())
    for suffix, text in (("md", markdown), ("xml", junit), ("json", as_json)):
        write_atomically(folder / f"check.{suffix}", text(made).encode())
    print(printable(f"check: {folder / 'check.md'} (also .xml, .json)"))
    _tell_github(made)
    return made.code


def _again(made: Check, folder: Path) -> Suite:
    """The run's suite for the cells that fired, with seeds that neither side has seen."""
    suite = from_facts(read_header(folder)["suite"])
    first = 1 + max(made.baseline.seeds | made.run.seeds)
    samplers = {f.sampler for f in made.fired}
    targets = {f.target for f in made.fired}
    return replace(suite, seeds=tuple(range(first, first + FRESH_SEEDS)), check={},
                   samplers=tuple(s for s in suite.samplers if s.label in samplers),
                   targets=tuple(t for t in suite.targets if t.label in targets))


def history(options: argparse.Namespace) -> int:
    """Draw every cell over the baselines' commits, with the points at which it changed."""
    from results.regression import history_page as page

    made = page.history([Path(f) for f in options.file])
    paths = page.save(made, Path(options.out))
    console = open_console()
    page.print_history(made, console)
    console.print(printable(f"history: {paths[0]} and {paths[1]}"), soft_wrap=True)
    return 0
