"""Servers of a scenario: what they are asked, how they may be set up, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tree6g.engine.build import build
from tree6g.engine.hosts import limits_of, replica_of
from tree6g.engine.world import World
from tree6g.optimise.servers.choice import combinations
from tree6g.optimise.servers.demand import MOST_REQUESTS, Demand, demand
from tree6g.optimise.servers.measured import pools
from tree6g.optimise.servers.plot import plot
from tree6g.optimise.servers.pool import Pool
from tree6g.optimise.servers.trial import trial
from tree6g.optimise.servers.words import described, sentences
from tree6g.scenario.load import dump, load

MINUTES = ["duration=20 min"]


def two_gpus(folder: Path, *overrides: str) -> World:
    """The street corner with two servers that are alike, built."""
    plain = dump(load("street-corner", [*MINUTES, *overrides]))
    (server,) = plain["sites"][0]["servers"]
    plain["sites"][0]["servers"] = [{**server, "name": name} for name in ("gpu-a", "gpu-b")]
    file = folder / "two.yaml"
    file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return build(load(file), {})


def pools_of(world: World, active_w: float = 70.0) -> tuple[Pool, ...]:
    """Its pools, where each server made as many tokens and drew as much."""
    nodes = [host.node for host in world.hosts]
    tokens = {(node, "token_out", "city-query"): 1e4 for node in nodes}
    energy = {(node, "gpu", "idle", ""): 277.0 * 1200.0 for node in nodes}
    energy |= {(node, "gpu", "decode", ""): active_w * 600.0 for node in nodes}
    return pools(world, energy, tokens, {"city-query": 0.12}, 1200.0)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """The two servers as one pool."""
    (only,) = pools_of(two_gpus(tmp_path_factory.mktemp("two")))
    return only


@pytest.fixture(scope="module")
def corner() -> Demand:
    """What the street corner's server is asked."""
    return demand(build(load("street-corner", MINUTES), {}), {"city-query": 1.0})


def test_servers_that_differ_by_name_alone_are_a_pool(alike: Pool) -> None:
    assert alike.names == ("gpu-a", "gpu-b")
    assert alike.today.setting.servers == 2
    assert alike.work_frac == {"city-query": 1.0}
    numbers = {(o.setting.servers, o.setting.clock) for o in alike.options}
    assert numbers == {(n, c) for n in (1, 2) for c in (None, "1950 MHz", "1450 MHz", "900 MHz")}


def test_todays_setting_draws_what_the_run_measured(alike: Pool) -> None:
    assert alike.option_active_w(alike.today, 1.0) == pytest.approx(70.0)
    assert alike.option_idle_w(alike.today) == pytest.approx(554.0)


def test_fewer_servers_and_lower_clocks_draw_less_for_the_same_tokens(alike: Pool) -> None:
    drawn = {o.setting: alike.option_active_w(o, 1.0) for o in alike.options}
    by_clock = [w for s, w in drawn.items() if s.servers == 2 and s.clock == "900 MHz"]
    assert by_clock[0] < 0.7 * drawn[alike.today.setting]
    one = [o for o in alike.options if o.setting.servers == 1]
    assert [alike.option_idle_w(o) for o in one] == pytest.approx([277.0] * len(one))


def test_curves_are_near_the_simulations_that_they_were_fitted_to(alike: Pool) -> None:
    assert max(option.error.power_frac for option in alike.options) < 0.05
    assert max(option.error.pace_frac for option in alike.options) < 0.02


def test_no_setting_is_later_than_todays(tmp_path: Path) -> None:
    busy = two_gpus(tmp_path, "population.ai_requests_per_user_hour=60", "duration=4 min")
    (only,) = pools_of(busy, 170.0)
    assert min(o.on_time_frac for o in only.options) >= only.today.on_time_frac - 1e-3
    assert {o.setting.servers for o in only.options} == {2}
    assert "900 MHz" not in {o.setting.clock for o in only.options}


def test_servers_with_the_basebands_of_cells_are_left_as_they_are(tmp_path: Path) -> None:
    shared = two_gpus(tmp_path)
    bound = shared.scenario.model_copy(update={"outages": ({"node": "corner.gpu-a"},)})
    shared.scenario = bound
    (only,) = pools_of(shared)
    assert only.options == (only.today,)


def test_what_changes_is_said_with_its_reason(alike: Pool) -> None:
    served = {"city-query": 1.0}
    best = min(
        (only for (only,) in combinations([alike], frozenset(served), 1.0)),
        key=lambda each: each.chord_w(1.0),
    )
    said = " ".join(sentences(best, served))
    assert "gpu-a, gpu-b: 1 of 2 stay on, which saves 277 W of idle power; 100.0%" in said
    assert "clock 900 MHz instead of the highest. A token takes" in said
    assert "A further GPU second of gpu-a, gpu-b would bring nothing" in said
    assert described(best, served)["servers"] == 1
    ((off,),) = combinations([alike], frozenset(), 1.0)
    assert list(sentences(off, {})) == [
        "gpu-a, gpu-b: off, which saves 554 W: none of its services is served."
    ]


def test_a_figure_has_what_was_simulated_and_what_was_fitted(alike: Pool) -> None:
    settings = [only for (only,) in combinations([alike], frozenset({"city-query"}), 1.0)]
    drawn = plot(settings[:1]).curves
    assert [c.name.split(", ")[1] for c in drawn] == ["simulated", "fitted"] * (len(drawn) // 2)
    for points, line in zip(drawn[::2], drawn[1::2], strict=True):
        assert np.interp(points.x, line.x, line.y) == pytest.approx(points.y, rel=0.06)


def test_a_part_of_a_demand_asks_for_that_part(corner: Demand) -> None:
    assert len(corner) > 200
    for share in (0.1, 0.5, 1.0):
        assert corner.part(share).rate_tps == pytest.approx(share * corner.rate_tps, rel=0.01)


def test_a_long_run_is_known_by_slices_over_all_of_its_time() -> None:
    world = build(load("street-corner", ["population.ai_requests_per_user_hour=40"]), {})
    whole = world.requests.output_tok.sum() / world.arrivals_end_s
    asked = demand(world, {"city-query": 1.0})
    assert len(asked) == pytest.approx(MOST_REQUESTS, rel=0.1)
    assert asked.rate_tps == pytest.approx(float(whole), rel=0.05)
    assert (np.diff(asked.arrival_s) >= 0.0).all()
    assert asked.arrival_s[-1] <= asked.span_s


def test_nobody_on_time_is_seen_where_the_network_takes_the_whole_budget() -> None:
    world = build(load("street-corner", MINUTES), {})
    asked = demand(world, {"city-query": 1.0}, network_s=10.0)
    server = world.hosts[0].spec
    assert server is not None
    constants = replica_of(server)
    point = trial(constants, limits_of(server, constants).settings(), asked)
    assert point is not None
    assert point.on_time_frac < 1.0
