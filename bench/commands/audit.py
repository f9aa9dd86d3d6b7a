"""``audit``: what each metric detects on each target, and whether the floors hold.

Committed audits (``results/data/audits``) are shown where target, metric and floor are still
theirs; the rest (a plugin's metric, another n) is computed against committed floors, or against
floors drawn for it (``bench.jobs.audits``).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError, unknown
from bench.core.places import AUDITS
from bench.jobs.machine import processors

if TYPE_CHECKING:
    from rich.console import Console


HELP = "what the metrics can detect"


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


def main(options: argparse.Namespace) -> int:
    """Print powers, smallest detected defects, insensitivities and the verdict; 1 for a fault."""
    from results.presentation.console import open_console

    asked = _checked(options)
    if options.out and len(asked.targets) != 1:
        raise UserError("--out keeps the audit of one target; name it with --target")
    console = open_console()
    contents = {name: _content(name, asked, console) for name in asked.targets}
    if options.out:
        from results.records.audit_file import write_content

        write_content(Path(options.out), contents[asked.targets[0]])
    for content in contents.values():
        _show(content, asked, console)
    return _verdict(contents, asked, console)


def _content(name: str, asked: Asked, console: Console) -> dict[str, Any]:
    from bench.jobs.audits import target_audit
    from metrics.audit.power import Effort

    effort = Effort(asked.draws or 100, 10 * (asked.draws or 100), content=asked.draws is None)

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, markup=False)

    return target_audit(name, asked.metrics, asked.sizes, effort, asked.plugin, asked.jobs,
                        asked.fresh, say)


def _show(content: dict[str, Any], asked: Asked, console: Console) -> None:
    """Tables of one target, and insensitivities; the powers only where something was named."""
    from rich.text import Text

    from results.presentation.console import grid
    from results.records.audit_file import Audit
    from results.report.insensitivity import insensitivity_sentence
    from results.report.power_tables import power_table, smallest_table

    found = Audit.of(content)
    metrics = [m for m in asked.metrics if m in found.metrics]
    if asked.named:
        for n in asked.sizes:
            console.print(grid(power_table(found, metrics, n)))
    console.print(grid(smallest_table(found, metrics)))
    for metric in metrics:
        sizes = [n for n in found.sizes if found.audited(metric, n)]
        for n in sizes if asked.named else sizes[-1:]:
            sentence = insensitivity_sentence(found, metric, n)
            if sentence:
                console.print(Text(sentence))


def _verdict(contents: dict[str, dict[str, Any]], asked: Asked, console: Console) -> int:
    """Whether floors, signs and scales hold, all metrics and targets together."""
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
