"""The agent: from looks at targets to a ledger, through failures, restarts and clocks that jump."""

from __future__ import annotations

import errno
import itertools
import os
import time
from pathlib import Path

import pytest

from metering import START_S, Counters, World, joules, rows, tokens, total
from tree6g.errors import LedgerError
from tree6g.meter.agent import segment

NODE = Path(__file__).parents[1] / "fixtures" / "meter" / "node.xml"
LLM = """
interval: 10 s
flush: 60 s
services:
  chat: {kind: ai, profile: assistant, model: m}
targets:
  llm: {url: "http://llm/metrics", node: box}
"""
LLM_AND_GPU = LLM + "  gpu: {url: 'http://gpu/metrics', node: box}\n"


def _gaps(ledger, source=None):
    found = [r for r in rows(ledger, "coverage") if r["status"] == "gap"]
    return [r for r in found if source in {None, r["source"]}]


def _covered_s(ledger, source, quantity):
    found = rows(ledger, "coverage")
    return sum(
        r["t1_s"] - r["t0_s"]
        for r in found
        if (r["source"], r["quantity"], r["status"]) == (source, quantity, "ok")
    )


def test_rows_carry_the_differences_of_counters_and_the_times_of_the_looks(tmp_path):
    llm, gpu = Counters(), Counters()
    world = World(tmp_path, LLM_AND_GPU, llm=llm, gpu=gpu)
    for out, used_mj in ((0, 0), (30, 5000), (0, 2000), (12, 0)):
        llm.add(tokens(), out)
        gpu.add(joules(), used_mj)
        world.tick()
    ledger = world.end()
    work = rows(ledger, "work")
    assert [(r["amount"], r["t0_s"], r["t1_s"]) for r in work] == [
        (30.0, START_S + 10.0, START_S + 20.0),
        (12.0, START_S + 30.0, START_S + 40.0),
    ]
    assert {(r["service"], r["kind"], r["node"], r["demand"] == r["amount"]) for r in work} == {
        ("chat", "token_out", "box", True)
    }
    assert total(ledger, "energy", "energy_j", component="gpu", state="active") == 7.0
    assert _covered_s(ledger, "llm", "work") == _covered_s(ledger, "gpu", "energy") == 30.0
    assert ledger.meta.t_zero == "1970-01-01T00:00:00+00:00"


