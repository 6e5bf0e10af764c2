"""The agent against real servers: good ones, bad ones, and ones that never come to an end."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from metering import HandClock, rows, total
from tree6g.cli import app
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.clock import SystemClock
from tree6g.meter.agent.config import load_text
from tree6g.serve.live import metering

STARTED_S = time.time() - 100.0


class Pages(BaseHTTPRequestHandler):
    """Paths of a server; `/good` counts the times that it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        if self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while not server.over:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return
        body = {
            "/utf8": b"vllm:generation_tokens_total \xff\xfe 5\n" * 5,
            "/html": b"<html><body>hello</body></html>",
            "/empty": b"",
            "/secret": b"" if self.headers.get("Authorization") != "Bearer xyzzy" else b"ok 1\n",
        }.get(self.path, b"")
        if self.path.startswith("/good"):
            server.tok += 7
            body = (
                f'vllm:generation_tokens_total{{model_name="m"}} {server.tok}\n'
                f"process_start_time_seconds {STARTED_S}\n"
            ).encode()
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    made.tok, made.over, made.daemon_threads = 0, False, True
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.over = True
    made.shutdown()
    made.server_close()
    thread.join()


def _text(server, *names, interval="1 s"):
    port = server.server_address[1]
    lines = [
        f'  {name}: {{url: "http://127.0.0.1:{port}/{name}", node: {name}, max_size: 200 kB,'
        " timeout: 2 s}"
        for name in names
    ]
    return f"interval: {interval}\ntargets:\n" + "\n".join(lines) + "\n"


def test_bad_servers_are_gaps_with_reasons_and_disturb_no_good_one(tmp_path, server):
    names = ("good", "endless", "utf8", "html", "empty", "none")
    config = load_text(f"ledger: {tmp_path / 'ledger'}\n{_text(server, *names)}")
    clock = HandClock(time.time())
    agent = Agent(config, clock)
    for _ in range(5):
        agent.tick()
        clock.go(1.0)
    agent.close()
    ledger = open_ledger(tmp_path / "ledger")
    assert check(ledger).problems == ()
    assert total(ledger, "work", "amount") == 4 * 7.0
    reasons = {r["source"]: r["reason"] for r in rows(ledger, "coverage") if r["status"] == "gap"}
    assert set(reasons) == set(names) - {"good"}
    assert "at most 200,000 byte" in reasons["endless"]
    assert "404" in reasons["none"]
    assert "empty" in reasons["empty"]


def test_the_command_checks_and_runs(tmp_path, server, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meter.yaml").write_text(f"name: lab\n{_text(server, 'good', interval='100 ms')}")
    checked = CliRunner().invoke(app, ["meter", "run", "meter.yaml", "--check"])
    assert checked.exit_code == 0, checked.output
    assert "ok  good: prometheus (vllm): token_out" in checked.output
    assert not (tmp_path / "tree6g-out").exists()
    ran = CliRunner().invoke(app, ["meter", "run", "meter.yaml", "--once", "4", "--json"])
    assert ran.exit_code == 0, ran.output
    done = json.loads(ran.stdout)
    assert (done["ticks"], done["looks"], done["failed_looks"]) == (4, 4, 0)
    ledger = open_ledger(tmp_path / "tree6g-out" / "lab")
    assert total(ledger, "work", "amount") == 21.0
    assert check(ledger).problems == ()


def test_the_command_refuses_a_wrong_config_in_words(tmp_path):
    (tmp_path / "meter.yaml").write_text("targets: {a: {}}\n")
    refused = CliRunner().invoke(app, ["meter", "run", str(tmp_path / "meter.yaml")])
    assert refused.exit_code == 2
    assert "expected one of url, file" in refused.output


@pytest.mark.slow
def test_after_two_hundred_kills_under_load_no_token_is_lost_or_counted_twice(tmp_path, server):
    text = f"ledger: {tmp_path / 'ledger'}\nflush: 200 ms\n" + _text(
        server, "good", interval="100 ms"
    )
    config, rng = load_text(text), random.Random(3)
    for _ in range(200):
        with warnings.catch_warnings():
            # The thread of the server is in this process, and the child does not need it.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _live(config)
        time.sleep(rng.uniform(0.01, 0.12))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    agent = Agent(config, SystemClock())
    first_s = agent._trackers["good"].look is not None
    agent.tick()
    agent.close()
    ledger = open_ledger(tmp_path / "ledger")
    assert first_s
    assert check(ledger).problems == ()
    # Everything since the first look that was durable, whichever that was.
    lost = server.tok - total(ledger, "work", "amount")
    assert 0 < lost <= 7 * 20
    spans = sorted((r["t0_s"], r["t1_s"]) for r in rows(ledger, "work"))
    assert all(abs(a[1] - b[0]) < 1e-6 for a, b in itertools.pairwise(spans))


def _live(config):
    """An agent that looks as often as it can until it is killed."""
    try:
        agent = Agent(config, SystemClock())
        while True:
            agent.tick()
            agent.flush()
    finally:
        os._exit(1)


def test_a_ledger_is_shown_while_the_meter_writes_it(tmp_path, server):
    config = tmp_path / "meter.yaml"
    ledger, text = tmp_path / "ledger", _text(server, "good", interval="100 ms")
    config.write_text(f"ledger: {ledger}\nflush: 200 ms\n{text}")
    told = []
    with metering(config, told.append) as folder:
        until_s = time.monotonic() + 20.0
        while not open_ledger(folder).part_rows["work"] and time.monotonic() < until_s:
            time.sleep(0.05)
        assert open_ledger(folder).part_rows["work"] > 0
    assert check(open_ledger(folder)).problems == ()
    assert told == []


def test_serve_takes_a_ledger_or_a_config_not_both(tmp_path):
    refused = CliRunner().invoke(app, ["serve", str(tmp_path), "--live", "meter.yaml"])
    assert refused.exit_code == 2
    assert "--live CONFIG alone" in refused.output
