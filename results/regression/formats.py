"""A check for each reader: terminal text, Markdown, JUnit XML, JSON and GitHub annotations."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

from results.presentation.console import grid
from results.presentation.rendering import markdown_table, markdown_text
from results.regression.measured_change import MeasuredChange
from results.regression.tables import (
    MOVED,
    against,
    explained,
    headline,
    listed,
    table,
    tally,
    value,
)
from results.regression.verdicts import Check, Finding, Verdict

FORMATS = ("text", "markdown", "junit", "json")
_TAGS = {Verdict.WORSE: "failure", Verdict.NOT_COMPARED: "error", Verdict.MISSING: "error",
         Verdict.NEW: "skipped"}
_STYLES = {0: "bold green", 1: "bold red", 2: "bold yellow"}


def print_text(check: Check, console: Console) -> None:
    """The check for a terminal."""
    console.print(Text(against(check), style="dim"))
    if (shown := table(check)) is not None:
        console.print(grid(shown, below=True))
        for note in shown.notes:
            console.print(Text(note, style="dim"))
    for line in listed(check) + explained(check):
        console.print(Text(line))
    console.print(Text(tally(check)))
    console.print(Text(headline(check), style=_STYLES[check.code]))


def markdown(check: Check) -> str:
    """The check for a pull request: the outcome first, what stayed is folded."""
    moved = table(check, (*MOVED, Verdict.NOT_COMPARED))
    stayed = table(check, (Verdict.STAYED,))
    parts = [f"### {markdown_text(headline(check))}", markdown_text(against(check)),
             markdown_text(tally(check))]
    parts += [markdown_table(moved)] if moved else []
    parts += ["\n".join(f"- {markdown_text(line)}" for line in listed(check) + explained(check))]
    if stayed:
        parts.append(f"<details><summary>{len(stayed.rows)} stayed</summary>\n\n"
                     f"{markdown_table(stayed)}\n</details>")
    return "\n\n".join(p for p in parts if p) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def as_json(check: Check) -> str:
    """The check for a program; numbers that are not finite (never, failed) are null."""
    return json.dumps({
        "outcome": headline(check), "exit_code": check.code, "suite": check.run.suite,
        "alpha": check.rule.alpha, "tolerance": check.rule.tolerance,
        "confirmed": check.confirmed, "baseline": check.baseline.made, "run": check.run.made,
        "findings": [_plain(asdict(f)) for f in check.findings]}, indent=1, allow_nan=False) + "\n"


def _said(found: MeasuredChange) -> str:
    return (f"{found.metric} {value(found, found.old)} → {value(found, found.new)}, adjusted "
            f"p {found.adjusted_p:.2g}, {found.seeds[1]} seeds against {found.seeds[0]}")


def sentence(finding: Finding) -> str:
    """A finding in one line."""
    parts = [finding.reason] if finding.reason else []
    parts += [_said(finding.measured)] if finding.measured else []
    parts += [f"again: {_said(finding.again)}"] if finding.again else []
    return "; ".join(parts) or finding.verdict


def junit(check: Check) -> str:
    """The check as JUnit XML: a case a finding; what could not be judged is an error."""
    open_ = check.of(Verdict.NOT_COMPARED) + check.of(Verdict.MISSING)
    suite = ElementTree.Element("testsuite", name=f"sample quality: {check.run.suite}",
                                tests=str(len(check.findings)),
                                failures=str(len(check.of(Verdict.WORSE))),
                                errors=str(len(open_)), skipped=str(len(check.of(Verdict.NEW))))
    for f in check.findings:
        case = ElementTree.SubElement(suite, "testcase", classname=f.target,
                                      name=f"{f.sampler}, {f.what}")
        tag = _TAGS.get(f.verdict)
        if tag:
            ElementTree.SubElement(case, tag, message=f"{f.verdict}: {sentence(f)}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{f.verdict}: {sentence(f)}"
    text = ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
    # XML has no word for control characters, which a parameter of type text may hold.
    return "".join(c if c >= " " or c in "\t\n\r" else "?" for c in text) + "\n"


def github(check: Check) -> list[str]:
    """Workflow commands of GitHub Actions: errors for regressions, warnings for what is open."""
    made = []
    for verdict, level in ((Verdict.WORSE, "error"), (Verdict.NOT_COMPARED, "warning"),
                           (Verdict.MISSING, "warning"), (Verdict.NOT_CONFIRMED, "notice")):
        for f in check.of(verdict):
            text = f"{f.sampler} on {f.target}, {f.what}: {verdict}: {sentence(f)}"
            for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
                text = text.replace(sign, code)
            made.append(f"::{level} title=sample quality::{text}")
    return made
