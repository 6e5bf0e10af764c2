"""The grid of NR: resource blocks, duplex patterns, bandwidth parts."""

from __future__ import annotations

import pytest

from tree6g.errors import DataError
from tree6g.radio.numerology import (
    FDD,
    bandwidth_part,
    common_pattern,
    joined,
    numerology,
    prb_count,
    slot_pattern,
)


def test_a_slot_has_fourteen_symbols_at_each_spacing():
    for mu, spacing_hz in enumerate((15e3, 30e3, 60e3, 120e3)):
        grid = numerology(spacing_hz)
        assert grid.mu == mu
        assert grid.slot_s == pytest.approx(1e-3 / 2**mu)
        assert grid.symbol_s * 14 == pytest.approx(grid.slot_s)
        assert grid.prb_hz == 12 * spacing_hz


def test_other_spacings_are_refused():
    with pytest.raises(DataError, match="15, 30, 60 or 120 kHz"):
        numerology(45e3)


@pytest.mark.parametrize(
    ("bandwidth_hz", "spacing_hz", "frequency_hz", "blocks"),
    [
        (100e6, 30e3, 3.5e9, 273),
        (20e6, 15e3, 2.1e9, 106),
        (20e6, 30e3, 2.1e9, 51),
        (50e6, 15e3, 2.1e9, 270),
        (100e6, 60e3, 3.5e9, 135),
        (100e6, 60e3, 28e9, 132),
        (400e6, 120e3, 28e9, 264),
    ],
)
def test_channels_have_the_blocks_of_the_table(bandwidth_hz, spacing_hz, frequency_hz, blocks):
    assert prb_count(bandwidth_hz, spacing_hz, frequency_hz=frequency_hz) == blocks


def test_blocks_never_exceed_the_channel_nor_fall_far_below_it():
    for spacing_hz, high in ((15e3, 50), (30e3, 100), (60e3, 100)):
        for mhz in (10, 20, 35, 50, 80, high):
            width_hz = 1e6 * mhz
            blocks = prb_count(width_hz, spacing_hz, strict=False)
            assert 0.77 < blocks * 12 * spacing_hz / width_hz < 1.0


def test_a_channel_outside_the_table_is_refused_or_guessed_on_demand():
    with pytest.raises(DataError, match="expected a channel bandwidth"):
        prb_count(200e6, 30e3)
    assert prb_count(200e6, 30e3, frequency_hz=7e9, strict=False) == 546
    with pytest.raises(DataError, match="0\\.1 MHz"):
        prb_count(1e5, 30e3, strict=False)


def test_a_pattern_shares_the_symbols_between_the_directions():
    pattern = slot_pattern("DDDSU", special=(10, 2, 2))
    assert pattern.downlink_frac == pytest.approx((3 * 14 + 10) / 70)
    assert pattern.uplink_frac == pytest.approx(16 / 70)
    assert pattern.symbol_map().sum() == 52 - 16
    assert pattern.share_frac("downlink", 3, 4).tolist() == [10 / 14, 0.0, 1.0, 1.0]


def test_a_pair_of_bands_has_both_directions_all_the_time():
    assert slot_pattern("fdd") is FDD
    assert FDD.downlink_frac == FDD.uplink_frac == 1.0


def test_the_announced_form_gives_the_same_pattern():
    announced = common_pattern(5, downlink=(3, 10), uplink=(1, 2))
    assert announced == slot_pattern("DDDSU")
    twice = joined([announced, announced])
    assert twice.slots == 10
    assert twice.downlink_frac == announced.downlink_frac


@pytest.mark.parametrize("letters", ["", "DXU", "D U"])
def test_other_letters_are_refused(letters):
    with pytest.raises(DataError, match="slots D, S and U"):
        slot_pattern(letters)


def test_overlapping_directions_are_refused():
    with pytest.raises(DataError, match="at most 28 symbols"):
        common_pattern(2, downlink=(1, 8), uplink=(0, 8))
    with pytest.raises(DataError, match="special slot"):
        slot_pattern("DS", special=(10, 2, 3))


def test_a_bandwidth_part_lies_within_its_carrier():
    part = bandwidth_part(10, 51, bandwidth_hz=100e6, subcarrier_hz=30e3, frequency_hz=3.5e9)
    assert part.bandwidth_hz == pytest.approx(51 * 360e3)
    mask = part.mask(273)
    assert mask.sum() == 51
    assert mask[10]
    assert not mask[61]
    with pytest.raises(DataError, match="blocks 0 to 272"):
        bandwidth_part(250, 51, bandwidth_hz=100e6, subcarrier_hz=30e3, frequency_hz=3.5e9)
