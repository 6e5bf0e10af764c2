"""From SINR to the rate of a terminal that has the carrier for itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from tree6g.engine.crowd import DOWN, UP
from tree6g.radio import adaptation, delay, mimo, numerology
from tree6g.radio.link import shannon
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.station import BaseStation

QUALITY: Final = {UP: shannon.UPLINK, DOWN: shannon.DOWNLINK}
NOISE_FIGURE_DB: Final = {
    UP: shannon.STATION_NOISE_FIGURE_DB,
    DOWN: shannon.TERMINAL_NOISE_FIGURE_DB,
}
OVERHEAD_FRAC: Final = {  # TS 38.306 clause 4.1.2: below and above 24 GHz
    DOWN: (adaptation.OVERHEAD_DOWNLINK_FRAC, 0.18),
    UP: (adaptation.OVERHEAD_UPLINK_FRAC, 0.10),
}
# What coverage enhancement gains over plain transmission: 20 dB, the aim of LTE-M and NB-IoT
# (TR 45.820, 164 dB against 144 dB of maximum coupling loss).
REPETITION_DB: Final = 20.0
DIRECTION: Final[dict[str, numerology.Direction]] = {UP: "uplink", DOWN: "downlink"}


def least_sinr_db(kind: str) -> float:
    """SINR of the slowest transmission; below it terminals repeat, or use a part of the band."""
    return QUALITY[kind].sinr_min_db


def floor_sinr_db(kind: str) -> float:
    """SINR below which nobody is served; who hears less is taken to be at it.

    Such a terminal has no coverage. Dropping its traffic would hide it.
    """
    return least_sinr_db(kind) - REPETITION_DB


def noise_w(base: BaseStation, kind: str) -> float:
    """Noise of the receiver over the whole bandwidth."""
    figure_dbm = shannon.NOISE_DBM_PER_HZ + NOISE_FIGURE_DB[kind]
    return float(base.bandwidth_hz * 10.0 ** (figure_dbm / 10.0) / 1e3)


def rate_bps(base: BaseStation, kind: str, sinr_db: FloatArray) -> FloatArray:
    """Rate over the whole carrier. [link].

    Below the least SINR the rate falls in proportion to the SINR, for repetitions add up the energy
    of a bit, and a terminal that puts its power into a part of the band does the same: down to
    `floor_sinr_db`.

    With several antennas the SINR is that of one of them: the downlink sends the number of layers
    that serves most bits (`mimo.best_layers`, zero-forcing), the uplink adds the antennas up.

    Args:
        base: What the scenario says of the base station.
        kind: Direction, `bit_ul` or `bit_dl`.
        sinr_db: SINR over the bandwidth. [link]
    """
    least_db = least_sinr_db(kind)
    heard_db = np.maximum(sinr_db, least_db)
    below_db = np.maximum(np.minimum(sinr_db - least_db, 0.0), -REPETITION_DB)
    if base.antennas == 1:
        per_symbol = _efficiency(base, kind, heard_db)
    elif kind == UP:
        combined_db = mimo.layer_sinr_db(heard_db, 1, antennas=base.antennas)
        per_symbol = _efficiency(base, kind, combined_db)
    else:
        per_symbol = mimo.best_efficiency(
            heard_db,
            antennas=base.antennas,
            most=base.layers,
            efficiency=lambda each_db: _efficiency(base, kind, each_db),
        )
    slow = below_db < 0.0  # few, and powers take longer than all the rest
    per_symbol[slow] *= 10.0 ** (below_db[slow] / 10.0)
    return time_frac(base, kind) * _symbols_per_s(base, kind) * per_symbol


def time_frac(base: BaseStation, kind: str) -> float:
    """Share of time of a direction."""
    if base.slot_pattern is None:
        return base.downlink_frac if kind == DOWN else 1.0 - base.downlink_frac
    pattern = numerology.slot_pattern(base.slot_pattern)
    return pattern.downlink_frac if kind == DOWN else pattern.uplink_frac


def latency_s(base: BaseStation, kind: str) -> float:
    """Mean latency of a message without queue.

    From the slot pattern if there is one, scheduling request and HARQ included: first transmissions
    fail in 10 % of the cases, the target of link adaptation, and second ones do not.

    Raises:
        DataError: The pattern has no place for this direction.
    """
    if base.slot_pattern is None:
        return shannon.LATENCY_S
    timing = delay.RadioTiming(
        numerology=numerology.numerology(base.subcarrier_hz),
        pattern=numerology.slot_pattern(base.slot_pattern),
    )
    fails = (adaptation.TARGET_BLER, 0.0)
    return delay.mean_delay_s(timing, DIRECTION[kind], failure_frac=fails)


def _efficiency(base: BaseStation, kind: str, sinr_db: FloatArray) -> FloatArray:
    if base.link == "mcs":
        return adaptation.spectral_efficiency(sinr_db)
    return shannon.rate_bps(sinr_db, 1.0, quality=QUALITY[kind])


def _symbols_per_s(base: BaseStation, kind: str) -> float:
    """Symbols with data per second of this direction; attenuated Shannon has the overhead inside.

    Raises:
        DataError: Not one resource block fits.
    """
    if base.link == "shannon":
        return base.bandwidth_hz
    occupied_hz = _occupied_hz(base.bandwidth_hz, base.subcarrier_hz, base.frequency_hz)
    overhead = OVERHEAD_FRAC[kind][base.frequency_hz >= numerology.FR2_FROM_HZ]
    return occupied_hz * adaptation.PREFIX_EFFICIENCY * (1.0 - overhead)


@lru_cache
def _occupied_hz(bandwidth_hz: float, subcarrier_hz: float, frequency_hz: float) -> float:
    blocks = numerology.prb_count(
        bandwidth_hz, subcarrier_hz, frequency_hz=frequency_hz, strict=False
    )
    return blocks * numerology.numerology(subcarrier_hz).prb_hz
