"""Scores of what a job showed, made when they are asked for, as a suite's judge makes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bench.core.compilation import compiling
from bench.core.errors import UserError
from bench.core.seeds import global_stream
from bench.harness.judge import Judge
from bench.harness.loop import CheckpointView
from bench.jobs.floors import find_floors
from bench.jobs.one_job import ExecutedJob
from metrics.base import Metric
from metrics.importance.log_weight_metric import LogWeightMetric
from results.records.floors_file import Floors
from results.records.schema import Measure
from targets.base import Target

CURVE, FINAL = "curve", "final"


@dataclass(frozen=True)
class Setting:
    """What a job is judged under: its target, seed and numbers of points."""

    target: Target
    name: str
    seed: int
    n: int
    n_curve: int
    compile: bool

    def judge(self, metrics: dict[str, Metric], n: int) -> Judge:
        """The judge of these metrics, with their floors at n points."""
        home = self.target.to("cpu", self.target.dtype)
        floors = (find_floors(home, self.name, metrics, {n}, compile=self.compile)
                  if home.has_reference else Floors())
        return Judge(self.target, self.name, metrics, self.seed, self.n, floors)


@dataclass
class Scorer:
    """The measures of a job by checkpoint, stage and label; each is made once."""

    done: ExecutedJob
    setting: Setting
    metrics: dict[str, Metric]  # that were judged while it ran
    _made: dict[tuple[int, str, str], tuple[Metric, Measure]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for m in self.done.measures:
            self._made[m.index, m.stage, m.metric] = self.metrics[m.metric], m

    def scores(self, metrics: dict[str, Metric], view: CheckpointView, stage: str
               ) -> dict[str, Measure]:
        """Measures by label: of all points, or (stage ``curve``) of the first ``n_curve``.

        A metric that does not apply to the target has none.
        """
        lacking = {label: metric for label, metric in metrics.items()
                   if self._known(view, stage, label, metric) is None}
        if lacking:
            self._add(lacking, view, stage)
        found = {label: self._known(view, stage, label, metric)
                 for label, metric in metrics.items()}
        return {label: measure for label, measure in found.items() if measure is not None}

    def _known(self, view: CheckpointView, stage: str, label: str, metric: Metric
               ) -> Measure | None:
        made = self._made.get((view.index, stage, label))
        return made[1] if made is not None and made[0] == metric else None

    def _add(self, metrics: dict[str, Metric], view: CheckpointView, stage: str) -> None:
        late = [label for label, metric in metrics.items()
                if isinstance(metric, LogWeightMetric) and not view.final]
        if late:
            raise UserError(f"{', '.join(late)}: what the sampler said of its own distribution at "
                            "a checkpoint is gone; name it in metrics of bench.run")
        setting = self.setting
        shown = replace(view, points=view.points[:setting.n_curve] if stage == CURVE
                        else view.points)
        size = len(shown.points)
        judge = setting.judge(metrics, size)
        with compiling(False), global_stream("judge", setting.name, setting.seed, view.index,
                                             setting.target.device):
            measures = judge.measures(self.done.job.key, shown, size)
        for m in measures:
            if m.stage == CURVE:  # here these are all the points that are shown
                self._made[view.index, stage, m.metric] = metrics[m.metric], m


def why_not(metric: Metric, target: Target) -> str:
    """Why a metric has no measure on a target."""
    if isinstance(metric, LogWeightMetric):
        return "the sampler does not say what it asks, or the target's log Z is not known"
    have = {"reference": target.has_reference, "modes": target.mode_weights is not None,
            "truths": bool(target.truths()), "score": target.has_score}
    lacking = [need for need in metric.needs if not have.get(need, True)]
    return (f"needs {' and '.join(lacking)}, which the target lacks" if lacking
            else metric.fails_on(target) or "does not apply to the target")
