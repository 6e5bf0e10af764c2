"""Reading transport networks from SNDlib-like JSON."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_worlds import three_tiers
from tree6g.errors import ScenarioError
from tree6g.scenario.load import config_hash, dump, load
from tree6g.scenario.topology_file import read_topology

NETWORK = {
    "name": "three",
    "nodes": [
        {"id": "west", "lon": 0.0, "lat": 0.0},
        {"id": "hub", "lon": 1.0, "lat": 0.0},
        {"id": "core", "lon": 1.0, "lat": 1.0},
    ],
    "links": [
        {"src": "west", "dst": "hub", "pre_cap": 100.0, "modules": [[10.0, 1.0], [40.0, 3.0]]},
        {"id": "up", "src": "hub", "dst": "core", "modules": [[40.0, 2.0]], "length_m": 5e4},
    ],
    "demands": [{"src": "core", "dst": "west", "value": 2.5}],
}
SAID = {
    "file": "three.json",
    "unit": "1 Gbit/s",
    "energy": "5 nJ/bit",
    "idle_power": "3 W",
    "places": {"*": "west", "cloud": "core"},
}


def _file(folder, **changes):
    path = folder / "three.json"
    path.write_text(json.dumps(NETWORK | changes), "utf-8")
    return path


def _scenario(**changes):
    plain = three_tiers()
    del plain["links"]
    return plain | {"topology": {k: v for k, v in (SAID | changes).items() if v is not None}}


def test_a_file_is_read_as_it_stands(tmp_path):
    found = read_topology(_file(tmp_path))
    assert found.name == "three"
    assert list(found.nodes) == ["west", "hub", "core"]
    first, second = found.links
    assert (first.name, first.installed, first.modules) == ("west_hub", 100.0, (10.0, 40.0))
    assert first.length_m == pytest.approx(111.2e3, rel=1e-3)
    assert (second.name, second.installed, second.length_m) == ("up", 0.0, 5e4)
    assert found.demands == (("core", "west", 2.5),)


def test_a_scenario_takes_the_file_in_and_runs_again_without_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = _file(tmp_path)
    found = load(_scenario())
    assert [edge.rate_bps for edge in found.topology.edges] == [10e9, 40e9]
    assert found.topology.demands[0].rate_bps == 2.5e9
    plain = dump(found)
    path.unlink()
    assert load(plain) == found
    assert config_hash(load(plain)) == config_hash(found)


def test_every_fault_of_a_file_is_said_at_once(tmp_path):
    nodes = [*NETWORK["nodes"], {"id": "hub"}, {"lon": 1.0}, {"id": "off", "lon": 200, "lat": "x"}]
    links = [
        {"src": "west", "dst": "nowhere"},
        {"src": "hub", "dst": "hub"},
        {"src": "hub", "dst": "core", "modules": [40.0], "pre_cap": -1, "length_m": True},
        "west-core",
    ]
    demands = [{"src": "core", "dst": "west", "value": "much"}]
    with pytest.raises(ScenarioError) as caught:
        read_topology(_file(tmp_path, nodes=nodes, links=links, demands=demands))
    problems = caught.value.problems
    assert problems == (
        'nodes[3].id: expected a text that no other node has; got "hub".',
        "nodes[4].id: expected a text that no other node has; got nothing.",
        'nodes[5]: expected lon and lat in degrees; got 200 and "x".',
        'links[0].dst: expected the id of a node; got "nowhere".',
        'links[1]: expected two nodes; got "hub" at both ends.',
        "links[2].length_m: expected a number from 0; got true.",
        "links[2].pre_cap: expected a number from 0; got -1.",
        "links[2].modules: expected pairs of capacity and cost; got 1 items.",
        'links[3]: expected an object; got "west-core".',
        'demands[0].value: expected a number from 0; got "much".',
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-5, 5) | st.sampled_from(["west", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "src", "dst", "value", "modules"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(["nodes", "links", "demands"]),
    row=JSON,
    key=st.sampled_from(["id", "src", "dst", "value", "lon", "modules", "pre_cap", "length_m"]),
)
def test_any_json_is_read_or_refused(tmp_path, part, row, key):
    changed = copy.deepcopy(NETWORK)
    changed[part][0][key] = row
    changed[part].append(row)
    for plain in (changed, changed | {part: row}):
        path = tmp_path / "any.json"
        path.write_text(json.dumps(plain), "utf-8")
        with contextlib.suppress(ScenarioError):
            assert read_topology(path).links


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "expected a topology in JSON"),
        ("[]", "expected an object with 'nodes' and 'links'"),
        ('{"nodes": []}', "nodes: expected a list of 1 to"),
    ],
)
def test_what_is_no_topology_is_refused(tmp_path, text, said):
    path = tmp_path / "net.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=said):
        read_topology(path)
    with pytest.raises(ScenarioError, match="expected a topology in JSON"):
        read_topology(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": None}, "topology.unit: expected what 1 stands for in the file's capacities"),
        ({"unit": 1}, "topology.unit: expected a quantity such as '3.5 Mbit/s'; got 1 without"),
        ({"capacity": "installed"}, "of 2 links without (up). Try 'capacity: module'"),
        ({"file": "elsewhere.json"}, "topology.file: expected a topology in JSON"),
        ({"energy": None}, "expected a value for 'energy'"),
    ],
)
def test_what_a_scenario_must_say_of_a_file(tmp_path, monkeypatch, change, said):
    monkeypatch.chdir(tmp_path)
    _file(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load(_scenario(**change))
    assert said in str(caught.value)
