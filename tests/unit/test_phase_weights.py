"""Phase weights: a load on a server of known costs gives them back; what it cannot tell is said."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tree6g.calibrate import kinds
from tree6g.calibrate.costs import CpuSeconds, MeterJoules, cost_of, listening
from tree6g.calibrate.endpoint import Endpoint
from tree6g.calibrate.phase_load import Load, Run, measure
from tree6g.calibrate.phase_weights import fitted, in_rounds, nonnegative
from tree6g.cli import app
from tree6g.errors import DataError, MeterError, ScenarioError
from tree6g.meter.agent import config

IN_S, OUT_S, CACHED_S, REQUEST_S = 0.010, 0.014, 0.001, 0.020


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible server that computes nothing and states what it would have taken."""

    daemon_threads = True
    chat_only = False
    strict = False
    tells_cached = True
    slots = None
    meter = None  # a file whose counter grows by the joules of each answer, 2 W while busy

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.lock, self.energy_j = set(), threading.Lock(), 0.0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/props" and self.server.slots:
            self._send(200, json.dumps({"total_slots": self.server.slots}).encode())
        else:
            self._send(404, b"{}")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.chat_only and not self.path.endswith("/chat/completions"):
            return self._send(404, b"{}")
        if self.server.strict and {"ignore_eos", "cache_prompt"} & set(asked):
            return self._send(400, b"unknown field")
        text = asked.get("prompt") or asked["messages"][0]["content"]
        return self._send(200, json.dumps(self._answer(text.split(), asked)).encode())

    def _answer(self, words, asked):
        cached = 0
        with self.server.lock:
            for n in range(len(words), 1, -1):
                if asked.get("cache_prompt") and tuple(words[:n]) in self.server.seen:
                    cached = n
                    break
            self.server.seen.add(tuple(words))
        out = asked["max_tokens"]
        busy_s = IN_S * (len(words) - cached) + CACHED_S * cached + OUT_S * (out - 1) + REQUEST_S
        if self.server.meter:
            with self.server.lock:
                self.server.energy_j += 2.0 * busy_s
                _joules(self.server.meter, self.server.energy_j)
        usage = {"prompt_tokens": len(words), "completion_tokens": out}
        if self.server.tells_cached:
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        timings = {"prompt_ms": 0.0, "predicted_ms": 1e3 * busy_s}
        return {"usage": usage, "timings": timings}

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _joules(file, energy_j):
    name = "kepler_node_platform_joules_total"
    file.write_text(f'# TYPE {name} counter\n{name}{{instance="a"}} {energy_j!r}\n')


@contextmanager
def serving(**how):
    with Server() as server:
        for name, value in how.items():
            setattr(server, name, value)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _fit(server, **more):
    return kinds.fit("phase-weights", [server.url], busy="timings", minutes=0.001, **more)


@pytest.mark.parametrize("how", [{}, {"chat_only": True}])
def test_known_costs_come_back(how):
    with serving(**how) as server:
        result = _fit(server)
    told = {c.name: c.value for c in result.constants}
    assert told["prompt_s"] == pytest.approx(IN_S)
    assert told["decode_s"] == pytest.approx(OUT_S)
    assert told["cached_s"] == pytest.approx(CACHED_S)
    assert told["request_s"] == pytest.approx(REQUEST_S)
    assert result.error < 1e-9
    assert result.problems == ("batches are not told: no tokens were decoded side by side",)


def test_the_written_rows_are_those_of_a_ledger_and_add_up_to_the_cost_of_a_request():
    with serving() as server:
        rows = yaml.safe_load(_fit(server, model="small: one").table)
    assert {row["model"] for row in rows} == {"small: one"}
    weight = {row["kind"]: row["weight"] for row in rows}
    by_rows = 100 * weight["token_in"] + 60 * weight["token_out"] + weight["request"]
    assert by_rows == pytest.approx(100 * IN_S + 59 * OUT_S + REQUEST_S)


def test_a_server_that_refuses_unknown_fields_is_asked_without_them():
    with serving(strict=True, tells_cached=False) as server:
        result = _fit(server)
    assert any("the server does not count them" in p for p in result.problems)
    cached = [row for row in yaml.safe_load(result.table) if row["kind"] == "token_in_cached"]
    assert cached[0]["weight"] == 0.0


def _load(rng, *, noise=0.0, drift=0.0, step_s=0.004):
    """Runs of a made server, whose rounds are dearer one after another by `drift`."""
    runs = []
    for n in range(12):
        for mix, prompts, decoded, batch in (("a", 200, 0, 1), ("b", 8, 60, 1), ("c", 32, 160, 4),
                                             ("d", 240, 80, 4), ("e", 100, 30, 1)):  # fmt: skip
            scale = rng.uniform(0.6, 1.4)
            p, d = round(prompts * scale), round(decoded * scale)
            steps = d if batch == 1 else d // batch
            cost = (IN_S * p + OUT_S * d + step_s * steps) * (1 + drift * n)
            cost *= np.exp(noise * rng.normal())
            runs.append(Run(mix=mix, prompt_tok=p, cached_tok=0, decode_tok=d, steps=steps,
                            requests=1, time_s=1.0, cost=cost + 0.5, round=n))  # fmt: skip
    return Load(runs=tuple(runs), idle_per_s=0.5, together=4)


