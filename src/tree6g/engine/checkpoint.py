"""Checkpoints of a run: its state beside the parts of the ledger that are on disk already.

A checkpoint is one file, written under another name and renamed, with the state of the network
between two ledger intervals, and the names of the parts that belong to it. A run that was killed
goes on from there: later parts are removed, and what follows comes out as it would have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.engine import plain_state
from tree6g.engine.world import World
from tree6g.ledger import parts, schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.writer import LedgerWriter
from tree6g.radio.air_step import is_compiled
from tree6g.scenario import ground
from tree6g.scenario.model import DataService, Scenario
from tree6g.scenario.trace import Trace
from tree6g.version import __version__

FORMAT: Final = 1
# Messages between two checkpoints: about ten seconds of work. One of a city takes half a second.
MESSAGES: Final = 4_000_000
# From so many messages on, loading a compiler pays.
COMPILE_FROM: Final = 500_000
ANSWER_TOK: Final = 200.0  # of an answer, about


@dataclasses.dataclass(slots=True, kw_only=True)
class Checkpoints:
    """Where a run's checkpoints go.

    Attributes:
        file: The checkpoint.
        header: What must be equal for a run to go on from it.
        every: Ledger intervals between two.
        done: Intervals that an interrupted run had done.
        state: Its state.
        arrays: The arrays of it.
    """

    file: Path
    header: dict[str, Any]
    every: int
    done: int = 0
    state: Any = None
    arrays: dict[str, np.ndarray[Any, Any]] = dataclasses.field(default_factory=dict)

    def resume(self, world: World) -> int:
        """Fill a network with the state of the interrupted run; returns the intervals done."""
        if self.state is not None:
            plain_state.fill(world, self.state, self.arrays)
            self.state, self.arrays = None, {}
        return self.done

    def save(self, world: World, writer: LedgerWriter, done: int) -> None:
        """Make all that was written durable, and keep the state that goes with it."""
        writer.flush()
        state, arrays = plain_state.kept(world)
        head = {
            **self.header,
            "every": self.every,
            "done": done,
            "parts": parts_of(writer.path),
            "state": state,
        }
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        beside = self.file.with_name(self.file.name + parts.TEMPORARY)
        with parts.disk_errors(self.file, "write"):
            with beside.open("wb") as out:
                np.savez(out, allow_pickle=False, head=text, **arrays)
                out.flush()
                os.fsync(out.fileno())
            beside.replace(self.file)
            parts.sync_folder(self.file.parent)


def messages_of(scenario: Scenario, traces: Iterable[Trace] = ()) -> float:
    """Messages of a run, about: what decides how long it takes."""
    lasts_s = max((float(t.arrival_s[-1]) for t in traces), default=scenario.duration_s)
    sites, people = ground.site_count(scenario), scenario.population
    users = len(people.places) or people.users * sites
    requests = users * people.ai_requests_per_user_hour * lasts_s / 3600.0
    replayed = float(sum(len(t) for t in traces))
    total = 0.0
    for spec in scenario.services:
        if isinstance(spec, DataService):
            total += spec.sources * sites * spec.growth / spec.period_s * lasts_s
        else:
            mine = spec.request_share_frac * (replayed or requests * spec.growth)
            total += mine * (1.0 + ANSWER_TOK / spec.tokens_per_chunk)
    return total


def usual(messages: float, intervals: int) -> int:
    """Ledger intervals between checkpoints where nobody asks: 0, none, for short runs."""
    if messages < 2.0 * MESSAGES:
        return 0
    return max(1, round(MESSAGES * intervals / messages))


def load_compiler(messages: float) -> None:
    """Load a compiler, if there is one and it pays; without it the same comes out, later."""
    if messages >= COMPILE_FROM and importlib.util.find_spec("numba") is not None:
        importlib.import_module("numba")


@contextlib.contextmanager
def resumable(
    path: Path, meta: Meta, every: int, *, fresh: bool = False
) -> Iterator[tuple[LedgerWriter, Checkpoints]]:
    """Write a ledger beside its place, from an earlier checkpoint on if there is one.

    The ledger takes its place when the block ends; if it fails, what the last checkpoint needs
    stays.

    Args:
        path: Where the ledger will be.
        meta: Its header before the run.
        every: Ledger intervals between two checkpoints.
        fresh: Begin anew whatever is there.
    """
    beside = path.with_name(f".{path.name}-next")
    kept = Checkpoints(
        file=path.with_name(f".{path.name}-next.checkpoint.npz"), header=_header(meta), every=every
    )
    found = None if fresh else _found(kept, beside)
    if beside.exists():
        with parts.disk_errors(beside, "open for writing"), parts.lock(beside):
            if found is None:
                shutil.rmtree(beside)
            else:
                _remove_later_parts(beside, found["parts"])
    if found is None:
        kept.file.unlink(missing_ok=True)
    else:
        kept.done, kept.state = found["done"], found["state"]
    try:
        with LedgerWriter(beside, meta) as writer:
            yield writer, kept
    except BaseException:
        if not kept.file.exists():
            shutil.rmtree(beside, ignore_errors=True)
        raise
    shutil.rmtree(path, ignore_errors=True)
    beside.rename(path)
    parts.sync_folder(path.parent)
    kept.file.unlink(missing_ok=True)


def _header(meta: Meta) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "scenario_hash": meta.scenario_hash,
        "version": __version__,
        "compiled": is_compiled(),
    }


def _found(kept: Checkpoints, beside: Path) -> dict[str, Any] | None:
    """What an interrupted run of the same configuration left, if its parts are all there."""
    if not (kept.file.exists() and beside.exists()):
        return None
    try:
        with kept.file.open("rb") as source, np.load(source, allow_pickle=False) as data:
            head: dict[str, Any] = json.loads(data["head"].tobytes())
            same = all(head.get(name) == value for name, value in kept.header.items())
            there = parts_of(beside)
            if not same or head["every"] != kept.every:
                return None
            if any(set(names) - set(there[table]) for table, names in head["parts"].items()):
                return None
            kept.arrays = {name: data[name] for name in data.files if name != "head"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # not a checkpoint: begin anew
        return None
    return head


def parts_of(ledger: Path) -> dict[str, list[str]]:
    """Names of the parts of each table."""
    return {
        table: sorted(part.name for part in parts.list_parts(ledger, table))
        for table in schema.TABLES
    }


def _remove_later_parts(ledger: Path, known: dict[str, list[str]]) -> None:
    for table in schema.TABLES:
        for part in parts.list_parts(ledger, table):
            if part.name not in known[table]:
                part.unlink()
