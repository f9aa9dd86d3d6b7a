"""A session: what one command does for a run's folder, from the plan to the records.

It prepares the targets, has the jobs done that are missing, and keeps what comes. A run that was
interrupted is finished by another session (``--resume``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.core.errors import StoreError, UserError
from bench.jobs.bookkeeping import Bookkeeping, how, stop_on_error
from bench.jobs.machine import processors
from bench.jobs.messages import Event, Prepared
from bench.jobs.plan import header, job_tasks, prepare_tasks
from bench.jobs.pool import End, ProcessPool
from bench.jobs.progress import Progress
from bench.jobs.provenance import allowed, changes, provenance
from bench.jobs.referee_tasks import Apart, referee
from bench.jobs.spec import Task
from bench.suite.serialised import from_facts, to_facts
from bench.suite.suite import Suite
from results.records import damage
from results.records.schema import HEADER_VERSION
from results.records.store import TROUBLE, Store, read, read_header, save, trouble


class Session:
    """Work on one run's folder, from its header to its last record."""

    def __init__(self, suite: Suite, folder: Path, workers: int, command: str,
                 progress: Progress, allow_changed_code: bool = False) -> None:
        self.suite, self.folder, self.command = suite, folder, command
        self.workers = max(1, min(workers, processors()))
        self.slots = 1 if suite.device.startswith("cuda") else self.workers
        # A core a job: under a budget of seconds a second thread would be charged, not gained.
        self.threads = 1 if suite.device == "cpu" else self.workers
        self.progress, self.allow_changed_code = progress, allow_changed_code

    def work(self) -> None:
        """Have all jobs done that have no record; the folder is complete when this returns."""
        try:
            with Store(self.folder) as store:
                head = self._header()
                store.collect()
                while store.set_aside:
                    self.progress.say("a damaged file of the inbox was set aside as "
                                      f"{store.set_aside.pop()}; its job is run again")
                self._prepare(ProcessPool(self.workers, 1, self.folder / "log"), head)
                with referee(self.suite.referee) as apart:
                    self._jobs(ProcessPool(self.slots, self.threads, self.folder / "log"), store,
                               apart)
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
        if from_facts(head["suite"]) != from_facts(json.loads(json.dumps(to_facts(self.suite)))):
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

    def _prepare(self, pool: ProcessPool, head: dict[str, Any]) -> None:
        for label, said in damage.of_targets(self.folder, head["targets"]).items():
            self.progress.say(f"{said}; target {label} is prepared again")
            del head["targets"][label]["fingerprint"]
        left = tuple(t for t in self.suite.targets
                     if "fingerprint" not in head["targets"][t.label])
        if not left:
            return
        self.progress.say("preparing targets: fingerprints, density grids, floors")

        def on_event(task: Task, event: Event) -> None:
            if isinstance(event, Prepared):
                head["targets"][event.label] |= event.facts
                self.progress.tick()

        def on_end(end: End) -> list[Task]:
            stop_on_error(end)
            for label in end.task.targets:
                if "fingerprint" not in head["targets"][label]:
                    raise UserError(f"preparing target '{label}' failed: {how(end)}")
            return []

        tasks = prepare_tasks(replace(self.suite, targets=left), self.folder, self.workers)
        pool.complete(tasks, on_event, on_end, self.progress.tick)
        self._write(head)

    def _jobs(self, pool: ProcessPool, store: Store, apart: Apart | None) -> None:
        finished = store.finished()
        for key, said in damage.of_jobs(self.folder, read(self.folder)[0]).items():
            self.progress.say(f"{said}; job {key} is run again")
            finished.discard(key)
        tasks = job_tasks(self.suite, self.folder, self.threads, finished)
        if apart is not None:
            tasks = [apart.hidden(task) for task in tasks]
        total = len(self.suite.targets) * len(self.suite.samplers) * len(self.suite.seeds)
        self.progress.begin(total, total - sum(len(t.jobs) for t in tasks), self.slots)
        books = Bookkeeping(store, finished, self.progress, apart)
        pool.complete(tasks, books.on_event, books.on_end, self.progress.tick)
        books.collect()
