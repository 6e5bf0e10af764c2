"""The agent under configs that change, servers that lie, and targets that would stop all others."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from metering import START_S, Counters, World, joules, rows, tokens, total
from tree6g.errors import MeterError
from tree6g.meter.agent.blame import at_fault
from tree6g.meter.agent.config import load_text
from tree6g.meter.agent.http import Connection
from tree6g.meter.agent.pieces import Blocks
from tree6g.meter.agent.poll import Poller
from tree6g.meter.agent.rows import Services, Tick
from tree6g.meter.agent.targets import source_of
from tree6g.meter.reading import Found

NODE = Path(__file__).parents[1] / "fixtures" / "meter" / "node.xml"
LLM = """
interval: 10 s
flush: 60 s
targets:
  llm: {url: "http://llm/metrics", node: box}
"""
GPU = "interval: 10 s\nflush: 60 s\ntargets:\n  gpu: {url: 'http://gpu/metrics', node: box}\n"


def _again(world, text, **sources):
    """Close the agent and start another with another config into the same ledger."""
    world.agent.close()
    folder = world.config.ledger.parent
    world.config = load_text(f"ledger: {world.config.ledger}\n{text}", folder=folder)
    world.sources = sources
    world.start()


def _give(world, **sources):
    """Sources of the test, and those that the config names for all other targets."""
    found = {t.name: sources.get(t.name) or source_of(t) for t in world.config.targets}
    world.agent._sources.clear()
    world.agent._sources.update(found)
    world.agent._poller._sources = world.agent._sources


def test_a_target_that_is_another_server_now_is_not_held_against_the_old_one(tmp_path):
    old, new = Counters(), Counters()
    old.add(tokens(), 100)
    new.add(tokens(), 90_000)
    world = World(tmp_path, LLM, llm=old)
    world.tick()
    world.tick()
    _again(world, LLM.replace("http://llm/", "http://other/"), llm=new)
    world.tick()
    new.add(tokens(), 5)
    world.tick()
    assert total(world.end(), "work", "amount") == 5.0


def test_servers_that_take_turns_behind_one_address_are_told_apart_by_their_starts(tmp_path):
    one, two = Counters(START_S - 500.0), Counters(START_S - 100.0)
    one.add(tokens(), 1000)
    two.add(tokens(), 50)
    world = World(tmp_path, LLM, llm=one)
    for turn in range(6):
        world.agent._sources["llm"] = (one, two)[turn % 2]
        world.agent._poller._sources["llm"] = (one, two)[turn % 2]
        world.tick()
    ledger = world.end()
    assert rows(ledger, "work") == []
    assert any("another" in (r["reason"] or "") for r in rows(ledger, "coverage"))


def test_a_target_that_joins_after_a_restart_does_not_count_the_same_again(tmp_path):
    gpu = Counters()
    world = World(tmp_path, GPU, gpu=gpu)
    gpu.add(joules(), 1000)
    world.tick()
    world.tick()
    both = GPU + "  twin: {url: 'http://twin/metrics', node: box}\n"
    _again(world, both, gpu=gpu, twin=gpu)
    for _ in range(4):
        gpu.add(joules(), 1000)
        world.tick()
    ledger = world.end()
    assert total(ledger, "energy", "energy_j") == 4.0
    assert any("'twin' is left out" in text for text in world.said)


def test_the_same_for_tokens(tmp_path):
    llm = Counters()
    world = World(tmp_path, LLM, llm=llm)
    llm.add(tokens(), 10)
    world.tick()
    world.tick()
    _again(world, LLM + "  twin: {url: 'http://twin/metrics', node: box}\n", llm=llm, twin=llm)
    for _ in range(4):
        llm.add(tokens(), 10)
        world.tick()
    assert total(world.end(), "work", "amount") == 40.0


def test_files_of_a_target_under_another_name_do_not_stop_the_others(tmp_path):
    folder = tmp_path / "pm"
    folder.mkdir()
    shutil.copy(NODE, folder / "a.xml")
    ran = "  {name}: {{files: '" + str(folder) + "/*.xml', tier: ran}}\n"
    text, llm = LLM + ran.format(name="ran"), Counters()
    world = World(tmp_path, text, llm=llm)
    _give(world, llm=llm)
    for _ in range(3):
        world.tick()
    _again(world, LLM + ran.format(name="cells"), llm=llm)
    _give(world, llm=llm)
    for _ in range(4):
        llm.add(tokens(), 10)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount", kind="token_out") == 30.0
    assert any("a.xml is left out" in said for said in world.said)


@pytest.mark.parametrize("value", [1e308, 1e300, 1.7e308])
def test_a_target_that_says_absurd_numbers_does_not_stop_the_others(tmp_path, value):
    llm, mad = Counters(), Counters()
    text = LLM + "  mad: {url: 'http://mad/metrics', node: mad}\n"
    world = World(tmp_path, text, llm=llm, mad=mad)
    power = 'DCGM_FI_DEV_POWER_USAGE{{gpu="{}",UUID="GPU-{}"}}'
    for _ in range(4):
        llm.add(tokens(), 10)
        for gpu in range(3):
            mad.values[power.format(gpu, gpu)] = value
        for model in "abc":
            mad.add(tokens(tenant=model), value / 4)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount", node="box") == 30.0


def test_a_page_that_breaks_off_in_a_line_is_refused_unless_its_length_is_told(tmp_path):
    page = b'vllm:generation_tokens_total{model_name="m"} 12345\n'
    told = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\na 1"
    untold = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with _answering([untold + page, untold + page[:-4], untold + b'{"a": 1}', told]) as url:
        asked = Connection(url, timeout_s=5.0, max_byte=10_000, token=None)
        assert asked.get() == page
        with pytest.raises(MeterError, match="broke off"):
            asked.get()
        assert asked.get() == b'{"a": 1}'
        assert asked.get() == b"a 1"


@contextmanager
def _answering(answers):
    """A server that gives one answer per connection, and closes it."""

    def serve():
        for answer in answers:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/metrics"
        thread.join(5.0)


def test_measurements_of_a_year_to_come_are_left_out_and_do_not_make_all_others_too_late(tmp_path):
    folder = tmp_path / "pm"
    folder.mkdir()
    (folder / "a.xml").write_text(re.sub(r"20\d\d-(\d\d-\d\dT)", r"2140-\1", NODE.read_text()))
    text, gpu = GPU + f"  ran: {{files: '{folder}/*.xml', tier: ran}}\n", Counters()
    world = World(tmp_path, text, gpu=gpu)
    _give(world, gpu=gpu)
    for _ in range(3):
        world.tick()
    world.agent.close()
    world.start()
    _give(world, gpu=gpu)
    for _ in range(4):
        gpu.add(joules(), 1000)
        world.tick()
    ledger = world.end()
    assert total(ledger, "energy", "energy_j", component="gpu") == 3.0
    assert max(r["t1_s"] for r in rows(ledger, "coverage")) < START_S + 1e6
    assert any("ahead of the clock" in text for text in world.said)


def test_of_two_that_clash_the_later_one_is_to_blame_and_all_others_are_not():
    def refusal(some):
        names = {name for columns in some.values() for name in columns["source"]}
        return "they clash" if {"c", "f"} <= names or "h" in names else ""

    rows = {"energy": {"source": list("abcab")}, "work": {"source": list("defgh")}}
    assert at_fault(rows, refusal) == {"f": "they clash", "h": "they clash"}
    assert at_fault({"entity": {"node": ["box"]}}, refusal) == {}


def test_carriers_of_one_node_add_up(tmp_path):
    config = load_text(f"ledger: {tmp_path / 'ledger'}\n{LLM}", folder=tmp_path)
    tick = Tick(config, Services(config))
    tick.blocks([Blocks(0.0, 10.0, "site", "dl", 2.0, 10.0)], "llm")
    tick.blocks([Blocks(0.0, 10.0, "site", "dl", 3.0, 10.0)], "llm")
    columns = tick.columns()["prb"]
    assert (columns["used_s"], columns["available_s"]) == ([5.0], [20.0])


def test_claims_of_a_model_wait_for_that_model_and_take_no_other_ones_tokens(tmp_path):
    text = """
