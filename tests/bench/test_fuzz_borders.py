"""A fuzz of the borders: whatever a user's files, names, terminal and code hold, the answer is the
right one or one sentence; never a traceback, never a changed number.

Deterministic, so that a failure is found again: 3,150 inputs in 16 seconds of one core;
``pytest -m slow`` runs four times as many. How many ran, and how many of them were refused,
each test prints (``pytest -rP``).
"""

from __future__ import annotations

import codecs
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.core.cost import Cost
from bench.core.errors import StoreError, UserError
from bench.core.exits import printable
from bench.core.plugins import imported_entries
from bench.harness.attribution import Ended
from bench.harness.validation import number, plain, points
from bench.jobs.messages import Reached, read_event
from bench.jobs.pool import ProcessPool
from bench.jobs.progress import Progress
from bench.jobs.spec import Task, job_key
from bench.suite.labels import check_labels
from bench.suite.specs import SamplerSpec
from bench.suite.suite import read_suite
from results.presentation.console import grid, open_console
from results.presentation.rendering import markdown_table
from results.presentation.table import Cell, Column, Table, slug
from results.records.run_folder import arrays, load
from results.records.schema import Checkpoint, Job, Measure, Record, dump, parse
from results.records.store import RECORDS, read
from samplers.baselines.initial import Initial
from targets.mixtures.gmm4 import Gmm4
from tests.support.report_fake import make

TIMES = {"quick": 1, "thorough": pytest.param(4, marks=pytest.mark.slow)}
AMOUNTS = [TIMES["quick"], TIMES["thorough"]]
#: What trips programs: markup, control, direction, surrogates, powers, quotes, other scripts.
NASTY = st.sampled_from(["[red]", "[/x]", "|", "`", "</script>", "&amp;", "\x1b[2J", "\u202e",
                         "\n", "\r", "\x00", "\ud800", "漢", "10⁻⁴", "≈", "$x$", "%s", "{}", "..",
                         "/", "--", "\\", '"', "'", "\u2028", "\ufeff", "nan", "-0", "1e999"])