def test_the_share_of_a_batch_is_told_apart_and_idle_is_taken_off():
    weights = fitted(_load(np.random.default_rng(0)))
    assert weights.of("decode") == pytest.approx(OUT_S)
    assert weights.of("step") == pytest.approx(0.004)
    assert weights.per_token(1.0)["token_out"] == pytest.approx(OUT_S + 0.004)
    assert weights.per_token(4.0)["token_out"] == pytest.approx(OUT_S + 0.001)


def test_rounds_that_are_dearer_as_a_whole_do_not_move_the_ratio_of_the_weights():
    weights = fitted(_load(np.random.default_rng(1), noise=0.03, drift=0.05))
    ratio = weights.per_token(4.0)["token_out"] / weights.of("prompt")
    assert ratio == pytest.approx((OUT_S + 0.001) / IN_S, rel=0.05)
    assert weights.slowest_frac == pytest.approx(0.55, abs=0.1)
    assert weights.held_out_frac < 0.05


def test_intervals_hold_the_truth_under_noise():
    inside = []
    for seed in range(3):
        weights = fitted(_load(np.random.default_rng(seed), noise=0.1))
        inside.append(weights.low[0] <= IN_S <= weights.high[0])
    assert sum(inside) >= 2


def test_no_constant_is_below_0():
    costs = nonnegative(
        np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]) / np.array([[3.0], [2], [1]])
    )
    assert (costs >= 0.0).all()
    assert costs[1] == 0.0


def test_rounds_without_runs_have_no_factor():
    best, factor = in_rounds(np.array([[1.0], [0.5]]), np.array([0, 2]))
    assert np.isnan(factor[1])
    assert best[0] == pytest.approx(np.sqrt(2.0))
    assert factor[2] / factor[0] == pytest.approx(2.0)


def test_runs_that_cost_nothing_are_refused():
    run = Run(mix="a", prompt_tok=5, cached_tok=0, decode_tok=1, steps=1, requests=1, time_s=1.0,
              cost=0.0)  # fmt: skip
    with pytest.raises(DataError, match="1 of 1 did not"):
        fitted(Load(runs=(run,), idle_per_s=0.0, together=1))


def test_cpu_seconds_of_this_process_are_those_that_it_counts_itself():
    meter = CpuSeconds(os.getpid())
    before, own = meter.total(), time.process_time()
    sum(range(300_000))
    assert meter.total() - before == pytest.approx(time.process_time() - own, abs=0.005)


def test_the_process_at_a_port_is_found():
    with serving(slots=3) as server:
        assert listening(server.server_port) == os.getpid()
        assert Endpoint(server.url).slots() == 3
        meter = cost_of("localhost", server.server_port, pid=None, energy=None, busy=None)
    assert isinstance(meter, CpuSeconds)


def test_joules_are_those_of_a_meters_counters(tmp_path):
    file = tmp_path / "energy.prom"
    _joules(file, 12.5)
    assert MeterJoules(str(file)).total() == 12.5
    file.write_text("# TYPE x counter\nx 1\n")
    with pytest.raises(MeterError):
        MeterJoules(str(file))


def test_joules_of_a_meter_give_weights_in_joules(tmp_path):
    file = tmp_path / "energy.prom"
    _joules(file, 0.0)
    with serving(meter=file) as server:
        load = measure(Endpoint(server.url), MeterJoules(str(file), least_s=0.0), minutes=0.001,
                       together=3, seed=1)  # fmt: skip
    weights = fitted(load)
    assert weights.of("prompt") == pytest.approx(2.0 * IN_S)
    assert weights.per_token(3.0)["token_out"] == pytest.approx(2.0 * OUT_S)
    assert max(run.requests for run in load.runs) == 4


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"busy": "timing"}, ScenarioError, "expected --busy timings"),
        ({"busy": "timings", "pid": 1}, ScenarioError, "expected one of --pid, --energy, --busy"),
        ({"pid": 2**22 + 5}, MeterError, "expected a running process"),
        ({"minutes": 0.0}, ScenarioError, "expected --minutes above 0"),
    ],
)
def test_what_a_user_can_get_wrong_is_said(given, error, said):
    with serving() as server, pytest.raises(error, match=said):
        kinds.fit("phase-weights", [server.url], **given)


def test_an_address_that_nobody_answers_and_one_that_is_none():
    done = CliRunner().invoke(app, ["fit", "phase-weights", "127.0.0.1:9", "--busy", "timings"])
    assert done.exit_code == 2
    assert "cannot reach" in done.stderr
    with pytest.raises(MeterError, match="expected an address"):
        Endpoint("ftp://x")


def test_the_command_prints_constants_and_writes_rows_that_a_meter_reads(tmp_path):
    out = tmp_path / "weights.yaml"
    with serving() as server:
        words = ["fit", "phase-weights", server.url, "--busy", "timings", "--minutes", "0.001"]
        done = CliRunner().invoke(app, [*words, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"constants", "rows", "error"} <= set(found)
    meter = (
        "name: lab\nphase_weights: weights.yaml\n"
        'targets: {llama: {url: "http://127.0.0.1:1/metrics", node: box, tier: edge}}\n'
    )
    read = config.load_text(meter, folder=tmp_path)
    assert [row["kind"] for row in read.phase_weights][:2] == ["token_in", "token_in_cached"]
    assert list(read.phase_weights) == yaml.safe_load(out.read_text())
