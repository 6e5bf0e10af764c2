"""Set-ups of the calibration, and what is said of files that are not of its form."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.calibrate import calibration, kinds, pathloss
from tree6g.calibrate.setup import percentiles_db, release_of, setup
from tree6g.errors import DataError

HEADER = "scenario,cdf_percent," + ",".join(
    f"{m}_{e}" for m in ("coupling_gain_db", "sir_db", "sinr_db") for e in ("mean", "min", "max")
)


def write(folder, name, *lines):
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    ("name", "environment", "sites", "power_dbm", "bandwidth_hz"),
    [
        ("UMi-6GHz", "umi", 19, 44.0, 20e6),
        ("UMa-6GHz", "uma", 19, 49.0, 20e6),
        ("UMa-7GHz", "uma", 19, 49.0, 20e6),
        ("UMi-70GHz", "umi", 19, 35.0, 100e6),
        ("Indoor-30GHz", "inh-open", 12, 24.0, 100e6),
        ("SMa-7GHz", "sma", 19, 49.0, 20e6),
    ],
)
def test_set_up_is_that_of_the_table(name, environment, sites, power_dbm, bandwidth_hz):
    case = setup(name, glass="release-14")
    assert case.environment == environment
    assert case.layout.sites == sites
    assert 10 * np.log10(case.power_w * 1e3) == pytest.approx(power_dbm)
    assert case.bandwidth_hz == bandwidth_hz
    noise_dbm = -174.0 + 9.0 + 10 * np.log10(bandwidth_hz)
    assert 10 * np.log10(case.noise_w * 1e3) == pytest.approx(noise_dbm)


@pytest.mark.parametrize(
    ("name", "isd_m", "tilt_deg"),
    [
        ("SMa-7GHz", 1299.0, 5.0),
        ("SMa-7GHz-1732m", 1732.0, 2.0),
        ("sma_7 GHz ISD 1299", 1299.0, 5.0),
    ],
)
def test_suburban_panels_are_tilted_mechanically_by_site_distance(name, isd_m, tilt_deg):
    case = setup(name, glass="release-19")
    assert case.layout.spacing_m == isd_m
    assert case.antenna.tilting == "mechanical"
    assert np.degrees(case.layout.tilt_rad) == pytest.approx(tilt_deg)


@pytest.mark.parametrize("name", ["Stadium-6GHz", "UMa", "SMa-7GHz-999m", ""])
def test_other_names_are_not_guessed(name):
    assert setup(name, glass="release-19") is None


def test_glass_follows_the_release_of_the_file():
    assert release_of(["UMi-6GHz", "Indoor-70GHz"]) == "release-14"
    assert release_of(["UMa-6GHz", "UMa-7GHz"]) == "release-19"
    assert release_of(["SMa-7GHz-1299m"]) == "release-19"


def test_same_seed_gives_the_same_curve():
    case = setup("Indoor-6GHz", glass="release-14")
    one, two = (
        percentiles_db(
            case, np.random.default_rng(1), percent=[5.0, 50.0, 95.0], drops=2, per_cell=5
        )
        for _ in range(2)
    )
    assert (one == two).all()
    assert (np.diff(one, axis=1) > 0.0).all()
    assert (one[1] >= one[2]).all()  # noise only lowers the ratio


def test_file_of_two_percentiles_is_compared_and_its_misses_are_told(tmp_path):
    wide = "-200,-300,0,0,-50,60,0,-50,60"
    file = write(
        tmp_path,
        "c.csv",
        HEADER,
        f"Indoor-6GHz,50,{wide}",
        f"Indoor-6GHz,52,{wide}",
        "Indoor-6GHz,95,-20,-20,-20,0,-50,60,,,",
    )
    result = calibration.validate([file], seeds=2, drops=1)
    assert result.rows == 5  # three metrics at 50 %, two at 95 %, none at 52 %
    assert [(miss["metric"], miss["cdf_percent"]) for miss in result.misses] == [
        ("coupling_gain_db", 95.0)
    ] * 2
    assert result.figures["inside_range_frac"] == pytest.approx(0.8)
    assert any("inside_range_frac" in problem for problem in result.problems)


def test_unknown_scenarios_are_all_named(tmp_path):
    file = write(tmp_path, "c.csv", HEADER, "Moon-6GHz,50" + ",1" * 9, "Mars-6GHz,50" + ",1" * 9)
    with pytest.raises(DataError, match=r"(?s)Moon-6GHz.*Mars-6GHz"):
        calibration.validate([file])


def test_file_without_a_metric_or_a_percentile_is_refused(tmp_path):
    with pytest.raises(DataError, match="coupling_gain_db_mean"):
        calibration.validate([write(tmp_path, "a.csv", "scenario,cdf_percent", "UMi-6GHz,50")])
    with pytest.raises(DataError, match="5, 10"):
        calibration.validate([write(tmp_path, "b.csv", HEADER, "UMi-6GHz,0.5" + ",1" * 9)])


def test_pathloss_file_with_other_environments_and_frequencies_is_read(tmp_path):
    file = write(
        tmp_path,
        "p.csv",
        "scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB",
        "InH-Office,LOS,28,3,1,10,79.0",
        "UMi,nlos,15,10,1.5,100,120.0",
    )
    result = pathloss.validate([file])
    assert result.rows == 2
    ours_db = 32.4 + 17.3 * np.log10(np.sqrt(104.0)) + 20.0 * np.log10(28.0)
    error_db = result.groups[0].figures["max_abs_error"]
    assert error_db == pytest.approx(79.0 - ours_db)
    assert len(result.misses) == 2


def test_all_faults_of_a_pathloss_file_are_told_at_once(tmp_path):
    file = write(
        tmp_path,
        "p.csv",
        "scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB",
        "UMx,LOS,1,25,1.5,100,80",
        "UMa,maybe,1,25,1.5,100,80",
        "UMa,LOS,1,25,1.5,-3,80",
    )
    with pytest.raises(DataError, match=r"(?s)3 faults.*line 2.*line 3.*line 4"):
        pathloss.validate([file])


def test_faults_of_words_and_numbers_and_of_several_files_are_told_at_once(tmp_path):
    header = "scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB"
    first = write(tmp_path, "p.csv", header, "UMx,LOS,1,25,1.5,100,80", "UMa,LOS,1,25,1.5,100,high")
    second = write(tmp_path, "q.csv", "a,b", "1,2")
    with pytest.raises(DataError, match=r"(?s)2 faults.*number.*UMx.*q.csv lacks.*none.csv"):
        pathloss.validate([first, second, tmp_path / "none.csv"])


PATHLOSS = "scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((PATHLOSS.replace(",", ";"), "UMa;LOS"), "semicolons"),
        (("los," + PATHLOSS, "LOS,UMa,NLOS,3,25,1.5,100,80"), "los stands twice in the header"),
        ((PATHLOSS, "UMa,LOS,3,25"), "line 2: h_UT_m must be a finite number; got nothing"),
        ((PATHLOSS, "UMa,LOS,3,25,1.5,100,80,99"), "line 2: more cells than the header has"),
    ],
)
def test_tables_that_are_cut_up_wrongly_are_told(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        pathloss.validate([write(tmp_path, "p.csv", *lines)])


def test_frequencies_beyond_the_formulas_are_told(tmp_path):
    file = write(tmp_path, "p.csv", PATHLOSS, "UMa,LOS,300,25,1.5,100,1e300")
    result = pathloss.validate([file])
    assert any("1 row at frequencies outside 0.5 to 100 GHz" in p for p in result.problems)
    assert len(result.headline) < 100


def test_mean_of_the_companies_lies_between_least_and_greatest(tmp_path):
    file = write(tmp_path, "c.csv", HEADER, "UMi-6GHz,50,-100,-90,-110" + ",1" * 6)
    with pytest.raises(DataError, match=r"1 fault; correct it:\n- line 2: .*min <= mean <= max"):
        calibration.validate([file])


def test_file_named_twice_counts_once(tmp_path):
    header = "scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB"
    file = write(tmp_path, "p.csv", header, "UMi,LOS,15,10,1.5,100,120.0")
    result = kinds.validate("pathloss", [file, tmp_path / "." / "p.csv"])
    assert result.rows == 1
    assert any("named twice" in problem for problem in result.problems)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "has none"),
        (("scenario,los",), "lacks"),
        (("scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB",), "has none"),
        (
            ("scenario,los,fc_GHz,h_BS_m,h_UT_m,d2D_m,pathloss_dB", "UMa,LOS,x,25,1.5,100,nan"),
            "2 faults",
        ),
    ],
)
def test_broken_files_are_data_errors(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        pathloss.validate([write(tmp_path, "p.csv", *lines)])


def test_file_that_is_not_there_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        pathloss.validate([tmp_path / "none.csv"])


@pytest.mark.parametrize("name", ["UMa-0GHz", "UMi-101GHz", "Indoor-0.4GHz"])
def test_frequencies_that_the_model_does_not_cover_are_unknown(name):
    assert setup(name, glass="release-14") is None


def test_a_comparison_needs_a_file_a_seed_and_a_drop(tmp_path):
    file = write(tmp_path, "one.csv", HEADER, "UMa-6GHz,50," + ",".join("123456789"))
    with pytest.raises(DataError, match="at least one file"):
        pathloss.validate([])
    for files, seeds, drops in (([], 1, 1), ([file], 0, 1), ([file], 1, 0)):
        with pytest.raises(DataError, match="at least one file, seed and drop"):
            calibration.validate(files, seeds=seeds, drops=drops)