interval: 10 s
services:
  a: {kind: ai, profile: assistant, tenant: alice}
  b: {kind: ai, profile: assistant, tenant: bob}
targets:
  llm: {url: "http://llm/metrics", node: box}
  front: {url: "http://front/metrics", node: box, tenants_of: llm}
"""
    llm, front = Counters(), Counters()
    world = World(tmp_path, text, llm=llm, front=front)
    used = "tree6g_proxy_tokens_total"
    front.values["tree6g_proxy_start_seconds"] = START_S - 100.0
    for tick in range(8):
        if tick == 0:
            for model in ("m1", "m2"):
                llm.add(tokens(model=model), 1)
                front.add(f'{used}{{tenant="alice",model="{model}",kind="token_out"}}', 1)
                front.add(f'{used}{{tenant="bob",model="{model}",kind="token_out"}}', 1)
        if tick == 2:
            llm.add(tokens(model="m1"), 50)
            front.add(f'{used}{{tenant="bob",model="m2",kind="token_out"}}', 30)
        if tick == 3:
            llm.add(tokens(model="m2"), 30)
            front.add(f'{used}{{tenant="alice",model="m1",kind="token_out"}}', 50)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount", service="a", model="m1") == 50.0
    assert total(ledger, "work", "amount", service="b", model="m2") == 30.0


def test_many_that_hang_are_asked_after_those_that_answer():
    asked = []

    class Slow:
        def __init__(self, name, *, hangs):
            self.name, self.hangs = name, hangs

        def look(self):
            asked.append(self.name)
            if self.hangs:
                time.sleep(0.05)
                raise MeterError("too late")
            return Found(format="x")

        def close(self):
            pass

    bad = {f"a{i}": Slow(f"a{i}", hangs=True) for i in range(20)}
    sources = {**bad, "good": Slow("good", hangs=False)}
    poller = Poller(sources, dict.fromkeys(sources, 1.0), time.time)
    try:
        poller.poll(sources)
        asked.clear()
        assert poller.poll(sources)["good"].found is not None
    finally:
        poller.close()
    assert asked[0] == "good"


def test_a_meter_that_holds_others_again_does_not_reach_back_to_when_it_last_did(tmp_path):
    whole, gpus = Counters(), Counters()
    apart = """
interval: 10 s
targets:
  whole: {url: "http://power/metrics", node: box, component: host, contains: []}
  gpus: {url: "http://gpus/metrics", node: box}
"""
    inside = apart.replace("[]", "[gpus]")
    world = World(tmp_path, inside, whole=whole, gpus=gpus)
    for text in (inside, apart, inside):
        if text != inside or world.agent.counts.ticks:
            _again(world, text, whole=whole, gpus=gpus)
        for _ in range(5):
            whole.add(joules("all"), 3000)
            gpus.add(joules("0"), 1000)
            world.tick()
    mine = [r for r in rows(world.end(), "energy") if r["source"] == "whole"]
    assert max(r["t1_s"] - r["t0_s"] for r in mine) <= 10.0
    assert sum(r["t1_s"] - r["t0_s"] for r in mine) <= 140.0
