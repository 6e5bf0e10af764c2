"""Block errors: theory of finite blocks, retransmissions, code blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.radio import bler, harq
from tree6g.radio.mcs import mcs_table

SINR_DB = np.arange(-30.0, 45.0, 0.1)


def test_rate_one_half_on_two_levels_needs_the_known_187_thousandths_of_a_decibel():
    # BPSK, rate 1/2: Eb/N0 = 0.187 dB (Richardson and Urbanke, Modern Coding Theory, 2008);
    # QPSK carries 1 bit per symbol there, so Es/N0 is the same number
    grid_db = np.arange(-30.0, 45.01, 0.25)
    assert np.interp(0.187, grid_db, bler.constellation(2).capacity) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("bits", [2, 4, 6, 8, 10])
def test_capacity_lies_below_shannon_and_reaches_the_bits_of_the_constellation(bits):
    grid_db = np.arange(-30.0, 45.01, 0.25)
    capacity = bler.constellation(bits).capacity
    assert (capacity < np.log2(1.0 + 10.0 ** (grid_db / 10.0))).all()
    assert (np.diff(capacity) >= 0.0).all()
    assert capacity[-1] == pytest.approx(bits, abs=1e-3)
    assert (bler.constellation(bits).dispersion > -1e-9).all()


@pytest.mark.parametrize("name", ["qam256", "low-se", "qam1024"])
@pytest.mark.parametrize("block_bit", [24.0, 500.0, 8448.0])
def test_block_errors_never_rise_with_the_sinr(name, block_bit):
    schemes = mcs_table(name)
    for bits, code_rate in zip(schemes.bits_per_symbol, schemes.code_rate, strict=True):
        errors = bler.bler(SINR_DB, int(bits), code_rate, block_bit=block_bit)
        assert (np.diff(errors) <= 1e-12).all()
        assert errors[0] == pytest.approx(1.0, abs=2e-3)
        assert errors[-1] <= 0.02


@pytest.mark.parametrize("name", ["qam64", "qam256", "low-se", "qam1024"])
def test_more_efficient_schemes_need_more_sinr(name):
    schemes = mcs_table(name)
    needs = [
        bler.required_sinr_db(int(bits), code_rate, target_bler=0.1)
        for bits, code_rate in zip(schemes.bits_per_symbol, schemes.code_rate, strict=True)
    ]
    order = np.argsort(schemes.efficiency)
    # one exception: 64-QAM 438/1024 carries less than 16-QAM 658/1024 and needs 0.4 dB more
    assert (np.diff(np.array(needs)[order]) > -0.5).all()


def test_longer_blocks_fall_steeper():
    widths = [
        bler.required_sinr_db(4, 0.5, target_bler=0.01, block_bit=k)
        - bler.required_sinr_db(4, 0.5, target_bler=0.5, block_bit=k)
        for k in (100.0, 1000.0, 8000.0)
    ]
    assert widths[0] > widths[1] > widths[2] > 0.0
    assert widths[0] / widths[2] == pytest.approx(np.sqrt(80.0), rel=0.25)


@given(target=st.floats(1e-5, 0.9), bits=st.sampled_from([2, 4, 6, 8]), rate=st.floats(0.05, 0.9))
def test_the_sinr_asked_for_gives_the_error_rate_asked_for(target, bits, rate):
    need = bler.required_sinr_db(bits, rate, target_bler=target)
    assert bler.bler(need, bits, rate) <= target
    assert bler.bler(need - 2e-3, bits, rate) > target


def test_below_the_mother_rate_energy_adds_up():
    half = bler.required_sinr_db(2, bler.MOTHER_RATE / 2.0, target_bler=0.1)
    full = bler.required_sinr_db(2, bler.MOTHER_RATE, target_bler=0.1)
    assert full - half == pytest.approx(10.0 * np.log10(2.0), abs=0.01)


def test_a_transport_block_fails_if_any_of_its_code_blocks_does():
    assert bler.code_blocks(8424) == 1
    assert bler.code_blocks(8425) == 2
    assert bler.code_blocks(84_000) == 10
    single = bler.bler(8.7, 4, 0.6, block_bit=84_024 / 10 + 24)
    whole = bler.transport_bler(8.7, 4, 0.6, transport_bit=84_000)
    assert 0.0 < single < 1.0
    assert whole == pytest.approx(1.0 - (1.0 - single) ** 10)


def test_retransmissions_without_memory_are_geometric():
    sinr_db = np.linspace(4.0, 7.0, 13)
    p = bler.bler(sinr_db, 4, 0.5)
    sent = harq.outcome(sinr_db, 4, 0.5, combining="none", max_transmissions=4)
    assert sent.lost_frac == pytest.approx(p**4)
    assert sent.transmissions == pytest.approx(1.0 + p + p**2 + p**3)
    assert sent.goodput_frac == pytest.approx(1.0 - p)


def test_chase_combining_is_one_block_at_the_sum_of_the_sinr():
    sent = harq.outcome([-1.0], 2, 0.5, combining="chase", max_transmissions=2)
    assert sent.failure_frac[1] == pytest.approx(bler.bler([-1.0 + 10.0 * np.log10(2.0)], 2, 0.5))


@pytest.mark.parametrize("code_rate", [0.3, 0.6, 0.9])
def test_new_redundancy_beats_repetition_and_that_beats_forgetting(code_rate):
    kinds = ("incremental", "chase", "none")
    goodput = [harq.outcome(SINR_DB, 6, code_rate, combining=kind).goodput_frac for kind in kinds]
    assert (goodput[0] >= goodput[1] - 1e-3).all()
    assert (goodput[1] >= goodput[2] - 1e-9).all()
    assert (np.diff(goodput[0]) >= -1e-9).all()


def test_counting_transmissions_of_many_blocks_gives_the_means():
    sinr_db, rng = 6.0, np.random.default_rng(5)
    sent = harq.outcome(sinr_db, 4, 0.6, block_bit=60.0, combining="chase", max_transmissions=3)
    p = sent.failure_frac
    # one uniform per block: a block that fails with more energy would have failed with less
    draw = rng.random(200_000)
    used = 1 + (draw < p[0]) + (draw < p[1])
    assert used.mean() == pytest.approx(float(sent.transmissions), rel=5e-3)
    assert (draw >= p[2]).sum() / used.sum() == pytest.approx(float(sent.goodput_frac), rel=1e-2)
    assert harq.mean_delay_s(sent.transmissions, 4e-3) == pytest.approx(
        4e-3 * (float(sent.transmissions) - 1.0)
    )