def test_what_no_service_takes_is_unassigned(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for _ in range(2):
        llm.add(tokens(model="other"), 5)
        world.tick()
    ledger = world.end()
    assert {r["service"] for r in rows(ledger, "work")} == {"unassigned"}
    assert ledger.meta.services["unassigned"]["kind"] == "internal"


def test_a_short_failure_loses_nothing_and_is_no_gap(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for down in (False, True, False, False):
        llm.down = "it sleeps" if down else ""
        llm.add(tokens(), 10)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount") == 30.0
    assert _gaps(ledger) == []
    assert world.said == []


def test_a_long_failure_is_a_gap_with_its_reason_and_the_counter_still_loses_nothing(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(60):
        llm.down = "connection refused" if 5 <= tick < 30 else ""
        llm.add(tokens(), 10)
        world.tick()
    ledger = world.end()
    last = max(r["t1_s"] for r in rows(ledger, "work"))
    assert total(ledger, "work", "amount") == 10.0 * (last - START_S - 10.0) / 10.0
    gaps = _gaps(ledger, "llm")
    assert {g["reason"] for g in gaps} == {"connection refused"}
    assert len(gaps) <= 5  # told as its length doubles
    assert sum(g["t1_s"] - g["t0_s"] for g in gaps) >= 250.0
    assert any("lost: connection refused" in s for s in world.said)
    assert any("back" in s for s in world.said)


def test_a_target_that_never_answers_is_a_gap_of_all_that_it_might_give(tmp_path):
    llm = Counters()
    llm.down = "no such host"
    world = World(tmp_path, LLM, llm=llm)
    for _ in range(5):
        world.tick()
    assert {g["quantity"] for g in _gaps(world.end())} == {"work", "energy"}


def test_power_is_not_guessed_over_a_long_failure(tmp_path):
    meter = Counters()
    power = 'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-0"}'
    meter.values[power] = 100.0
    world = World(tmp_path, LLM.replace("llm:", "gpu:", 1), gpu=meter)
    for tick in range(40):
        meter.down = "gone" if 3 <= tick < 20 else ""
        world.tick()
    ledger = world.end()
    covered_s = _covered_s(ledger, "gpu", "energy")
    assert total(ledger, "energy", "energy_j") == pytest.approx(100.0 * covered_s)
    assert covered_s < 300.0
    assert {r["origin"] for r in rows(ledger, "energy")} == {"estimated"}


def test_a_server_that_starts_anew_is_counted_from_its_start(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    llm.add(tokens(), 100)
    world.tick()
    llm.restart(world.clock.wall + 4.0)
    llm.add(tokens(), 7)
    world.tick()
    ledger = world.end()
    (row,) = rows(ledger, "work")
    assert (row["amount"], row["t0_s"]) == (7.0, START_S + 14.0)
    (gap,) = _gaps(ledger)
    assert "started anew" in gap["reason"]
    assert (gap["t0_s"], gap["t1_s"]) == (START_S + 10.0, START_S + 14.0)


@pytest.mark.parametrize("crash", [False, True])
def test_a_series_that_is_away_for_a_while_is_not_counted_again(tmp_path, crash):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(12):
        llm.add(tokens(), 10)
        llm.add(tokens("prompt"), 1)
        held = llm.values.pop(tokens()) if tick in (4, 5, 8) else None
        world.tick()
        if held is not None:
            llm.values[tokens()] = held
        if crash:
            world.crash()
    ledger = world.end()
    assert total(ledger, "work", "amount", kind="token_out") == 110.0
    assert total(ledger, "work", "amount", kind="token_in") == 11.0
    assert any("no longer there" in gap["reason"] for gap in _gaps(ledger))


def test_a_crash_counts_nothing_twice_and_loses_nothing(tmp_path):
    llm, gpu = Counters(), Counters()
    world = World(tmp_path, LLM_AND_GPU, llm=llm, gpu=gpu)
    for tick in range(30):
        llm.add(tokens(), 3)
        gpu.add(joules(), 1000)
        world.tick()
        if tick % 4 == 3:
            world.crash()
    ledger = world.end()
    assert total(ledger, "work", "amount") == 29 * 3.0
    assert total(ledger, "energy", "energy_j") == 29.0


def test_a_clock_that_is_set_back_gives_no_time_twice(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(20):
        if tick == 10:
            world.clock.set(-3600.0)
        llm.add(tokens(), 10)
        world.tick()
    ledger = world.end()
    work = rows(ledger, "work")
    assert all(a["t1_s"] <= b["t0_s"] for a, b in itertools.pairwise(work))
    assert sum(r["amount"] for r in work) == 190.0
    assert any("set back by 3600.000 s" in said for said in world.said)


def test_after_a_clock_was_set_back_a_new_start_goes_on_from_the_last_look(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(8):
        if tick == 4:
            world.clock.set(-3600.0)
            world.crash()
        llm.add(tokens(), 10)
        world.tick()
    work = rows(world.end(), "work")
    assert all(a["t1_s"] <= b["t0_s"] for a, b in itertools.pairwise(work))
    assert sum(r["amount"] for r in work) == 70.0
    assert work[-1]["t1_s"] == START_S + 80.0


def test_a_restart_of_a_server_is_still_seen_while_the_clock_is_behind(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    llm.add(tokens(), 50)
    world.tick()
    world.clock.set(-3600.0)
    world.tick()
    llm.restart(world.clock.wall + 5.0)
    llm.add(tokens(), 60)
    world.tick()
    assert total(world.end(), "work", "amount") == 60.0


def test_a_clock_that_is_set_ahead_is_a_gap(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(10):
        if tick == 5:
            world.clock.set(1800.0)
        llm.add(tokens(), 10)
        world.tick()
    ledger = world.end()
    work = rows(ledger, "work")
    assert max(r["t1_s"] - r["t0_s"] for r in work) == pytest.approx(10.0)
    assert sum(r["amount"] for r in work) == 90.0
    gaps = _gaps(ledger, "clock")
    assert {g["quantity"] for g in gaps} == {"energy", "work"}
    assert {round(g["t1_s"] - g["t0_s"]) for g in gaps} == {1800}
    assert "set ahead by 1800.000 s" in gaps[0]["reason"]


def test_a_machine_that_slept_is_a_gap_whose_tokens_are_kept(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    llm.add(tokens(), 5)
    world.tick()
    llm.add(tokens(), 1)
    world.tick(3600.0)
    ledger = world.end()
    assert total(ledger, "work", "amount") == 1.0
    assert "did not run" in _gaps(ledger)[0]["reason"]


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    llm, gpu = Counters(), Counters()
    world = World(tmp_path, LLM_AND_GPU, llm=llm, gpu=gpu)
    full = []

    def write(file, data, at):
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(file, data, at)

    original = segment._write_all
    monkeypatch.setattr(segment, "_write_all", write)
    for tick in range(30):
        full[:] = [1] if 7 <= tick < 15 else []
        llm.add(tokens(), 10)
        gpu.add(joules(), 2000)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount") == 290.0
    assert total(ledger, "energy", "energy_j") == 58.0
    assert len([s for s in world.said if "No space" in s]) == 1
    assert "the ledger can be written again" in world.said
    assert world.agent.counts.failed_records == 8


def test_a_target_that_flaps_floods_neither_ledger_nor_terminal(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    for tick in range(200):
        llm.down = "flapping" if tick % 2 else ""
        llm.add(tokens(), 1)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount") == 198.0
    assert world.said == []
    assert len(rows(ledger, "coverage")) <= 40


def test_standby_power_is_told_apart_and_the_sum_is_kept(tmp_path):
    gpu = Counters()
    text = LLM.replace("llm:", "gpu:", 1) + "idle: {box/gpu: 60 W}\n"
    world = World(tmp_path, text, gpu=gpu)
    for used_mj in (0, 1_000_000, 400_000):
        gpu.add(joules(), used_mj)
        world.tick()
    ledger = world.end()
    assert total(ledger, "energy", "energy_j", state="idle") == 600.0 + 400.0
    assert total(ledger, "energy", "energy_j", state="active") == 400.0


def test_cards_of_one_node_are_one_row(tmp_path):
    gpu = Counters()
    world = World(tmp_path, LLM.replace("llm:", "gpu:", 1), gpu=gpu)
    for _ in range(2):
        for card in "01234567":
            gpu.add(joules(card), 1000)
        world.tick()
    (row,) = rows(world.end(), "energy")
    assert row["energy_j"] == 8.0


def test_histograms_keep_their_counts_and_their_sum(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    name = 'vllm:time_to_first_token_seconds_{}{{model_name="m"{}}}'
    for count in (0, 3, 7):
        for edge, share in (("0.1", 0), ("0.5", 1), ("+Inf", 2)):
            llm.values[name.format("bucket", f',le="{edge}"')] = share * count
        llm.values[name.format("count", "")] = 2 * count
        llm.values[name.format("sum", "")] = 0.7 * count
        world.tick()
    ledger = world.end()
    assert total(ledger, "latency", "count", le_s=0.5) == 7.0
    assert total(ledger, "latency", "count") == 14.0
    assert total(ledger, "latency", "sum_s") == pytest.approx(4.9)


def test_a_second_agent_of_one_ledger_is_refused(tmp_path):
    world = World(tmp_path, LLM, llm=Counters())
    with pytest.raises(LedgerError, match="only writer"):
        world.start()
    world.end()


def test_services_may_be_added_to_a_ledger_that_exists(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    world.tick()
    world.end()
    more = LLM.replace("chat:", "code: {kind: ai, profile: code-completion, model: c}\n  chat:")
    again = World(tmp_path, more, llm=llm)
    llm.add(tokens(model="c"), 4)
    again.tick()
    llm.add(tokens(model="c"), 4)
    again.tick()
    ledger = again.end()
    assert set(ledger.meta.services) == {"chat", "code", "unassigned"}
    assert total(ledger, "work", "amount", service="code") == 4.0


def test_the_agent_looks_at_multiples_of_the_interval(tmp_path):
    world = World(tmp_path, LLM, llm=Counters())
    world.clock.go(3.0)
    assert world.agent.next_edge_s() == START_S + 10.0
    world.clock.go(7.0)
    assert world.agent.next_edge_s() == START_S + 20.0
    world.end()


def test_a_failing_target_is_asked_ever_more_rarely_up_to_a_bound(tmp_path):
    llm = Counters()
    llm.down = "no"
    world = World(tmp_path, LLM, llm=llm)
    for _ in range(360):
        world.tick()
    assert 12 <= world.agent.counts.failed_looks <= 25
    world.end()


def _file(path, raw, age_s=100.0):
    path.write_bytes(raw)
    os.utime(path, (time.time() - age_s,) * 2)


def _later(raw):
    """The same measurements of the period after."""
    return raw.replace(b"00:15:00", b"00:30:00")


PM = """
interval: 10 s
targets:
  ran: {files: pm/*.xml, tier: ran}
"""


def test_files_are_read_once_late_or_not(tmp_path):
    folder = tmp_path / "pm"
    folder.mkdir()
    node = NODE.read_bytes()
    _file(folder / "b.xml", _later(node))
    world = World(tmp_path, PM)
    for _ in range(3):
        world.tick()
        world.crash()
    _file(folder / "a.xml", node)  # late
    _file(folder / "copy.xml", node)
    _file(folder / "again.xml", node.replace(b"<measData>", b"<measData >"))
    for _ in range(3):
        world.tick()
    ledger = world.end()
    assert node != _later(node)
    assert total(ledger, "energy", "energy_j") == 2 * 61.0 * 3600.0
    assert total(ledger, "work", "amount", kind="bit_dl") == 2 * 80e6
    assert {r["tier"] for r in rows(ledger, "work")} == {"ran"}
    covered = [r for r in rows(ledger, "coverage") if r["status"] == "ok"]
    assert {(r["t1_s"] - r["t0_s"]) % 900.0 for r in covered} == {0.0}
    assert any("suspect" in r["reason"] for r in rows(ledger, "coverage") if r["reason"])


def test_a_file_that_cannot_be_read_is_told_once(tmp_path):
    folder = tmp_path / "pm"
    folder.mkdir()
    _file(folder / "a.xml", b"<html>no</html>")
    world = World(tmp_path, PM)
    for _ in range(4):
        world.tick()
    world.end()
    assert len([said for said in world.said if "a.xml" in said]) == 1
