"""Energy inside of other energy, and tenants inside of a total: nothing twice, nothing lost."""

from __future__ import annotations

import pytest

from metering import START_S, Counters, World, joules, rows, tokens, total
from tree6g.errors import MeterError

WALL = """
interval: 10 s
targets:
  wall: {url: "http://wall/", node: box, component: host, contains: [gpus]}
  gpus: {url: "http://gpus/", node: box}
"""
FRONT = """
interval: 10 s
services:
  a: {kind: ai, profile: assistant, tenant: alice}
  b: {kind: ai, profile: code-completion, tenant: bob}
targets:
  llm: {url: "http://llm/", node: box}
  front: {url: "http://front/", node: box, tenants_of: llm}
"""


def _wall(tmp_path, text=WALL):
    wall, gpus = Counters(), Counters()
    wall.add(joules("w"), 0)
    gpus.add(joules("g"), 0)
    return World(tmp_path, text, wall=wall, gpus=gpus), wall, gpus


def test_the_outer_meter_gives_what_is_left_of_it(tmp_path):
    world, wall, gpus = _wall(tmp_path)
    for _ in range(4):
        world.tick()
        wall.add(joules("w"), 9000)
        gpus.add(joules("g"), 4000)
    ledger = world.end()
    assert total(ledger, "energy", "energy_j", source="wall", component="host") == 15.0
    assert total(ledger, "energy", "energy_j", source="gpus", component="gpu") == 12.0


def test_what_clocks_make_negative_is_carried_on(tmp_path):
    world, wall, gpus = _wall(tmp_path)
    for outer, inner in ((0, 0), (3, 4), (6, 4), (9, 4), (0, 4), (6, 0)):
        wall.add(joules("w"), 1000 * outer)
        gpus.add(joules("g"), 1000 * inner)
        world.tick()
    ledger = world.end()
    assert total(ledger, "energy", "energy_j") == pytest.approx(24.0)
    assert all(r["energy_j"] >= 0.0 for r in rows(ledger, "energy"))


@pytest.mark.parametrize("down", [3, 40])
@pytest.mark.parametrize("crash", [False, True])
def test_no_joule_is_counted_twice_while_the_inner_meter_is_away(tmp_path, down, crash):
    world, wall, gpus = _wall(tmp_path)
    for tick in range(140 if down == 40 else 40):
        gpus.down = "away" if 5 <= tick < 5 + down else ""
        wall.add(joules("w"), 9000)
        gpus.add(joules("g"), 4000)
        world.tick()
        if crash and tick % 7 == 0:
            world.crash()
    ledger = world.end()
    last = max(r["t1_s"] for r in rows(ledger, "energy") if r["source"] == "wall")
    looks = (last - START_S) / 10.0 - 1.0
    assert total(ledger, "energy", "energy_j") == pytest.approx(9.0 * looks)
    reasons = {r["reason"] for r in rows(ledger, "coverage") if r["status"] == "gap"}
    assert any("in that of 'wall'" in text for text in reasons if text) == (down == 40)


def test_an_outer_meter_that_is_away_is_settled_over_the_whole_time(tmp_path):
    world, wall, gpus = _wall(tmp_path)
    for tick in range(60):
        wall.down = "away" if 5 <= tick < 15 else ""
        wall.add(joules("w"), 9000)
        gpus.add(joules("g"), 4000)
        world.tick()
    ledger = world.end()
    assert total(ledger, "energy", "energy_j") == pytest.approx(9.0 * 59)


def test_meters_may_be_inside_of_one_another(tmp_path):
    text = """
interval: 10 s
targets:
  rack: {url: "http://rack/", node: rack, component: power_supply, contains: [wall]}
  wall: {url: "http://wall/", node: box, component: host, contains: [gpus]}
  gpus: {url: "http://gpus/", node: box}
"""
    meters = {name: Counters() for name in ("rack", "wall", "gpus")}
    world = World(tmp_path, text, **meters)
    for tick in range(30):
        for at, (name, meter) in enumerate(meters.items()):
            meter.add(joules(name), 1000 * (9 - 3 * at))
        meters["gpus"].down = "away" if 10 <= tick < 13 else ""
        world.tick()
    ledger = world.end()
    for source in meters:
        assert total(ledger, "energy", "energy_j", source=source) == pytest.approx(3.0 * 29)


