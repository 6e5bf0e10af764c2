"""The pilot decides by worth and joules, learns both, and says who answers."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ledgers import ai, ledger
from tree6g.cli import app
from tree6g.errors import DataError, ScenarioError
from tree6g.meter.exposition_writer import render
from tree6g.meter.proxy.ask import Call, call_of, renamed
from tree6g.meter.proxy.counts import Outcome
from tree6g.meter.proxy.usage import Usage
from tree6g.optimise.pilot import config as file
from tree6g.optimise.pilot.joules import learned, windows
from tree6g.optimise.pilot.metrics import families
from tree6g.optimise.pilot.offer import Offer, expected_beq, on_time_frac, worth_beq
from tree6g.optimise.pilot.price import Price
from tree6g.optimise.pilot.record import Recorder, summary
from tree6g.optimise.pilot.router import HEADER, Router
from tree6g.optimise.pilot.rules import InTurn, by_load, by_tree
from tree6g.optimise.pilot.speed import Speed, Waits
from tree6g.optimise.pilot.squares import Squares, fitted
from tree6g.optimise.pilot.start import look

CONFIG = b"""
mode: live
servers:
  big: {url: "http://127.0.0.1:1", model: large, slots: 4, idle: 10 W,
        energy: {token_in: 20 mJ/tok, token_out: 400 mJ/tok}}
  small: {url: "http://127.0.0.1:2", model: little, slots: 2, idle: 5 W,
          energy: {token_in: 10 mJ/tok, token_out: 100 mJ/tok}}
services:
  chat: {profile: assistant, tenant: alice, models: [large]}
  summarise: {profile: background-summary, tenant: bob, models: [large, little]}
  cheap: {profile: assistant, tenant: carol, models: [large, little], quality: {little: 0.5}}
explore: 0 %
"""
CALL = Call(model="large", stream=True, body_byte=400, most_tok=50)
NONE = Waits(ttft_s=0.0, tpot_s=0.0, e2e_s=0.0)


def _outcome(prompt=100, output=50, **more):
    usage = Usage(prompt_tok=prompt, cached_tok=0, output_tok=output)
    fields = {"ended": "done", "start_s": 0.0, "e2e_s": 1.2, "ttft_s": 0.2, "stream_s": 0.98}
    return Outcome(**{**fields, "usage": usage, **more})


class Clock:
    """A clock that a test sets."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


def _router(text=CONFIG, **more):
    clock, lines = Clock(), []
    read = dataclasses.replace(file.parse(text), **more)
    return Router(read, record=lines.append, clock_s=clock, wall_s=clock), clock, lines


def _send(router, tenant="bob", call=CALL, outcome=None):
    """One request all the way; the server that had it."""
    way = router.choose(call, tenant)
    way.sent(way.servers[0])
    way.ended(way.servers[0], outcome or _outcome())
    return way.told(way.servers[0])[HEADER]


def test_worth_is_what_the_metric_counts():
    service = file.parse(CONFIG).clients[2].service
    assert worth_beq(service, "large", 100, 50) == pytest.approx(1e4 * (0.2 * 100 + 50), rel=1e-12)
    assert worth_beq(service, "little", 100, 50) == pytest.approx(5e3 * 70, rel=1e-12)


def test_an_answer_that_is_surely_late_is_worth_nothing():
    service = file.parse(CONFIG).clients[0].service
    late = Waits(ttft_s=3.0, tpot_s=0.0, e2e_s=0.0)
    assert expected_beq(service, "large", 100, 50, late) == 0.0
    at_the_edge = Waits(ttft_s=2.0, tpot_s=0.0, e2e_s=0.0, ttft_sd_s=0.5)
    assert on_time_frac(service.profile, at_the_edge) == pytest.approx(0.5)


def test_a_service_gets_only_the_models_that_it_allows():
    router, _, _ = _router()
    router.price.metered = 1.0
    assert _send(router, "alice") == "big"
    assert _send(router, "bob") == "small"
    # Half the quality loses 350,000 bit-equivalents, more than the joules are worth.
    assert _send(router, "carol") == "big"
    router.price.metered = 1e6
    assert _send(router, "carol") == "small"


def test_a_request_of_nobody_gets_the_model_that_it_names():
    router, _, _ = _router(explore_frac=0.5)
    asked = [dataclasses.replace(CALL, model=m) for m in ("little", "large", "gpt")]
    assert [_send(router, "dave", call) for call in asked] == ["small", "big", "big"]


