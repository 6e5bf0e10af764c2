"""Models that terminals share with a server, in the engine: every token, bit and joule."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from engine_worlds import three_tiers
from tree6g import data
from tree6g.engine.build import build
from tree6g.engine.policies.cut import CutQuery, cheapest, cut_policy
from tree6g.engine.run import advance, run
from tree6g.engine.world import Tick
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load

LAYERS = 33  # of llama-3.1-8b, the output head included


def world_of(cut, **split):
    """Everybody shares the cloud's model."""
    plain = copy.deepcopy(three_tiers())
    plain["devices"]["capable_frac"] = 1.0
    plain["drain"] = "4 min"
    plain["population"]["ai_requests_per_user_hour"] = 20
    for site in plain["sites"]:
        site["base_station"]["bandwidth"] = "100 MHz"
    plain["services"][0]["patience"] = "10 min"
    plain["services"][0]["split"] = {"server": "big", "cut": cut, **split}
    return plain


@pytest.fixture(scope="module")
def at_cut(tmp_path_factory):
    """Runs at both ends and in between, and with both policies."""
    cuts = (0, 8, LAYERS, "best", "dynamic")
    return {cut: run(world_of(cut), out=tmp_path_factory.mktemp(f"cut-{cut}")) for cut in cuts}


def total(result, what, table, where):
    sql = f"select coalesce(sum({what}), 0) as n from {table} where service = 'chat' and {where}"
    return result.ledger.query(sql).to_pylist()[0]["n"]


def amount(result, kind):
    return total(result, "amount", "work", f"kind = '{kind}'")


def joules(result, component, state):
    return total(result, "energy_j", "energy", f"component = '{component}' and state = '{state}'")


def requests(result):
    names = ("token_in", "token_out", "cut_layer", "ttft_s", "tpot_s")
    found = result.ledger.query(f"select {', '.join(names)} from request order by id").to_pylist()
    return {name: np.array([row[name] for row in found], dtype=float) for name in names}


def test_every_request_is_served_by_the_shared_model_and_names_its_cut(at_cut):
    for cut, result in at_cut.items():
        found = requests(result)
        assert len(found["token_in"]) == result.requests.served > 15
        if not isinstance(cut, str):
            assert set(found["cut_layer"].tolist()) == {cut}


def test_ledgers_of_shared_models_pass_their_own_check(at_cut):
    for result in at_cut.values():
        assert not check(result.ledger).problems


def test_all_on_the_terminal_sends_nothing_and_leaves_the_server_idle(at_cut):
    result = at_cut[LAYERS]
    assert amount(result, "bit_ul") == amount(result, "bit_dl") == 0.0
    assert joules(result, "gpu", "prefill") == joules(result, "gpu", "decode") == 0.0
    assert joules(result, "npu", "decode") > 0.0


def test_all_at_the_server_leaves_the_terminals_model_idle(at_cut):
    result = at_cut[0]
    assert joules(result, "npu", "prefill") == joules(result, "npu", "decode") == 0.0
    assert joules(result, "gpu", "decode") > 0.0
    found = requests(result)
    text = 8.0 * (4.0 * found["token_in"].sum() + 700.0 * len(found["token_in"]))
    assert amount(result, "bit_ul") == pytest.approx(text)


def test_a_cut_sends_one_tensor_per_prompt_token_and_per_token_after_the_first(at_cut):
    """int8 of 4,096 values with a 16-bit scale, and 83 byte around each message."""
    found = requests(at_cut[8])
    assert at_cut[8].requests.lost == 0
    passes = found["token_out"] - 1.0
    byte = 4098.0 * (found["token_in"] + passes).sum() + 83.0 * (passes + 1.0).sum()
    assert amount(at_cut[8], "bit_ul") == pytest.approx(8.0 * byte)


def test_energy_of_a_cut_is_on_both_sides_and_in_the_terminals_radio(at_cut):
    result = at_cut[8]
    for component in ("npu", "gpu"):
        assert joules(result, component, "prefill") > 0.0
        assert joules(result, component, "decode") > 0.0
    # Receiving costs an EARTH station nothing more than being awake; the terminal's radio pays.
    assert joules(result, "terminal", "active") > 100.0 * joules(at_cut[0], "terminal", "active")


def test_hidden_values_count_in_ee_and_never_in_the_worth(at_cut):
    """METRIC rule 6: sending tensors raises bits per joule, not the value."""
    whole, cut = (at_cut[c].tree() for c in (0, 8))
    assert cut.bits_bit > 1.5 * whole.bits_bit
    assert cut.utility_beq <= whole.utility_beq * (1 + 1e-9)


def test_a_shared_answer_takes_as_long_as_its_parts(at_cut):
    """Whole cut on an idle terminal: prompt and tokens by the phone's layers alone."""
    world = build(load(world_of(LAYERS)), {})
    costs = world.shared[0].costs
    found = requests(at_cut[LAYERS])
    for token_in, tpot_s in zip(found["token_in"][:5], found["tpot_s"][:5], strict=True):
        loop = costs.token(token_in, 1.0)
        assert tpot_s == pytest.approx(loop.device_s[LAYERS], rel=0.03)


def test_the_note_counts_answers_and_moves(at_cut):
    notes = " ".join(at_cut["dynamic"].ledger.meta.notes)
    assert "answers shared 'llama-3.1-8b' between terminal and cloud.big, cut dynamic" in notes
    assert "moves of a cut" in notes


def test_the_same_seed_gives_the_same_requests(at_cut, tmp_path):
    again = requests(run(world_of("dynamic"), out=tmp_path))
    for name, column in requests(at_cut["dynamic"]).items():
        np.testing.assert_array_equal(column, again[name])


