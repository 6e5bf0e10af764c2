"""The life of a service: ranges, hardware, grids, SCI, and a served token by hand and by ledger."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ledgers import ai, data, ledger
from life_pieces import box, chat, use
from tree6g.calibrate.grid_hours import read_hours
from tree6g.cli import app
from tree6g.errors import DataError, LedgerError
from tree6g.lifecycle import grid, sci
from tree6g.lifecycle.hardware import embodied, of_server
from tree6g.lifecycle.ranges import Range, draws, estimate, exact, within
from tree6g.lifecycle.service import LIFE_MULTIPLE, Held, life
from tree6g.report.life_use import Assumptions, gather
from tree6g.training.published import published_run

POSITIVE = st.floats(1e-6, 1e12)


def test_the_specification_s_example_of_sci():
    grams = 1e3 * sci.embodied_kgco2e(1000.0, 3600.0, 4 * 365 * 86400.0)
    assert round(grams, 1) == 28.5
    assert sci.intensity_kgco2e(2.0, 3.0, 4.0, 5.0) == 2.0
    with pytest.raises(DataError, match="units above 0"):
        sci.intensity_kgco2e(1.0, 1.0, 1.0, 0.0)


def test_a_served_token_by_hand():
    found = life(use())
    assert found.j_per_tok["inference"].value == pytest.approx(2.0)
    assert found.j_per_tok["network"].value == pytest.approx(0.5)
    assert found.j_per_tok["training"].value == pytest.approx(1.0)
    assert found.total_j_per_tok.value == pytest.approx(3.5)
    assert found.break_even_tok.value == pytest.approx(5e11)
    assert found.tree_beq_per_j.value == pytest.approx(4000.0)
    assert found.tree_life_beq_per_j.value == pytest.approx(1e4 / 3.5)
    # 876 kg over a year are 0.1 kg an hour; two boxes, half of each; a million tokens.
    assert found.kgco2e_per_tok["embodied"].value == pytest.approx(1e-7)
    assert found.kgco2e_per_tok["inference"].value == pytest.approx(2e-7)
    assert found.kgco2e_per_tok["training"].value == pytest.approx(2e-7)
    assert found.total_kgco2e_per_tok.value == pytest.approx(5.5e-7)
    assert found.sci_kgco2e_per_ktok.value == pytest.approx(3.5e-4)
    assert found.tree_beq_per_kgco2e.value == pytest.approx(1e4 / 5.5e-7)


def test_at_n_star_training_and_inference_add_the_same_per_token():
    even = life(use()).break_even_tok.value
    there = life(use(life_tok=even))
    assert there.j_per_tok["training"].value == pytest.approx(there.j_per_tok["inference"].value)
    later = life(use(life_tok=2 * even))
    assert later.j_per_tok["training"].value < later.j_per_tok["inference"].value


def test_without_a_stated_life_training_is_a_quarter_of_inference():
    found = life(use(life_tok=None))
    training, inference = (found.j_per_tok[p].value for p in ("training", "inference"))
    assert training == pytest.approx(inference / LIFE_MULTIPLE.value)
    assert found.life_tok.low < found.life_tok.value < found.life_tok.high


def test_shares_sum_to_one_and_embodied_has_no_joules():
    found = life(use())
    for shares in (found.energy_share_frac, found.carbon_share_frac):
        assert sum(e.value for e in shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert "embodied" not in found.j_per_tok
    nothing = life(use(trained=(), held=()))
    assert set(nothing.j_per_tok) == {"inference", "network"}
    assert (nothing.break_even_tok, nothing.tree_life_beq_per_j) == (None, None)


def test_pieces_of_one_kind_are_off_alike_wherever_they_stand():
    made = dataclasses.replace(box(), kgco2e=Range(value=876.0, low=438.0, high=1752.0))
    here = Held(node="n", made=made, count=1.0, share_frac=1.0)
    many = [dataclasses.replace(here, node=f"n{i}", share_frac=0.04) for i in range(25)]
    one, spread = (life(use(held=tuple(held))) for held in ([here], many))
    for end in ("value", "low", "high"):
        apart = getattr(spread.kgco2e_per_tok["embodied"], end)
        assert apart == pytest.approx(getattr(one.kgco2e_per_tok["embodied"], end), rel=1e-9)


def test_a_service_that_delivered_nothing_has_no_life():
    for change in ({"tokens": 0.0}, {"inference_j": exact(0.0)}, {"life_tok": -1.0}):
        with pytest.raises(DataError):
            use(**change)


@given(POSITIVE, st.floats(1.0, 10.0), st.floats(1.0, 10.0))
def test_draws_stay_in_their_range_with_the_value_as_their_median(value, down, up):
    ranged = Range(value=value, low=value / down, high=value * up)
    drawn = draws(ranged, np.random.default_rng(1))
    assert drawn[0] == pytest.approx(value)
    assert drawn.min() >= ranged.low * (1 - 1e-9)
    assert drawn.max() <= ranged.high * (1 + 1e-9)
    assert np.median(drawn) == pytest.approx(value, rel=0.1)
    found = estimate(drawn)
    assert found.low <= found.value <= found.high


@given(st.floats(1.01, 5.0))
def test_a_wider_input_gives_a_wider_interval(factor):
    narrow = life(use()).total_j_per_tok
    ranged = Range(value=2e6, low=2e6 / factor, high=2e6 * factor)
    wide = life(use(inference_j=ranged)).total_j_per_tok
    assert wide.value == pytest.approx(narrow.value)
    assert wide.low < narrow.low
    assert wide.high > narrow.high


def test_a_range_must_hold_its_value():
    for low, value, high in ((2.0, 1.0, 3.0), (0.0, 1.0, 2.0), (1.0, 2.0, float("inf"))):
        with pytest.raises(DataError, match="low <= value <= high"):
            Range(value=value, low=low, high=high)
    assert exact(0.0).scaled(3.0) == exact(0.0)


def test_hardware_is_what_its_server_is_made_of():
    h100 = {made.item: count for made, count in of_server("h100-sxm", 8)}
    assert h100 == {"h100": 8.0, "host-of-eight": 8.0}
    assert {m.item: n for m, n in of_server("l40s", 2)} == {"accelerator": 2.0, "server": 1.0}
    assert [m.item for m, _ in of_server("snapdragon-8-gen3", 1)] == ["smartphone"]
    assert of_server("jetson-agx-orin", 1) == ()
    spread = embodied("h100").kgco2e
    assert spread.high / spread.low == pytest.approx(3.5, abs=0.01)


def test_places_are_found_by_code_and_name():
    assert grid.grid_of("deu") == grid.grid_of("Germany") == "DEU"
    assert 3.6e9 * grid.yearly_kgco2e_per_j("FRA").value == pytest.approx(56.0, abs=0.1)
    with pytest.raises(DataError, match="Did you mean"):
        grid.grid_of("Germny")


def test_hours_weigh_by_the_energy_that_was_drawn_in_them():
    by_hour = np.zeros(24)
    by_hour[0], by_hour[1] = 1.0, 3.0
    assert grid.weighted_kgco2e_per_j([1.0, 1.0], by_hour) == 2.0
    assert grid.weighted_kgco2e_per_j([0.0] * 24 + [1.0], by_hour) == 1.0
    with pytest.raises(DataError, match="24 intensities"):
        grid.weighted_kgco2e_per_j([1.0], by_hour[:3])
    with pytest.raises(DataError, match="above 0 J"):
        grid.weighted_kgco2e_per_j([0.0], by_hour)


def test_a_ledger_gives_what_a_service_drew_and_held(tmp_path):
    (found,) = gather(chat(tmp_path / "l"), Assumptions())
    use = found.use
    assert use.inference_j.value == pytest.approx(100.0)
    assert use.network_j.value == pytest.approx(30.0)
    assert found.overhead_j == pytest.approx(20.0)
    assert (use.tokens, found.output_tok) == (50.0, 25.0)
    assert found.models == {"llama-3.1-8b": 1.0}
    held = {h.made.item: h.share_frac for h in use.held}
    assert held == {"l4": 1.0, "server": 1.0, "base-station": pytest.approx(0.25)}
    run = published_run("llama-3.1-8b")
    assert use.trained[0].energy_j.value == run.energy_j == pytest.approx(1.46e6 * 3600 * 700)
    assert use.trained[0].kgco2e_per_j.value * run.energy_j == pytest.approx(420_000)


def test_a_model_without_a_published_run_is_told_and_may_be_stated(tmp_path):
    made = chat(tmp_path / "l", model="mine")
    (found,) = gather(made, Assumptions())
    assert found.use.trained == ()
    assert any("no published run of mine" in problem for problem in found.problems)
    (stated,) = gather(made, Assumptions(training_j=5e9 * 3600))
    assert stated.use.trained[0].energy_j.value == 5e9 * 3600
    with pytest.raises(LedgerError, match="Did you mean 'chat'"):
        gather(made, Assumptions(), service="chad")
    with pytest.raises(DataError, match="no tokens"):
        gather(made, Assumptions(), service="video")


def _hours(path, rows):
    path.write_text("hour,g_per_kwh\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_command_prints_shares_with_intervals(tmp_path):
    made = chat(tmp_path / "l")
    hours = _hours(tmp_path / "h.csv", [f"{h},{360 if h == 0 else 0}" for h in range(24)])
    words = ["lifecycle", str(made.path), "--grid", str(hours), "--life-tokens", "1e12"]
    done = CliRunner().invoke(app, [*words, "--wue-on", "1", "--wue-off", "2"])
    assert done.exit_code == 0, done.output
    for text in ("A token of chat over its life", "inference", "N* = ", "360 gCO2e/kWh", "Water:"):
        assert text in done.stdout
    out = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "f"), "--json"])
    found = json.loads(out.stdout)["services"][0]
    assert found["life_tok"] == {"value": 1e12, "low": 1e12, "high": 1e12}
    parts = {part["name"]: part for part in found["parts"]}
    assert parts["embodied"]["j_per_tok"] is None
    assert parts["inference"]["j_per_tok"]["value"] == pytest.approx(2.0)
    assert found["kgco2e_per_j"]["value"] == pytest.approx(1e-7)
    assert found["water_l_per_tok"] is None
    assert (tmp_path / "f" / "figures" / "life-chat.png").stat().st_size > 5000


def test_faults_of_a_file_of_hours_are_told(tmp_path):
    with pytest.raises(DataError, match="each hour from 0 to 23 once"):
        read_hours(_hours(tmp_path / "a.csv", ["0,1", "0,2"]))
    rows = [f"{h},{-1 if h == 3 else 1}" for h in range(24)]
    with pytest.raises(DataError, match="at least 0 in every hour"):
        read_hours(_hours(tmp_path / "b.csv", rows))


def test_the_command_names_what_it_expected(tmp_path):
    done = CliRunner().invoke(app, ["lifecycle", "city-quary"])
    assert done.exit_code == 2
    assert "Did you mean 'city-query'" in done.stderr
    done = CliRunner().invoke(app, ["lifecycle", str(chat(tmp_path / "l").path), "--country", "X"])
    assert done.exit_code == 2
    assert "expected a country" in done.stderr


def test_water_that_cannot_be_is_refused():
    for change in ({"on_site_l_per_kwh": math.inf}, {"off_site_l_per_kwh": -1.0}):
        with pytest.raises(DataError, match="L/kWh"):
            Assumptions(**change)


def test_a_value_with_a_relative_error_is_a_range():
    assert within(10.0, 0.0) == exact(10.0)


def test_a_service_without_energy_is_told_so_with_hours_as_without(tmp_path):
    energy = {"node": "cell", "tier": "ran", "component": "radio_unit", "t1_s": 10.0,
              "energy_j": 9.0, "service": "video"}  # fmt: skip
    token = {"node": "gpu", "tier": "edge", "service": "chat", "t1_s": 10.0, "kind": "token_out",
             "amount": 5.0, "demand": 1.0}  # fmt: skip
    made = ledger(
        tmp_path / "l",
        services={"chat": ai(), "video": data()},
        energy=[energy],
        work=[token],
        grid_s=10.0,
    )
    for assumed in (Assumptions(), Assumptions(hours_kgco2e_per_j=np.ones(24))):
        with pytest.raises(DataError, match="'chat' drew no energy"):
            gather(made, assumed)


def test_a_meter_s_error_is_carried_into_the_network_water_and_what_is_worth(tmp_path):
    done = CliRunner().invoke(
        app,
        ["lifecycle", str(chat(tmp_path / "l", u95_frac=0.1).path), "--json", "--wue-on", "1",
         "--wue-off", "2"],
    )  # fmt: skip
    found = json.loads(done.stdout)["services"][0]
    network = next(part for part in found["parts"] if part["name"] == "network")
    for known in (network["j_per_tok"], found["water_l_per_tok"], found["tree_beq_per_j"]):
        assert known["low"] < known["value"] < known["high"]
