"""Placements from scenarios: the load model against the engine, small ones against all others."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from engine_worlds import small, three_tiers
from tree6g.engine.build import build
from tree6g.engine.policies import Option, Prospect, Query
from tree6g.engine.policies.servers import FleetReport, ServerReport
from tree6g.engine.run import run
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.ledger.check import check
from tree6g.optimise.placing.begin import Start, begin
from tree6g.optimise.placing.decide import decide, value
from tree6g.optimise.placing.load import Work, loaded, most_rps
from tree6g.optimise.placing.plan import policy_text, scenario_of
from tree6g.optimise.placing.replan import Replan
from tree6g.optimise.placing.setups import Variant, setups
from tree6g.scenario.load import load

pytest.importorskip("highspy")
QUALITY = {"llama-3.1-8b": 1.0, "llama-3.2-3b": 0.9, "llama-3.2-1b": 0.7}


def scene(**changes) -> dict:
    """A site with a small server, one without, terminals, and a rented cloud whose joules count."""
    plain = three_tiers(boundary="full", duration="2 min", step="2 s", **changes)
    plain["services"][0]["quality"] = QUALITY
    return plain


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    return begin(run(scene(), out=tmp_path_factory.mktemp("run")))


def placements(start: Start):
    """All choices that keep every server's capacity and one model on each."""
    some = start.options
    for chosen in itertools.product(*some.of_group):
        used = {s for n in chosen for s in some.ways[n].setups}
        if len({some.setups[s].place for s in used}) == len(used):
            total = some.totals(chosen)
            if max(total.use_frac.values()) <= 1.0:
                yield total


@pytest.mark.parametrize("objective", ["tree", "ee"])
def test_the_plan_is_the_best_of_all_and_the_bound_above_it(start: Start, objective: str) -> None:
    best = max(value(start, total, objective) for total in placements(start))
    plan = decide(start, objective, gap_frac=0.0)
    assert plan.value == pytest.approx(best, rel=1e-3)
    assert plan.value <= best * (1.0 + 1e-9)
    assert plan.upper_bound >= best * (1.0 - 1e-9)
    assert plan.gap_frac <= 0.05


def test_a_steady_server_has_the_power_and_pace_of_the_model(tmp_path: Path) -> None:
    plain = small(duration="20 min", step="10 s", ledger_interval="5 min", policy="nearest")
    plain["services"] = plain["services"][:1]
    plain["population"]["ai_requests_per_user_hour"] = 60
    result = run(plain, out=tmp_path)
    world = build(load(plain), {})
    setup = setups(world, frozenset({"a.gpu"}))[0]
    work = Work(
        rate_rps=len(world.requests) / 1200.0,
        prompt_tok=float(world.requests.prompt_tok.mean()),
        output_tok=float(world.requests.output_tok.mean()),
    )
    under = loaded(setup.machine, [work])
    energy = "select sum(energy_j) j from energy where component = 'gpu' and state <> 'idle'"
    assert under.power_w * 1200.0 == pytest.approx(
        result.ledger.query(energy).to_pylist()[0]["j"], rel=0.08
    )
    pace = result.ledger.query("select sum(tpot_s * token_out) / sum(token_out) t from request")
    assert under.tpot_s == pytest.approx(pace.to_pylist()[0]["t"], rel=0.15)


def test_a_server_takes_what_it_says_and_no_more(start: Start) -> None:
    machine = start.options.setups[0].machine
    work = Work(rate_rps=0.0, prompt_tok=800.0, output_tok=200.0)
    most = most_rps(machine, work, first_s=1.0, tpot_s=0.2)
    for share, fits in ((0.99, True), (1.01, False)):
        under = loaded(machine, [Work(rate_rps=share * most, prompt_tok=800.0, output_tok=200.0)])
        first_s = float(under.first_s(machine, np.array(800.0)))
        assert (under.fits and first_s <= 1.0 and under.tpot_s <= 0.2) == fits
    assert most_rps(machine, work, first_s=1e-6, tpot_s=0.2) == 0.0


def test_joules_per_request_fall_and_pace_slows_with_the_load(start: Start) -> None:
    machine = start.options.setups[0].machine
    found = [
        loaded(machine, [Work(rate_rps=rate, prompt_tok=500.0, output_tok=150.0)])
        for rate in np.geomspace(1e-3, 1.0, 12)
    ]
    each = [f.power_w / r for f, r in zip(found, np.geomspace(1e-3, 1.0, 12), strict=True)]
    assert (np.diff(each) <= 1e-9 * each[0]).all()
    assert (np.diff([f.tpot_s for f in found]) >= 0.0).all()


def test_a_model_without_a_stated_quality_is_offered_to_nobody(tmp_path: Path) -> None:
    plain = three_tiers(boundary="full", duration="30 s")
    world = build(load(plain), {})
    nodes = frozenset(host.node for host in world.hosts)
    assert {s.server.model for s in setups(world, nodes)} == {
        "llama-3.2-3b", "llama-3.1-8b", "llama-3.2-1b",
    }  # fmt: skip
    with pytest.raises(ScenarioError, match=r"expected a .quality. of .qwen2\.5-3b."):
        setups(world, nodes, [Variant(model="qwen2.5-3b", weights="int8")])


def test_the_least_quality_of_a_service_is_kept(tmp_path: Path) -> None:
    plain = scene()
    plain["services"][0]["quality_min"] = 0.95
    plan = decide(begin(run(plain, out=tmp_path)))
    assert {s.server.model for s in plan.on} == {"llama-3.1-8b"}
    assert all(way.first is None for way in plan.start.options.ways)