def _front(tmp_path):
    llm, front = Counters(), Counters()
    for tenant in ("alice", "bob", "eve"):
        front.add(tokens(tenant=tenant), 0)
    llm.add(tokens(), 0)
    return World(tmp_path, FRONT, llm=llm, front=front), llm, front


def test_tenants_are_told_apart_and_the_total_stays(tmp_path):
    world, llm, front = _front(tmp_path)
    for tick in range(20):
        llm.add(tokens(), 10 if tick < 12 else 0)  # as they are made
        if tick % 4 == 3 and tick < 12:  # when requests end
            front.add(tokens(tenant="alice"), 25)
            front.add(tokens(tenant="bob"), 10)
        world.tick()
    ledger = world.end()
    made = {s: total(ledger, "work", "amount", service=s) for s in ("a", "b", "unassigned")}
    # What was made before the first look is nobody's to tell: 10 tokens of the total.
    assert made == {"a": 75.0, "b": 30.0, "unassigned": 5.0}
    assert {r["source"] for r in rows(ledger, "work")} == {"llm"}


def test_the_rest_is_never_negative_whatever_a_front_claims(tmp_path):
    world, llm, front = _front(tmp_path)
    for _ in range(10):
        llm.add(tokens(), 10)
        front.add(tokens(tenant="alice"), 30)
        world.tick()
    ledger = world.end()
    assert total(ledger, "work", "amount", service="a") == 90.0
    assert total(ledger, "work", "amount") == 90.0


def test_tokens_that_nobody_claims_are_unassigned_after_a_while(tmp_path):
    world, llm, _ = _front(tmp_path)
    for _ in range(45):
        llm.add(tokens(), 10)
        world.tick()
    world.agent.flush()
    assert total(world.agent.journal, "work", "amount", service="unassigned") == 140.0
    assert total(world.end(), "work", "amount", service="unassigned") == 440.0


def test_tenants_survive_crashes(tmp_path):
    world, llm, front = _front(tmp_path)
    world.tick()
    for tick in range(30):
        llm.add(tokens(), 10)
        if tick % 5 == 4:
            front.add(tokens(tenant="alice"), 50)
        world.tick()
        if tick % 3 == 0:
            world.crash()
    ledger = world.end()
    assert total(ledger, "work", "amount", service="a") == 300.0
    assert total(ledger, "work", "amount") == 300.0


def test_cached_tokens_of_a_front_that_does_not_tell_them_are_shared_out(tmp_path):
    world, llm, front = _front(tmp_path)
    llm.add(tokens("prompt"), 0)
    llm.add(tokens("prompt_tokens_cached").replace("_tokens_total", "_total"), 0)
    front.add(tokens("prompt", tenant="alice"), 0)
    world.tick()
    llm.add(tokens("prompt"), 100)
    llm.add(tokens("prompt_tokens_cached").replace("_tokens_total", "_total"), 80)
    front.add(tokens("prompt", tenant="alice"), 50)
    world.tick()
    ledger = world.end()
    mine = {r["kind"]: r["amount"] for r in rows(ledger, "work") if r["service"] == "a"}
    assert mine == {"token_in": 10.0, "token_in_cached": 40.0}
    assert {r["origin"] for r in rows(ledger, "work") if r["service"] == "a"} == {"estimated"}
    assert total(ledger, "work", "amount") == 100.0


def test_a_front_that_says_that_none_were_cached_does_tell_them(tmp_path):
    world, llm, front = _front(tmp_path)
    cached = tokens("prompt_tokens_cached").replace("_tokens_total", "_total")
    llm.add(tokens("prompt"), 0)
    llm.add(cached, 0)
    world.tick()
    llm.add(tokens("prompt"), 180)  # 100 of bob, and 80 of alice, who is not through yet
    llm.add(cached, 30)  # of alice
    front.add(tokens("prompt", tenant="bob"), 100)
    front.add(tokens("prompt_tokens_cached", tenant="bob").replace("_tokens_total", "_total"), 0)
    world.tick()
    ledger = world.end()
    mine = {r["kind"]: r["amount"] for r in rows(ledger, "work") if r["service"] == "b"}
    assert mine == {"token_in": 100.0}
    assert {r["origin"] for r in rows(ledger, "work")} == {"measured"}


