"""A utility of a scenario's own, stated in it or in the file of a fitted profile."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import yaml

from engine_worlds import brief, small
from tree6g.engine.build import build
from tree6g.engine.run import run
from tree6g.engine.worth import profile_of, token_beq
from tree6g.errors import ScenarioError
from tree6g.metric.utility import FAMILIES, Curve, utility_bps
from tree6g.optimise.placing.begin import require_choice
from tree6g.optimise.scenario.answer import answer
from tree6g.optimise.scenario.scheduled_work import require
from tree6g.scenario.load import config_hash, dump, load, names
from tree6g.scenario.model import AiService
from tree6g.scenario.utility import Utility

PROFILE = (
    "# fitted\nalpha_bit_per_tok: 40000.0\nk_in: 0.3\nquality: {llama-3.2-3b: 0.8}\n"
    "utility:\n  family: saturating\n  t0_tps: 12.0\n  unit: session\n  interval_s: 1.0\n"
)
KNOT = "{rate: 2 token/s, worth: 2 token/s}"
SHAPES = (
    {"family": "linear"},
    {"family": "log", "t0": "10 token/s"},
    {"family": "alpha_fair", "t0": "10 token/s", "order": 2.5},
    {"family": "saturating", "t0": "10 token/s"},
    {"family": "power", "t0": "10 token/s", "order": 0.6},
    {"family": "sigmoid", "t0": "10 token/s", "order": 4},
    {"family": "piecewise", "knots": [{"rate": "10 token/s", "worth": "8 token/s"}]},
)


def _with(plain, **fields):
    plain["services"][0] |= fields
    return plain


def _chat(plain):
    return load(plain).services[0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat.yaml").write_text(PROFILE, "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", names())
def test_a_scenario_that_states_no_utility_does_not_mention_one(name):
    described = load(name)
    services = [s for s in dump(described)["services"] if s["kind"] == "ai"]
    assert services
    assert not any(set(AiService.later) & set(service) for service in services)
    assert config_hash(load(dump(described))) == config_hash(described)


def test_the_families_of_a_scenario_are_those_of_the_metric():
    known = typing.get_args(Utility.model_fields["family"].annotation)
    assert set(known) == {f for f in FAMILIES if FAMILIES[f].shape.__module__.startswith("tree6g")}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["family"])
def test_every_family_comes_from_a_scenario_to_its_curve(shape):
    spec = _chat(_with(small(), utility=shape, alpha="5 bit/token", k_in=0.5))
    profile = profile_of(spec)
    assert (profile.curve.family, profile.curve.alpha_bit_per_tok) == (shape["family"], 5.0)
    assert (profile.unit, profile.interval_s, profile.k_in) == ("session", 60.0, 0.5)
    assert float(utility_bps(0.0, profile.curve)) == 0.0
    assert "utility and k_in: the scenario" in profile.source
    assert 0.0 < token_beq(build(load(_with(small(), utility=shape)), {}).ai[0], 50.0) < 1e5


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("{family: log}", "expected 't0' for 'log'"),
        ("{family: linear, t0: 3 token/s}", "expected no 't0' for 'linear'; got 3 token/s"),
        ("{family: power, t0: 3 token/s}", r"expected 'order' \(p\) for 'power'; got none"),
        ("{family: log, t0: 3 token/s, order: 2}", "expected no 'order' for 'log'; got 2"),
        ("{family: alpha_fair, t0: 3 token/s, order: 1}", "of order 1 it is 'log'"),
        ("{family: piecewise}", "expected 'knots' for 'piecewise'; got 0"),
        ("{family: log, t0: 3}", "got 3 without a unit"),
        ("{family: power, t0: 3 token/s, order: 400}", "expected at most 100; got 400"),
        ("{family: log, t0: 3 token/s, interval: 1 us}", "expected at least 1 ms"),
        ("{family: lgo, t0: 3 token/s}", "Did you mean 'log'"),
        (f"{{family: piecewise, knots: [{KNOT}, {KNOT}]}}", "knots whose rates rise"),
    ],
    ids=[
        "no-t0",
        "t0",
        "no-order",
        "order",
        "order-1",
        "no-knots",
        "unit",
        "most",
        "least",
        "slip",
        "falling",
    ],
)
def test_parameters_that_are_no_utility_are_told(shape, said):
    with pytest.raises(ScenarioError, match=said):
        load(small(), [f"services.chat.utility={shape}"])


def test_a_profile_says_what_the_service_does_not(here):
    plain = _with(small(), profile="chat.yaml", alpha="7 bit/token")
    spec = _chat(plain)
    assert (spec.alpha_bit_per_tok, spec.k_in, spec.quality) == (7.0, 0.3, {"llama-3.2-3b": 0.8})
    assert (spec.utility.family, spec.utility.t0_tps) == ("saturating", 12.0)
    assert profile_of(spec).source.endswith("; utility and k_in: chat.yaml")


def test_a_profile_lies_beside_its_scenario_and_what_it_said_needs_no_file_again(here):
    (here / "deep").mkdir()
    (here / "chat.yaml").rename(here / "deep" / "chat.yaml")
    file = here / "deep" / "net.yaml"
    file.write_text(yaml.safe_dump(_with(small(), profile="chat.yaml")), "utf-8")
    first = load(file)
    by_option = load(small(), ["services.chat.profile=deep/chat.yaml"])
    assert config_hash(by_option) == config_hash(first) != config_hash(load(small()))
    (here / "deep" / "chat.yaml").write_text(PROFILE + "# otherwise the same\n", "utf-8")
    assert config_hash(load(file)) != config_hash(first)
    (here / "deep" / "chat.yaml").unlink()
    again = load(dump(first))
    assert again == first
    assert _chat(dump(first) | {"name": "other"}).k_in == 0.3


def test_a_profile_that_was_changed_after_it_was_read_is_not_passed_over(here):
    file = here / "run.yaml"
    filled = dump(load(_with(small(), profile="chat.yaml")))
    file.write_text(yaml.safe_dump(filled), "utf-8")
    assert load(file).services[0].k_in == 0.3
    (here / "chat.yaml").write_text("k_in: 0.9\n", "utf-8")
    with pytest.raises(ScenarioError, match=r"profile: expected 'chat.yaml' with the hash"):
        load(file)
    (here / "chat.yaml").unlink()
    assert load(file).services[0].k_in == 0.3


def test_another_profile_takes_the_place_of_one_that_was_read(here):
    filled = dump(load(_with(small(), profile="chat.yaml")))
    (here / "other.yaml").write_text("k_in: 0.1\n", "utf-8")
    spec = load(filled, ["services.chat.profile=other.yaml"]).services[0]
    assert (spec.k_in, spec.utility, spec.alpha_bit_per_tok) == (0.1, None, None)
    kept = load(filled, ["services.chat.profile="]).services[0]
    assert (kept.k_in, kept.profile, kept.profile_sha256) == (0.3, None, None)


def test_faults_of_a_profile_come_with_its_lines_beside_all_others(here):
    (here / "chat.yaml").write_text("k_in: -1\nprice: 3\nutility: {family: log}\n", "utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(_with(small(duration="minus"), profile="chat.yaml"))
    said = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    assert "chat.yaml:1: services.0.k_in: expected at least 0; got -1." in said
    assert "chat.yaml:2: expected one of alpha_bit_per_tok, k_in, quality, utility" in said
    assert "chat.yaml:3: services.0.utility: expected 't0' for 'log'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "expected a file of a profile; got 'chat.yaml'"), ("- 1\n", "got a list of 1")],
    ids=["absent", "list"],
)
def test_a_profile_that_cannot_be_read_is_a_fault_of_the_service(here, text, said):
    if text is None:
        (here / "chat.yaml").unlink()
    else:
        (here / "chat.yaml").write_text(text, "utf-8")
    with pytest.raises(ScenarioError, match=said):
        load(_with(small(), profile="chat.yaml"))


def test_a_run_earns_what_the_stated_utility_of_its_rows_is_worth(tmp_path):
    stated = {
        "family": "log", "t0": "20 token/s", "unit": "service", "interval": "50 s",
    }  # fmt: skip
    plain = _with(brief(), utility=stated, k_in=0.5, alpha="1000 bit/token")
    bent = run(plain, out=tmp_path / "bent")
    straight = run(brief(), out=tmp_path / "straight")
    rows = bent.ledger.query(
        "SELECT t0_s, sum(CASE kind WHEN 'token_in' THEN 0.5 WHEN 'token_in_late' THEN -0.5"
        " WHEN 'token_out' THEN 1 WHEN 'token_late' THEN -1 ELSE 0 END * amount) AS tok"
        " FROM work WHERE service = 'chat' GROUP BY t0_s"
    ).to_pylist()
    curve = Curve(family="log", alpha_bit_per_tok=1000.0, t0_tps=20.0)
    by_hand = 50.0 * utility_bps(np.array([row["tok"] for row in rows]) / 50.0, curve).sum()
    figure, plainly = bent.tree(), straight.tree()
    assert figure.service("chat").utility_beq == pytest.approx(float(by_hand), rel=1e-9)
    assert figure.service("chat").k_in == 0.5
    assert figure.energy_j == plainly.energy_j
    assert figure.conservation_error_frac <= 1e-9
    assert figure.tree_beq_per_j < plainly.tree_beq_per_j
    assert figure.profile_set != plainly.profile_set


def test_schedulers_count_a_token_by_what_it_is_worth_on_time():
    straight = build(load(_with(small(), alpha="100 bit/token", weight=2.0)), {}).ai[0]
    assert token_beq(straight, 50.0) == 200.0
    shape = {"family": "log", "t0": "10 token/s", "interval": "1 s"}
    bent = build(load(_with(small(), alpha="100 bit/token", weight=2.0, utility=shape)), {}).ai[0]
    rate_tps = 50.0 / (2.0 + 49.0 * 0.2)  # budgets of the class `assistant`
    assert token_beq(bent, 50.0) == pytest.approx(200.0 * 10.0 * np.log1p(rate_tps / 10) / rate_tps)


@pytest.mark.parametrize("shape", SHAPES[4:6], ids=lambda shape: shape["family"])
def test_the_tree_scheduler_takes_utilities_without_a_slope_at_0(shape, tmp_path):
    plain = _with(brief(scheduling={"rule": "tree"}, duration="5 s"), utility=shape)
    found = run(plain, out=tmp_path / "out").tree()
    assert found.service("chat").utility_beq > 0.0
    assert found.conservation_error_frac <= 1e-9


@pytest.mark.parametrize("token_class", ["assistant", "assistant-concave"])
def test_plans_refuse_a_utility_that_bends_in_words(token_class, tmp_path):
    shape = {"utility": {"family": "sigmoid", "t0": "9 token/s", "order": 3}}
    own = shape if token_class == "assistant" else {}
    plain = _with(small(), token_class=token_class, **own)
    file = tmp_path / "net.yaml"
    file.write_text(yaml.safe_dump(plain), "utf-8")
    words = "expected a linear utility for 'chat' in 'small'; got '(sigmoid|log)'"
    with pytest.raises(ScenarioError, match=words):
        answer(str(file), out=tmp_path / "out")
    with pytest.raises(ScenarioError, match=words):
        require_choice(load(plain))
    assert load(plain, ["services.chat.utility={family: linear}", "services.chat.k_in=1"])


def test_no_schedule_has_a_bound_where_a_slope_grows():
    require(load(_with(small(), utility=SHAPES[1])))
    with pytest.raises(ScenarioError, match="nowhere above its slope at 0"):
        require(load(_with(small(), utility=SHAPES[4])))