def test_terminals_with_a_good_model_may_answer_first(start: Start) -> None:
    ways = [way for way in start.options.ways if way.first is not None]
    assert {way.first.tier for way in ways} == {"device"}
    assert all(start.options.groups[way.group].capable for way in ways)


def test_a_plan_says_whose_models_change_and_its_policy_who_answers(start: Start) -> None:
    plan = decide(start)
    text = policy_text(plan)
    module: dict = {}
    exec(compile(text, "plan.py", "exec"), module)
    assert set(module["ON"]) == {s.node for s in plan.on}
    assert set(module["PLAN"]) == {group.key for group in start.options.groups}
    plain = scenario_of(plan)
    for setup in plan.on:
        place = next(
            p for p in (*plain["sites"], *plain["clouds"]) if p["name"] == setup.host.place
        )
        server = next(s for s in place["servers"] if s["name"] == setup.server.name)
        assert (server["model"], server["weights"]) == (setup.variant.model, setup.variant.weights)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"boundary": "ran"}, "a boundary that counts servers"),
        ({"population": {"users": 3, "ai_requests_per_user_hour": 0}}, "it had none"),
    ],
)
def test_what_cannot_be_placed_is_told(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises((ScenarioError, InfeasibleError), match=said):
        begin(run(small(**changes), out=tmp_path))


def test_work_that_nobody_does_in_time_is_placed_all_the_same(tmp_path: Path) -> None:
    plain = small(duration="60 s", step="2 s")
    plain["services"][0]["token_class"] = "realtime-translation"
    plain["services"][0]["mean_prompt"] = "3000 tok"
    plain["population"]["ai_requests_per_user_hour"] = 12
    plan = decide(begin(run(plain, out=tmp_path)))
    assert [setup.node for setup in plan.on] == ["a.gpu"]


def told(start: Start, t_s: float, times: float) -> FleetReport:
    """What an operator sees when so many times the first hour's load has come."""
    asked = dict.fromkeys(((g.name, g.site) for g in start.options.groups), 0.0)
    for group in start.options.groups:
        asked[group.name, group.site] += times * float(group.rate_rps[0])
    servers = tuple(
        ServerReport(
            node=host.node, tier=host.tier, model=host.model, state="on", running=0, queued=0,
            capacity=8, start_s=60.0, start_j=6e3, failed=False,
        )
        for host in start.world.hosts
        if host.spec is not None
    )  # fmt: skip
    return FleetReport(
        t_s=t_s, since_s=600.0 * (t_s > 0.0), servers=servers, asked_rps=asked, up_bps={},
        down_bps={},
    )  # fmt: skip


def test_a_day_is_planned_hour_by_hour_and_at_once_when_the_load_departs(start: Start) -> None:
    policy = Replan(start)
    first = policy.servers(told(start, 0.0, 1.0))
    assert first
    assert policy.servers(told(start, 600.0, 1.0)) == first
    assert policy.plans == 1
    policy.servers(told(start, 1200.0, 50.0))
    assert policy.plans == 2
    policy.servers(told(start, 1800.0, 1.0))
    assert policy.plans == 2
    everything = {server.node for server in told(start, 0.0, 1.0).servers}
    assert policy.servers(told(start, 1e5, 1e4)) == everything


def test_more_spare_capacity_never_has_fewer_servers_on(start: Start) -> None:
    def on(spare_frac: float) -> int:
        return len(Replan(start, spare_frac=spare_frac).servers(told(start, 0.0, 1.0)))

    assert on(0.0) <= on(1.0) <= on(1e6)
    assert on(1e6) == len(told(start, 0.0, 1.0).servers)
    for spare_frac, got in ((-1.0, "-1"), (math.inf, "inf"), (math.nan, "nan")):
        with pytest.raises(ScenarioError, match=f"such as 0.25; got {got}"):
            Replan(start, spare_frac=spare_frac)


def offered(node: str, tier: str, pace_s: float, joules: float) -> Option:
    prospect = Prospect(tpot_s=pace_s, compute_j=joules)
    return Option(
        node=node, tier=tier, latency_s=0.0, expected_ttft_s=0.1, running=1, capacity=8,
        foresee=lambda: prospect,
    )  # fmt: skip


def test_a_request_goes_to_the_server_of_the_plan_to_another_or_is_shared(start: Start) -> None:
    """By who keeps the pace, and by what the link as it is now makes of the shared model."""
    policy = Replan(start)
    planned = min(policy.servers(told(start, 0.0, 1.0)))
    group = next(g for g in start.options.groups if not g.capable)
    asked = Query(
        service=group.name, site=group.site, arrival_s=0.0, prompt_tok=10, ttft_budget_s=2.0,
        tpot_budget_s=0.2,
    )  # fmt: skip
    other = offered("elsewhere", "cloud", 0.1, 5.0)
    full, free = (offered(planned, "cloud", pace_s, 5.0) for pace_s in (0.3, 0.1))
    assert policy(asked, [other, free]) == 1
    assert policy(asked, [other, full]) == 0
    assert policy(asked, [offered("elsewhere", "cloud", 0.4, 5.0), full]) == 1
    for joules, pace_s, chosen in ((4.0, 0.1, 1), (6.0, 0.1, 0), (4.0, 0.3, 0)):
        assert policy(asked, [free, offered(planned, "split", pace_s, joules)]) == chosen
    assert policy(asked, []) is None


def test_a_run_may_be_planned_anew_as_it_goes(start: Start, tmp_path: Path) -> None:
    result = run(scene(server_period="30 s"), out=tmp_path, policy=Replan(start))
    report = check(result.ledger)
    assert not report.problems
    assert report.conservation_error_frac <= 1e-9
    assert result.requests.served > 0
