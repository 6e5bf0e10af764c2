"""Steps of the environment worked out by hand: joules, airtime, lateness, tokens, waking up."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import small
from environment_worlds import STILL, settings, street
from tree6g.engine.rates import rate_bps
from tree6g.optimise.environment.agents import _level, max_tree, proportional_fair, round_robin
from tree6g.optimise.environment.network import MODES
from tree6g.optimise.environment.observation import CELL, CELL_AT, USER, USER_AT
from tree6g.optimise.environment.setup import network_of
from tree6g.optimise.environment.single import TreeEnv
from tree6g.scenario.load import load

FULL = MODES.index("full")


def files(**changes):
    """One source that sends 3 MB every 10 s."""
    file = {"kind": "data", "name": "files", "sources": 1, "message": "3 MB", "period": "10 s"}
    return small(services=[file | {"arrival": "periodic"} | changes])


def env_of(plain, **changes):
    """Episodes of 12 s unless `changes` say so, without shadowing."""
    chance = settings(**({"steps": 120, "shadowing": STILL} | changes))
    return TreeEnv(network_of(plain), chance, price_beq_per_j=1.0, record=True)


def action(env, share, mode=FULL):
    cells, users = env.network.cells, env.network.users
    return {
        "share": np.full((cells, users), share, dtype=np.float32),
        "mode": np.full(cells, mode),
    }


def test_a_file_takes_its_airtime_and_the_joules_of_it():
    env = env_of(files())
    env.reset(seed=1)
    for _ in range(100):  # one period: one file, whatever the phase
        *_, info = env.step(action(env, 1.0))
    for _ in range(20):
        *_, info = env.step(action(env, 1.0))
    bits, stations = info["bits_bit"], env.network.stations
    assert bits in {24e6, 48e6}
    base = load(files()).sites[0].base_station
    rate = float(rate_bps(base, "bit_dl", env.network.sinr_db[0])[0])
    sending_s = bits / rate * stations.time_frac[0]
    rest_w, send_w = stations.rest_w[0, FULL], stations.send_w[0, FULL]
    expected_j = rest_w * 12.0 + (send_w - rest_w) * sending_s
    assert info["radio_unit_j"] == pytest.approx(expected_j, rel=1e-3)  # steps of the rate table
    assert info["utility_beq"] == bits
    assert info["cooling_j"] == pytest.approx(0.2 * info["radio_unit_j"], rel=1e-12)


def test_less_power_is_slower_and_cheaper():
    env = env_of(files(message="30 MB"))
    rates, watts = [], []
    for mode in range(1, FULL + 1):
        observation, _ = env.reset(seed=1)
        name = MODES[mode]
        rates.append(float(observation["user"][0, 0, 3 + mode]))
        watts.append(env.network.stations.send_w[0, mode])
        assert name in {"quarter", "half", "full"}
    assert rates == sorted(rates)
    assert watts == sorted(watts)
    assert watts[0] < watts[-1]


@pytest.mark.parametrize(("held", "late"), [(2, False), (3, True)])
def test_a_message_is_late_from_the_step_on_in_which_its_budget_is_over(held, late):
    env = env_of(files(message="1 kB", delay_budget="300 ms"))
    env.reset(seed=1)
    while env.slots.state.backlog_bit.sum() == 0.0:
        env.step(action(env, 0.0))
    for _ in range(held):
        env.step(action(env, 0.0))
    *_, info = env.step(action(env, 1.0))
    assert info["bits_bit"] == 8000.0
    assert info["late_bit"] == (8000.0 if late else 0.0)
    assert info["utility_beq"] == (0.0 if late else 8000.0)
    assert info["ee_bit_per_j"] == pytest.approx(info["tree_beq_per_j"])


def chat():
    """One user whose answers have 100 tokens."""
    service = {"kind": "ai", "name": "chat", "mean_answer_tok": 100, "mean_prompt_tok": 50}
    people = {"users": 1, "ai_requests_per_user_hour": 120}
    return small(services=[service], population=people)


def test_an_answer_is_made_at_the_pace_of_its_server_and_earns_what_its_tokens_are_worth():
    env = env_of(chat(), steps=1200)
    env.reset(seed=3)
    while env.slots.state.unread_bit.sum() == 0.0:
        env.step(action(env, 1.0))
    stream, servers, state = env.network.streams[0], env.network.servers, env.slots.state
    tokens = state.unread_bit.sum() / stream.bit_per_tok
    prompt = state.prompt_tok.sum()
    before_j = env.slots.totals.server_j[0, 0].copy()
    steps = 0
    while state.waiting_bit().sum() > 0.0:
        *_, info = env.step(action(env, 1.0))
        steps += 1
    needed_s = prompt * servers.prompt_s[0] + tokens * servers.token_s[0, 1]
    assert abs(steps * 0.1 - needed_s) <= 0.3  # a part of a step at either end, and the air
    spent_j = env.slots.totals.server_j[0, 0] - before_j
    assert spent_j[1] == pytest.approx(prompt * servers.prompt_j[0], rel=1e-9)
    assert spent_j[2] == pytest.approx(tokens * servers.token_j[0, 1], rel=1e-9)
    assert info["tokens_out_tok"] == pytest.approx(tokens, rel=1e-9)
    assert info["utility_beq"] == pytest.approx(1e4 * (tokens + 0.2 * prompt), rel=1e-9)


def test_tokens_are_due_one_after_the_other():
    env = env_of(chat(), steps=1200)
    env.reset(seed=3)
    state, stream = env.slots.state, env.network.streams[0]
    while state.unread_bit.sum() == 0.0:
        env.step(action(env, 1.0))
    tokens = state.unread_bit.sum() / stream.bit_per_tok
    held = 30  # 3 s: the first is due after 2 s, then one each 0.2 s
    for _ in range(held):
        env.step(action(env, 0.0))
    while state.waiting_bit().sum() > 0.0:
        *_, info = env.step(action(env, 1.0))
    late = info["late_bit"] / stream.bit_per_tok
    assert 5.0 <= late <= 9.0  # due in the second over, and while prompt and first tokens are made
    assert tokens > 2.0 * late


def test_going_off_costs_its_transition_and_waking_its_time():
    plain = files(message="100 MB", period="1 s")
    plain["sites"][0]["base_station"] = {
        "model": "tr38864-cat1-set1",
        "anchor_power": "1200 W",
        "sleep": "light",
    }
    env = env_of(plain)
    env.reset(seed=1)
    for _ in range(15):
        env.step(action(env, 1.0))
    before = env.slots.totals.station_j[0, 0].copy()
    for _ in range(5):
        env.step(action(env, 1.0, 0))
    s, spent = env.network.stations, env.slots.totals.station_j[0, 0] - before
    assert spent == pytest.approx([0.0, 0.5 * s.off_w[0], s.off_j[0]], rel=1e-9)
    sent = env.slots.totals.sent_s[0, 0, 0]
    env.step(action(env, 1.0))
    awake_s = 0.1 - s.wake_s[0]
    got_s = env.slots.totals.sent_s[0, 0, 0] - sent
    assert got_s == pytest.approx(awake_s * s.time_frac[0], rel=1e-9)


def test_shares_beyond_the_whole_are_scaled_and_those_below_leave_silence():
    plain = files(sources=2, message="100 MB", period="1 s")
    for share, part in ((1.0, 0.5), (0.25, 0.25)):
        env = env_of(plain)
        env.reset(seed=1)
        for _ in range(11):
            env.step(action(env, 0.0))
        before = env.slots.totals.sent_s[0].sum()
        env.step(action(env, share))
        used_s = env.slots.totals.sent_s[0].sum() - before
        assert used_s == pytest.approx(2 * part * 0.1 * env.network.stations.time_frac[0])


def test_a_neighbour_that_is_silent_disturbs_nobody():
    env = TreeEnv(street(), settings(shadowing=STILL), price_beq_per_j=1.0)
    env.reset(seed=1)
    assert (env.slots.state.load_frac == 0.0).all()
    quiet_db = env.slots.state.sinr_db.copy()
    for _ in range(3):
        env.slots.state.backlog_bit[:] = 1e9 * env.network.present
        env.step(action(env, 1.0))
    assert env.slots.state.load_frac == pytest.approx(1.0)
    loud_db = env.slots.state.sinr_db
    present = env.network.present
    assert (loud_db[0][present] < quiet_db[0][present]).all()


def observed(backlog_mbit, rates, *, worth=(1.0, 1.0), price=0.0):
    """Two data users of one cell."""
    user, cell = np.zeros((1, 2, len(USER))), np.zeros((1, len(CELL)))
    user[0, :, USER_AT["backlog_bit"]] = backlog_mbit
    user[0, :, USER_AT["worth_beq_per_bit"]] = worth
    user[0, :, USER_AT["mean_bps"]] = 1.0
    user[0, :, USER_AT["present"]] = 1.0
    for mode in MODES[1:]:
        user[0, :, USER_AT[f"rate_{mode}_bps"]] = rates
    for n, mode in enumerate(MODES[1:]):
        cell[0, CELL_AT[f"send_{mode}_w"]] = 0.1 * (n + 1)
    cell[0, CELL_AT["price_beq_per_j"]] = price
    cell[0, CELL_AT["step_s"]] = 0.1
    return {"user": user, "cell": cell}


def test_round_robin_gives_what_one_does_not_need_to_the_other():
    action_ = round_robin(observed([2.0, 100.0], [1.0, 1.0]))  # 10 Mbit in a whole step
    assert action_["share"][0] == pytest.approx([0.2, 0.8], rel=1e-5)
    assert _level(np.array([0.2, 0.9, 0.9])) == pytest.approx(0.4)
    assert _level(np.array([0.2, 0.3])) == 1.0


def test_proportional_fair_puts_the_better_link_first():
    action_ = proportional_fair(observed([4.0, 100.0], [1.0, 0.5]))
    assert action_["share"][0] == pytest.approx([0.4, 0.6], rel=1e-5)


def test_max_tree_refuses_who_costs_more_than_it_earns_and_takes_the_cheapest_mode():
    cheap = max_tree(observed([1.0, 1.0], [1.0, 0.5], price=0.1))
    assert cheap["mode"][0] == 1
    assert (cheap["share"] > 0.0).all()
    dear = max_tree(observed([1.0, 1.0], [1.0, 0.5], price=0.7))  # 0.7 MBeq/J x 100 W > 50 Mbit/s
    assert (dear["share"][0] > 0.0).tolist() == [True, False]
    gone = max_tree(observed([1.0, 1.0], [1.0, 0.5], price=10.0))
    assert gone["mode"][0] == 0
