"""Results of runs as parts of a folder, one file per run under the key of its configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from tree6g.errors import LedgerError
from tree6g.ledger.meta import digest
from tree6g.metric.figure import Query
from tree6g.scenario.load import config_hash
from tree6g.scenario.model import Scenario
from tree6g.version import __version__

FOLDER: Final = "runs"
Row = Mapping[str, Any]


def key_of(scenario: Scenario, query: Query, traces: Mapping[str, str]) -> str:
    """The key of a run: a hash of all that decides its result.

    These are the scenario after its overrides with its seed, the content of a policy's file that it
    names, how the figure is taken, the content of the traces, and the version of the package.
    Overrides that lead to the same scenario, in whatever order, have the same key. Not in it: a
    changed checkout of one version, the code behind a policy that somebody else has installed, and
    the config behind the name of an added model; a new folder is the remedy.

    Args:
        scenario: The resolved scenario.
        query: How the figure is taken.
        traces: Source of each trace with the hash of its content, by service.
    """
    asked = {name: getattr(query, name) for name in ("boundary", "rule", "idle", "t0_s", "t1_s")}
    slopes = {"weights": dict(query.weights), "alphas": dict(query.alphas)}
    return digest(
        {
            "scenario": config_hash(scenario),
            "query": asked | slopes,
            "traces": dict(traces),
            "version": __version__,
        }
    )


class Store(Protocol):
    """Where results of runs are kept."""

    def read(self, key: str) -> Row | None:
        """The result under a key, None if there is none."""
        ...

    def write(self, key: str, row: Row) -> None:
        """Keep a result."""
        ...


class Memory:
    """Results that live as long as the sweep."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def read(self, key: str) -> Row | None:
        """The result under a key, None if there is none."""
        return self._rows.get(key)

    def write(self, key: str, row: Row) -> None:
        """Keep a result."""
        self._rows[key] = row


class Parts:
    """Results in a folder that several sweeps may share, at the same time too.

    A part is written beside its place, flushed to the disk and renamed: a crash leaves it whole or
    not at all. Whoever writes a part a second time writes the same bytes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def read(self, key: str) -> Row | None:
        """The result under a key, None if there is none.

        Raises:
            LedgerError: The file is none that we wrote.
        """
        path = self._path(key)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict) or row.get("key") != key:
            raise LedgerError(
                f"expected the result of run {key} in {path}; got something else. Remove the file "
                "to repeat the run."
            )
        return row

    def write(self, key: str, row: Row) -> None:
        """Write a part: beside its place, flush, rename, flush the folder.

        Raises:
            LedgerError: The folder cannot be written.
        """
        text = json.dumps(row, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        path = self._path(key)
        fresh = path.with_name(f".{key}-{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with fresh.open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            _flush(self._folder)
        except OSError as error:
            raise LedgerError(f"cannot write results to {self._folder}: {error}.") from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
