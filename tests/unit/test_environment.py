"""The environment of the scheduler: what Gymnasium and PettingZoo ask, its sums and its ledger."""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from engine_worlds import CLOUD, small
from environment_worlds import STEPS, STILL, corner, settings, street
from tree6g import figure
from tree6g.errors import LedgerError, ScenarioError
from tree6g.ledger.check import check
from tree6g.optimise.environment.agents import AGENTS, drift_plus_penalty, round_robin
from tree6g.optimise.environment.draws import BLOCK
from tree6g.optimise.environment.figures import KEYS
from tree6g.optimise.environment.make import make_env, make_parallel_env, make_vector_env
from tree6g.optimise.environment.parallel import TreeParallelEnv
from tree6g.optimise.environment.single import TreeEnv
from tree6g.optimise.environment.vector import TreeVectorEnv

NETWORKS = {"corner": corner, "street": street}
PRICE = 1e4


def single(network, **changes):
    return TreeEnv(network, settings(**changes), price_beq_per_j=PRICE, record=True)


def played(env, agent, seed=5):
    """An episode: its actions, rewards and last info."""
    observation, info = env.reset(seed=seed)
    actions, rewards, over = [], [], False
    while not over:
        actions.append(agent(observation))
        observation, reward, ended, over, info = env.step(actions[-1])
        assert not ended
        rewards.append(reward)
    return actions, rewards, info


def at_random(env, seed=1):
    env.action_space.seed(seed)
    return lambda _: env.action_space.sample()


def test_gymnasium_finds_nothing_wrong():
    check_env(single(corner()), skip_render_check=True)


def test_pettingzoo_finds_nothing_wrong():
    env = TreeParallelEnv(single(street()))
    parallel_api_test(env, num_cycles=2 * STEPS)
    parallel_seed_test(lambda: TreeParallelEnv(single(corner())), num_cycles=5)


@pytest.mark.parametrize("name", NETWORKS)
def test_episodes_side_by_side_are_single_ones_to_the_bit(name):
    network, many, steps = NETWORKS[name](), 3, STEPS + 10  # past an end
    side = TreeVectorEnv(network, many, settings(), price_beq_per_j=PRICE)
    side.action_space.seed(2)
    observation, _ = side.reset(seed=7)
    seen, actions = [], []
    for step in range(steps):
        random = side.action_space.sample()
        actions.append(random if step % 2 else drift_plus_penalty(observation))
        observation, reward, ended, over, info = side.step(actions[-1])
        assert not ended.any()
        seen.append((observation, reward, over, info))
    for n in range(many):
        alone = single(network)
        alone.reset(seed=7 + n)
        for action, (tables, reward, over, info) in zip(actions, seen, strict=True):
            if alone.slots.state.step[0] == STEPS:
                mine, told = alone.reset()
                earned, done = 0.0, False
            else:
                own = {key: value[n] for key, value in action.items()}
                mine, earned, _, done, told = alone.step(own)
            assert all(np.array_equal(mine[key], tables[key][n]) for key in mine)
            assert (earned, done) == (reward[n], over[n])
            assert all(told[key] == info[key][n] for key in KEYS)


