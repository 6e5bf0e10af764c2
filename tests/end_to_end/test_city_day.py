"""The scenario `city-day` in small: workers, compilers and kills change no byte of its ledger."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from tree6g.cli import app
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger

REDUCED = (
    "layout.sites=7", "layout.servers_at=[1, 3]", "population.users=15", "duration=12 min",
    "population.ai_requests_per_user_hour=20", "drain=1 min", "ledger_interval=1 min",
    "services.streaming.sources=15", "services.files.sources=15", "services.uploads.sources=15",
    "services.messages.sources=15", "services.meters.sources=30",
)  # fmt: skip
SCRIPT = """
import sys, pathlib
if sys.argv[2] == "compiled":
    import numba
from tree6g.engine.run import run
run("city-day", out=pathlib.Path(sys.argv[1]), overrides=sys.argv[5:], workers=int(sys.argv[3]),
    checkpoint=int(sys.argv[4]))
"""
HAS_NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="needs the extra `fast`")


def _command(out, *, how="plain", workers=1, checkpoint=0):
    arguments = [str(out), how, str(workers), str(checkpoint), *REDUCED]
    return [sys.executable, "-c", SCRIPT, *arguments]


def _digests(folder):
    parts = sorted((folder / "ledger").rglob("*.parquet"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in parts}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    out = tmp_path_factory.mktemp("city") / "plain"
    subprocess.run(_command(out), check=True, timeout=600)
    return out


@needs_numba
@pytest.mark.slow
def test_one_worker_or_two_compiled_or_not_write_the_same_bytes(plain, tmp_path):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        subprocess.run(_command(out, how="compiled", workers=workers), check=True, timeout=600)
        assert _digests(out) == _digests(plain)


@pytest.mark.slow
def test_three_kills_at_random_moments_change_nothing(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(whole, checkpoint=1), check=True, timeout=600)
    chance = random.Random(6)
    checkpoint = killed / ".ledger-next.checkpoint.npz"
    for _ in range(3):
        _kill_after_checkpoints(_command(killed, checkpoint=1), checkpoint, chance)
    subprocess.run(_command(killed, checkpoint=1), check=True, timeout=600)
    assert _digests(killed) == _digests(whole)
    assert [path.name for path in killed.iterdir()] == ["ledger"]


def _kill_after_checkpoints(command, checkpoint, chance):
    """Kill a run some time after it has written a checkpoint, or let it end."""
    before = _written_at(checkpoint)
    with subprocess.Popen(command) as process:
        while process.poll() is None and _written_at(checkpoint) == before:
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.0, 1.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)


def _written_at(file):
    return file.stat().st_mtime_ns if file.exists() else None


def test_the_small_city_keeps_its_joules_and_counts_its_requests(plain):
    ledger = open_ledger(plain / "ledger")
    checked = check(ledger)
    assert not checked.problems
    assert checked.conservation_error_frac < 1e-9
    count = ledger.meta.control["requests"]
    assert count["arrived"] == count["served"] + count["lost"] > 100
    tiers = ledger.query("SELECT DISTINCT tier FROM work WHERE kind = 'token_out'").to_pylist()
    assert {row["tier"] for row in tiers} == {"edge", "cloud"}


def test_the_command_prints_requests_per_day_and_joules_per_byte(tmp_path):
    sets = [part for change in (*REDUCED, "duration=2 min") for part in ("--set", change)]
    words = ["run", "city-day", *sets, "--no-report", "--workers", "2", "--fresh"]
    done = CliRunner().invoke(app, [*words, "--json", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["requests_per_user_day"] == pytest.approx(24.0 * found["requests_per_user_hour"])
    assert found["ran_j_per_byte"] == pytest.approx(8.0 / found["ee_ran_bit_per_j"])
    told = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")]).stdout
    assert "kWh per GB delivered, " in told
    assert "AI requests per user and day" in told
