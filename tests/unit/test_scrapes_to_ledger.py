"""A record read into a ledger by the agent: the same amounts, the same bytes."""

from __future__ import annotations

import pytest

from tree6g.errors import MeterError
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.meter.scrapes.direct import config_of, read_log, ticks
from tree6g.meter.scrapes.log import Entry, append, open_log, start_log
from tree6g.meter.scrapes.record import plan_of, told

CONFIG = """
name: lab
interval: 10 s
services:
  chat: {kind: ai, profile: assistant, model: "m*"}
targets:
  llama: {url: "http://127.0.0.1:8080/metrics", node: box}
  gpus: {url: "http://127.0.0.1:9400/metrics", node: box}
"""
START_S = 1_764_327_600.0


def llama(tok: float) -> bytes:
    return (
        b'vllm:generation_tokens_total{model_name="m1"} %.1f\n'
        b'vllm:prompt_tokens_total{model_name="m1"} %.1f\n' % (tok, 3 * tok)
    )


def gpus(joules: float) -> bytes:
    return b'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a"} %.0f\n' % (1000.0 * joules)


@pytest.fixture
def log(tmp_path):
    targets = told({"llama": "http://127.0.0.1:8080/metrics", "gpus": "http://127.0.0.1:9400/m"})
    made = start_log(tmp_path / "log", targets, 10.0, CONFIG)
    for i in range(31):
        at_s = START_S + 10.0 * i
        append(made, "llama", Entry(time_s=at_s + 0.01, raw=llama(40.0 * i)))
        why = "cannot reach it" if i == 12 else ""
        raw = b"" if why else gpus(500.0 + 900.0 * i)
        append(made, "gpus", Entry(time_s=at_s + 0.2, raw=raw, why=why))
    return open_log(tmp_path / "log")


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_record_becomes_a_ledger_with_all_that_the_counters_gained(log, tmp_path):
    counts = read_log(log, config_of(log, tmp_path / "lab"))
    assert (counts.looks, counts.failed_looks) == (61, 1)
    made = open_ledger(tmp_path / "lab")
    rows = made.query("SELECT kind, service, sum(amount) AS n FROM work GROUP BY ALL").to_pylist()
    assert {(r["kind"], r["service"]): r["n"] for r in rows} == {
        ("token_out", "chat"): 1200.0, ("token_in", "chat"): 3600.0,
    }  # fmt: skip
    energy = made.query("SELECT sum(energy_j) AS j, min(t0_s) AS t0_s FROM energy").to_pylist()[0]
    assert (energy["j"], energy["t0_s"]) == (pytest.approx(27_000.0), START_S + 0.2)
    assert not check(made).problems


def test_the_same_record_gives_the_same_bytes(log, tmp_path):
    for name in ("one", "two"):
        read_log(log, config_of(log, tmp_path / name))
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_without_a_configuration_all_work_is_unassigned(tmp_path):
    made = start_log(tmp_path / "log", told({"llama": "http://127.0.0.1:8080/metrics"}), 10.0)
    for i in range(3):
        append(made, "llama", Entry(time_s=START_S + 10.0 * i, raw=llama(40.0 * i)))
    read_log(made, config_of(made, tmp_path / "lab"))
    rows = open_ledger(tmp_path / "lab").table("work").to_pylist()
    assert {r["service"] for r in rows} == {"unassigned"}
    with pytest.raises(MeterError, match="there is one"):
        read_log(made, config_of(made, tmp_path / "lab"))


def test_looks_of_one_interval_are_taken_together(log):
    found = list(ticks(log, ["llama", "gpus"]))
    assert len(found) == 31
    assert all(set(tick) == {"llama", "gpus"} for tick in found)


def test_a_configuration_says_what_is_recorded_and_what_cannot_be(tmp_path):
    file = tmp_path / "meter.yaml"
    file.write_text(CONFIG + "  cpu: {cpu_time: {all: true}, node: box, idle: 5 W, full: 50 W}\n")
    plan = plan_of([str(file)])
    assert list(plan.fetchers) == ["llama", "gpus"]
    assert plan.left_out == ("target 'cpu' is left out: cpu_time has no text to keep",)
    assert plan.interval_s == 10.0
    made = start_log(tmp_path / "log", plan.told, plan.interval_s, plan.config)
    append(made, "llama", Entry(time_s=START_S, raw=llama(1.0)))
    again = config_of(open_log(tmp_path / "log"), tmp_path / "lab")
    assert [t.name for t in again.targets] == ["llama", "gpus"]
    other = tmp_path / "other.yaml"
    other.write_text("name: x\ntargets:\n  a: {url: 'http://h/'}\n")
    with pytest.raises(MeterError, match="targets of the log"):
        config_of(made, tmp_path / "lab", other)