def test_a_server_that_misses_the_budget_stands_behind_one_that_does_not():
    slow = Offer(server="slow", utility_beq=9e9, energy_j=0.0, fits=False, busy=0, waits=NONE)
    fast = Offer(server="fast", utility_beq=1.0, energy_j=9.0, fits=True, busy=9, waits=NONE)
    assert by_tree([slow, fast], 1.0) == ["fast", "slow"]


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e3)), min_size=1, max_size=6),
    st.floats(0, 1e6),
)
def test_no_server_earns_more_than_the_first(pairs, price):
    offers = [
        Offer(server=str(i), utility_beq=u, energy_j=e, fits=True, busy=0, waits=NONE)
        for i, (u, e) in enumerate(pairs)
    ]
    first = offers[int(by_tree(offers, price)[0])]
    assert first.gain_beq(price) == max(o.gain_beq(price) for o in offers)


def test_round_robin_takes_turns_and_least_loaded_the_free_one():
    turn = InTurn()
    assert [turn.order(["a", "b", "c"])[0] for _ in range(4)] == ["a", "b", "c", "a"]
    assert by_load(["a", "b"], {"a": 2, "b": 1}, {"a": 4, "b": 1}) == ["a", "b"]


def test_shadow_routes_in_turn_and_records_what_the_rule_would_have_earned(tmp_path):
    router, _, lines = _router(mode="shadow")
    assert [_send(router) for _ in range(4)] == ["big", "small", "big", "small"]
    assert {line["chosen"] for line in lines} == {"small"}
    first = lines[0]
    assert first["earned"]["energy_j"] == pytest.approx(100 * 0.02 + 50 * 0.4)
    assert first["would_earn"]["energy_j"] == pytest.approx(100 * 0.01 + 50 * 0.1)
    path = tmp_path / "new" / "pilot.jsonl"
    with Recorder(path) as record:
        for line in lines:
            record(line)
    found = summary(path)
    assert found["agreed_frac"] == 0.5
    assert found["would_earn"]["utility_beq"] == found["earned"]["utility_beq"]
    assert found["would_earn"]["energy_j"] == pytest.approx(4 * 6.0)
    assert found["services"]["summarise"]["chosen"] == {"small": 4}


def test_a_record_that_is_none_is_told_with_its_line(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DataError, match=r"x\.jsonl:1: .*'service'"):
        summary(path)
    path.write_text("7\n")
    with pytest.raises(DataError, match=r"x\.jsonl:1"):
        summary(path)
    with pytest.raises(DataError, match="cannot read"):
        summary(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"offers": []}, r"offers \[\]"),
        ({"offers": {"a": {}}}, "offers.a.e2e_s None"),
        ({"sent": ["a"]}, "sent"),
        ({"earned": {"utility_beq": 1.0}, "would_earn": {}}, "earned.energy_j None"),
        ({"earned": {"utility_beq": 1.0, "energy_j": 1.0}}, "would_earn None"),
        ({"e2e_s": "x"}, "e2e_s 'x'"),
        ({"e2e_s": float("nan")}, "e2e_s nan"),
    ],
)
def test_a_line_with_a_field_of_another_form_is_told(tmp_path, change, told):
    path = tmp_path / "x.jsonl"
    fine = {"service": "s", "sent": "a", "chosen": "a", "ended": "done", "offers": {}, "e2e_s": 1.0}
    path.write_text(json.dumps(fine | change) + "\n")
    with pytest.raises(DataError, match=rf"x\.jsonl:1: .*{told}"):
        summary(path)


