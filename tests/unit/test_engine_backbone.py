"""Runs over a transport network: waits, joules and bits of every link on a path."""

from __future__ import annotations

import math

import pytest

from engine_worlds import CLOUD, three_tiers
from tree6g.engine.build import build
from tree6g.engine.paths import passing_s
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load
from tree6g.transport.topology import FIBRE_M_PER_S

PATH = {
    "energy": "5 nJ/bit",
    "idle_power": "3 W",
    "hop_latency": "1 ms",
    "places": {"a": "west", "*": "hub", "cloud": "core"},
    "edges": [
        {"name": "west-hub", "a": "west", "b": "hub", "rate": "1 Gbit/s", "length": "200 km"},
        {"name": "core-hub", "a": "core", "b": "hub", "rate": "10 Gbit/s", "length": "300 km"},
        {"name": "west-far", "a": "west", "b": "far", "rate": "1 Gbit/s", "length": "1 km"},
    ],
}
HOP_S = (1e-3 + 2e5 / FIBRE_M_PER_S, 1e-3 + 3e5 / FIBRE_M_PER_S)


def _net(**changes):
    plain = three_tiers(policy="cloud-only", boundary="full", duration="20 s", drain="20 s")
    del plain["links"]
    plain["topology"] = PATH | changes
    return plain


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run(_net(), out=tmp_path_factory.mktemp("run"))


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def test_a_run_over_a_topology_conserves_every_joule(done):
    found = check(done.ledger)
    assert not found.problems
    assert done.requests.served > 0


def test_each_link_on_a_path_is_a_node_of_tier_transport(done):
    rows = _rows(done, "select distinct node, tier, component from energy where component = 'link'")
    assert {(r["node"], r["tier"]) for r in rows} == {
        ("west-hub.link", "transport"),
        ("core-hub.link", "transport"),
    }
    rows = _rows(done, "select node, record from entity where what = 'link'")
    assert {(r["node"], r["record"]) for r in rows} == {
        ("west-hub.link", "west - hub"),
        ("core-hub.link", "core - hub"),
    }


def test_sites_share_the_links_of_their_paths_and_joules_follow_the_bits(done):
    sql = "select node, sum(amount) bit from work where kind = 'bit_carried' group by node"
    bit = {row["node"]: row["bit"] for row in _rows(done, sql)}
    sql = "select node, state, sum(energy_j) j from energy where component = 'link' group by all"
    joules = {(row["node"], row["state"]): row["j"] for row in _rows(done, sql)}
    assert bit["core-hub.link"] > bit["west-hub.link"] > 0.0
    for node, carried in bit.items():
        assert joules[node, "active"] == pytest.approx(5e-9 * carried)
        assert joules[node, "idle"] == pytest.approx(3.0 * 60.0)
    access = _rows(
        done,
        "select sum(amount) bit from work where kind in ('bit_ul', 'bit_dl')",
    )
    assert bit["core-hub.link"] == pytest.approx(access[0]["bit"], rel=0.02)


def test_latency_and_pace_of_paths_by_hand():
    world = build(load(_net()), {})
    link = next(host.link for host in world.hosts if host.tier == "cloud")
    near, far = 1e6 / 10e9, 1e6 / 1e9
    for kind in ("bit_ul", "bit_dl"):
        found = passing_s(world, link, [0, 1], [1e6, 1e6], kind)
        assert found[0] == pytest.approx(sum(HOP_S) + far)
        assert found[1] == pytest.approx(HOP_S[1] + near)
    assert world.backbone.energy_j_per_bit("cloud", 0) == pytest.approx(1e-8)


def test_what_a_step_carried_slows_down_the_next_in_its_direction_only():
    world = build(load(_net()), {})
    link = next(host.link for host in world.hosts if host.tier == "cloud")
    world.carry(0, "chat", 0.5e9 * world.step_s, link, kind="bit_dl", count=1e6)
    world.backbone.settle(world.step_s)
    down = passing_s(world, link, [0], [1e6], "bit_dl")[0]
    assert down == pytest.approx(sum(HOP_S) + 2.0 * 1e6 / 1e9)
    assert passing_s(world, link, [0], [1e6], "bit_ul")[0] == pytest.approx(sum(HOP_S) + 1e-3)
    world.backbone.settle(world.step_s)
    assert passing_s(world, link, [0], [1e6], "bit_dl")[0] == pytest.approx(sum(HOP_S) + 1e-3)


def test_a_link_that_stays_full_gets_slower_and_slower():
    world = build(load(_net()), {})
    link = next(host.link for host in world.hosts if host.tier == "cloud")
    waits = []
    for _ in range(3):
        world.carry(0, "chat", 2e9 * world.step_s, link, kind="bit_dl", count=1e4)
        world.backbone.settle(world.step_s)
        waits.append(passing_s(world, link, [0], [1e5], "bit_dl")[0])
    assert waits[0] < waits[1] < waits[2]
    assert all(math.isfinite(wait_s) for wait_s in waits)


