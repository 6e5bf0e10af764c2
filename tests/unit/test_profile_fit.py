"""Worth of tokens from prices, utilities from scores, quality from preference; `fit profile`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tree6g.calibrate import kinds
from tree6g.calibrate.preference import bradley_terry, preferred_quality, scored_quality
from tree6g.calibrate.prices import alpha_bit_per_tok, quantile
from tree6g.calibrate.utility_fit import FITTED, fit_best, fit_family
from tree6g.cli import app
from tree6g.errors import DataError, ScenarioError
from tree6g.metric.utility import Curve, utility_bps
from tree6g.scenario.load import dump, load

TOKENS = "model,usd_per_Mtok_in,usd_per_Mtok_out\n" + "".join(
    f"m{n},{0.2 * p},{p}\n" for n, p in enumerate((1, 2, 4, 8, 10, 12, 20, 40, 60))
)
DATA = "usd_per_GB,source,date\n4,a regulator,2021-01-01\n2,an operator,2026-02-01\n1,a shop,2026\n"
WINS = "winner,loser,wins\na,b,60\nb,a,40\na,c,80\nc,a,20\nb,c,70\nc,b,30\n"
SOURCE = "made up, 2026-05-04"


def _files(folder, **texts):
    files = [folder / f"{name}.csv" for name in texts]
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def test_pairs_of_prices_give_the_worth_that_was_worked_out_by_hand():
    told = alpha_bit_per_tok([60.0, 10.0, 0.4, 0.14], np.array([[4.07], [2.0], [0.5]]))
    assert told.round().tolist() == [
        [117_936, 19_656, 786, 275],
        [240_000, 40_000, 1_600, 560],
        [960_000, 160_000, 6_400, 2_240],
    ]


def test_interval_of_a_median_holds_it_as_often_as_it_says():
    rng = np.random.default_rng(1)
    draws = (quantile(np.exp(rng.normal(size=25)), 0.5) for _ in range(2000))
    assert 0.95 <= np.mean([found.low <= 1.0 <= found.high for found in draws]) <= 0.97


def test_few_values_have_no_interval():
    assert (quantile([1.0, 2.0, 3.0], 0.5).low, quantile([1.0, 2.0, 3.0], 0.5).high) == (None, None)


@pytest.mark.parametrize("family", FITTED)
def test_shape_that_scores_speak_for_is_one_that_a_scenario_takes(family, tmp_path):
    order = {"alpha_fair": 2.5, "power": 0.6, "sigmoid": 5.0}.get(family)
    curve = Curve(family=family, alpha_bit_per_tok=1.0, t0_tps=8.0, order=order)
    rate = np.geomspace(0.5, 60.0, 20)
    rows = zip(rate.tolist(), (1.0 + 0.02 * utility_bps(rate, curve)).tolist(), strict=True)
    files = _files(tmp_path, s="rate_tps,score\n" + "".join(f"{r},{s}\n" for r, s in rows))
    (tmp_path / "p.yaml").write_text(kinds.fit("profile", files, source=SOURCE).table, "utf-8")
    name = next(s.name for s in load("street-corner").services if s.kind == "ai")
    read = load("street-corner", [f"services.{name}.profile={tmp_path / 'p.yaml'}"])
    said = next(s.utility for s in read.services if s.kind == "ai")
    assert (said.family, said.unit, said.interval_s) == (family, "session", 1.0)
    assert order is None or said.order == pytest.approx(order, rel=0.01)


@pytest.mark.parametrize("family", FITTED)
def test_utility_that_made_the_scores_comes_back(family):
    order = {"alpha_fair": 2.5, "power": 0.6, "sigmoid": 5.0}.get(family)
    curve = Curve(family=family, alpha_bit_per_tok=1.0, t0_tps=8.0, order=order)
    rate = np.geomspace(0.5, 60.0, 20)
    found = fit_family(family, rate, 1.0 + 0.02 * utility_bps(rate, curve))
    assert found.floor == pytest.approx(1.0, abs=1e-3)
    assert found.rms_error < 1e-4
    if family not in {"linear", "power"}:
        assert found.t0_tps.value == pytest.approx(8.0, rel=0.01)
    if order is not None:
        assert found.order.value == pytest.approx(order, rel=0.01)


def test_interval_of_a_scale_holds_the_truth_in_most_panels():
    rng = np.random.default_rng(2)
    rate = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 4)
    truth = 1.0 + 3.0 * -np.expm1(-rate / 8.0)
    fits = [fit_family("saturating", rate, truth + rng.normal(0, 0.1, 24)) for _ in range(60)]
    held = [f.t0_tps.low <= 8.0 <= f.t0_tps.high for f in fits]
    assert np.mean(held) >= 0.85


def test_straight_scores_speak_for_the_linear_family():
    rng = np.random.default_rng(3)
    rate = np.linspace(1.0, 40.0, 30)
    assert fit_best(rate, rate / 10 + rng.normal(0, 0.05, 30))[0].family == "linear"


@pytest.mark.parametrize(
    ("rate", "score", "words"),
    [
        ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], "rise with the token rate"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0], "scores that differ"),
        ([1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0], "three different token rates"),
        ([1.0, 2.0], [1.0, 2.0], "more than 2 scores"),
    ],
    ids=["fall", "flat", "two-rates", "few"],
)
def test_scores_that_tell_no_utility_are_refused(rate, score, words):
    with pytest.raises(DataError, match=words):
        fit_best(np.array(rate), np.array(score))


def test_a_fit_that_strays_where_the_family_is_flat_goes_on_without_a_warning():
    rng = np.random.default_rng(5)
    rate = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 4)
    for _ in range(25):
        fits = fit_best(rate, 1.0 + 3.0 * rate / 32.0 + rng.normal(0, 0.1, 24))
        assert all(np.isfinite(found.rms_error) for found in fits)


def test_a_power_of_large_rates_does_not_overflow():
    rate = np.geomspace(1e7, 1e9, 12)
    assert fit_family("power", rate, (rate / 1e9) ** 3).order.value == pytest.approx(3.0, rel=1e-3)


def test_strengths_are_those_whose_expected_wins_are_the_wins():
    wins = np.array([[0, 60, 80], [40, 0, 70], [20, 30, 0]], dtype=float)
    log = bradley_terry(wins).log
    share = 1.0 / (1.0 + np.exp(log[None, :] - log[:, None]))
    games = wins + wins.T
    assert (games * share).sum(axis=1) == pytest.approx(wins.sum(axis=1), rel=1e-6)


def test_quality_of_two_models_is_twice_the_share_of_wins_with_the_interval_of_the_logit():
    found = preferred_quality(bradley_terry(np.array([[0.0, 25.0], [75.0, 0.0]])), 0)
    assert (found[0].value, found[0].low, found[0].high) == (1.0, 1.0, 1.0)
    spread = 1.96 * (1 / 75 + 1 / 25) ** 0.5
    assert found[1].value == pytest.approx(1.5)
    assert found[1].low == pytest.approx(2 / (1 + np.exp(spread) / 3))


def test_a_model_that_never_loses_has_no_strength():
    with pytest.raises(DataError, match="always win"):
        bradley_terry(np.array([[0.0, 5.0, 5.0], [0.0, 0.0, 2.0], [0.0, 3.0, 0.0]]))


def test_benchmark_scores_have_an_interval_only_where_questions_are_known():
    small, large = scored_quality(np.array([0.6, 0.8]), 1, np.array([np.nan, 1000.0]))
    assert (small.value, small.low) == (pytest.approx(0.75), None)
    assert large.low == large.high == 1.0


def test_profile_of_all_files_goes_into_a_scenario_with_its_sources(tmp_path):
    fitted = kinds.fit("profile", _files(tmp_path, t=TOKENS, d=DATA, w=WINS), source=SOURCE)
    fields = yaml.safe_load(fitted.table)
    assert fields["alpha_bit_per_tok"] == 40_000.0  # 10 per 10^6 tokens over 2 per GB
    assert fields["quality"]["a"] == 1.0
    assert "an operator, 2026-02-01" in fitted.table
    assert SOURCE in fitted.table
    plain = dump(load("street-corner"))
    ai = next(n for n, s in enumerate(plain["services"]) if s["kind"] == "ai")
    plain["services"][ai] |= {"alpha_bit_per_tok": fields["alpha_bit_per_tok"]}
    assert load(plain).services[ai].alpha_bit_per_tok == 40_000.0
    told = {c.name: c.value for c in fitted.constants}
    assert told["k_in"] == pytest.approx(0.2)
    assert told["alpha_least_bit_per_tok"] == pytest.approx(2000.0)
    assert told["alpha_most_bit_per_tok"] == pytest.approx(480_000.0)


def test_times_per_token_are_rates_turned_over(tmp_path):
    rate = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 2)
    score = np.log1p(rate / 4.0)
    pairs = zip(rate, score, strict=True)
    times = "tpot_s,score\n" + "".join(f"{1 / r},{s}\n" for r, s in pairs)
    fitted = kinds.fit("profile", _files(tmp_path, t=times), source=SOURCE)
    assert {c.name: c.value for c in fitted.constants}["log: t0_tps"] == pytest.approx(4, rel=0.01)
    assert any("too narrow" in note for note in fitted.problems)


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        ({"w": WINS}, {}, "--source"),
        ({"t": TOKENS}, {"source": SOURCE}, "second file with the columns usd_per_GB"),
        ({"w": WINS, "v": WINS}, {"source": SOURCE}, "one file of each kind"),
        ({"w": WINS}, {"source": SOURCE, "reference": "aa"}, "--reference"),
        ({"x": "one,two\n1,2\n"}, {"source": SOURCE}, "has one, two"),
        ({"t": TOKENS + "bad,1,-1\n", "d": DATA}, {"source": SOURCE}, "must be above 0; got -1"),
        ({"w": WINS + "a,a,3\n"}, {"source": SOURCE}, "line 8: a model beside itself"),
        ({"s": "model,score,questions\na,80,100\n"}, {"source": SOURCE}, "a share up to 1"),
        ({"s": "model,score\na,80\n", "w": WINS}, {"source": SOURCE}, "got both"),
        ({"d": DATA + "3,,2026\n", "t": TOKENS}, {"source": SOURCE}, "line 5: no source or date"),
    ],
    ids=[
        "source",
        "data",
        "twice",
        "reference",
        "columns",
        "price",
        "self",
        "share",
        "both",
        "date",
    ],
)
def test_files_that_tell_no_profile_are_refused_with_what_to_do(tmp_path, texts, options, words):
    with pytest.raises((DataError, ScenarioError), match=words):
        kinds.fit("profile", _files(tmp_path, **texts), **options)


def test_command_writes_the_profile_and_prints_it_as_json(tmp_path):
    (file,) = _files(tmp_path, w=WINS)
    out = tmp_path / "profile.yaml"
    words = ["fit", "profile", str(file), "--source", SOURCE, "--reference", "b", "--out", str(out)]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = {c["name"]: c["value"] for c in json.loads(done.stdout)["constants"]}
    assert found["quality: b"] == 1.0
    assert found["quality: a"] > 1.0 > found["quality: c"]
    assert yaml.safe_load(out.read_text("utf-8"))["quality"]["b"] == 1.0