def test_a_list_of_the_names_of_all_fields_is_no_account(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('["service", "sent", "chosen", "ended", "offers", "e2e_s"]\n')
    with pytest.raises(DataError, match="no object"):
        summary(path)


def test_a_server_that_was_not_reached_is_tried_last_for_a_while():
    router, clock, _ = _router()
    way = router.choose(CALL, "bob")
    way.sent(way.servers[0])
    way.passed(way.servers[0], "refused")
    way.sent(way.servers[1])
    assert [s.busy for s in router.servers.values()] == [1, 0]
    way.ended(way.servers[1], _outcome())
    assert [s.busy for s in router.servers.values()] == [0, 0]
    assert _send(router) == "big"
    clock.now_s = 6.0
    assert _send(router) == "small"
    assert 'tree_pilot_passed_total{server="small"} 1' in render(families(router))


def test_a_few_requests_go_in_turn_so_that_no_server_is_forgotten():
    router, _, lines = _router(explore_frac=0.25)
    sent = [_send(router) for _ in range(16)]
    assert sent.count("big") == 2
    assert sum(line["explored"] for line in lines) == 4


def test_the_price_follows_tree_so_far():
    price = Price(7.0, 10.0, 100.0)
    assert price.now_beq_per_j == 7.0
    for second in range(2000):
        price.add(300.0, 5.0, float(second))
    assert price.now_beq_per_j == pytest.approx(300.0 / 15.0, rel=1e-6)
    price.metered = 3.0
    assert price.now_beq_per_j == 3.0


def test_joules_per_token_are_found_in_the_windows_of_a_ledger():
    draw = np.random.default_rng(1)
    tok = draw.uniform(0, 500, (60, 2))
    energy = tok @ [0.02, 0.3] + 4.0 + draw.normal(0, 1.0, 60)
    seen = [
        (10.0 * i, *map(float, row), float(e))
        for i, (row, e) in enumerate(zip(tok, energy, strict=True))
    ]
    e_in, e_out = learned(seen, (1.0, 9.0), window_s=10.0, memory_s=300.0)
    assert e_in == pytest.approx(0.02, abs=0.006)
    assert e_out == pytest.approx(0.3, abs=0.006)
    assert learned(seen[:2], (1.0, 2.0), window_s=10.0, memory_s=300.0) is None


def test_windows_that_do_not_tell_phases_apart_keep_the_ratio_of_the_file():
    seen = [(10.0 * i, 100.0 + i % 3, 50.0, 40.0 + 7.0 * (i % 2)) for i in range(10)]
    e_in, e_out = learned(seen, (1.0, 3.0), window_s=10.0, memory_s=600.0)
    assert e_out / e_in == pytest.approx(3.0, rel=0.25)
    assert 100.0 * e_in + 50.0 * e_out == pytest.approx(43.5, rel=0.15)


def test_joules_of_the_file_for_tokens_that_never_come_are_as_none():
    seen = [(10.0 * i, 100.0 * (1 + i % 3), 0.0, 50.0 * (1 + i % 3)) for i in range(10)]
    e_in, _ = learned(seen, (0.0, 9.0), window_s=10.0, memory_s=600.0)
    assert e_in == pytest.approx(0.5, rel=0.02)


def test_joules_that_change_are_forgotten():
    old = [(10.0 * i, 0.0, 100.0, 50.0) for i in range(50)]
    new = [(10.0 * i, 0.0, 20.0 * (i % 7), 2.0 * (i % 7)) for i in range(50, 100)]
    _, e_out = learned([*old, *new], (0.0, 0.0), window_s=10.0, memory_s=50.0)
    assert e_out == pytest.approx(0.1, rel=0.02)


@given(st.integers(0, 10_000))
def test_the_fit_is_the_least_of_all_that_are_not_negative(seed):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(9, 2))
    gram, moment = x.T @ x + 1e-9 * np.eye(2), draw.normal(size=2)
    found = fitted(gram, moment)
    assert found.min() >= 0.0
    slope = gram @ found - moment
    assert slope.min() >= -1e-9 * (1.0 + np.abs(moment).max())
    assert float(slope @ found) == pytest.approx(0.0, abs=1e-9)


def test_squares_begin_with_the_prior_and_learn_a_line():
    line = Squares([2.0, 0.0], [1.0, 1.0])
    assert line.forecast([1.0, 5.0]) == pytest.approx(2.0)
    for x in range(50):
        line.add([1.0, x], 3.0 + 0.5 * x)
    line.add([1.0, 1.0], math.nan)
    assert line.count == 50
    assert line.forecast([1.0, 100.0]) == pytest.approx(53.0, rel=1e-3)


def test_speed_tells_a_busy_server_from_a_free_one():
    speed = Speed(2)
    for n in range(40):
        busy, tok = n % 2, 10 + n
        stream_s = (tok - 1) * (0.02 + 0.01 * busy)
        seen = _outcome(100, tok, ttft_s=0.5, stream_s=stream_s, e2e_s=0.5 + stream_s)
        speed.add(seen, 100.0, float(tok), busy)
    free, full = speed.expect(100, 30, 0), speed.expect(100, 30, 1)
    assert free.tpot_s == pytest.approx(0.02, rel=0.01)
    assert full.tpot_s == pytest.approx(0.03, rel=0.01)
    assert free.ttft_s == pytest.approx(0.5, rel=0.02)
    assert full.e2e_s == pytest.approx(0.5 + 29 * 0.03, rel=0.05)


