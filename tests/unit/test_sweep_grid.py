"""What varies in a sweep, and the keys of its runs."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from sweeping import CORNER
from tree6g.errors import LedgerError, ScenarioError
from tree6g.metric.figure import Query
from tree6g.scenario.load import load
from tree6g.sweep.grid import points, read_axes
from tree6g.sweep.parts import Memory, Parts, key_of


def key(*overrides, query=None, traces=None):
    return key_of(load(CORNER, overrides), query or Query(), traces or {})


def test_a_grid_is_every_combination_with_the_last_axis_fastest():
    axes = read_axes(["population.users=10,20", "services.assistant.weight=1,2,3"])
    listed = points(axes)
    assert [p.overrides for p in listed[:4]] == [
        ("population.users=10", "services.assistant.weight=1"),
        ("population.users=10", "services.assistant.weight=2"),
        ("population.users=10", "services.assistant.weight=3"),
        ("population.users=20", "services.assistant.weight=1"),
    ]
    assert len(listed) == 6


def test_a_grid_without_axes_is_the_scenario_as_it_is():
    (only,) = points(read_axes([]))
    assert only.overrides == ()
    assert only.label == "as it is"


def test_commas_inside_brackets_and_quotes_do_not_separate():
    (axis,) = read_axes(["x=[1, 2],{a: 1, b: 2},'u, v',w"])
    assert axis.values == ("[1, 2]", "{a: 1, b: 2}", "'u, v'", "w")


def test_values_may_come_as_plain_data():
    axes = read_axes({"population.users": [10, 20], "policy": ["nearest"], "x": [True, None]})
    assert [axis.values for axis in axes] == [("10", "20"), ("nearest",), ("true", "null")]


@pytest.mark.parametrize("text", ["population.users", "=1,2", "population.users=", "a=1,,2"])
def test_a_text_that_is_no_axis_is_refused(text):
    with pytest.raises(ScenarioError, match="expected --over PATH=V1,V2"):
        read_axes([text])


def test_all_faults_of_a_grid_are_told_at_once():
    with pytest.raises(ScenarioError) as caught:
        read_axes(["a=1,1", "a=2", "seed=1,2", "b"])
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for part in ("'1' twice", "'a' twice", "--seeds", "'b='"):
        assert part in told


@pytest.mark.parametrize(
    "override",
    [
        "seed=8", "population.users=201", "services.assistant.weight=2", "links.0.latency=13 ms",
        "policy=cloud-only", "title=another",
    ],
)  # fmt: skip
def test_changing_any_value_or_the_seed_changes_the_key(override):
    assert key(override) != key()


def test_neither_order_nor_spelling_changes_the_key():
    one, other = "population.users=50", "duration=10 min"
    assert key(one, other) == key(other, one)
    assert key("duration=600 s") == key("duration=10 min")
    assert key("population.users=200") == key()  # what it is anyway
    assert key(query=Query(weights={"a": 1.0, "b": 2.0})) == key(
        query=Query(weights={"b": 2.0, "a": 1.0})
    )


def test_the_key_knows_how_the_figure_is_taken_and_what_the_traces_hold():
    asked = [Query(boundary="full"), Query(rule="equal"), Query(idle="spread"), Query(t1_s=9.0)]
    asked += [Query(weights={"a": 2.0}), Query(alphas={"a": 2.0})]
    keys = [key(), *(key(query=query) for query in asked), key(traces={"*": "x.csv sha256 1"})]
    assert len(set(keys)) == len(keys)
    assert key(query=Query(threads=2)) == key()


def test_a_scenario_sent_to_a_worker_keeps_its_key():
    described = load(CORNER)
    assert key_of(pickle.loads(pickle.dumps(described)), Query(), {}) == key()


def test_a_part_comes_back_to_the_last_bit(tmp_path):
    row = {"key": "k", "energy_j": 0.1 + 0.2, "j_per_tok": None, "notes": "\u00fcber"}
    store = Parts(tmp_path)
    assert store.read("k") is None
    store.write("k", row)
    assert store.read("k") == row
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["k.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "other"}'])
def test_a_damaged_part_is_named_and_not_believed(tmp_path, text):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "k.json").write_text(text)
    with pytest.raises(LedgerError, match=r"result of run k in .*k\.json"):
        Parts(tmp_path).read("k")


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LedgerError, match="cannot write results"):
        Parts(tmp_path).write("k", {"key": "k"})


def test_results_in_memory_are_kept_too():
    store = Memory()
    store.write("k", {"key": "k"})
    assert store.read("k") == {"key": "k"}
    assert store.read("other") is None


def test_axes_are_records():
    (axis,) = read_axes(["a=1"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        axis.path = "b"
