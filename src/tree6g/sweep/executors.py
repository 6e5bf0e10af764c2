"""Executors by name: processes here, a Dask cluster, a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Final

from tree6g.errors import ScenarioError, nearest
from tree6g.sweep.local import LocalExecutor


def executor_of(
    name: str, workers: int, address: str | None = None
) -> AbstractContextManager[Executor]:
    """An executor for the length of a `with`.

    Leaving it by an exception, an interrupt too, ends what is under way at once.

    Args:
        name: `local`, `dask` or `ray`.
        workers: Processes of a cluster that is started here, for its life only.
        address: A running Dask or Ray cluster in its place.

    Raises:
        ScenarioError: No such executor, no worker, an address for `local`, or a library that is
            not installed.
    """
    if name not in _MAKERS:
        raise ScenarioError(f"expected an executor; got {name!r}. {nearest(name, _MAKERS)}")
    if workers < 1:
        raise ScenarioError(f"expected one worker or more; got {workers}.")
    if address is not None and name == "local":
        raise ScenarioError(
            f"expected --executor dask or ray with an address; got 'local' with {address!r}."
        )
    return _MAKERS[name](workers, address)


@contextmanager
def _local(workers: int, _address: str | None) -> Iterator[Executor]:
    executor = LocalExecutor(workers)
    try:
        yield executor
    except BaseException:
        executor.abandon()
        raise
    executor.shutdown()


@contextmanager
def _dask(workers: int, address: str | None) -> Iterator[Executor]:
    distributed = _library("distributed", "dask")
    if address is not None:
        with distributed.Client(address) as client:
            yield client.get_executor(pure=False)
        return
    cluster = distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )  # fmt: skip
    with cluster, distributed.Client(cluster) as client:
        yield client.get_executor(pure=False)


@contextmanager
def _ray(workers: int, address: str | None) -> Iterator[Executor]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    ray = _library("ray", "ray")
    from tree6g.sweep.ray_adapter import RayExecutor

    ours = not ray.is_initialized()
    if ours:
        own = {} if address else {"num_cpus": workers, "include_dashboard": False}
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    try:
        yield RayExecutor()
    finally:
        if ours:
            ray.shutdown()


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ScenarioError(
            f"expected the package '{name}' for --executor {extra}; it is not installed. "
            f"Run: pip install 'tree6g[{extra}]'"
        ) from error


_Maker = Callable[[int, str | None], AbstractContextManager[Executor]]
_MAKERS: Final[dict[str, _Maker]] = {"local": _local, "dask": _dask, "ray": _ray}
