"""A small scenario for sweeps, and the command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

CORNER = Path(__file__).parent / "fixtures" / "scenarios" / "corner.yaml"
SHORT = ("duration=30 s", "drain=10 s", "ledger_interval=10 s")
COMMAND = [sys.executable, "-c", "from tree6g.cli import main; main()", "sweep", str(CORNER)]


def words(*more, out):
    changes = [word for change in SHORT for word in ("--set", change)]
    return [*COMMAND, *changes, "--out", str(out), "--no-report", *map(str, more)]


def swept(*more, out):
    """The JSON of a sweep that ended well, without what may differ, and how many runs it made."""
    done = subprocess.run(
        [*words(*more, out=out), "--json"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found, found.pop("run_info")["made"]


def parts(folder):
    return {path.name: path.read_bytes() for path in (folder / "runs").glob("*.json")}


def need(library):
    """Skip without a library; in CI fail."""
    if find_spec(library) is None:
        reason = f"{library} is not installed; it is in the dependency group `test`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
