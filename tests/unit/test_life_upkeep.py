"""Updates and data over the life of a service: by hand, their N*, stated by options, refused."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from life_pieces import KWH, chat, use
from tree6g.cli import app
from tree6g.errors import DataError
from tree6g.lifecycle.ranges import Range, exact, sums
from tree6g.lifecycle.service import life
from tree6g.lifecycle.upkeep import SYNTHETIC_J_PER_TOK, Prepared, Updated, even_tok
from tree6g.report.life import sentences, tell
from tree6g.report.life_training import Data, Updates
from tree6g.report.life_use import Assumptions, gather


def _updated(**changes):
    base = Updated(
        model="m", share_frac=1.0, per_year=10.0, energy_j=exact(1e8), tok_per_year=1e9,
        source="hand",
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def _share(frac):
    return Prepared(training_frac=frac, energy_j=None, kgco2e_per_j=exact(1e-7), source="hand")


def _energy(joules):
    return Prepared(training_frac=None, energy_j=joules, kgco2e_per_j=exact(2e-7), source="hand")


def test_updates_and_data_by_hand():
    found = life(use(updates=(_updated(),), prepared=_share(0.2)))
    # Ten updates of 1e8 J are paid by 1e9 tokens: 1 J each; training is 1 J, data a fifth of both.
    assert found.j_per_tok["updates"].value == pytest.approx(1.0)
    assert found.j_per_tok["data"].value == pytest.approx(0.4)
    assert found.total_j_per_tok.value == pytest.approx(2.0 + 0.5 + 1.0 + 1.0 + 0.4)
    # Updates have the grid of the service, 0.36 kg/kWh; training 0.72, and its data with it.
    assert found.kgco2e_per_tok["updates"].value == pytest.approx(0.36 / KWH)
    assert found.kgco2e_per_tok["data"].value == pytest.approx(0.2 * (0.72 + 0.36) / KWH)
    assert found.tree_life_beq_per_j.value == pytest.approx(1e4 / 4.9)
    assert sum(e.value for e in found.energy_share_frac.values()) == pytest.approx(1.0, abs=1e-12)


def test_n_star_with_upkeep_is_where_training_and_its_data_add_what_is_left_of_inference():
    kept = use(updates=(_updated(),), prepared=_share(0.2))
    found = life(kept)
    assert found.break_even_tok.value == pytest.approx(1e12 / 2.0)
    assert found.break_even_upkeep_tok.value == pytest.approx(1.2e12 / (2.0 - 1.2))
    there = life(dataclasses.replace(kept, life_tok=found.break_even_upkeep_tok.value))
    learnt = sum(there.j_per_tok[part].value for part in ("training", "updates", "data"))
    assert learnt == pytest.approx(there.j_per_tok["inference"].value)


def test_without_updates_and_data_nothing_changes_and_there_is_no_second_n_star():
    found = life(use())
    assert set(found.j_per_tok) == {"inference", "network", "training"}
    assert found.break_even_upkeep_tok is None


@pytest.mark.parametrize("per_year", [20.0, 19.9])
def test_updates_that_take_as_much_as_inference_have_no_n_star(per_year):
    updates = (_updated(per_year=per_year, energy_j=Range(value=1e8, low=9e7, high=2e8)),)
    made = life(use(updates=updates))
    assert made.break_even_upkeep_tok is None
    assert made.break_even_tok is not None


def test_few_draws_without_an_end_leave_the_interval_finite():
    left = np.array([1.0] * 100 + [0.0])
    found = even_tok(np.ones(101), left)
    assert (found[0], found[-1]) == (1.0, np.inf)
    assert even_tok(np.ones(101), np.array([1.0] * 90 + [-1.0] * 11)) is None


def test_an_energy_of_data_needs_a_life_and_a_share_needs_training():
    stated = use(prepared=_energy(exact(5e11)))
    assert life(stated).j_per_tok["data"].value == pytest.approx(0.5)
    bare = dataclasses.replace(stated, trained=())
    assert life(bare).j_per_tok["data"].value == pytest.approx(0.5)
    assert life(bare).tree_life_beq_per_j is None
    assert "data" not in life(dataclasses.replace(bare, life_tok=None)).j_per_tok
    assert "data" not in life(dataclasses.replace(bare, prepared=_share(0.2))).j_per_tok


def test_an_update_of_a_model_is_its_training_with_the_range_of_utilisations(tmp_path):
    made = chat(tmp_path / "l")
    asked = Assumptions(updates=Updates(per_year=12.0, units_tok=1e8))
    (found,) = gather(made, asked)
    (one,) = found.use.updates
    # 4 FLOP a parameter and token at 40 % of 989 TFLOP/s, somewhat more than a kilowatt.
    assert one.energy_j.value == pytest.approx(2.3 * KWH, rel=0.05)
    assert one.energy_j.high / one.energy_j.value > 2.5
    assert one.tok_per_year == pytest.approx(50.0 / 10.0 * 365 * 86400)
    stated = Updates(per_year=12.0, energy_j=KWH, tok_per_year=1e9)
    (found,) = gather(made, Assumptions(updates=stated))
    assert (found.use.updates[0].energy_j, found.use.updates[0].tok_per_year) == (exact(KWH), 1e9)
    assert any("as stated" in line for line in sentences(tell(found, Assumptions(updates=stated))))


def test_a_model_in_a_format_is_trained_and_updated_as_the_model(tmp_path):
    made = chat(tmp_path / "l", model="llama-3.1-8b int4")
    asked = Updates(per_year=1.0, energy_j=1.0)
    (found,) = gather(made, Assumptions(updates=asked))
    assert [one.model for one in found.use.trained] == ["llama-3.1-8b"]
    assert [one.model for one in found.use.updates] == ["llama-3.1-8b"]
    assert found.models == {"llama-3.1-8b int4": 1.0}


def test_an_update_of_a_model_without_tokens_is_stated_as_energy(tmp_path):
    made = chat(tmp_path / "l", model="pix2pix")
    with pytest.raises(DataError, match="state --update-energy"):
        gather(made, Assumptions(updates=Updates(per_year=1.0, units_tok=1e6)))


def test_synthetic_text_comes_on_top_of_a_stated_energy(tmp_path):
    (found,) = gather(chat(tmp_path / "l"), Assumptions(data=Data(energy_j=1e9, synthetic_tok=1e9)))
    ranged = found.use.prepared.energy_j
    assert ranged == sums([exact(1e9), SYNTHETIC_J_PER_TOK.scaled(1e9)])
    assert ranged.low < ranged.value < ranged.high


def test_what_is_not_stated_is_left_out_with_its_reason(tmp_path):
    (found,) = gather(chat(tmp_path / "l"), Assumptions())
    assert (found.use.updates, found.use.prepared) == ((), None)
    told = "\n".join(found.problems)
    assert "updates are left out: none are stated (--updates-per-year)" in told
    assert "data pipeline is left out" in told


@pytest.mark.parametrize(
    ("stated", "why"),
    [(Data(training_frac=0.2), "a share of training"), (Data(energy_j=1e9), "state --life-tokens")],
    ids=["share", "energy"],
)
def test_data_that_nothing_can_be_spread_over_is_left_out_with_its_reason(tmp_path, stated, why):
    made = chat(tmp_path / "l", model="qwen2.5-7b")
    asked = Assumptions(data=stated)
    (found,) = gather(made, asked)
    assert found.use.prepared is None
    (told,) = [problem for problem in found.problems if "data pipeline" in problem]
    assert why in told
    (found,) = gather(made, Assumptions(data=stated, life_tok=1e12, training_j=KWH))
    assert "data" in tell(found, asked).life.j_per_tok


def test_pictures_of_a_model_in_a_format_are_counted_as_pictures(tmp_path):
    (found,) = gather(chat(tmp_path / "l", model="pix2pix int8"), Assumptions())
    assert found.unit == "image"


def test_updates_and_data_that_cannot_be_are_refused():
    for wrong in ({"per_year": 0.0}, {"tok_per_year": float("inf")}):
        with pytest.raises(DataError, match="per year above 0"):
            _updated(**wrong)
    for wrong in ({}, {"energy_j": 1.0, "units_tok": 1.0}):
        with pytest.raises(DataError, match="what an update takes"):
            Updates(per_year=1.0, **wrong)
    with pytest.raises(DataError, match=r"--update-tokens above 0 \(got -5\)"):
        Updates(per_year=1.0, units_tok=-5.0)
    with pytest.raises(DataError, match=r"--updates-per-year above 0 .*--tokens-per-year above 0"):
        Updates(per_year=math.inf, units_tok=5.0, tok_per_year=0.0)
    with pytest.raises(DataError, match="--data-share above 0"):
        Data(training_frac=0.0)
    with pytest.raises(DataError, match="--synthetic-tokens above 0"):
        Data(synthetic_tok=math.nan)
    with pytest.raises(DataError, match="Did you mean 'lora'"):
        Updates(per_year=1.0, units_tok=1.0, method="loro")
    for wrong in ({}, {"training_frac": 0.1, "energy_j": 1.0}):
        with pytest.raises(DataError, match="data pipeline as"):
            Data(**wrong)
    with pytest.raises(DataError, match="a share of training or as an energy"):
        _energy(None)
    with pytest.raises(DataError, match="above 0 of training"):
        _share(0.0)


def _run(*words):
    return CliRunner().invoke(app, ["lifecycle", *map(str, words)])


def test_the_command_takes_updates_and_data(tmp_path):
    path = chat(tmp_path / "l").path
    words = [path, "--updates-per-year", 4, "--update-tokens", "1e7", "--tokens-per-year", "1e10"]
    done = _run(*words, "--data-share", "20 %")
    assert done.exit_code == 0, done.output
    for text in ("updates  ", "data  ", "With updates and data as stated", "4 a year of"):
        assert text in done.stdout
    found = json.loads(_run(*words, "--data-energy", "1 MWh", "--json").stdout)["services"][0]
    assert found["updates"][0]["tok_per_year"] == 1e10
    assert found["data"]["energy_j"]["value"] == 3.6e9
    assert found["break_even_upkeep_tok"]["value"] > found["break_even_tok"]["value"]


def test_the_command_says_what_an_update_lacks(tmp_path):
    path = chat(tmp_path / "l").path
    done = _run(path, "--update-tokens", "1e7")
    assert done.exit_code == 2
    assert "expected --updates-per-year" in done.stderr
    done = _run(path, "--updates-per-year", 4)
    assert done.exit_code == 2
    assert "got neither" in done.stderr
