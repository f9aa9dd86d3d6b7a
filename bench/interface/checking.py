"""Checks: whether samples got worse since a baseline was frozen."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import ReportError, UserError, nearest
from bench.interface import notebook
from bench.interface.errors import one_sentence
from bench.interface.suites import SuiteRun, execute, folder_of, planned_by
from bench.suite.schema import parse_seeds
from bench.suite.serialised import to_facts
from bench.suite.suite import Suite
from results.presentation.console import open_console
from results.records.run_folder import load
from results.regression import formats, tables, verdicts
from results.regression.baseline import SETTINGS, Snapshot
from results.regression.baseline_file import read, save
from results.regression.freeze import freeze as snapshot_of
from results.regression.outcome import Rule

if TYPE_CHECKING:
    import pandas as pd

#: Folder of the confirming run within a checked run's folder.
CONFIRMATION = "confirmation"


class Check:
    """What a check found, sampler by sampler and target by target.

    ``code`` is 0 where nothing got worse, 1 where something did, 2 where something could not be
    judged; ``made`` is the check itself.
    """

    def __init__(self, made: verdicts.Check) -> None:
        self.made, self.code = made, made.code

    @property
    def sentence(self) -> str:
        """The outcome in a sentence."""
        return tables.headline(self.made)

    def table(self) -> pd.DataFrame:
        """A row a finding, the gravest first: sampler, target, quality or cost, the verdict.

        ``p`` is adjusted for all tests of the check; ``metric`` moved most, from ``old`` to
        ``new`` (medians over seeds).
        """
        import pandas as pd

        return pd.DataFrame([_row(finding) for finding in self.made.findings])

    def markdown(self) -> str:
        """The check for a pull request."""
        return formats.markdown(self.made)

    def print_report(self) -> None:
        """What the command line shows."""
        formats.print_text(self.made, open_console())

    def __repr__(self) -> str:
        return f"<check: {self.sentence}>"

    def _repr_html_(self) -> str:
        shown = tables.table(self.made)
        lines = tables.listed(self.made) + tables.explained(self.made)
        return notebook.page([notebook.sentence(self.sentence, bold=True),
                              *([notebook.table(shown)] if shown else []),
                              *map(notebook.sentence, lines),
                              notebook.sentence(tables.tally(self.made))])


def _row(finding: verdicts.Finding) -> dict[str, Any]:
    tested = finding.measured
    return {"sampler": finding.sampler, "target": finding.target, "what": finding.what,
            "verdict": finding.verdict, "metric": tested.metric if tested else "",
            "old": tested.old if tested else math.nan, "new": tested.new if tested else math.nan,
            "p": tested.adjusted_p if tested else math.nan, "reason": finding.reason}


@one_sentence()
def check(run: SuiteRun | str | Path, baseline: str | Path, *, alpha: float = 0.01,
          tolerance: float = 0.25, samplers: Sequence[str] = (), targets: Sequence[str] = ()
          ) -> Check:
    """Judge a finished run against a baseline file of the same suite.

        bench.check("runs/new", "results/data/baselines/smoke.json").sentence

    ``alpha`` bounds the probability of any false alarm among all tests; an excess over the floor,
    or a cost, may rise by the share ``tolerance``. ``samplers`` and ``targets`` restrict what is
    judged. UserError for a run that is not finished, or a baseline of another suite.
    """
    folder = folder_of(run)
    again = folder / CONFIRMATION
    return Check(_judged(read(Path(baseline)), folder, rule_of(alpha, tolerance), samplers,
                         targets, again if (again / "run.json").exists() else None))


@one_sentence()
def freeze(run: SuiteRun | str | Path, to: str | Path, *, seeds: int | str | None = None) -> Path:
    """Freeze a finished run of 40 seeds or more as a baseline file; returns its path.

        bench.freeze("runs/new", "smoke.json")

    ``seeds`` keeps only some: a number, or "first:last". UserError where seeds or jobs are
    missing, or the file cannot be written.
    """
    made = _finished(folder_of(run))
    if seeds is not None:
        kept = frozenset(parse_seeds(seeds))
        made = replace(made, cells=tuple(c.of(kept) for c in made.cells))
    for cell in made.cells:
        if len(cell.seeds) < verdicts.BASELINE_SEEDS:
            raise ReportError(
                f"'{folder_of(run)}' is too small for a baseline: {cell.sampler} on {cell.target} "
                f"has {len(cell.seeds)} seeds; run --seeds {verdicts.BASELINE_SEEDS + 5} (at "
                f"least {verdicts.BASELINE_SEEDS})")
    save(made, Path(to))
    return Path(to)


def rule_of(alpha: float, tolerance: float) -> Rule:
    """The rule of a check, if its numbers make sense."""
    if not 0 < alpha < 1:
        raise UserError(f"alpha = {alpha:g} is no probability; give a number between 0 and 1")
    if not 0 <= tolerance < math.inf:
        raise UserError(f"tolerance = {tolerance:g} is no share; give 0 or more")
    return Rule(alpha, tolerance)


def confirmed(run: Path, baseline: Path, rule: Rule, samplers: Sequence[str],
              targets: Sequence[str], workers: int, command: str,
              allow_changed_code: bool) -> Check:
    """Judge the run that has just ended; what got worse is run again with fresh seeds.

    A regression is one that both find. The fresh seeds are kept in ``confirmation`` in its folder.
    """
    base = read(baseline)
    made = _judged(base, run, rule, samplers, targets, None)
    if not made.fired:
        return Check(made)
    print(f"\n{len(made.fired)} of {len(made.findings)} got worse; running "
          f"{verdicts.FRESH_SEEDS} fresh seeds to confirm", flush=True)
    execute(_again(made, run), run / CONFIRMATION, workers, command, allow_changed_code)
    return Check(_judged(base, run, rule, samplers, targets, run / CONFIRMATION))


def check_comparable(suite: Suite, baseline: Path, samplers: Sequence[str],
                     targets: Sequence[str]) -> None:
    """Refuse a baseline that could not judge a run of the suite, before anything has run."""
    base = read(baseline)
    if base.suite != suite.name:
        raise ReportError(f"'{baseline}' is a baseline of suite '{base.suite}', not of "
                          f"'{suite.name}'")
    _chosen(samplers, {c.sampler for c in base.cells}, "sampler")
    _chosen(targets, {c.target for c in base.cells}, "target")
    facts = to_facts(suite)
    for key in SETTINGS:
        if base.settings.get(key) != (have := json.loads(json.dumps(facts[key]))):
            raise ReportError(f"the baseline was made with {key} = {base.settings.get(key)}, the "
                              f"run would have {have}; leave that option out, or freeze a new "
                              "baseline")


def _judged(base: Snapshot, folder: Path, rule: Rule, samplers: Sequence[str],
            targets: Sequence[str], again: Path | None) -> verdicts.Check:
    """The run in ``folder``, and its confirmation where there is one, against the baseline."""
    return verdicts.check(base, _finished(folder), rule,
                          _finished(again) if again is not None else None,
                          _chosen(samplers, {c.sampler for c in base.cells}, "sampler"),
                          _chosen(targets, {c.target for c in base.cells}, "target"))


def _chosen(names: Collection[str], known: Collection[str], kind: str) -> frozenset[str]:
    if strange := set(names) - set(known):
        name = min(strange)
        raise UserError(f"{kind} '{name}' is not in the baseline{nearest(name, known)} (it holds "
                        f"{', '.join(sorted(known))})")
    return frozenset(names)


def _finished(folder: Path) -> Snapshot:
    """A finished run as a snapshot; raises ReportError where jobs are missing."""
    run = load(folder)
    planned = [(s["label"], t["label"], seed) for seed in run.suite.get("seed_list", [])
               for s in run.suite["items"]["samplers"] for t in run.suite["items"]["targets"]]
    have = {(j.label, j.target, j.seed) for j in run.jobs}
    if left := sum(job not in have for job in planned):
        raise ReportError(f"'{folder}' is not finished: {left} of {len(planned)} jobs left no "
                          f"record; go on with 'python -m bench run --resume {folder}'")
    return snapshot_of(run)


def _again(made: verdicts.Check, folder: Path) -> Suite:
    """The run's suite for the cells that fired, with seeds that neither side has seen."""
    suite = planned_by(folder)
    first = 1 + max(made.baseline.seeds | made.run.seeds)
    samplers, targets = {f.sampler for f in made.fired}, {f.target for f in made.fired}
    return replace(suite, seeds=tuple(range(first, first + verdicts.FRESH_SEEDS)), check={},
                   samplers=tuple(s for s in suite.samplers if s.label in samplers),
                   targets=tuple(t for t in suite.targets if t.label in targets))
