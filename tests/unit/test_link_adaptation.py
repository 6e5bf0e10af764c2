"""Choice of CQI and MCS, the outer loop, and the rate that comes out."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import ScenarioError
from tree6g.radio import adaptation, bler
from tree6g.radio.link import shannon
from tree6g.radio.mcs import cqi_table, mcs_of_cqi, mcs_table

SINR_DB = np.arange(-30.0, 50.0, 0.02)


@pytest.mark.parametrize(
    "table", ["qam64", "qam256", "low-se", "qam1024", "dft-qam64", "dft-low-se"]
)
def test_efficiency_never_falls_with_the_sinr_and_stays_below_shannon(table):
    efficiency = adaptation.spectral_efficiency(SINR_DB, table=table)
    assert (np.diff(efficiency) >= 0.0).all()
    assert (efficiency < np.log2(1.0 + 10.0 ** (SINR_DB / 10.0)) + 1e-3).all()
    assert efficiency[-1] == pytest.approx(mcs_table(table).efficiency.max(), rel=1e-6)
    assert efficiency[0] == 0.0


def test_an_array_of_one_antenna_changes_nothing_and_more_layers_never_cost():
    sinr_db = SINR_DB[::20]
    one = adaptation.array_rate_bps(sinr_db, 20e6, antennas=1, most_layers=4)
    assert one == pytest.approx(adaptation.rate_bps(sinr_db, 20e6))
    two, twelve = (
        adaptation.array_rate_bps(sinr_db, 20e6, antennas=64, most_layers=n) for n in (2, 12)
    )
    assert (np.diff(twelve) >= 0.0).all()
    assert (one <= two).all()
    assert (two <= twelve).all()
    assert twelve[-1] == pytest.approx(12.0 * one[-1])


def test_the_chosen_mcs_meets_the_target_and_the_next_one_does_not():
    table = mcs_table("qam64")
    for sinr_db in (-4.0, 1.3, 7.7, 14.2, 18.0):
        index = int(adaptation.mcs(sinr_db, table="qam64"))
        errors = [
            float(bler.bler(sinr_db, int(q), r))
            for q, r in zip(table.bits_per_symbol, table.code_rate, strict=True)
        ]
        assert errors[index] <= adaptation.TARGET_BLER
        better = table.efficiency > table.efficiency[index]
        assert (np.array(errors)[better] > adaptation.TARGET_BLER).all()


def test_out_of_reach_is_cqi_0_and_close_by_is_cqi_15():
    assert adaptation.cqi([-20.0, 60.0]).tolist() == [0, 15]
    assert adaptation.mcs([-20.0, 60.0]).tolist() == [-1, 27]
    assert (np.diff(adaptation.cqi(SINR_DB, table="low-se")) >= 0).all()


def test_low_efficiency_reports_are_of_one_failure_in_a_hundred_thousand():
    strict, usual = cqi_table("low-se"), cqi_table("qam64")
    assert strict.code_rate[2] == usual.code_rate[0]
    need = bler.required_sinr_db(2, float(usual.code_rate[0]), target_bler=1e-5)
    assert adaptation.cqi(need + 0.01, table="low-se") == 3
    assert adaptation.cqi(need - 0.01, table="low-se") == 2


def test_the_mcs_of_a_report_is_the_most_efficient_that_is_not_above_it():
    chosen = mcs_of_cqi(np.arange(16), cqi_name="qam256", mcs_name="qam256")
    assert chosen[0] == -1
    assert chosen[1] == -1  # CQI 1 carries less than the lowest MCS of this table
    assert mcs_table("qam256").efficiency[chosen[2:]] == pytest.approx(
        cqi_table("qam256").efficiency[1:]
    )


def test_peak_rate_is_that_of_ts_38306():
    # 100 MHz, 30 kHz, 273 resource blocks, 4 layers, 256-QAM: 2.337 Gbit/s downlink
    rate = adaptation.rate_bps(50.0, 273 * 12 * 30e3, layers=4)
    symbols_per_s = 273 * 12 * 14 / 0.5e-3
    assert rate == pytest.approx(4 * 8 * 948 / 1024 * symbols_per_s * (1 - 0.14), rel=1e-4)
    assert rate == pytest.approx(2.337e9, rel=1e-3)


def test_time_and_layers_scale_the_rate():
    one = adaptation.rate_bps([3.0, 12.0], 20e6)
    assert adaptation.rate_bps([3.0, 12.0], 20e6, time_frac=0.75, layers=2) == pytest.approx(
        1.5 * one
    )
    assert adaptation.rate_bps(-40.0, 20e6) == 0.0


@pytest.mark.parametrize("branches", [1.0, 4.0, 30.0])
def test_fading_costs_what_drawn_fades_cost(branches):
    rng = np.random.default_rng(4)
    fades_db = 10.0 * np.log10(rng.gamma(branches, 1.0 / branches, 100_000))
    for sinr_db in (0.0, 12.0, 25.0):
        drawn = adaptation.spectral_efficiency(sinr_db + fades_db).mean()
        mean = adaptation.spectral_efficiency(sinr_db, branches=branches)
        assert mean == pytest.approx(drawn, rel=0.01)


def test_with_many_branches_fading_is_gone():
    still = adaptation.spectral_efficiency(SINR_DB[::50])
    averaged = adaptation.spectral_efficiency(SINR_DB[::50], branches=5000.0)
    assert averaged == pytest.approx(still, abs=0.25)  # less than one step of the table
    one = adaptation.spectral_efficiency(SINR_DB, branches=1.0)
    assert (np.diff(one) >= -1e-12).all()


def test_between_5_and_28_decibel_it_is_attenuated_shannon_within_a_sixth():
    sinr_db = np.arange(5.0, 28.0, 0.1)
    attenuated = shannon.rate_bps(sinr_db, 20e6, quality=shannon.DOWNLINK)
    ratio = adaptation.rate_bps(sinr_db, 20e6, branches=8.0) / attenuated
    assert 5.0 / 6.0 <= ratio.min() <= ratio.max() <= 7.0 / 6.0


def test_the_outer_loop_settles_at_its_target_whatever_the_report_is_off_by():
    rng, links = np.random.default_rng(2), 400
    for bias_db in (-4.0, 0.0, 4.0):
        offset_db = np.zeros(links)
        failures = []
        for slot in range(2500):
            known_db = 8.0 + bias_db + rng.normal(0.0, 1.0, links) + offset_db
            # a smooth ladder of schemes: the failure rate depends on what is believed too much
            fails = rng.random(links) < 1.0 / (1.0 + np.exp(-3.0 * (known_db - 8.0)))
            offset_db = offset_db + adaptation.outer_loop_step_db(~fails, step_db=0.3)
            if slot >= 500:
                failures.append(fails.mean())
        assert np.mean(failures) == pytest.approx(0.1, abs=2e-3)


@pytest.mark.parametrize("error_std_db", [0.5, 2.0])
def test_the_margin_holds_the_target_over_normal_errors(error_std_db):
    margin_db = adaptation.outer_loop_margin_db(error_std_db)
    need = bler.required_sinr_db(4, 0.5, target_bler=0.1)
    drawn = need + margin_db + np.random.default_rng(1).normal(0.0, error_std_db, 20_000)
    assert bler.bler(drawn, 4, 0.5).mean() == pytest.approx(0.1, abs=0.01)
    assert adaptation.outer_loop_margin_db(0.0) == pytest.approx(0.0, abs=2e-3)


def test_unknown_tables_name_the_nearest():
    with pytest.raises(ScenarioError, match="Did you mean 'qam256'"):
        mcs_table("qam265")
    with pytest.raises(ScenarioError, match="expected a CQI table"):
        cqi_table("qam2048")
