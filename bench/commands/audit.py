"""``audit``: what each metric can see on each target, and whether the floors hold.

Committed audits (``results/audit``) are shown where target, metric and floor are still theirs; the
rest (a plugin's metric, another n) is computed here against committed floors, or against floors
drawn here.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError, unknown
from bench.core.places import AUDITS
from bench.jobs.machine import processors

if TYPE_CHECKING:
    from rich.console import Console

    from metrics.base import Metric
    from targets.base import Target

HELP = "what the metrics can detect"
#: Draws of a floor that is made here.
FLOOR_DRAWS = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``audit``."""
    parser.add_argument("--metric", metavar="A,B", help="only these metrics")
    parser.add_argument("--target", metavar="X,Y", help="only these targets")
    parser.add_argument("--n", metavar="N,M", default="1000,5000", help="numbers of points "
                        "(default: 1000,5000)")
    parser.add_argument("--draws", type=int, metavar="R", help="at least so many draws with each "
                        "defect, ten times as many without any (default: 100, or what is "
                        "committed)")
    parser.add_argument("--jobs", type=int, metavar="K", help="processes (default: one a core)")
    parser.add_argument("--plugin", metavar="FILE", help="a Python file with your own target or "
                        "metric")
    parser.add_argument("--fresh", action="store_true", help="compute even what is committed")
    parser.add_argument("--out", metavar="FILE.json", help="keep the audit of one target")


def _names(text: str | None, kind: str, plugin: Path | None) -> list[str] | None:
    """The names a user gave, each of which must exist."""
    from bench.core.registry import catalogue

    if text is None:
        return None
    known = catalogue(plugin)[kind]
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown(kind[:-1], name, known)
    if not names:
        raise UserError(f"--{kind[:-1]} names nothing; give names separated by commas")
    return names


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(n) for n in text.split(",")}))
    except ValueError:
        raise UserError(f"--n '{text}' is no list of numbers; give such as 1000,5000") from None
    if sizes[0] < 20:
        raise UserError(f"--n {sizes[0]} is too few points; give 20 or more")
    return sizes


@dataclass(frozen=True)
class Asked:
    """What a user asked for, checked."""

    targets: tuple[str, ...]
    metrics: tuple[str, ...]
    sizes: tuple[int, ...]
    draws: int | None
    jobs: int
    plugin: Path | None
    fresh: bool
    named: bool  # a target or a metric was named, so its powers are printed


def _checked(options: argparse.Namespace) -> Asked:
    from bench.core.registry import catalogue, default_metrics

    plugin = Path(options.plugin).resolve() if options.plugin else None
    if plugin is not None and not plugin.is_file():
        raise UserError(f"plugin file '{options.plugin}' does not exist")
    if options.draws is not None and options.draws < 10:
        raise UserError(f"--draws {options.draws} is too few to tell a power; give 10 or more")
    jobs = options.jobs if options.jobs is not None else processors()
    if jobs < 1:
        raise UserError(f"--jobs {jobs} is impossible; give 1 or more")
    known = catalogue(plugin)
    own = {kind: [name for name, entry in known[kind].items() if entry.path == plugin]
           for kind in ("targets", "metrics")}
    committed = sorted(path.stem for path in AUDITS.glob("*.json"))
    metrics = _names(options.metric, "metrics", plugin) or own["metrics"] or \
        default_metrics(plugin)
    targets = _names(options.target, "targets", plugin) or own["targets"] or committed
    if not targets:
        raise UserError("no audit is committed here; name a target with --target")
    return Asked(tuple(targets), tuple(metrics), _sizes(options.n), options.draws, jobs, plugin,
                 options.fresh, bool(options.target or options.metric or plugin))


def load_entry(plugin: str | None, kind: str, name: str) -> Any:  # noqa: ANN401
    """A target or metric by name, from our rooms or a plugin; works in a process of its own."""
    from bench.core.registry import load

    return load(kind, name, Path(plugin) if plugin else None)


def main(options: argparse.Namespace) -> int:
    """Print powers, smallest defects seen, blind spots and the calibration; 1 where it fails."""
    from results.presentation.console import open_console

    asked = _checked(options)
    if options.out and len(asked.targets) != 1:
        raise UserError("--out keeps the audit of one target; name it with --target")
    console = open_console()
    contents = {name: _content(name, asked, console) for name in asked.targets}
    if options.out:
        from metrics.audit.audit_file import write

        write(Path(options.out), contents[asked.targets[0]])
    for content in contents.values():
        _show(content, asked, console)
    return _verdict(contents, asked, console)


