"""`tree6g serve` as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reporting import small_ledger
from tree6g.cli import app

MAIN = [sys.executable, "-c", "from tree6g.cli import main; main()"]


@pytest.mark.parametrize("more", [[], ["--replay", "600"]])
def test_it_says_where_it_is_answers_and_ends_when_told(tmp_path: Path, more: list[str]) -> None:
    small_ledger(tmp_path / "ledger")
    command = [*MAIN, "serve", str(tmp_path), "--port", "0", "--json", *more]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(temporary)}
    )
    try:
        said = ""
        while not said.endswith("}\n"):
            line = running.stdout.readline()
            assert line
            said += line
        told = json.loads(said)
        with urllib.request.urlopen(told["url"] + "api/windows", timeout=60) as answer:
            assert json.load(answer)["totals"]["energy_j"] > 0
        assert told["token"] is False
        assert bool(list(temporary.glob("tree6g-replay-*"))) == bool(more)
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 0
    assert list(temporary.glob("tree6g-replay-*")) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "0.0.0.0", "--token", "x" * 20], "--certificate"),
        (["--token", "short"], "at least 16"),
        (["--from", "10 s"], "--replay"),
        (["--replay", "0"], "speed"),
        (["--floor", "assistant"], "SERVICE=NUMBER"),
        (["--floor", "assistent=2"], "assistant"),
        (["--over", "5 parsec"], "--over"),
        (["--otlp", "127.0.0.1:4318"], "--otlp"),
        (["--rule", "fair"], "rule"),
    ],
)
def test_a_wrong_start_is_refused_in_plain_words(
    tmp_path: Path, words: list[str], says: str
) -> None:
    small_ledger(tmp_path / "ledger")
    done = CliRunner().invoke(app, ["serve", str(tmp_path), *words])
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output


def test_without_a_ledger_it_says_what_it_needs() -> None:
    done = CliRunner().invoke(app, ["serve"])
    assert done.exit_code == 2
    assert "--grafana" in done.output


def test_dashboard_and_alerts_are_written(tmp_path: Path) -> None:
    board, alerts = tmp_path / "board.json", tmp_path / "alerts.yml"
    words = ["serve", "--grafana", str(board), "--alerts", str(alerts), "--json"]
    done = CliRunner().invoke(app, words)
    assert json.loads(done.stdout)["written"] == [str(board), str(alerts)]
    assert json.loads(board.read_text())["panels"]
    assert "TreeBelowFloor" in alerts.read_text()
