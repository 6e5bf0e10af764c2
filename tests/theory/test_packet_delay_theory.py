"""Latency of packets against hand-made time lines, 3GPP's evaluation and queueing formulas."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.delay import (
    RadioTiming,
    delay,
    mean_delay_s,
    queue_end_s,
    round_trip_s,
    transmissions,
)
from tree6g.radio.harq import outcome
from tree6g.radio.numerology import FDD, numerology, slot_pattern

DDDSU = slot_pattern("DDDSU")


def _timing(spacing_hz=30e3, pattern=FDD, **settings):
    return RadioTiming(numerology=numerology(spacing_hz), pattern=pattern, **settings)


@pytest.mark.parametrize(
    ("spacing_hz", "evaluated_s", "with_failures_s"),
    # TR 37.910, downlink FDD, capability 1, 14 symbols, no failures and 10 % (from memory)
    [(15e3, 2.13e-3, 2.43e-3), (30e3, 1.14e-3, 1.29e-3), (60e3, 0.72e-3, 0.82e-3),
     (120e3, 0.44e-3, 0.51e-3)],
)  # fmt: skip
def test_mean_latency_is_that_of_the_standards_own_evaluation(
    spacing_hz, evaluated_s, with_failures_s
):
    timing = _timing(spacing_hz)
    assert mean_delay_s(timing, "downlink") == pytest.approx(evaluated_s, abs=2e-5)
    once = mean_delay_s(timing, "downlink") + 0.1 * round_trip_s(timing, "downlink")
    assert once == pytest.approx(with_failures_s, abs=2.5e-5)
    granted = mean_delay_s(timing, "uplink", granted=True)
    assert granted == pytest.approx(mean_delay_s(timing, "downlink"))


@pytest.mark.parametrize("spacing_hz", [15e3, 30e3, 60e3])
def test_a_pair_of_bands_adds_half_a_slot_of_waiting_and_a_slot_of_sending(spacing_hz):
    timing = _timing(spacing_hz, capability=2)
    slot_s = timing.numerology.slot_s
    closed_s = (timing.prepare_s + timing.decode_s) / 2.0 + 1.5 * slot_s
    assert mean_delay_s(timing, "downlink") == pytest.approx(closed_s, rel=1e-3)


def test_downlink_packet_follows_the_time_line_drawn_by_hand():
    timing = _timing(pattern=DDDSU)
    slot_s, symbol_s = timing.numerology.slot_s, timing.numerology.symbol_s
    # Ready in slot 3 (special, already begun): slot 4 goes up, so it is sent in slot 5.
    packet = delay(timing, "downlink", 3.1 * slot_s, transmissions=[1])
    sent_s = 5.0 * slot_s
    assert packet.alignment_s[0] == pytest.approx(sent_s - 3.1 * slot_s - 6.0 * symbol_s)
    assert packet.total_s[0] == pytest.approx((6.0 - 3.1) * slot_s + 5.0 * symbol_s)
    # It fails: N1 after slot 5, the next uplink symbol is the 13th of slot 8; N2 later is slot 10.
    again = delay(timing, "downlink", 3.1 * slot_s, transmissions=[2])
    assert again.harq_s[0] == pytest.approx((11.0 - 6.0) * slot_s)
    assert again.total_s[0] - again.harq_s[0] == pytest.approx(packet.total_s[0])


def test_uplink_packet_asks_for_a_grant_first():
    timing = _timing(pattern=DDDSU)
    slot_s, symbol_s = timing.numerology.slot_s, timing.numerology.symbol_s
    packet = delay(timing, "uplink", 0.0)
    # Request in symbol 13 of slot 3; 11 symbols to think; grant at slot 5; N2 = 12 symbols; the
    # two symbols of slot 8 are too few for data, so it is sent in slot 9.
    asked_s = 3.0 * slot_s + 13.0 * symbol_s
    granted_s = 5.0 * slot_s + symbol_s
    assert asked_s + 11.0 * symbol_s < granted_s
    assert packet.request_s[0] == pytest.approx(granted_s + 12.0 * symbol_s - 6.0 * symbol_s)
    assert packet.total_s[0] == pytest.approx(10.0 * slot_s + 5.0 * symbol_s)
    assert delay(timing, "uplink", 0.0, granted=True).total_s[0] < packet.total_s[0] - 4.0 * slot_s


def test_rarer_chances_to_ask_add_half_their_period():
    often, rare = (_timing(request_slots=n) for n in (1, 40))
    added_s = mean_delay_s(rare, "uplink") - mean_delay_s(often, "uplink")
    assert added_s == pytest.approx(39.0 / 2.0 * 0.5e-3, rel=0.03)


def test_requests_due_in_a_downlink_slot_wait_for_the_next_uplink_symbol():
    timing = _timing(pattern=DDDSU, request_slots=4)
    every = delay(timing, "uplink", np.linspace(0.0, timing.period_s, 200, endpoint=False))
    assert (every.request_s > 0.0).all()
    shifted = delay(timing, "uplink", np.linspace(0.0, timing.period_s, 200, endpoint=False)
                    + 3.0 * timing.period_s)  # fmt: skip
    assert shifted.total_s == pytest.approx(every.total_s)


def test_shorter_transmissions_are_faster():
    delays_s = [mean_delay_s(_timing(symbols=n), "downlink") for n in (14, 7, 4)]
    assert delays_s[0] > delays_s[1] > delays_s[2]


def test_drawn_transmissions_have_the_chances_of_harq():
    block = outcome(np.array([2.0]), 2, 0.6)
    fails = block.failure_frac[:, 0]
    drawn = transmissions(np.random.default_rng(1).random(200_000), fails)
    assert drawn.mean() == pytest.approx(block.transmissions[0], rel=0.01)
    assert drawn.max() <= len(fails)
    timing = _timing(pattern=DDDSU)
    mean_s = mean_delay_s(timing, "downlink", failure_frac=fails)
    longer_s = mean_s - mean_delay_s(timing, "downlink")
    again = (fails[:-1] - fails[1:]) @ np.arange(1, len(fails)) / (1.0 - fails[-1])
    assert longer_s == pytest.approx(again * round_trip_s(timing, "downlink"), rel=0.1)


def test_a_queue_of_one_slot_packets_waits_as_pollaczek_and_khinchine_say():
    timing, rng, load = _timing(), np.random.default_rng(6), 0.6
    slot_s, count = timing.numerology.slot_s, 300_000
    ready_s = np.cumsum(rng.exponential(slot_s / load, count))
    end_s = queue_end_s(timing, "downlink", ready_s, np.full(count, 1e4), bit_per_slot=1e4)
    # M/D/1 with slot boundaries: the wait of M/D/1, half a slot to the boundary, a slot to send.
    closed = load / (2.0 * (1.0 - load)) + 0.5 + 1.0
    assert (end_s - ready_s).mean() / slot_s == pytest.approx(closed, rel=0.02)


def test_a_queue_passes_over_the_slots_of_the_other_direction():
    timing = _timing(pattern=DDDSU)
    slot_s, full = timing.numerology.slot_s, 1400.0
    end_s = queue_end_s(timing, "downlink", [0.0, 0.0, 0.0], [2.0 * full, 2.0 * full, full],
                        bit_per_slot=full)  # fmt: skip
    # Slots 0 to 2 carry 1400 bits each, slot 3 carries 1000, slot 4 none.
    assert end_s / slot_s == pytest.approx([2.0, 6.0, 7.0])
    up_s = queue_end_s(timing, "uplink", [0.0], [1700.0], bit_per_slot=full)
    assert up_s / slot_s == pytest.approx([9.0])


def test_a_queue_in_slots_equals_the_loop_over_slots():
    timing, rng = _timing(pattern=DDDSU), np.random.default_rng(8)
    slot_s, full = timing.numerology.slot_s, 1400.0
    ready_s = np.sort(rng.random(300)) * 300 * slot_s
    bits = rng.exponential(600.0, 300)
    end_s = queue_end_s(timing, "downlink", ready_s, bits, bit_per_slot=full)
    left, done, slot = bits.copy(), np.full(300, np.nan), 0
    symbols = timing.pattern.symbols("downlink")
    while np.isnan(done).any():
        room = full * symbols[slot % 5] / 14
        for n in np.flatnonzero((left > 1e-9) & (ready_s <= slot * slot_s)):
            sent = min(left[n], room)
            left[n], room = left[n] - sent, room - sent
            if left[n] <= 1e-9 and sent > 0.0:
                done[n] = (slot + 1) * slot_s
        slot += 1
    assert end_s == pytest.approx(done)


def test_timings_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="capability"):
        _timing(120e3, capability=2)
    with pytest.raises(DataError, match="symbols per transmission"):
        _timing(symbols=2)
    up_only = _timing(pattern=slot_pattern("UU"))
    with pytest.raises(DataError, match="downlink symbols"):
        delay(up_only, "downlink", 0.0)
    with pytest.raises(DataError, match="downlink symbols"):
        queue_end_s(up_only, "downlink", [0.0], [1.0], bit_per_slot=1.0)
    with pytest.raises(DataError, match="uplink symbols"):
        delay(_timing(pattern=slot_pattern("DD")), "downlink", 0.0, transmissions=2)
