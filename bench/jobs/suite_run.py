"""A run from plan to records: prepare the targets, run what is missing, keep what comes."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.core.cost import Cost
from bench.core.errors import UserError
from bench.jobs.machine import processors
from bench.jobs.plan import header, job_facts, job_tasks, prepare_tasks, suite_facts
from bench.jobs.pool import End, Pool, Task
from bench.jobs.progress import Progress
from bench.jobs.provenance import allowed, changes, provenance
from bench.jobs.referee_tasks import Apart, referee
from bench.suite.suite import Suite
from results.records import damage
from results.records.schema import HEADER_VERSION, Job
from results.records.store import (
    TROUBLE,
    Store,
    StoreError,
    read,
    read_header,
    save,
    trouble,
    withdraw,
)


class Runner:
    """One run's folder, from its header to its last record."""

    def __init__(self, suite: Suite, folder: Path, workers: int, command: str,
                 progress: Progress, allow_changed_code: bool = False) -> None:
        self.suite, self.folder, self.command = suite, folder, command
        self.workers = max(1, min(workers, processors()))
        self.slots = 1 if suite.device.startswith("cuda") else self.workers
        # A core a job: under a budget of seconds a second thread would be charged, not gained.
        self.threads = 1 if suite.device == "cpu" else self.workers
        self.progress, self.allow_changed_code = progress, allow_changed_code
        self.apart: Apart | None = None

    def go(self) -> None:
        """Run all that has not been run; the folder is complete when this returns."""
        try:
            with Store(self.folder) as store:
                head = self._header()
                store.collect()
                while store.set_aside:
                    self.progress.say("a damaged file of the inbox was set aside as "
                                      f"{store.set_aside.pop()}; its job is run again")
                self._prepare(Pool(self.workers, 1, self.folder / "log"), head)
                with referee(self.suite.referee) as self.apart:
                    self._jobs(Pool(self.slots, self.threads, self.folder / "log"), store)
        except OSError as error:
            if error.errno not in TROUBLE:
                raise
            raise trouble(self.folder / "run.json", error) from None

    def _header(self) -> dict[str, Any]:
        path = self.folder / "run.json"
        if not path.exists():
            if any(p.stat().st_size for p in self.folder.glob("records.jsonl")):
                raise StoreError(f"'{self.folder}' holds records without a run.json; choose "
                                 "another folder with --out")
            head = header(self.suite, self.command)
            self._write(head)
            return head
        head = read_header(self.folder)
        if head["v"] != HEADER_VERSION:
            raise StoreError(f"'{self.folder}' was made by an earlier version of this program: it "
                             "can be read, not resumed; run anew")
        if head["suite"] != json.loads(json.dumps(suite_facts(self.suite))):
            raise StoreError(f"'{self.folder}' holds a run with other settings; choose another "
                             "folder with --out, or continue it with --resume alone")
        return self._unchanged(head)

    def _unchanged(self, head: dict[str, Any]) -> dict[str, Any]:
        """The header, if all that numbers come from is as it was; or if a change is allowed."""
        now = provenance(self.suite)
        found = changes(head, now)
        if not found:
            return head
        if not self.allow_changed_code:
            raise StoreError(f"{'; '.join(found)} since '{self.folder}' was begun (commit "
                             f"{str(head.get('commit') or 'unknown')[:10]}); run anew, or add "
                             "--allow-changed-code to mix them")
        head = allowed(head, now, found)
        self._write(head)
        return head

    def _write(self, head: dict[str, Any]) -> None:
        save(self.folder / "run.json", json.dumps(head, indent=1).encode())

    def _prepare(self, pool: Pool, head: dict[str, Any]) -> None:
        for label, said in damage.of_targets(self.folder, head["targets"]).items():
            self.progress.say(f"{said}; target {label} is prepared again")
            del head["targets"][label]["fingerprint"]
        left = tuple(t for t in self.suite.targets
                     if "fingerprint" not in head["targets"][t.label])
        if not left:
            return
        self.progress.say("preparing targets: fingerprints, density grids, floors")

        def on_event(task: Task, event: dict[str, Any]) -> None:
            if event["event"] == "target":
                head["targets"][event["label"]] |= event["facts"]
                self.progress.tick()

        def on_end(end: End) -> list[Task]:
            _stop_on_error(end)
            for label in (spec["label"] for spec in end.task.spec["targets"]):
                if "fingerprint" not in head["targets"][label]:
                    raise UserError(f"preparing target '{label}' failed: {_how(end)}")
            return []

        tasks = prepare_tasks(replace(self.suite, targets=left), self.folder, self.workers)
        pool.run(tasks, on_event, on_end, self.progress.tick)
        self._write(head)

    def _jobs(self, pool: Pool, store: Store) -> None:
        finished = store.finished()
        for key, said in damage.of_jobs(self.folder, read(self.folder)[0]).items():
            self.progress.say(f"{said}; job {key} is run again")
            finished.discard(key)
        tasks = job_tasks(self.suite, self.folder, self.threads, finished)
        if self.apart is not None:
            tasks = [self.apart.hidden(task) for task in tasks]
        total = len(self.suite.targets) * len(self.suite.samplers) * len(self.suite.seeds)
        self.progress.begin(total, total - sum(len(t.spec["seeds"]) for t in tasks), self.slots)

        def collect() -> None:
            for record in store.collect():
                if isinstance(record, Job):
                    finished.add(record.key)
                    self.progress.job(record)
            if store.set_aside:
                raise StoreError("a result was damaged before it was read, and set aside as "
                                 f"'{store.set_aside[0]}'; go on with --resume")
            self.progress.tick()

        checkpoints: dict[str, dict[str, Any]] = {}  # the last that each job told of

        def on_event(task: Task, event: dict[str, Any]) -> None:
            self.progress.event(task, event)
            if event["event"] == "look":
                checkpoints[event["key"]] = event
            if event["event"] == "end":
                collect()

        def on_end(end: End) -> list[Task]:
            collect()
            self.progress.ended(end.task)
            _stop_on_error(end)
            return self._to_judge(end) + self._after(end, store, finished, checkpoints)

        pool.run(tasks, on_event, on_end, self.progress.tick)
        collect()

    def _to_judge(self, end: End) -> list[Task]:
        """The judge's half of what a sampler's half left."""
        played = self._played(end)
        return [self.apart.judging(end.task, played)] if self.apart and played else []

    def _played(self, end: End) -> list[int]:
        """The seeds whose sampler's half came to an end, where a referee is wanted."""
        if self.apart is None or end.task.spec["task"] != "play":
            return []
        return self.apart.played(end.task)

    def _after(self, end: End, store: Store, finished: set[str],
               checkpoints: dict[str, dict[str, Any]]) -> list[Task]:
        """A record for the job that a dead child was at, and a new child for its other seeds.

        What it had spent is known to its last checkpoint only: a lower bound.
        """
        spec = end.task.spec
        ended = self._played(end)
        left = [s for s in spec["seeds"]
                if s not in ended and spec["keys"][str(s)] not in finished]
        if not left:
            return []
        if spec["task"] == "judge":  # whatever it was, it was not the sampler
            raise StoreError(f"judging {end.task.name} failed: {_how(end)}; go on with --resume")
        lost = next((s for s in left if spec["keys"][str(s)] == end.current), None)
        if lost is None and len(left) < len(spec["seeds"]):  # it died between two jobs
            return [Task(end.task.name, {**spec, "seeds": left}, end.task.wall_limit)]
        lost = left[0] if lost is None else lost
        status = "failed" if end.status == "ok" else end.status
        checkpoint = checkpoints.get(spec["keys"][str(lost)])
        known = ({"steps": checkpoint["steps"], "train": Cost(**checkpoint["spent"])}
                 if checkpoint else {})
        bound = "at least what its last checkpoint says" if checkpoint else "nobody knows what"
        job = Job(**job_facts(spec, lost), **known, status=status,
                  reason=f"{_how(end)}; it had spent {bound}")
        store.append([job])
        finished.add(job.key)
        self.progress.job(job)
        left.remove(lost)
        if not left:
            return []
        return [Task(end.task.name, {**spec, "seeds": left}, end.task.wall_limit)]