def test_who_cannot_share_is_answered_by_a_host(tmp_path):
    plain = world_of(8)
    plain["devices"]["capable_frac"] = 0.5
    found = requests(run(plain, out=tmp_path))
    whole = np.isnan(found["cut_layer"])
    assert 0 < whole.sum() < len(whole)


def test_a_link_that_fades_away_moves_the_cut_to_where_tokens_stay_on_time():
    """Rates fall to a three-hundredth in the middle; tensors would be late from then on."""
    plain = world_of("dynamic", keep_layers=1)
    plain["services"][0]["token_class"] = "batch-reasoning"
    plain["population"]["ai_requests_per_user_hour"] = 30
    world = build(load(plain), {})
    one, dynamic = world.shared[0], cut_policy("dynamic")
    one.policy = lambda asked: 4 if asked.cut is None else dynamic(asked)
    before = set()
    for step in range(120):
        if step == 60:
            before = {run_.cut for run_ in one.running.values()}
            for service in world.radio.rate_bps["bit_ul"]:
                world.radio.rate_bps["bit_ul"][service] *= 0.003
        advance(world, Tick(t0_s=0.5 * step, t1_s=0.5 * step + 0.5))
    after = {run_.cut for run_ in one.running.values()}
    assert before
    assert one.moved > 0
    assert LAYERS in after


def test_an_answer_whose_cut_leaves_the_server_and_comes_back_has_each_token_once():
    plain = world_of("dynamic")
    plain["services"][0]["tokens_per_chunk"] = 8
    plain["duration"], plain["services"][0]["mean_answer_tok"] = "30 s", 60
    world = build(load(plain), {})
    one = world.shared[0]
    one.policy = lambda asked: 4 if asked.prompting or asked.cut == LAYERS else LAYERS
    for n in range(200):
        advance(world, Tick(t0_s=n * world.step_s, t1_s=(n + 1) * world.step_s))
    asked = world.requests
    under_way = [each.request for each in one.running.values()]
    done = np.setdiff1d(np.flatnonzero(asked.delivered_tok), under_way)
    assert len(done) > 1
    assert one.moved > len(done)
    assert (asked.delivered_tok[done] == asked.output_tok[done]).all()


def query(**changes):
    given = {
        "cut": None, "prompting": False, "now_s": np.zeros(3), "now_j": np.zeros(3),
        "token_s": np.array([0.1, 0.2, 0.4]), "token_j": np.array([3.0, 2.0, 1.0]),
        "move_s": np.zeros(3), "move_j": np.zeros(3), "rest_tok": 10.0,
        "first_left_s": np.inf, "last_left_s": 5.0, "allowed": np.array([True, True, True]),
    }  # fmt: skip
    return CutQuery(**{**given, **changes})


def test_the_cheapest_cut_on_time_is_taken_and_the_fastest_if_none_is():
    assert cheapest(query()) == 1  # 4 s of tokens would use more than half of what is left
    assert cheapest(query(last_left_s=100.0)) == 2
    assert cheapest(query(last_left_s=0.1)) == 0
    assert cheapest(query(last_left_s=100.0, allowed=np.array([True, False, False]))) == 0


def test_best_never_moves_and_dynamic_moves_when_it_would_be_late_or_pays():
    best, dynamic = cut_policy("best"), cut_policy("dynamic")
    late = query(cut=2)
    assert best(late) == 2
    assert dynamic(late) == 1
    assert dynamic(query(cut=0, last_left_s=100.0)) == 2
    price = np.array([0.0, 9.0, 9.0])  # 20 J are saved, three times the price is more
    assert dynamic(query(cut=0, last_left_s=100.0, move_j=price)) == 0


def test_what_a_scenario_cannot_mean_is_told_all_at_once():
    plain = world_of("sometimes", keep_layers=2)
    plain["services"][0]["split"]["server"] = "gpuu"
    del plain["devices"]
    with pytest.raises(ScenarioError) as told:
        load(plain)
    text = "\n".join(told.value.problems)
    assert "one server 'gpuu'" in text
    assert "expected 'devices'" in text
    assert "a cut policy or a number; got 'sometimes'" in text
    with pytest.raises(ScenarioError, match="at least the 2 layers to keep"):
        load(world_of(1, keep_layers=2))


def test_layers_that_a_model_has_not_or_a_terminal_cannot_hold_are_refused():
    with pytest.raises(ScenarioError, match="expected at most 33 layers"):
        build(load(world_of(34)), {})
    plain = world_of(LAYERS)
    plain["devices"]["weights"] = "fp16"
    with pytest.raises(InfeasibleError, match="fit into the memory of the terminals"):
        build(load(plain), {})


def test_a_model_that_the_user_added_can_be_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("TREE6G_MODELS", str(tmp_path))
    (tmp_path / "mine.json").write_text(json.dumps(dict(data.model_config("llama-3.2-1b"))))
    plain = world_of("best")
    plain["clouds"][0]["servers"][0]["model"] = "mine"
    plain["devices"]["model"] = "mine"
    mine = build(load(plain), {})
    plain["clouds"][0]["servers"][0]["model"] = plain["devices"]["model"] = "llama-3.2-1b"
    (own,), (packaged,) = mine.shared, build(load(plain), {}).shared
    found, known = (shared.costs.prompt(100, 1.0) for shared in (own, packaged))
    assert found.device_s.tolist() == known.device_s.tolist()
    assert found.server_j.tolist() == known.server_j.tolist()