TEXT = st.lists(NASTY | st.text(max_size=8), max_size=5).map("".join)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Counts what became of the inputs, and prints it."""
    counts: Counter[str] = Counter()
    yield counts
    print(f"{request.node.name}: {counts.total()} inputs, {dict(counts)}")


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], str], tally: Counter[str],
         amount: int) -> None:
    """Check so many inputs; ``check`` says in a word what became of each."""

    @settings(max_examples=amount, derandomize=True, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def each(value: Any) -> None:
        tally[check(value)] += 1

    each()


def refused(error: Exception) -> str:
    """A refusal is one sentence."""
    said = printable(str(error))
    assert len(said) > 10, "it says something"
    return "refused"


def mutated(original: bytes) -> st.SearchStrategy[bytes]:
    """Bytes with flipped bits, parts cut out, repeated or put in."""
    at = st.integers(0, len(original))

    def change(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
        for sort, place, size, new in edits:
            place = min(place, len(data))
            if sort == "flip" and data:
                place %= len(data)
                data = data[:place] + bytes([data[place] ^ 1 << size % 8]) + data[place + 1:]
            elif sort == "cut":
                data = data[:place] + data[place + size:]
            elif sort == "end":
                data = data[:place]
            elif sort == "twice":
                data = data[:place] + data[place:place + size] + data[place:]
            else:
                data = data[:place] + new + data[place:]
        return data

    edit = st.tuples(st.sampled_from(["flip", "flip", "cut", "end", "twice", "put"]), at,
                     st.integers(0, 60),
                     TEXT.map(lambda t: t.encode("utf-8", "surrogatepass"))
                     | st.binary(max_size=6))
    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: change(original, edits))


times = pytest.mark.parametrize("times", AMOUNTS, ids=["quick", "thorough"])


# ---- the terminal -------------------------------------------------------------------------------


@times
def test_environments(times: int, tally: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "COLORTERM",
             "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JUPYTER_COLUMNS", "JUPYTER_LINES",
             "UNICODE_VERSION")
    value = TEXT | st.sampled_from(["", "0", "1", "-1", "²", "40", "1e9", "9" * 30, "dumb"])
    table = Table("k", "caption", (Column("a", numeric=False), Column("b")),
                  ((Cell("x"), Cell("0.2913")),))

    def check(environment: dict[str, str]) -> str:
        with monkeypatch.context() as patch:
            for name in names:
                patch.delenv(name, raising=False)
            for name, text in environment.items():
                patch.setenv(name, text)
            patch.setattr("sys.stdout", file := io.StringIO())
            open_console().print(grid(table))
        assert "0.2913" in file.getvalue()
        return "shown"

    usable = value.map(lambda t: t.replace("\x00", "").encode("utf-8", "replace").decode())
    fuzz(st.dictionaries(st.sampled_from(names), usable, max_size=4), check, tally, 150 * times)


@times
def test_text_in_tables(times: int, tally: Counter[str]) -> None:
    """Any text at any width: nothing is broken that fits, nothing moves the cursor."""

    def check(given: tuple[list[list[str]], int]) -> str:
        texts, width = given
        rows = tuple((Cell(a), Cell(b, seeds=c), Cell(c)) for a, b, c in texts)
        columns = (Column("sampler", numeric=False), Column("W2", "n = 5000"),
                   Column("why", numeric=False))
        table = Table("k", texts[0][0], columns, rows)
        file = io.StringIO()
        Console(file=file, width=width, markup=False, emoji=False, highlight=False).print(
            grid(table, below=True))
        shown = file.getvalue()
        assert all(c.isprintable() or c in "\n\u00a0" or c.isspace() for c in shown)
        for encoding in ("ascii", "latin-1", "cp1252", "utf-8", "shift_jis", "cp437"):
            shown.encode(encoding, "likeness")
        marks = markdown_table(table).splitlines()
        bars = {line.replace("\\\\", "").replace("\\|", "").count("|")
                for line in marks if line.startswith("|")}
        assert bars == {4}, "a text is never a column"
        return "shown"

    row = st.lists(TEXT, min_size=3, max_size=3)
    fuzz(st.tuples(st.lists(row, min_size=1, max_size=3), st.integers(20, 200)), check, tally,
         150 * times)


@times
def test_output_that_cannot_be_encoded(times: int, tally: Counter[str]) -> None:
    codecs.lookup_error("likeness")

    def check(given: tuple[str, str]) -> str:
        text, encoding = given
        said = printable(text)
        assert "\n" not in said and "\x1b" not in said
        said.encode(encoding, "likeness").decode(encoding)
        return "encoded"

    fuzz(st.tuples(TEXT, st.sampled_from(["ascii", "latin-1", "utf-8", "koi8-r", "utf-16"])),
         check, tally, 200 * times)


# ---- names and suites ---------------------------------------------------------------------------


@times
def test_labels(times: int, tally: Counter[str]) -> None:
    """A label that is taken makes a file's name, and a key that no other pair of labels makes."""
    keys: dict[str, tuple[str, ...]] = {}

    def check(label: str) -> str:
        try:
            check_labels("samplers", [SamplerSpec("mala", label)], None)
        except UserError as error:
            return refused(error)
        name = job_key(label, label, 0)
        assert os.path.basename(name) == name and len(os.fsencode(name)) < 250
        assert name.isascii() and name.isprintable()
        for made in (name, slug("c", label)):
            assert keys.setdefault(made, (label,)) == (label,)
        return "taken"

    likely = st.lists(st.sampled_from(["a", "b", "-", "--", ".", "_", "s0", "con", "A", "0"]),
                      min_size=1, max_size=40).map("".join)
    fuzz(likely | TEXT | st.text(max_size=100), check, tally, 300 * times)


SUITE = b"""# a suite
description = "mine"
targets = ["gaussian", {name = "gmm4", label = "four"}]
samplers = ["mala", {name = "ula", params = {step_size = 0.1}}]
metrics = ["mmd", "w2"]
seeds = 3
budget = "2000evals"
n = 100
n_curve = 60
checkpoints = 2
floor_draws = 20
"""
VALUES = (st.integers(-2**70, 2**70).map(str) | st.floats().map(str) | TEXT.map(json.dumps)
          | st.sampled_from(["true", "[]", "{}", "[[]]", "[{}]", "nan", "inf", "-inf",
                             "1979-05-27", '[{name = "mala", params = {step_size = nan}}]',
                             '"0:1000000000"',
                             '[{name = 3}]', '""', "[1, 'a']", '"1e999s"', '"-5s"']))
KEYS = st.sampled_from(["description", "targets", "samplers", "metrics", "seeds", "budget", "n",
                        "n_curve", "checkpoints", "floor_draws", "preset", "baselines", "device",
                        "dtype", "wall_limit", "compile", "nonsense", "published"])