def test_the_body_says_what_is_to_be_expected():
    call = call_of("/v1/chat/completions", b'{"model":"m","max_tokens":9,"stream":true}')
    assert (call.model, call.most_tok, call.stream, call.body_byte) == ("m", 9, True, 42)
    assert call_of("/v1/completions", b'{"max_tokens":true}').most_tok is None
    assert renamed(b'{"model":"m","a":1}', "n") == b'{"model": "n", "a": 1}'
    assert renamed(b"[]", "n") == b"[]"


def test_all_faults_of_a_config_are_told_at_once():
    text = b"""
servers:
  a: {url: "ftp://x", model: m}
  b: {url: "http://h:1", slots: 0}
  c: {url: "http://h:1", model: n, energy: {token_out: 3}}
services:
  s: {profile: chatter, models: [k]}
rule: best
"""
    with pytest.raises(ScenarioError) as error:
        file.parse(text)
    said = "\n".join(error.value.problems)
    for words in (
        "a.url",
        "b.model",
        "b.slots",
        "c.energy.token_out",
        "one address",
        "s.profile",
        "s.models",
        "rule",
    ):
        assert words in said, words
    with pytest.raises(ScenarioError, match="servers"):
        file.parse(b"rule: tree")


def _metered(path, windows=8):
    """A ledger of one node: 10 s windows of 100 to 170 output tokens of 0.5 J, and 2 W at rest."""
    energy, work, cover = [], [], []
    for k in range(windows):
        span = {"t0_s": 10.0 * k, "t1_s": 10.0 * k + 10.0, "node": "n", "source": "meter"}
        tok = 100.0 + 10.0 * k
        energy.append({**span, "energy_j": 0.5 * tok})
        energy.append({**span, "state": "idle", "energy_j": 20.0})
        work.append({**span, "service": "chat", "kind": "token_out", "amount": tok})
        ok = {**span, "status": "ok", "node": None, "reason": None}
        cover += [{**ok, "quantity": "energy"}, {**ok, "quantity": "work"}]
    late = {"t0_s": 80.0, "t1_s": 90.0, "node": "n", "source": "meter", "energy_j": 999.0}
    return ledger(
        path,
        services={"chat": ai()},
        energy=[*energy, late],
        work=work,
        coverage=cover,
        grid_s=10.0,
    )


def test_the_ledger_of_the_meter_gives_joules_and_price(tmp_path):
    kept = _metered(tmp_path / "ledger")
    seen = windows(kept, 10.0, 0.0)
    assert [w[0] for w in seen["n"]] == [10.0 * k for k in range(1, 9)]  # the last is not whole
    assert seen["n"][2] == (30.0, 0.0, 120.0, 60.0)
    text = CONFIG.replace(b"model: large,", b"model: large, node: n,").decode()
    read = file.parse(f"ledger: {tmp_path / 'ledger'}\nmemory: 60 s\n{text}".encode())
    joules, price = look(read)
    assert joules["big"][1] == pytest.approx(0.5, rel=0.03)
    assert "small" not in joules  # its node is not in the ledger: what is known of it stays
    assert price == pytest.approx(1e4 / 0.5, rel=0.4)
    assert look(read, priced=False)[1] is None


def test_the_command_tells_where_it_answers_and_what_the_record_says(tmp_path):
    config = tmp_path / "pilot.yaml"
    config.write_bytes(CONFIG + f"record: {tmp_path / 'pilot.jsonl'}\n".encode())
    pilot = ["optimise", "pilot", str(config)]
    done = CliRunner().invoke(app, [*pilot, "--port", "0", "--for", "0.2 s", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["requests"] == 0
    router, _, lines = _router(mode="shadow")
    for _ in range(3):
        _send(router)
    with Recorder(tmp_path / "pilot.jsonl") as record:
        for line in lines:
            record(line)
    done = CliRunner().invoke(app, [*pilot, "--report"])
    assert "3 requests" in done.stdout
    assert "summarise" in done.stdout
    done = CliRunner().invoke(app, [*pilot, "--rule", "best"])
    assert done.exit_code == 2
    assert "--rule" in done.output