def test_traffic_of_others_takes_time_and_no_joules(tmp_path):
    demands = [{"source": "core", "target": "west", "rate": "0.8 Gbit/s"}]
    quiet = run(_net(), out=tmp_path / "quiet")
    busy = run(_net(demands=demands, background=1.0), out=tmp_path / "busy")
    sql = "select avg(e2e_s) s from request where node = 'cloud.big'"
    assert _rows(busy, sql)[0]["s"] > _rows(quiet, sql)[0]["s"]
    sql = "select sum(energy_j) j from energy where component = 'link' and state = 'idle'"
    assert _rows(busy, sql) == _rows(quiet, sql)
    notes = " ".join(busy.ledger.meta.notes)
    assert "The transport link west-hub carried up to" in notes


def test_a_link_beside_the_topology_stays_as_it_is(tmp_path):
    plain = _net()
    plain["clouds"].append(CLOUD | {"name": "other"})
    plain["links"] = [{"to": "other", "latency": "50 ms"}]
    result = run(plain, out=tmp_path / "out")
    nodes = {r["node"] for r in _rows(result, "select node from entity where what = 'link'")}
    assert nodes == {"west-hub.link", "core-hub.link", "a-other.link", "b-other.link"}


def _carried(result):
    sql = "select node, sum(amount) bit from work where kind = 'bit_carried' group by node"
    return {row["node"]: row["bit"] for row in _rows(result, sql)}


def test_data_leaves_at_the_place_of_the_internet_and_tokens_at_their_cloud(tmp_path):
    places = {"a": "west", "*": "hub", "cloud": "core", "internet": "hub"}
    result = run(_net(places=places), out=tmp_path / "out")
    sql = (
        "select service, sum(amount) bit from work where kind in ('bit_ul', 'bit_dl') group by all"
    )
    access = {row["service"]: row["bit"] for row in _rows(result, sql)}
    carried = _carried(result)
    assert carried["core-hub.link"] == pytest.approx(access["chat"], rel=0.02)
    assert carried["west-hub.link"] > carried["core-hub.link"]


def test_data_leaves_at_the_place_of_the_internet_whatever_else_there_is(tmp_path):
    plain = _net(places={"a": "west", "*": "hub", "internet": "core"}) | {"policy": "edge-only"}
    beside = {"links": [{"to": "cloud"}]}
    runs = {"alone": plain | {"clouds": []}, "beside": plain | beside}
    carried = [_carried(run(each, out=tmp_path / name)) for name, each in runs.items()]
    assert {n: b for n, b in carried[1].items() if "cloud" not in n} == carried[0]
    assert carried[0]["core-hub.link"] > carried[0]["west-hub.link"] > 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"places": {"a": "west", "cloud": "core"}}, "expected the node of site 'b', or of '*'"),
        ({"places": {"*": "wets", "cloud": "core"}}, "got 'wets'. Did you mean 'west'?"),
        ({"places": {"*": "hub", "cluod": "core"}}, "expected a link to 'cloud'; got none"),
        (
            {"places": {"*": "hub", "cloud": "core", "internet": "x"}},
            "a node of the topology; got 'x'",
        ),
        ({"edges": []}, "expected a 'file', or links under 'edges'; got neither"),
        ({"edges": [PATH["edges"][0], PATH["edges"][0]]}, "expected a name of its own"),
        ({"edges": PATH["edges"][1:]}, "expected a path from 'west' to 'core'; got none"),
        (
            {
                "demands": [{"source": "core", "target": "west", "rate": "2 Gbit/s"}],
                "background": 1.0,
            },
            "expected traffic of others below the capacity of every link; got 2 of it",
        ),
        ({"demands": [{"source": "x", "target": "west", "rate": 0}]}, "expected demands between"),
    ],
)
def test_what_does_not_go_together_is_said(change, said):
    with pytest.raises(ScenarioError) as caught:
        load(_net(**change))
    assert said in str(caught.value)


def test_a_cloud_at_a_node_has_no_link_of_its_own():
    with pytest.raises(ScenarioError, match="among the places of 'topology'"):
        load(_net() | {"links": [{"to": "cloud"}]})


@pytest.mark.parametrize("kind", ["sites", "clouds"])
def test_no_place_of_the_network_may_be_called_internet(kind):
    plain = _net()
    plain[kind] = [plain[kind][0] | {"name": "internet"}, *plain[kind][1:]]
    plain["topology"]["places"] = {"*": "hub", "cloud": "core", "internet": "core"}
    with pytest.raises(ScenarioError, match="expected another name than 'internet'"):
        load(plain)
