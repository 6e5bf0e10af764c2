"""Run a sweep: every point of a grid under every seed, each run once, however often it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Final

from tree6g.errors import ScenarioError, Tree6gError
from tree6g.metric.figure import Query
from tree6g.scenario.load import load
from tree6g.scenario.model import Scenario
from tree6g.scenario.trace import read_trace
from tree6g.sweep.grid import Axis, Point, points, read_axes
from tree6g.sweep.parts import Memory, Parts, Row, Store, key_of
from tree6g.sweep.task import Task, work

Progress = Callable[[float, str], None]
Source = str | Path | Mapping[str, Any] | Scenario
AHEAD: Final = 32  # runs given to an executor before one is back
SEED_LIMIT: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a sweep.

    Attributes:
        point: Its design.
        seed: Its seed.
        key: Its configuration, see `parts.key_of`.
        row: Its figures under flat keys, or `infeasible` with the reason.
    """

    point: Point
    seed: int
    key: str
    row: Row


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The outcome of a sweep.

    Attributes:
        scenario: Name of the scenario.
        axes: What varied.
        seeds: The seeds that every design ran.
        runs: All runs, by point and then by seed, whoever made them and when.
        made: How many of them were simulated now; the others were there.
    """

    scenario: str
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]
    made: int


def sweep(  # noqa: PLR0913  # as for `run`: each is a choice of its own
    scenario: Source,
    over: Sequence[str] | Mapping[str, Sequence[Any]] = (),
    seeds: int | Sequence[int] = 1,
    *,
    executor: Executor | None = None,
    out: Path | None = None,
    trace: str | Path | Mapping[str, str | Path] | None = None,
    overrides: Sequence[str] = (),
    query: Query | None = None,
    ahead: int = AHEAD,
    progress: Progress | None = None,
) -> Sweep:
    """Run a scenario under every combination of values and every seed.

    The result does not depend on the executor, on the number of its workers or on the order in
    which they finish.

    Args:
        scenario: Name in the library, file, plain data or a loaded scenario.
        over: What varies: `["population.users=100,200"]` or `{"population.users": [100, 200]}`.
        seeds: How many, from the scenario's own on, or which ones. All designs run the same
            seeds: common random numbers.
        executor: Any `concurrent.futures.Executor` whose workers can import this package; None
            runs here, one after another.
        out: Folder of the results, one part per run; runs whose part is there are not repeated.
            None keeps results in memory.
        trace: Requests in place of drawn ones, as for `run`; workers must reach the files.
        overrides: Changes that hold for all designs.
        query: How figures are taken.
        ahead: Runs that an executor is given before one is back.
        progress: Called with the share done and in words how many.

    Raises:
        ScenarioError: The grid, the seeds or any design of it, all faults at once and before
            anything runs.
        Tree6gError: A run failed; those that were finished are kept.
    """
    axes = read_axes(over)
    traces = _files(trace)
    tasks = _plan(scenario, axes, seeds, overrides, traces, query or Query())
    store: Store = Memory() if out is None else Parts(out)
    made = _make([task for _, _, task in tasks], store, executor, ahead, progress)
    runs = tuple(
        Run(point=point, seed=seed, key=task.key, row=_kept(store, task.key))
        for point, seed, task in tasks
    )
    name = tasks[0][2].scenario.name
    return Sweep(
        scenario=name, axes=axes, seeds=tuple(dict.fromkeys(r.seed for r in runs)), runs=runs,
        made=made,
    )  # fmt: skip


def _plan(
    source: Source,
    axes: Sequence[Axis],
    seeds: int | Sequence[int],
    overrides: Sequence[str],
    traces: Path | dict[str, Path] | None,
    query: Query,
) -> list[tuple[Point, int, Task]]:
    """Every run in the order of the grid, each scenario validated."""
    numbers = _seeds(seeds, load(source, overrides).seed)
    for extreme in {min(numbers), max(numbers)}:
        load(source, (*overrides, f"seed={extreme}"))
    sources = _trace_sources(traces)
    planned: list[tuple[Point, int, Task]] = []
    problems: list[str] = []
    for point in points(axes):
        changes = (*overrides, *point.overrides)
        try:
            described = load(source, changes)
        except ScenarioError as error:
            problems += error.problems
            continue
        for seed in numbers:
            seeded = described.model_copy(update={"seed": seed})
            task = Task(
                key=key_of(seeded, query, sources), scenario=seeded, traces=traces,
                query=query, overrides=changes,
            )  # fmt: skip
            planned.append((point, seed, task))
    if problems:
        faults = tuple(dict.fromkeys(problems))
        raise ScenarioError("\n".join(faults), faults)
    return planned


def _seeds(seeds: int | Sequence[int], first: int) -> tuple[int, ...]:
    if isinstance(seeds, int):
        if not 0 < seeds <= SEED_LIMIT:
            raise ScenarioError(f"expected from 1 to {SEED_LIMIT:,} seeds; got {seeds}.")
        return tuple(range(first, first + seeds))
    numbers = tuple(seeds)
    if not numbers or len(set(numbers)) < len(numbers):
        raise ScenarioError(f"expected seeds, each once; got {list(numbers)}.")
    return numbers


def _make(
    tasks: Sequence[Task],
    store: Store,
    executor: Executor | None,
    ahead: int,
    progress: Progress | None,
) -> int:
    """Make the runs that are not there; returns how many."""
    distinct = {task.key: task for task in tasks}
    tell = _teller(len(distinct), progress)
    absent = _absent(distinct.values(), store, tell)
    if executor is not None:
        return _in_parallel(absent, store, executor, max(ahead, 1), tell)
    made = 0
    for task in absent:
        store.write(task.key, work(task))
        made += 1
        tell()
    return made


def _absent(tasks: Any, store: Store, tell: Callable[[], None]) -> Iterator[Task]:
    """Runs without a result, asked for as late as can be, for others may make them meanwhile."""
    for task in tasks:
        if store.read(task.key) is None:
            yield task
        else:
            tell()


def _in_parallel(
    absent: Iterator[Task], store: Store, executor: Executor, ahead: int, tell: Callable[[], None]
) -> int:
    under_way: dict[Future[dict[str, Any]], Task] = {}
    made = 0
    try:
        while True:
            while len(under_way) < ahead and (task := next(absent, None)) is not None:
                under_way[executor.submit(work, task)] = task
            if not under_way:
                return made
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                task = under_way.pop(future)
                store.write(task.key, _result(future, task))
                made += 1
                tell()
    except BaseException:
        _keep_finished(under_way, store)
        raise


def _keep_finished(under_way: Mapping[Future[dict[str, Any]], Task], store: Store) -> None:
    """Of runs whose sweep fails: keep what is finished, cancel what is not begun."""
    for future, task in under_way.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            store.write(task.key, future.result())
        else:
            future.cancel()


def _result(future: Future[dict[str, Any]], task: Task) -> dict[str, Any]:
    """The result of a run, or its error with the run that it belongs to.

    Raises:
        Tree6gError: The run failed, or its worker is gone.
    """
    where = f"run of {task.scenario.name} with seed {task.scenario.seed}"
    where += f" and {', '.join(task.overrides)}" if task.overrides else ""
    try:
        return future.result()
    except ScenarioError as error:
        problems = [f"{problem} ({where})" for problem in error.problems]
        raise ScenarioError("\n".join(problems), problems) from error
    except Tree6gError as error:
        raise type(error)(f"{error} ({where})") from error
    except (BrokenProcessPool, CancelledError) as error:
        raise Tree6gError(
            f"expected the {where} to end; its worker process is gone, perhaps out of memory. "
            "Finished runs are kept: start the sweep again, with fewer workers."
        ) from error


def _kept(store: Store, key: str) -> Row:
    row = store.read(key)
    if row is None:
        raise Tree6gError(f"expected the result of run {key}; somebody removed it meanwhile.")
    return row


def _teller(count: int, progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        """One more run is done."""
        nonlocal done
        done += 1
        if progress is not None:
            progress(done / count, f"{done} of {count} runs")

    return tell


def _files(
    trace: str | Path | Mapping[str, str | Path] | None,
) -> Path | dict[str, Path] | None:
    """Files of traces where every worker finds them."""
    if trace is None:
        return None
    if isinstance(trace, Mapping):
        return {name: Path(path).absolute() for name, path in trace.items()}
    return Path(trace).absolute()


def _trace_sources(traces: Path | Mapping[str, Path] | None) -> dict[str, str]:
    if traces is None:
        return {}
    named = traces if isinstance(traces, Mapping) else {"*": traces}
    return {name: read_trace(path).source for name, path in named.items()}
