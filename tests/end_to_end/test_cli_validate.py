"""`tree6g validate` and `tree6g fit` as a user runs them, on counters with known constants."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from counter_folders import DYNAMIC, START, STATIC, tables, where, write
from tree6g.calibrate import kinds
from tree6g.cli import app

MIDDLE = START.replace(day=2, hour=12)


@pytest.fixture(scope="module")
def columns():
    return tables(np.random.default_rng(11), shifted=12, noise=0.005)


@pytest.fixture(scope="module")
def counters(columns, tmp_path_factory):
    return write(tmp_path_factory.mktemp("counters"), columns)


def _run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def _json(*words):
    done = _run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_validation_prints_errors_baselines_and_the_clock_offset(counters):
    done = _run("validate", "base-station", counters)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Base stations, mean error: later hours of the same stations ")
    for words in ("stations never seen", "Errors of simpler models", "mean error", "95 % interval"):
        assert words in done.stdout
    assert (
        "Clock: stamps of energy lag those of load by 1 h for S_0 to S_11 (12 of 12 stations agree)"
        in done.stdout
    )


def test_validation_as_json_has_the_promised_keys(counters):
    found = _json("validate", "base-station", counters)
    assert found["kind"] == "base-station"
    wanted = {"rows", "fitted_constants", "groups", "baselines", "misses", "constants", "problems"}
    assert wanted | {"mape_frac", "median_ape_frac", "p90_ape_frac", "within_25_frac"} <= {*found}
    same = next(g for g in found["groups"] if g["name"] == "same")
    assert same["mape_frac"] < 0.01
    assert [c["value"] for c in found["constants"]] == [3600.0, 0.0]


def test_figures_at_the_top_are_of_one_group_and_rows_are_counted_once(counters, columns):
    found = _json("validate", "base-station", counters)
    same = next(g for g in found["groups"] if g["name"] == "same")
    assert found["figures_of"] == "same"
    for name in ("mape_frac", "median_ape_frac", "max_abs_error", "fitted_constants"):
        assert found[name] == same[name]
    assert found["rows"] <= len(columns["bs_energy_hourly"]["BS"])
    assert found["rows"] >= max(g["rows"] for g in found["groups"])


def test_fit_on_another_folder_tells_fitted_stations_from_the_rest(columns, tmp_path):
    left_out = {"S_3", "S_4", "S_21"}
    fitted = where(columns, lambda b, t: b not in left_out and t < MIDDLE)
    tested = where(columns, lambda b, t: b in left_out or t >= MIDDLE)
    paths = write(tmp_path / "fitted", fitted), write(tmp_path / "tested", tested, form="csv")
    found = _json("validate", "base-station", paths[1], "--fit", paths[0])
    groups = {g["name"]: g for g in found["groups"]}
    assert {*groups} == {"same", "unseen"}
    assert groups["unseen"]["stations"] == 3
    assert groups["same"]["mape_frac"] < 0.01
    assert groups["unseen"]["mape_frac"] < 0.05  # stations of a kind differ by so much


def test_radio_unit_that_was_never_fitted_is_a_group_of_its_own(columns, tmp_path):
    fitted = where(columns, lambda b, _: int(b[2:]) % 2 == 0)
    found = _json(
        "validate", "base-station", write(tmp_path / "all", columns), "--fit",
        write(tmp_path / "one-kind", fitted),
    )  # fmt: skip
    assert {g["name"] for g in found["groups"]} == {"same", "unseen type of radio unit"}


def test_report_of_a_validation_has_page_figures_and_tables(counters, tmp_path):
    done = _run("validate", "base-station", counters, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "validation.html").read_text("utf-8")
    assert "Errors by group" in page
    assert "What was compared" in page
    assert "Fitted: " in page
    names = sorted(path.stem for path in (tmp_path / "figures").glob("*.svg"))
    assert names == ["predicted-over-measured", "share-of-rows-by-error"]
    assert page.count("<svg") == 2
    assert (tmp_path / "tables" / "baselines.csv").read_text("utf-8").startswith("group,rows,")
    assert (tmp_path / "figures" / "share-of-rows-by-error.png").stat().st_size > 5_000


def test_fit_finds_the_constants_that_made_the_counters(counters):
    found = _json("fit", "base-station", counters)
    assert {"kind", "constants", "rows", "error"} <= {*found}
    constants = {c["name"]: c for c in found["constants"]}
    for unit, static in STATIC.items():
        start = f"M {unit}, 20 MHz x 2, 46.0 dBm, band 3500: "
        idle, full = constants[start + "at no load"], constants[start + "full load adds"]
        assert idle["value"] == pytest.approx(static, rel=0.1)
        assert idle["low"] < idle["value"] < idle["high"]
        assert full["value"] == pytest.approx(DYNAMIC[unit], rel=0.2)
        assert constants[start + "ESMode1 adds"]["value"] == pytest.approx(-60.0, rel=0.25)
    printed = _run("fit", "base-station", counters).stdout
    assert "Clock: stamps of energy lag those of load by 1 h for S_0 to S_11" in printed
    assert "M RU-A, 20 MHz x 2, 46.0 dBm, band 3500\n  at no load" in printed


def test_rows_that_were_fitted_and_tested_are_told(columns, tmp_path):
    early = write(tmp_path / "early", where(columns, lambda _, t: t < MIDDLE))
    everything = write(tmp_path / "all", columns)
    found = _json("validate", "base-station", everything, "--fit", early)
    assert any("tested energies were fitted as well" in problem for problem in found["problems"])
    late = write(tmp_path / "late", where(columns, lambda _, t: t >= MIDDLE))
    found = _json("validate", "base-station", late, "--fit", early)
    assert not any("fitted as well" in problem for problem in found["problems"])


def test_energies_without_a_load_of_their_hour_are_counted(columns, tmp_path):
    load = {name: values[2:] for name, values in columns["bs_load_hourly"].items()}
    folder = write(tmp_path, {**columns, "bs_load_hourly": load})
    for command in ("validate", "fit"):
        problems = _json(command, "base-station", folder)["problems"]
        assert any("no load of the same hour: 2 of 1,440 energies" in p for p in problems)
    everything = write(tmp_path / "all", columns)
    assert not any("no load" in p for p in _json("fit", "base-station", everything)["problems"])


def test_stations_without_load_are_left_out_and_named(columns, tmp_path):
    load = columns["bs_load_hourly"]
    kept = [i for i, name in enumerate(load["BS"]) if name != "S_7"]
    less = {name: [values[i] for i in kept] for name, values in load.items()}
    found = _json("validate", "base-station", write(tmp_path, {**columns, "bs_load_hourly": less}))
    (problem,) = [p for p in found["problems"] if "left out" in p]
    assert "1 station" in problem
    assert "S_7" in problem


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", "base-statoin", "x"], "Did you mean 'base-station'?"),
        (["validate", "pathloss", "x", "--fit", "y"], "--fit does not apply to pathloss"),
        (["validate", "base-station", "a", "b"], "expected one folder of counters; got 2 paths"),
        (["validate", "base-station", "nowhere"], "expected a folder with bs_info"),
        (["fit", "pathloss", "x"], "expected a kind of data to fit; got 'pathloss'"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line_and_no_traceback(words, said):
    done = _run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", kinds.VALIDATIONS)
def test_every_kind_that_is_offered_can_be_loaded(kind):
    assert callable(kinds._loaded(kinds.VALIDATIONS[kind]))
    assert kind in _run("validate", "--help").stdout


def test_folders_that_share_no_station_are_refused(columns, tmp_path):
    odd = {**columns, "bs_energy_hourly": {**columns["bs_energy_hourly"]}}
    odd["bs_energy_hourly"]["BS"] = ["other"] * len(odd["bs_energy_hourly"]["BS"])
    done = _run("validate", "base-station", write(tmp_path, odd))
    assert done.exit_code == 2
    assert "got none that all three tables name" in done.stderr


def test_options_of_one_fit_are_refused_by_the_others(tmp_path):
    words = ["fit", "accelerator", str(tmp_path), "--template", "hybrid-cell"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "--template does not apply to accelerator" in refused.stderr