# ---- what there is, and what must be computed --------------------------------------------------


def _content(name: str, asked: Asked, console: Console) -> dict[str, Any]:
    """A target's audit: committed where it holds, the rest computed."""
    from bench.jobs.floors import committed_floors
    from metrics.audit.audit import audit as compute
    from metrics.audit.power import CannotJudge, Effort

    loader = functools.partial(load_entry, str(asked.plugin) if asked.plugin else None)
    target: Target = loader("targets", name)
    if not target.has_reference:
        raise UserError(f"target '{name}' has no exact sampler, so nothing can be planted in "
                        "exact samples; give it sample() and has_reference = True")
    judges: list[Metric] = [m for m in (loader("metrics", n) for n in asked.metrics)
                            if m.applies(target)]
    if not judges:
        raise UserError(f"of the metrics asked for none applies to '{name}': "
                        f"{', '.join(asked.metrics)}")
    path = AUDITS / f"{name}.json"
    stored = (json.loads(path.read_text(encoding="utf-8"))
              if path.exists() and not asked.fresh else None)
    effort = Effort(asked.draws or 100, 10 * (asked.draws or 100), content=asked.draws is None)

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, markup=False)

    try:
        laws = committed_floors(name, target, judges)
        laws |= _floors(target, judges, asked.sizes, laws, say)
        return compute(name, asked.sizes, effort, laws, stored, [m.name for m in judges],
                       asked.jobs, loader, say)
    except (CannotJudge, ValueError, ArithmeticError, NotImplementedError) as error:
        raise UserError(f"the audit of '{name}' stops: {error}") from error


def _floors(target: Target, judges: list[Metric], sizes: tuple[int, ...], known: dict[str, Any],
            say: Callable[[str], None]) -> dict[str, Any]:
    """Floors that are not committed, drawn here."""
    import numpy as np
    import torch

    from metrics.floors import null_values

    home = target.to("cpu", torch.float32)
    drawn: dict[str, Any] = {}
    for n in sizes:
        lacking = [m for m in judges if f"{m.name}/{m.points(n)}" not in known]
        if not lacking:
            continue
        values = [null_values(home, lacking, n, 0, 0)]  # the first pays for imports
        started = time.process_time()
        values.append(null_values(home, lacking, n, 0, 1))
        say(f"drawing {FLOOR_DRAWS} floors at n = {n} for {', '.join(m.name for m in lacking)}, "
            f"about {FLOOR_DRAWS * (time.process_time() - started):.0f} s of CPU")
        values += [null_values(home, lacking, n, 0, i) for i in range(2, FLOOR_DRAWS)]
        columns = np.array(values, dtype=np.float32).T
        drawn |= {f"{m.name}/{m.points(n)}": law for m, law in zip(lacking, columns, strict=True)}
    return drawn


# ---- what is said ------------------------------------------------------------------------------


def _show(content: dict[str, Any], asked: Asked, console: Console) -> None:
    """Tables of one target, and its blind spots; the powers only where something was named."""
    from rich.text import Text

    from results.presentation.console import grid
    from results.report.insensitivity import blind_sentence, parse, power_table, smallest_table

    found = parse(content)
    metrics = [m for m in asked.metrics if m in found.metrics]
    if asked.named:
        for n in asked.sizes:
            console.print(grid(power_table(found, metrics, n)))
    console.print(grid(smallest_table(found, metrics)))
    for metric in metrics:
        sizes = [n for n in found.sizes if found.audited(metric, n)]
        for n in sizes if asked.named else sizes[-1:]:
            sentence = blind_sentence(found, metric, n)
            if sentence:
                console.print(Text(sentence))


def _verdict(contents: dict[str, dict[str, Any]], asked: Asked, console: Console) -> int:
    """Whether floors, signs and rulers hold, all metrics and targets together."""
    from rich.text import Text

    from metrics.audit.verdict import judge

    found = judge(contents, asked.metrics)
    console.print()
    for line in found.lines:
        console.print(Text(line))
    for name, why in found.faults.items():
        console.print(Text(f"! {name}: {why}", style="red"))
    if not asked.named:
        console.print(Text("Powers: name a metric or a target with --metric or --target.",
                           style="dim"))
    return 1 if found.faults else 0
