"""One direction of all cells through a step, and what the cells do meanwhile.

The loops are compiled in a process that has loaded a compiler, else they run as plain Python on
lists, with the same numbers coming out. Cells do not depend on one another, so that they may be
spread over threads: compiled loops leave the interpreter to others.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.radio import duty_kernel, passage_kernel, wake_kernel
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower
from tree6g.radio.sleep import signals_between
from tree6g.radio.step_tables import (
    Cells,
    Column,
    Passed,
    Queues,
    Scratch,
    Stations,
    Waiting,
    Windows,
)
from tree6g.radio.wake import calendar

IntArray = npt.NDArray[np.int64]


class Duties(NamedTuple):
    """What cells did in a step.

    Attributes:
        asleep_s: Time in each sleep state. [cell, state]
        entries: How often each was entered. [cell, state]
        traffic_end_s: End of the last traffic so far. [cell]
    """

    asleep_s: FloatArray
    entries: IntArray
    traffic_end_s: FloatArray


def is_compiled() -> bool:
    """Whether this process has a compiler at hand; plain loops take less time than to load one."""
    return sys.modules.get("numba") is not None


def column(array: npt.NDArray[Any]) -> Column:
    """An array as the loops take it."""
    return np.ascontiguousarray(array) if is_compiled() else array.tolist()


def no_windows(cells: int) -> Windows:
    """No traffic at all; like all that comes out here, as arrays."""
    nothing = np.zeros(cells, dtype=np.int64)
    return Windows(np.append(nothing, 0), nothing, np.empty(0), np.empty(0))


def stations_table(stations: Sequence[StationPower], t0_s: float, t1_s: float) -> Stations:
    """Kinds of cells and their common signals around a step; nobody changes them."""
    return _stations_table(tuple(stations), t0_s, t1_s, is_compiled())


@functools.lru_cache(maxsize=4)  # every phase of a step asks
def _stations_table(
    stations: tuple[StationPower, ...],
    t0_s: float,
    t1_s: float,
    compiled: bool,  # noqa: ARG001, FBT001 - a part of the key
) -> Stations:
    states = [state for station in stations for state in station.sleep]
    calendars = [calendar(station.signals, t0_s, t1_s) for station in stations]
    common = [signals_between(station.signals, t0_s, t1_s) for station in stations]
    return Stations(
        awake_w=column(np.array([station.awake_w for station in stations])),
        period_s=column(np.array([station.signals.period_s for station in stations])),
        state=_firsts([len(station.sleep) for station in stations]),
        power_w=column(np.array([state.power_w for state in states])),
        transition_j=column(np.array([state.transition_j for state in states])),
        transition_s=column(np.array([state.transition_s for state in states])),
        wake_s=column(np.array([state.wake_s for state in states])),
        burst=_firsts([len(known.taken.start_s) for known in calendars]),
        burst_start_s=_joined([known.taken.start_s for known in calendars]),
        burst_end_s=_joined([known.taken.end_s for known in calendars]),
        occasion=_firsts([len(known.heard_s) for known in calendars]),
        occasion_s=_joined([known.heard_s for known in calendars]),
        common=_firsts([len(known.start_s) for known in common]),
        common_start_s=_joined([known.start_s for known in common]),
        common_end_s=_joined([known.end_s for known in common]),
    )


def send(
    waiting: Waiting,
    queues: Queues,
    cells: Cells,
    stations: Stations,
    before: Windows,
    t0_s: float,
    t1_s: float,
    *,
    workers: int = 1,
) -> tuple[Waiting, Passed, Windows]:
    """Messages of all cells through a step; from when they could be sent, and what got through.

    Args:
        waiting: Messages, as arrays.
        queues: Their queues, as columns.
        cells: The cells, as columns.
        stations: Their power states.
        before: Traffic of the step that is known already.
        t0_s: Start of the step.
        t1_s: Its end.
        workers: Threads.
    """
    count, queued = len(waiting.heard_s), len(queues.pool)
    waiting = Waiting(*(column(array) for array in waiting))
    none = np.zeros(count)
    out = Passed(*(column(none.copy()) for _ in Passed._fields))
    whole = np.zeros(count, dtype=np.int64)
    scratch = Scratch(
        order=column(whole.copy()),
        spare=column(whole),
        key_s=column(none.copy()),
        other_s=column(none.copy()),
        speed=column(np.ones(queued)),
        clear_s=column(np.zeros(queued)),
        ranked_s=column(np.zeros(queued)),
    )
    size = len(cells.station)
    first = [queues.first[cells.queue[cell]] for cell in range(size + 1)]
    windows = Windows(
        first=column(np.array(first, dtype=np.int64)),
        count=column(np.zeros(size, dtype=np.int64)),
        start_s=column(none.copy()),
        end_s=column(none.copy()),
    )
    run = _kernel(duty_kernel.send_cells)
    known = Windows(*map(column, before))
    tables = (waiting, queues, cells, stations, known, (out, windows, scratch))
    _spread(lambda span: run(*tables, span, t0_s, t1_s), first, workers)
    return (
        Waiting(*map(np.asarray, waiting)),
        Passed(*map(np.asarray, out)),
        Windows(*map(np.asarray, windows)),
    )


def duties(
    cells: Cells, stations: Stations, up: Windows, down: Windows, t1_s: float, *, workers: int = 1
) -> Duties:
    """What all cells did from `cells.from_s` until t1."""
    size = len(cells.station)
    state = stations.state
    states = max(1, *(int(state[n + 1] - state[n]) for n in range(len(state) - 1)))
    out = (
        column(np.zeros(size * states)),
        column(np.zeros(size * states, dtype=np.int64)),
        column(np.zeros(size)),
    )
    run = _kernel(duty_kernel.duty_cells)
    traffic = (Windows(*map(column, windows)) for windows in (up, down))
    tables = (cells, stations, *traffic, out, states)
    _spread(lambda span: run(*tables, span, t1_s), list(range(size + 1)), workers)
    return Duties(
        asleep_s=np.asarray(out[0], dtype=np.float64).reshape(size, states),
        entries=np.asarray(out[1], dtype=np.int64).reshape(size, states),
        traffic_end_s=np.asarray(out[2], dtype=np.float64),
    )


def _spread(run: Callable[[tuple[int, int]], object], first: Sequence[int], workers: int) -> None:
    """Cells over threads, about as many messages each."""
    size = len(first) - 1
    if workers == 1 or not is_compiled() or size < 2 * workers:
        run((0, size))
        return
    edges = np.searchsorted(first, np.linspace(0, first[-1], workers + 1)[1:-1])
    cuts = [0, *sorted({int(edge) for edge in edges if 0 < edge < size}), size]
    spans = list(itertools.pairwise(cuts))
    others = [_pool(workers).submit(run, span) for span in spans[1:]]
    run(spans[0])
    for other in others:
        other.result()


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers - 1, thread_name_prefix="tree6g")


def _kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    return _compiled(function) if is_compiled() else function


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    from tree6g.radio.link.compiler import compiled_together

    known = [f for m in (passage_kernel, wake_kernel, duty_kernel) for f in _functions_of(m)]
    return compiled_together([*(f for f in known if f is not function), function])


def _functions_of(module: ModuleType) -> list[Callable[..., Any]]:
    """The functions of a module's own, in their order."""
    own = [value for value in vars(module).values() if callable(value)]
    return [f for f in own if f.__module__ == module.__name__]


def _firsts(counts: Sequence[int]) -> Column:
    return column(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def _joined(parts: Sequence[FloatArray]) -> Column:
    return column(np.concatenate(parts) if parts else np.empty(0))