@times
def test_suites(times: int, tally: Counter[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"

    def check(data: bytes) -> str:
        path.write_bytes(data)
        try:
            suite = read_suite(str(path))
        except UserError as error:
            return refused(error)
        assert suite.targets and suite.samplers and 0 < len(suite.seeds) <= 10**6
        assert suite.n >= 1 and 0 < suite.budget.amount < float("inf")
        return "read"

    def with_line(pair: tuple[str, str]) -> bytes:
        kept = [x for x in SUITE.decode().splitlines() if not x.startswith(f"{pair[0]} =")]
        return "\n".join([*kept, f"{pair[0]} = {pair[1]}"]).encode("utf-8", "surrogatepass")

    fuzz(mutated(SUITE) | st.tuples(KEYS, VALUES).map(with_line), check, tally, 300 * times)


PLUGIN = b'''"""Mine."""
from samplers.base import Sampler


class A(Sampler):
    """A sampler [of mine]."""

    name = "mine_own"
    kind = "continuing"
    step_size: float = 0.1
'''


@times
def test_plugins(times: int, tally: Counter[str], tmp_path: Path) -> None:
    made: list[Path] = []

    def check(data: bytes) -> str:
        made.append(tmp_path / f"fuzzed{len(made)}.py")  # files are imported once
        made[-1].write_bytes(data)
        try:
            assert imported_entries(made[-1])
        except UserError as error:
            return refused(error)
        return "read"

    fuzz(mutated(PLUGIN), check, tally, 200 * times)


# ---- what lies in a run's folder ----------------------------------------------------------------


def _records(key: str) -> list[Record]:
    return [Checkpoint(key, 0, 0.5, 3, Cost(score=5), 10, Cost()),
            Measure(key, 0, "final", "mmd", 1, 10, 0.905, 0.1, 0.0, 0.2, 0.03, (1.0, 2.0)),
            Job(key, "mala", "mala", "gmm4", 0, "continuing", "ok", reason="é | [x]", lines=2)]


@times
def test_records(times: int, tally: Counter[str], tmp_path: Path) -> None:
    """A damaged file gives some of the records that were written, and never another one."""
    written = [r for key in ("a", "b", "c") for r in _records(key)]
    data = "".join(dump(r) + "\n" for r in written).encode()
    known = {dump(r) for r in written}

    def check(damaged: bytes) -> str:
        (tmp_path / RECORDS).write_bytes(damaged)
        try:
            found, complaints = read(tmp_path)
        except StoreError as error:
            return refused(error)
        assert {dump(r) for r in found} <= known
        whole = len(found) == len(written)
        assert whole or complaints or not damaged.startswith(data)
        return "whole" if whole else "less"

    fuzz(mutated(data), check, tally, 400 * times)


@times
def test_any_line_is_a_record_or_refused(times: int, tally: Counter[str]) -> None:
    keys = st.sampled_from(["v", "sort", "key", "value", "train", "probe", "ladder", "notes",
                            "crc", "seed", "params", "label", "target", "kind", "status"])
    values: st.SearchStrategy[Any] = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXT
        | st.sampled_from(["job", "checkpoint", "measure", 1, 2]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5)

    def check(value: Any) -> str:
        line = value if isinstance(value, str) else json.dumps(value)
        try:
            parse(line)
        except ValueError as error:
            return refused(error)
        return "read"

    fuzz(st.dictionaries(keys, values, max_size=15) | values | TEXT, check, tally, 300 * times)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("fuzz") / "run", ["ula", "exact", "initial"], ["gmm4"],
                seeds=2, draws=20, trouble=False)


@times
def test_folders(times: int, tally: Counter[str], folder: Path, tmp_path: Path) -> None:
    """A damaged header, floor, density or sample: read as far as it goes, or refused."""
    here = tmp_path / "run"
    shutil.copytree(folder, here)
    files = sorted(p.relative_to(here) for p in here.rglob("*") if p.is_file())
    whole = {name: (here / name).read_bytes() for name in files}

    def check(given: tuple[Path, list[tuple[int, int]], int]) -> str:
        name, flips, cut = given
        data = bytearray(whole[name])
        for at, bit in flips:
            data[at % len(data)] ^= 1 << bit
        (here / name).write_bytes(bytes(data[:cut]))
        try:
            run = load(here)
            for job in run.jobs:
                arrays(run, "samples", job.key)
            arrays(run, "density", "gmm4")
        except StoreError as error:
            return refused(error)
        finally:
            (here / name).write_bytes(whole[name])
        return "read"

    flips = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), max_size=3)
    cuts = st.integers(0, 3000) | st.just(10**9)
    fuzz(st.tuples(st.sampled_from(files), flips, cuts), check, tally, 150 * times)


# ---- what a child tells -------------------------------------------------------------------------