def _clash(tmp_path, targets, **sources):
    text = "interval: 10 s\ntargets:\n" + "".join(f"  {line}\n" for line in targets)
    world = World(tmp_path, text, **sources)
    with pytest.raises(MeterError) as told:
        world.agent.check()
    world.tick()
    ledger = world.end()
    del ledger
    return str(told.value), world.said


def test_two_meters_of_one_component_are_refused_with_words_that_help(tmp_path):
    one, two = Counters(), Counters()
    one.add(joules("a"), 1)
    two.add(joules("b"), 1)
    text, said = _clash(
        tmp_path,
        ['x: {url: "http://x/", node: box}', 'y: {url: "http://y/", node: box}'],
        x=one, y=two,
    )  # fmt: skip
    assert "both give energy of gpu on node 'box'" in text
    assert "`component`" in text
    assert any("left out" in words for words in said)


def test_a_meter_of_a_host_says_what_it_contains(tmp_path):
    one, two = Counters(), Counters()
    one.add(joules("a"), 1)
    two.add(joules("b"), 1)
    targets = ['x: {url: "http://x/", node: box, component: host}', 'y: {url: "h://y/", node: box}']
    targets[1] = targets[1].replace("h://", "http://")
    text, _ = _clash(tmp_path, targets, x=one, y=two)
    assert "`contains: [y]` in 'x'" in text


def test_two_counts_of_the_same_tokens_are_refused_with_words_that_help(tmp_path):
    one, two = Counters(), Counters()
    one.add(tokens(), 1)
    two.add(tokens(model=""), 1)
    text, _ = _clash(
        tmp_path,
        ['x: {url: "http://x/", node: box}', 'y: {url: "http://y/", node: box}'],
        x=one, y=two,
    )  # fmt: skip
    assert "`tenants_of: x`" in text
    assert "`beside: [x]`" in text


def test_two_servers_of_one_model_may_stand_beside_each_other(tmp_path):
    one, two = Counters(), Counters()
    text = """
interval: 10 s
targets:
  x: {url: "http://x/", node: box}
  y: {url: "http://y/", node: box, beside: [x]}
"""
    world = World(tmp_path, text, x=one, y=two)
    for _ in range(3):
        one.add(tokens(), 1)
        two.add(tokens(), 10)
        world.tick()
    world.agent.check()
    assert total(world.end(), "work", "amount") == 22.0


HELD = """
interval: 10 s
idle: {box/gpu: 30 W}
services:
  batch: {kind: internal, tenant: "prod/batch-*"}
  chat: {kind: ai, profile: assistant, model: m}
targets:
  gpus: {url: "http://gpus/", node: box}
"""


def _card(number, pod=""):
    whose = f',namespace="prod",pod="{pod}",container="c"' if pod else ""
    return f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="{number}",UUID="GPU-{number}"{whose}}}'


def test_a_card_that_a_pod_holds_is_of_the_service_that_names_it(tmp_path):
    gpus = Counters()
    cards = _card(0, "batch-7"), _card(1, "vllm-0"), _card(2)
    for card in cards:
        gpus.add(card, 0)
    world = World(tmp_path, HELD, gpus=gpus)
    world.tick()
    for card, energy_j in zip(cards, (600, 300, 300), strict=True):
        gpus.add(card, 1000 * energy_j)
    world.tick()
    found = {(r["service"], r["state"]): r["energy_j"] for r in rows(world.end(), "energy")}
    assert found == pytest.approx(
        {
            ("batch", "idle"): 150,
            ("batch", "active"): 450,
            (None, "idle"): 150,
            (None, "active"): 450,
        }
    )
