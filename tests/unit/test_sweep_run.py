"""Sweeps from Python: what runs, what is kept, what is summed up."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from sweeping import CORNER, SHORT, parts
from tree6g.engine.run import run
from tree6g.errors import LedgerError, ScenarioError, Tree6gError
from tree6g.metric.figure import Query
from tree6g.sweep.executors import executor_of
from tree6g.sweep.grid import Point
from tree6g.sweep.run import Run, Sweep, sweep
from tree6g.sweep.summary import MEASURES, measures_of, plain, summarise
from tree6g.sweep.task import flat

OVER = ["population.users=100,200"]


class Counting(Executor):
    """Runs each call at once and counts them; stops with an error after some."""

    def __init__(self, limit=10**6, error=KeyboardInterrupt):
        self.count, self.limit, self.error = 0, limit, error

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        if self.count == self.limit:
            raise self.error
        self.count += 1
        try:
            future.set_result(fn(*args, **kwargs))
        except Tree6gError as error:
            future.set_exception(error)
        return future


def small(**more):
    return sweep(CORNER, **{"over": OVER, "seeds": 2, "overrides": SHORT, **more})


@pytest.fixture(scope="module")
def reference():
    return small()


def as_text(done):
    return json.dumps([dict(run.row) for run in done.runs])


def test_every_design_runs_every_seed(reference):
    assert [(r.point.values["population.users"], r.seed) for r in reference.runs] == [
        ("100", 7), ("100", 8), ("200", 7), ("200", 8)
    ]  # fmt: skip
    assert (reference.made, reference.seeds, reference.scenario) == (4, (7, 8), "corner")


def test_a_run_has_the_figures_of_the_run_alone(reference, tmp_path):
    result = run(CORNER, out=tmp_path, seed=8, overrides=[*SHORT, "population.users=200"])
    alone, row = result.tree(), reference.runs[3].row
    assert row["tree_beq_per_j"] == alone.tree_beq_per_j
    assert row["energy_j"] == alone.energy_j
    assert row["services.assistant.energy_j"] == alone.service("assistant").energy_j
    assert row["requests.arrived"] == result.requests.arrived
    assert row["scenario_hash"] == result.ledger.meta.scenario_hash
    assert row["conservation_error_frac"] <= 1e-9
    offered = sum(s.offered_beq for s in alone.services)
    assert row["served_share_frac"] == pytest.approx(alone.utility_beq / offered, rel=1e-12)


def test_the_ninetieth_percentile_is_that_of_the_requests(tmp_path):
    done = sweep(CORNER, overrides=["duration=5 min"])
    result = run(CORNER, out=tmp_path, overrides=["duration=5 min"])
    waits = sorted(w for w in result.ledger.table("request")["ttft_s"].to_pylist() if w is not None)
    place = 0.9 * (len(waits) - 1)
    low = int(place)
    wanted = waits[low] + (place - low) * (waits[min(low + 1, len(waits) - 1)] - waits[low])
    assert len(waits) > 10
    assert done.runs[0].row["ttft_p90_s"] == pytest.approx(wanted, rel=1e-12)


def test_any_executor_gives_the_same_results(reference):
    with ThreadPoolExecutor(2) as executor:
        assert as_text(small(executor=executor)) == as_text(reference)
    assert as_text(small(executor=Counting(), ahead=1)) == as_text(reference)


def test_a_finished_run_is_not_repeated_even_by_another_sweep(reference, tmp_path):
    executor = Counting()
    small(executor=executor, out=tmp_path, seeds=1)
    assert executor.count == 2
    done = small(executor=executor, out=tmp_path, over=["population.users=50,200"])
    assert (done.made, executor.count) == (3, 5)
    again = small(executor=executor, out=tmp_path)
    assert (again.made, executor.count) == (1, 6)
    assert as_text(again) == as_text(reference)


def test_two_paths_to_one_scenario_run_once(tmp_path):
    executor = Counting()
    done = small(executor=executor, over=["duration=30 s,0.5 min"], seeds=1)
    assert executor.count == 1
    assert len(done.runs) == 2
    assert done.runs[0].row == done.runs[1].row


def test_an_interrupt_keeps_what_is_done(reference, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        small(executor=Counting(limit=3), out=tmp_path, ahead=10)
    assert len(parts(tmp_path)) == 3
    assert small(executor=Counting(), out=tmp_path).made == 1


def test_progress_counts_runs_made_and_found(tmp_path):
    told = []
    small(out=tmp_path, seeds=1)
    small(out=tmp_path, progress=lambda frac, text: told.append((frac, text)))
    assert told == [(n / 4, f"{n} of 4 runs") for n in (1, 2, 3, 4)]


def test_every_fault_of_the_grid_is_told_before_anything_runs(tmp_path):
    executor = Counting()
    over = ["population.users=-1,100", "policy=nowhere,nearest", "nothing=1"]
    with pytest.raises(ScenarioError) as caught:
        small(over=over, executor=executor, out=tmp_path)
    told = "\n".join(caught.value.problems)
    assert "nothing" in told
    assert "population.users" in told
    assert len(caught.value.problems) == len(set(caught.value.problems))
    assert (executor.count, list(tmp_path.iterdir())) == (0, [])


@pytest.mark.parametrize("seeds", [0, -1, 10_001, [], [1, 1], [-1]])
def test_seeds_that_are_none_are_refused(seeds):
    with pytest.raises(ScenarioError, match="seed"):
        small(seeds=seeds)


def test_seeds_may_be_named():
    assert small(seeds=[11, 3], over=()).seeds == (11, 3)


def test_an_error_of_a_run_names_the_run():
    asked = Query(weights={"nobody": 2.0})
    with pytest.raises(
        LedgerError, match=r"nobody.* \(run of corner with seed [78] and duration=30 s"
    ):
        small(query=asked, executor=Counting())


def test_a_design_that_cannot_work_is_a_result_with_its_reason():
    models = "sites.0.servers.0.model=llama-3.1-8b,llama-3.1-70b"
    done = small(over=[models], seeds=1)
    fits, large = (found.row for found in done.runs)
    assert "infeasible" not in fits
    assert "energy_j" not in large
    summary = plain(summarise(done))
    assert summary["points"][1]["infeasible"] == large["infeasible"]
    assert summary["points"][1]["energy_j"]["mean"] is None
    assert summary["pareto"]["points"] == [summary["points"][0]["overrides"]]
    (left_out,) = summary["pareto"]["left_out"].values()
    assert large["infeasible"] in left_out


def test_flat_keys_hold_every_value_once():
    tree = {"a": {"b": {"c": 1}}, "services": [{"name": "x", "e": 2}], "n": [], "r": {}}
    assert flat(tree) == {"a.b.c": 1, "services.x.e": 2, "n": ""}


def made_up(values):
    """A sweep of designs by name with TREE and TTFT per seed."""
    runs = [
        Run(point=Point(values={"d": name}), seed=seed, key=f"{name}{seed}",
            row={"tree_beq_per_j": tree, "ttft_p90_s": ttft})
        for name, pairs in values.items()
        for seed, (tree, ttft) in enumerate(pairs)
    ]  # fmt: skip
    return Sweep(scenario="s", axes=(), seeds=(0, 1, 2), runs=tuple(runs), made=0)


def test_paired_differences_cancel_what_the_seeds_share():
    shared = (10.0, 30.0, 80.0)
    done = made_up(
        {
            "a": [(base, 1.0) for base in shared],
            "b": [(base + extra, 1.0) for base, extra in zip(shared, (1.0, 2.0, 3.0), strict=True)],
        }
    )
    summary = summarise(done)
    (difference,) = summary.differences
    found = difference.figures["tree_beq_per_j"]
    assert found.mean == 2.0
    assert found.half_width == pytest.approx(4.30265 / 3.0**0.5, rel=1e-5)
    assert found.excludes_zero is False
    assert summary.designs[0].figures["tree_beq_per_j"].half_width > 20 * found.half_width


def test_the_front_holds_the_designs_that_no_other_beats():
    done = made_up({"a": [(1.0, 0.1)], "b": [(2.0, 0.3)], "c": [(1.5, 0.4)], "d": [(9.0, None)]})
    summary = summarise(done)
    assert [p.values["d"] for p in summary.front.points] == ["b", "a"]
    assert summary.front.left_out == {"d=d": "not defined in 1 of 1 runs"}


@pytest.mark.parametrize("pair", [("tree_beq_per_j",), ("energy_j", "energy_j"), ("x", "energy_j")])
def test_a_pair_that_is_none_is_refused(pair):
    with pytest.raises(ScenarioError, match="expected"):
        measures_of(pair)


def test_all_figures_of_a_summary_are_in_a_run(reference):
    assert [m.key for m in MEASURES if m.key not in reference.runs[0].row] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("dusk", 1), "Did you mean 'dask'"),
        (("local", 0), "one worker or more; got 0"),
        (("local", 1, "tcp://there:1"), "dask or ray with an address"),
    ],
)
def test_an_executor_that_is_none_is_refused(arguments, told):
    with pytest.raises(ScenarioError, match=told):
        executor_of(*arguments)


@pytest.mark.parametrize(("name", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_library_is_told_with_the_command_that_installs_it(name, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)  # what an import finds that is not there
    with (
        pytest.raises(ScenarioError, match=rf"pip install 'tree6g\[{name}\]'"),
        executor_of(name, 1),
    ):
        pass


def test_a_changed_policy_file_is_another_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"over": ["policy=nearest,./mine.py"], "overrides": SHORT, "out": tmp_path / "out"}
    text = "def choose(query, options):\n    return 0\n"
    (tmp_path / "mine.py").write_text(text, "utf-8")
    first = sweep(CORNER, **asked)
    assert sweep(CORNER, **asked).made == 0
    (tmp_path / "mine.py").write_text(text.replace("0", "None"), "utf-8")
    second = sweep(CORNER, **asked)
    assert second.made == 1
    assert second.runs[0].key == first.runs[0].key
    assert second.runs[1].key != first.runs[1].key
    assert second.runs[1].row["requests.served"] == 0 < first.runs[1].row["requests.served"]