@times
def test_event_lines(times: int, tally: Counter[str]) -> None:
    """Any line on the channel of events: understood and shown, or no event; never a traceback."""
    suite: Any = SimpleNamespace(name="s", samplers=[], targets=[])
    live = Progress(suite, Console(file=io.StringIO()))
    work: Any = None
    task = Task("ula--gmm4", work, 1.0)
    pool = ProcessPool(1, 1, Path())
    child: Any = SimpleNamespace(task=task, current="", deadline=0.0, stopped=None)

    def check(line: bytes) -> str:
        event = read_event(line)
        if event is None:
            return "ignored"
        live.ended(task)
        pool._note(child, event)
        live.event(task, event)
        live._line()
        if isinstance(event, Reached):
            assert event.spent + Cost() == event.spent
        return "understood"

    inner = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(
        st.floats(), max_size=2) | st.dictionaries(TEXT, st.floats() | TEXT, max_size=2)
    fields = st.sampled_from(["is", "key", "progress", "values", "spent", "steps",
                              "status", "label", "facts",
                              "cause", "message"])
    full = {"key": "k", "progress": 0.5, "steps": 3, "spent": {"score": 5},
            "values": {"w2": 1.0}, "status": "ok", "label": "l",
            "facts": {}, "cause": "user", "message": "m"}
    names = st.sampled_from(["started", "reached", "ended", "prepared", "stopped", "done",
                             "nonsense"])
    events = st.builds(lambda name, rest: json.dumps({**full, **rest, "is": name}).encode(),
                       names, st.dictionaries(fields, inner, max_size=2))
    checkpoint = {"is": "reached", "key": "k", "progress": 0.5, "steps": 3, "spent": {"score": 5},
            "values": {"w2": 1.0}}
    huge = {**checkpoint, "values": {"w2": 10**400}}
    good = st.sampled_from([huge, {"is": "started", "key": "k"}, {"is": "done"},
                            checkpoint, {**checkpoint, "progress": 10**400},
                            {"is": "stopped", "cause": "user", "message": "m"}])
    damaged = good.flatmap(lambda event: mutated(json.dumps(event).encode()))
    raw = st.binary(max_size=30) | TEXT.map(lambda t: t.encode("utf-8", "surrogatepass"))
    fuzz(events | damaged | raw | st.just(b"[" * 100_000), check, tally, 400 * times)


# ---- what a user's code returns -----------------------------------------------------------------


def _draws() -> st.SearchStrategy[Any]:
    shapes = st.lists(st.integers(0, 4), max_size=3) | st.tuples(
        st.integers(0, 5), st.just(2)) | st.tuples(st.integers(1, 4), st.just(2))
    kinds = st.sampled_from([torch.float32, torch.float32, torch.float64, torch.float16,
                             torch.int64, torch.complex64, torch.bool, torch.bfloat16])
    fills = st.sampled_from([0.0, 1.0, float("nan"), float("inf")])
    hows = ["plain", "plain", "grad", "array", "list", "sparse", "t", "parameter"]

    def make(shape: Any, kind: torch.dtype, fill: float, how: str) -> Any:
        try:
            x = torch.full(shape, fill).to(kind)
            return {"grad": lambda: x.requires_grad_(), "array": x.numpy,
                    "list": x.tolist, "sparse": x.to_sparse, "t": lambda: x.transpose(0, -1),
                    "parameter": lambda: torch.nn.Parameter(x, requires_grad=False),
                    "plain": lambda: x}[how]()
        except (RuntimeError, TypeError):  # torch refuses to make it
            return None

    tensors = st.builds(make, shapes, kinds, fills, st.sampled_from(hows)) | st.builds(
        make, st.tuples(st.integers(1, 4), st.just(2)), st.just(torch.float32), fills,
        st.sampled_from(hows))
    others = st.none() | TEXT | st.integers() | st.floats() | st.lists(st.floats())
    return tensors | tensors | tensors | others


@times
def test_draws(times: int, tally: Counter[str]) -> None:
    target, sampler = Gmm4(), Initial()

    def check(drawn: Any) -> str:
        try:
            found = points(drawn, 4, sampler, target)
        except Ended as error:
            return refused(error)
        assert type(found) is torch.Tensor and not found.requires_grad
        assert found.ndim == 2 and found.shape[1] == 2 and 0 < len(found) <= 4
        assert found.dtype == target.dtype
        return "taken"

    fuzz(_draws(), check, tally, 300 * times)


@times
def test_numbers(times: int, tally: Counter[str]) -> None:
    """Diagnostics and estimates: a plain float, or refused; hyperparameters: always plain."""

    def check(value: Any) -> str:
        json.dumps(plain(value))
        try:
            assert type(number(value)) is float
        except TypeError as error:
            return refused(error)
        return "taken"

    scalars = st.integers() | st.floats() | st.booleans() | st.complex_numbers()
    made = scalars | scalars.map(np.asarray) | st.floats(width=32).map(torch.tensor) | _draws() | (
        st.dictionaries(TEXT, scalars)) | st.sets(st.integers())
    fuzz(made, check, tally, 300 * times)
