"""Run a scenario: its phases in order, step by step, into a ledger."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tree6g.engine import (
    arrivals,
    cell_outages,
    dispatch,
    downlink,
    header,
    inference,
    learning,
    ledger,
    motion,
    outages,
    paths,
    power,
    schedule,
    sleep,
    splitting,
    standby,
    transport,
    uplink,
)
from tree6g.engine import checkpoint as checkpoint_of
from tree6g.engine.build import build
from tree6g.engine.checkpoint import Checkpoints
from tree6g.engine.delivery import lose, lose_data
from tree6g.engine.header import RequestCount
from tree6g.engine.policies import Policy
from tree6g.engine.policies.schedule import Scheduler
from tree6g.engine.policies.sleep import SleepPolicy
from tree6g.engine.world import RUNNING, Tick, World
from tree6g.errors import LedgerError
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger, read_meta
from tree6g.ledger.writer import LedgerWriter, new_ledger
from tree6g.scenario.load import load
from tree6g.scenario.model import Scenario
from tree6g.scenario.trace import Trace, read_trace

if TYPE_CHECKING:
    from tree6g.metric.figure import Figure

Progress = Callable[[float, str], None]
OUT = Path("tree6g-out")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The outcome of a run.

    Attributes:
        ledger: Its ledger.
        scenario: The resolved scenario, seed included.
        path: Folder of the results; the ledger is in `ledger/`.
        requests: What became of the AI requests.
        requests_per_user_hour: AI requests per person and hour.
    """

    ledger: Ledger
    scenario: Scenario
    path: Path
    requests: RequestCount
    requests_per_user_hour: float

    def tree(
        self,
        *,
        boundary: str | None = None,
        rule: str | None = None,
        idle: str | None = None,
        weights: Mapping[str, float] | None = None,
        alphas: Mapping[str, float] | None = None,
        t0_s: float | None = None,
        t1_s: float | None = None,
    ) -> Figure:
        """The figure of the ledger; the keywords are fields of `tree6g.Query`."""
        from tree6g.metric.figure import Query
        from tree6g.metric.tree import figure

        query = Query(
            boundary=boundary, rule=rule, idle=idle, weights=weights or {}, alphas=alphas or {},
            t0_s=t0_s, t1_s=t1_s,
        )  # fmt: skip
        return figure(self.ledger, query)


def run(  # noqa: PLR0913 - all by name
    scenario: str | Path | Mapping[str, Any] | Scenario,
    *,
    out: Path | None = None,
    seed: int | None = None,
    trace: str | Path | Mapping[str, str | Path] | None = None,
    overrides: Sequence[str] = (),
    policy: Policy | None = None,
    sleep_policy: SleepPolicy | None = None,
    scheduler: Scheduler | None = None,
    progress: Progress | None = None,
    workers: int = 1,
    checkpoint: int | None = None,
    fresh: bool = False,
) -> RunResult:
    """Simulate a scenario and write its ledger.

    A long run keeps a checkpoint now and then; a run that was killed goes on from it when it is
    started again, and ends with the same ledger.

    Args:
        scenario: Name in the library, file, plain data or a loaded scenario.
        out: Folder of the results; default `tree6g-out/<name>-<hash>`. An earlier run of
            the same scenario there is replaced when this one is whole.
        seed: Seed in place of the scenario's.
        trace: Requests in place of drawn ones: a file for all AI services, which share it at random
            by their request shares, or one file per service.
        overrides: Changes such as `"population.users=200"`.
        policy: Dispatch policy in place of the scenario's.
        sleep_policy: Sleep policy in place of the scenario's.
        scheduler: Scheduler in place of the scenario's.
        progress: Called with the share done and the phase.
        workers: Threads for the cells; results do not depend on them.
        checkpoint: Ledger intervals between two checkpoints, 0: none; by default none in short
            runs, and every few seconds of work in long ones.
        fresh: Begin anew even if an interrupted run could go on.

    Raises:
        ScenarioError: The scenario, or how it goes with the trace.
        DataError: The trace.
        InfeasibleError: A model that does not fit.
        LedgerError: Something else than a run of this scenario is in the folder.
    """
    changes = (*overrides, *(() if seed is None else (f"seed={seed}",)))
    described = load(scenario, changes)
    traces = _traces(trace)
    messages = checkpoint_of.messages_of(described, traces.values())
    checkpoint_of.load_compiler(messages)
    world = build(described, traces, policy, sleep_policy, scheduler)
    world.workers = workers
    meta = header.first_meta(world)
    folder = out or OUT / f"{described.name}-{str(meta.scenario_hash)[:8]}"
    every = checkpoint_of.usual(messages, _intervals(world)) if checkpoint is None else checkpoint
    with _writing(folder / "ledger", meta, every, fresh=fresh) as (writer, kept):
        end_s = simulate(world, writer, progress, kept)
        header.write_tables(world, writer, end_s)
        writer.flush()
        writer.update_meta(header.last_meta(world, meta))
    return RunResult(
        ledger=open_ledger(folder / "ledger"),
        scenario=described,
        path=folder,
        requests=header.count_requests(world),
        requests_per_user_hour=header.requests_per_user_hour(world),
    )


