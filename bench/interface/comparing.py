"""Comparisons of samplers: which are shown to be better, with paired and corrected tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.interface import notebook
from bench.interface.errors import one_sentence
from bench.interface.suites import SuiteRun, folder_of
from results.comparison import comparison, page
from results.presentation.console import open_console

if TYPE_CHECKING:
    import pandas as pd


class Comparison:
    """The samplers of one or more runs, compared by one metric over targets and seeds."""

    def __init__(self, made: comparison.Comparison, folder: Path) -> None:
        self.made, self._folder = made, folder

    @property
    def sentence(self) -> str:
        """Better, worse or not shown, in a sentence."""
        return self.made.sentence

    def table(self) -> pd.DataFrame:
        """A row a pair over all targets, the smallest p first.

        ``verdict`` is of ``sampler`` against ``against``: better, worse or not shown; ``p`` is
        adjusted for multiple testing by Holm's method, ``p_unadjusted`` is not; ``targets`` were
        shared. Of ``seeds`` pairs, ``failed`` and ``against_failed`` hold a failed job.
        """
        import pandas as pd

        rows = []
        for pair in sorted(self.made.main.findings.pairs, key=lambda pair: pair.adjusted_p):
            failed, against_failed, seeds = pair.failed()
            rows.append({"sampler": pair.a, "against": pair.b, "verdict": str(pair.verdict),
                         "p": pair.adjusted_p, "p_unadjusted": pair.sign_flip.p,
                         "targets": len(pair.targets), "seeds": seeds, "failed": failed,
                         "against_failed": against_failed})
        return pd.DataFrame(rows)

    def ranks(self) -> pd.DataFrame:
        """Rank of each sampler on each target (1 is best), and the mean; best mean first."""
        import pandas as pd

        found = self.made.main.findings
        frame = pd.DataFrame(found.ranks.T, index=list(found.mean_ranks),
                             columns=list(found.targets))
        frame.insert(0, "mean", list(found.mean_ranks.values()))
        return frame.loc[[x for x in found.order if x in found.mean_ranks]]

    @one_sentence()
    def report(self, out: str | Path | None = None) -> Path:
        """Write comparison.html and .md (default: into the first run); returns the page's path."""
        return page.save(self.made, Path(out or self._folder))[0]

    def print_report(self) -> None:
        """What the command line shows: warnings, groups or pairs, the sentence."""
        page.print_comparison(self.made, open_console())

    def __repr__(self) -> str:
        return f"<comparison: {self.sentence}>"

    def _repr_html_(self) -> str:
        return notebook.page([
            notebook.sentence(self.sentence, bold=True),
            *(notebook.sentence(f"! {warning}") for warning in self.made.aligned.warnings),
            notebook.table(self.made.table())])


@one_sentence()
def compare(run: SuiteRun | str | Path, *more: SuiteRun | str | Path, against: str | None = None,
            metric: str | None = None) -> Comparison:
    """Compare all pairs of samplers of one or more runs, or all with ``against``.

        bench.compare("runs/x", against="mala").table()

    Runs are read ones or their folders; ``metric`` ranks (default: MMD). Seeds are paired and
    p-values adjusted for the number of pairs; UserError where there is nothing to compare.
    """
    folders = [folder_of(one) for one in (run, *more)]
    return Comparison(comparison.compare(folders, against, metric), folders[0])
