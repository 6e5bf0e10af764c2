"""`tree6g sweep` with real worker processes: the same results everywhere, and after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweeping import CORNER, SHORT, need, parts, swept, words
from tree6g.cli import app

GRID = ("--over", "population.users=100,200", "--seeds", "2")
MANY = ("--over", "population.users=100,200", "--seeds", "4")


def call(*arguments, code=0):
    changes = [word for change in SHORT for word in ("--set", change)]
    result = CliRunner().invoke(app, ["sweep", str(CORNER), *changes, *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    found, made = swept(*GRID, "--workers", "1", out=folder)
    assert made == 4
    return found, parts(folder)


@pytest.mark.parametrize("executor", ["local", "dask", "ray"])
def test_two_workers_give_what_one_gives(executor, reference, tmp_path):
    if executor != "local":
        need({"dask": "distributed", "ray": "ray"}[executor])
    found, made = swept(*GRID, "--executor", executor, "--workers", "2", out=tmp_path)
    assert made == 4
    assert found == reference[0]
    assert parts(tmp_path) == reference[1]


def test_a_sweep_of_everything_there_runs_nothing_and_prints_the_page(reference, tmp_path):
    (tmp_path / "runs").mkdir()
    for name, content in reference[1].items():
        (tmp_path / "runs" / name).write_bytes(content)
    shown = call(*GRID, "--out", tmp_path).stdout
    assert "of which 0 were made now" in shown
    assert "No other design beats these in tree_beq_per_j and ttft_p90_s" in shown
    assert Path(shown.rpartition("Report: ")[2].strip()).is_file()
    found = json.loads(call(*GRID, "--out", tmp_path, "--json").stdout)
    assert found["run_info"].pop("made") == 0
    assert found["run_info"]["report"] == str(tmp_path / "sweep.html")
    assert {k: v for k, v in found.items() if k != "run_info"} == reference[0]


def test_the_json_promises_its_keys(reference):
    found = reference[0]
    assert set(found) == {
        "scenario", "axes", "seeds", "runs", "measures", "points", "differences", "pareto"
    }  # fmt: skip
    assert found["axes"] == [{"path": "population.users", "values": ["100", "200"]}]
    assert len(set(found["runs"])) == 4
    assert len(found["points"]) == 2
    assert set(found["points"][0]) >= {"overrides", "infeasible", "tree_beq_per_j", "energy_j"}
    assert found["points"][0]["energy_j"]["count"] == 2
    assert found["points"][0]["energy_j"]["half_width"] > 0


def started(folder, workers):
    """A sweep of eight runs of which some are done and some are not, and its workers."""
    command = words(*MANY, "--workers", workers, out=folder)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while len(parts(folder)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return process, children.read_text().split() if children.exists() else []


def gone(pids):
    end = time.monotonic() + 30
    while any(_alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _alive(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_sweep_leaves_no_worker_and_resumes_without_repeating_a_run(
    reference, tmp_path, monkeypatch
):
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    process, workers = started(tmp_path, 2)
    process.kill()
    process.communicate()
    before = parts(tmp_path)
    written = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "runs").glob("*.json")}
    assert 2 <= len(before) < 8
    assert gone(workers)
    assert list(own.glob("tree6g-sweep-*")) == []
    found, made = swept(*MANY, "--workers", "1", out=tmp_path)
    assert made == 8 - len(before)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "runs").glob("*.json")}
    assert len(after) == 8
    assert {name: after[name] for name in written} == written
    assert parts(tmp_path).items() >= reference[1].items()
    assert [point["energy_j"]["count"] for point in found["points"]] == [4, 4]


def test_an_interrupted_sweep_ends_at_once_and_keeps_what_is_done(tmp_path):
    process, workers = started(tmp_path, 1)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "interrupted" in told
    assert len(parts(tmp_path)) >= 2
    assert gone(workers)


def test_wrong_input_ends_in_words(tmp_path):
    told = call("--over", "population.user=1,2", "--out", tmp_path, code=2).stderr
    assert told.startswith("error: ")
    assert "users" in told
    assert "expected two figures" in call("--pareto", "energy_j", code=2).stderr
    assert "Did you mean 'ray'" in call("--executor", "rya", code=2).stderr
    failed = call("--executor", "local", "--workers", "0", "--json", code=2)
    assert json.loads(failed.stdout)["error"]["kind"] == "ScenarioError"