@contextmanager
def replacing(path: Path, meta: Meta) -> Iterator[LedgerWriter]:
    """Write a ledger that takes the place of an earlier run's once it is whole.

    Raises:
        LedgerError: What is there is not a run of this scenario, and would be lost.
    """
    _require_alike(path, meta)
    following = path.with_name(f".{path.name}-next")
    shutil.rmtree(following, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_ledger(following, meta) as writer:
        yield writer
    shutil.rmtree(path, ignore_errors=True)
    following.rename(path)


@contextmanager
def _writing(
    path: Path, meta: Meta, every: int, *, fresh: bool
) -> Iterator[tuple[LedgerWriter, Checkpoints | None]]:
    """`replacing`, with a checkpoint every so many ledger intervals, unless that is 0."""
    if every:
        _require_alike(path, meta)
        path.parent.mkdir(parents=True, exist_ok=True)
        with checkpoint_of.resumable(path, meta, every, fresh=fresh) as both:
            yield both
    else:
        with replacing(path, meta) as writer:
            yield writer, None


def _require_alike(path: Path, meta: Meta) -> None:
    """Raise a LedgerError if a ledger there is of something else."""
    if path.exists() and any(path.iterdir()):
        there = read_meta(path).scenario
        name = dict(meta.scenario or {}).get("name")
        if there is None or there.get("name") != name:
            what = "a measured ledger" if there is None else f"a run of '{there.get('name')}'"
            raise LedgerError(
                f"expected nothing, or an earlier run of '{name}', at {path}; got {what}. Choose "
                "another folder."
            )


def simulate(
    world: World,
    writer: LedgerWriter,
    progress: Progress | None = None,
    kept: Checkpoints | None = None,
) -> float:
    """All steps of a run in the order of the phases; returns its end.

    The run lasts for the arrivals and the drain, rounded up to whole ledger intervals. What is then
    still under way is lost.
    """
    interval_s = world.scenario.ledger_interval_s
    world.price.inside = header.inside(world)
    steps = round(interval_s / world.step_s)
    first = kept.resume(world) if kept is not None else 0
    for interval in range(first, _intervals(world)):
        for step in range(steps):
            advance(world, _tick(interval * interval_s, interval_s, step, steps))
        if interval == _intervals(world) - 1:
            _abandon(world)
        t0_s = interval * interval_s
        ledger.close_interval(world, writer, t0_s, t0_s + interval_s)
        if kept is not None and (interval + 1) % kept.every == 0:
            kept.save(world, writer, interval + 1)
        if progress is not None:
            progress((interval + 1) / _intervals(world), "simulating")
    return _intervals(world) * interval_s


def advance(world: World, tick: Tick) -> None:
    """One step: the phases in the order in which a request passes them."""
    motion.move(world, tick)
    outages.apply(world, tick)
    sleep.decide(world, tick)
    standby.decide(world, tick)
    arrivals.draw(world, tick)
    dispatch.assign(world, tick)
    splitting.advance(world, tick)
    learning.advance(world, tick)
    cell_outages.drop(world)
    uplink.send(world, tick)
    transport.carry(world, tick)
    inference.advance(world, tick)
    cell_outages.drop(world)
    downlink.send(world, tick)
    power.draw(world, tick)
    schedule.note(world)
    learning.draw(world, tick)
    paths.draw(world, tick)


def _tick(origin_s: float, interval_s: float, step: int, steps: int) -> Tick:
    """Steps tile an interval without gaps, whatever the rounding."""
    edges = (origin_s + interval_s * n / steps for n in (step, step + 1))
    return Tick(t0_s=next(edges), t1_s=next(edges))


def _intervals(world: World) -> int:
    """Whole ledger intervals that hold every arrival and the drain."""
    last_s = world.arrivals_end_s
    wanted = (last_s + world.scenario.drain_s) / world.scenario.ledger_interval_s
    least = math.floor(last_s / world.scenario.ledger_interval_s) + 1
    exact = len(world.requests) and world.requests.arrival_s[-1] >= last_s
    return max(math.ceil(wanted - 1e-9), least if exact else 1)


def _abandon(world: World) -> None:
    """The run ends: what is under way is lost."""
    for request in np.flatnonzero(world.requests.outcome == RUNNING).tolist():
        lose(world, request)
    for cell in world.cells:
        lose_data(world, cell)


def _traces(
    trace: str | Path | Mapping[str, str | Path] | None,
) -> dict[str | None, Trace]:
    if trace is None:
        return {}
    if isinstance(trace, Mapping):
        return {name: read_trace(path) for name, path in trace.items()}
    return {None: read_trace(trace)}