def test_the_same_seed_gives_the_same_episode_and_another_one_another():
    env = single(corner())
    first, again, other = (played(env, round_robin, seed)[1] for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("agent", ["random", *AGENTS])
def test_rewards_sum_to_nothing_where_the_price_is_the_tree(name, agent):
    env = single(NETWORKS[name]())
    acts = at_random(env) if agent == "random" else AGENTS[agent]
    actions, rewards, info = played(env, acts)
    worth, joules = info["utility_beq"], info["energy_j"]
    assert sum(rewards) == pytest.approx((worth - PRICE * joules) / 1e6, rel=1e-9)
    env.slots.price_beq_per_j = info["tree_beq_per_j"]
    line = iter(actions)
    _, rewards, again = played(env, lambda _: next(line))
    assert again["tree_beq_per_j"] == info["tree_beq_per_j"]
    assert abs(sum(rewards)) <= 1e-9 * worth / 1e6 + 1e-12


@pytest.mark.parametrize("name", NETWORKS)
def test_the_ledger_of_an_episode_has_the_figures_of_its_info(name, tmp_path):
    env = single(NETWORKS[name](), steps=250)
    _, _, info = played(env, at_random(env))
    ledger = env.write_ledger(tmp_path / "ledger")
    assert not check(ledger).problems
    found = figure(ledger)
    assert found.tree_beq_per_j == pytest.approx(info["tree_beq_per_j"], rel=1e-9)
    assert found.energy_j == pytest.approx(info["energy_j"], rel=1e-9)
    assert found.ee_bit_per_j == pytest.approx(info["ee_bit_per_j"], rel=1e-9)
    assert found.tokens_out_tok == pytest.approx(info["tokens_out_tok"], rel=1e-9)
    assert found.tokens_out_tok > 0.0
    least = min(service.served_share_frac for service in found.services)
    assert least <= 1.0


@pytest.mark.parametrize("name", NETWORKS)
def test_joules_by_cause_are_powers_times_times(name):
    env = single(NETWORKS[name]())
    played(env, at_random(env))
    totals, network = env.slots.totals, env.network
    cells_j = (totals.station_j.sum(-1) + totals.active_j.sum(-1))[0] * network.stations.pue
    servers_j = totals.server_j.sum(-1)[0] * network.servers.pue
    assert np.concatenate([cells_j, servers_j]) == pytest.approx(totals.check_j[0], rel=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_asked_for_was_sent_or_waits(name):
    env = single(NETWORKS[name]())
    env.reset(seed=3)
    slots, act = env.slots, at_random(env)
    offered = 0.0
    for step in range(STEPS):
        offered += slots._offered[0, step % BLOCK].sum()
        env.step(act(None))
    sent, waiting = slots.totals.sent_bit.sum(), slots.state.waiting_bit()
    assert sent > 0.0
    assert sent + waiting.sum() == pytest.approx(offered, rel=1e-9)
    assert not waiting[0][~env.network.present].any()


def test_parts_of_the_cells_sum_to_the_reward():
    env, cells = single(street()), TreeParallelEnv(single(street()))
    observation, _ = env.reset(seed=4)
    apart, _ = cells.reset(seed=4)
    for _ in range(STEPS):
        action = drift_plus_penalty(observation)
        each = {agent: drift_plus_penalty(apart[agent]) for agent in cells.agents}
        observation, reward, _, over, _ = env.step(action)
        apart, rewards, _, ends, infos = cells.step(each)
        assert sum(rewards.values()) == pytest.approx(reward, rel=1e-9)
    assert over
    assert all(ends.values())
    assert cells.agents == []
    assert set(infos) == set(cells.possible_agents)


def test_episodes_begin_anew_one_by_one_if_asked():
    env = TreeVectorEnv(corner(), 3, settings(), price_beq_per_j=PRICE)
    env.reset(seed=1)
    env.action_space.seed(1)
    for _ in range(5):
        env.step(env.action_space.sample())
    _, info = env.reset(options={"reset_mask": np.array([True, False, False])})
    assert info["step"].tolist() == [0, 5, 5]


def test_the_price_is_round_robin_s_unless_it_is_given():
    env = make_env(small(), settings(shadowing=STILL))
    assert env.price_beq_per_j > 0.0
    with pytest.raises(ScenarioError, match="price of 0"):
        make_env(corner(), settings(), price_beq_per_j=-1.0)


def test_environments_come_by_the_name_of_a_scenario():
    few = [
        "population.users=3",
        "services.download.sources=2",
        "services.video-streaming.sources=2",
    ]
    env = make_env("hybrid-cell", settings(), overrides=few, price_beq_per_j=PRICE)
    assert isinstance(env, gymnasium.Env)
    assert env.network.population == 10
    assert env.network.notes == ()
    many = make_vector_env("hybrid-cell", 2, settings(), overrides=few, price_beq_per_j=PRICE)
    assert many.reset(seed=1)[0]["user"].shape == (2, 1, 10, 10)
    cells = make_parallel_env("hybrid-cell", settings(), overrides=few, price_beq_per_j=PRICE)
    assert cells.possible_agents == ["mast.cell"]


def test_without_the_extra_an_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ScenarioError, match=r"tree6g\[gym\]"):
        make_env(small())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"devices": {"accelerator": "snapdragon-8-gen3", "model": "llama-3.2-1b"}}, "terminals"),
        ({"clouds": [CLOUD], "links": [{"to": "cloud"}]}, "rented cloud"),
        ({"services": [{"kind": "ai", "name": "c", "token_class": "assistant-concave"}]}, "linear"),
        (
            {
                "services": [
                    {
                        "kind": "data",
                        "name": "m",
                        "direction": "up",
                        "message": "1 kB",
                        "period": "1 s",
                    }
                ]
            },
            "downlink",
        ),
    ],
    ids=["devices", "rented", "concave", "uplink"],
)
def test_a_scenario_that_cannot_be_shown_is_refused(changes, said):
    with pytest.raises(ScenarioError, match=said):
        make_env(small(**changes), settings(), price_beq_per_j=PRICE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: {"share": a["share"]}, "'share' and 'mode'"),
        (lambda a: a | {"share": a["share"][:, 1:]}, "shape"),
        (lambda a: a | {"share": a["share"] + 1.5}, "from 0 to 1"),
        (lambda a: a | {"share": a["share"] * np.nan}, "from 0 to 1"),
        (lambda a: a | {"mode": a["mode"] + 9}, "modes from 0 to 3"),
    ],
    ids=["missing", "shape", "large", "nan", "mode"],
)
def test_a_wrong_action_is_told(change, said):
    env = single(corner())
    observation, _ = env.reset(seed=1)
    with pytest.raises(ScenarioError, match=said):
        env.step(change(round_robin(observation)))


def test_wrong_numbers_are_told(tmp_path):
    with pytest.raises(ScenarioError, match="step_s"):
        settings(step_s=0.0)
    with pytest.raises(ScenarioError, match="1 step"):
        settings(steps=0)
    with pytest.raises(ScenarioError, match="num_envs"):
        TreeVectorEnv(corner(), 0, settings())
    env = TreeVectorEnv(corner(), 2, settings(), price_beq_per_j=PRICE)
    with pytest.raises(ScenarioError, match="2 seeds"):
        env.reset(seed=[1])
    cells = TreeParallelEnv(single(street()))
    cells.reset(seed=1)
    with pytest.raises(ScenarioError, match="every agent"):
        cells.step({})
    with pytest.raises(LedgerError, match="record=True"):
        TreeEnv(corner(), settings(), price_beq_per_j=PRICE).write_ledger(tmp_path / "none")