def _stop_on_error(end: End) -> None:
    """What is no job's outcome ends the run."""
    if end.status == "user-error":
        raise UserError(end.reason)
    if end.status == "store-error":
        raise StoreError(end.reason)


def _how(end: End) -> str:
    return end.reason or ("the process ended with exit code 0 before it was done: code that ran "
                          "in it must have called sys.exit or os._exit")


def default_folder(suite: str) -> Path:
    """``runs/SUITE-DATE-TIME`` under the current folder."""
    return Path("runs") / f"{suite}-{time.strftime('%Y%m%d-%H%M%S')}"


def run_suite(suite: Suite, folder: Path, workers: int, command: str, progress: Progress,
              allow_changed_code: bool = False) -> None:
    """Run in ``folder`` what has not been run; every job is accounted for when this returns.

    ``command`` is what the header of a new run says that it was made by. A mistake in what was
    asked is a UserError, and leaves no folder behind that was not there before.
    """
    foreign = {path for path in (folder / "run.json", folder, *folder.parents) if path.exists()}
    try:
        with progress:
            Runner(suite, folder, workers, command, progress, allow_changed_code).go()
    except UserError:
        _take_back(folder, foreign)
        raise


def _take_back(folder: Path, foreign: set[Path]) -> None:
    """A refused run leaves nothing behind that would block the next try.

    ``foreign`` is what was there before this command: neither that nor anything in it is touched.
    """
    if (folder / "run.json") in foreign:
        return
    withdraw(folder)
    for path in (folder, *folder.parents):
        if path in foreign:
            return
        with suppress(OSError):  # a user's file lies in it
            path.rmdir()
