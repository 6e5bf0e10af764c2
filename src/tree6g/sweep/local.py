"""Worker processes on this machine that end with the sweep, however it ends.

This module is what a worker imports first, so it loads nothing else of the package but `scratch`.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import Final

from tree6g.sweep import scratch

# What NumPy's, DuckDB's and numba's libraries read when they are loaded. Runs are what is parallel.
THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
PATIENCE_S: Final = 20.0  # for a loop of compiled code to come back, before a worker just ends


class LocalExecutor(ProcessPoolExecutor):
    """Processes started anew (spawn), each with one thread in its libraries.

    A worker leaves when this process dies or calls `abandon`; so a killed sweep leaves nothing
    running. A script that uses it needs `if __name__ == "__main__":`, as every spawn does.
    """

    def __init__(self, workers: int) -> None:
        ours, self._line = Pipe(duplex=False)
        self._ours = ours
        super().__init__(
            max_workers=workers, mp_context=_Context(), initializer=_begin, initargs=(ours,)
        )

    def abandon(self) -> None:
        """End the workers at once; runs under way are lost."""
        self._line.close()
        self.shutdown(wait=True, cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """The environment of a process whose libraries use one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Process(SpawnProcess):
    """A process whose libraries find their number of threads before anything loads them."""

    def start(self) -> None:
        """Start it under one thread per library."""
        with one_thread():
            super().start()


class _Context(SpawnContext):
    Process = _Process


def _begin(line: Connection) -> None:
    """What a worker does first: leave interrupts to its parent, and watch it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_watch, args=(line,), daemon=True).start()


def _watch(line: Connection) -> None:
    """Wait until the parent is gone or wants us gone, then leave.

    By a signal, for its handler runs in the thread that runs the simulation: so nobody writes into
    the folder while it is removed. Compiled code hears no signal until it is back.
    """
    parent = parent_process()
    wait([line] if parent is None else [line, parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os._exit(1)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    scratch.remove()
    os._exit(1)
