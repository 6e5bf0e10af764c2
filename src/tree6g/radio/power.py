"""Power of a base station by state: EARTH 2011 and the relative model of TR 38.864.

A cell that is on sends its broadcast (SSB, SIB1) every 20 ms and wakes for it. Between two bursts
it may sleep, but only in a state whose transition fits into that gap. Powers are those of the
radio site's equipment; site cooling is not included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final, Literal

from tree6g import data
from tree6g.errors import DataError

Sleep = Literal["none", "micro", "light", "deep"]
DEPTH: Final[tuple[Sleep, ...]] = ("none", "micro", "light", "deep")
SSB_PERIOD_S: Final = 0.02  # TS 38.213 clause 4.1: default period of the SSB burst
SYMBOLS: Final = 14.0 / 15.0  # symbols per subcarrier spacing and second (normal cyclic prefix)
SSB_SYMBOLS: Final = 4.0  # TS 38.211 clause 7.4.3.1
SSB_SUBCARRIERS: Final = 240.0  # TS 38.211 clause 7.4.3.1
SIB1_SYMBOLS: Final = 14.0  # one slot per beam for PDCCH and PDSCH of SIB1
SIB1_PERIOD_S: Final = 0.16  # TS 38.331: transmission time interval of SIB1
STATIC_FRAC: Final = 0.4  # A of TR 38.864 clause 5.1: share of P4 - P3 that is not the amplifier


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SleepState:
    """A state between transmissions: power, and what entering and leaving it takes together."""

    name: Sleep
    power_w: float
    transition_s: float = 0.0
    transition_j: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StationPower:
    """Power of a base station by state.

    Attributes:
        model: Row of the packaged table.
        awake_w: Powered, ready, not transmitting (EARTH: P0; TR 38.864: micro sleep P3).
        downlink_w: Transmitting with full power over the whole band.
        uplink_w: Receiving.
        broadcast_w: Transmitting SSB and SIB1, which fill a part of the band.
        sleep: Allowed states, deepest last.
        broadcast_frac: Share of time of broadcast.
        transmit_power_w: Radiated power at full load.
    """

    model: str
    awake_w: float
    downlink_w: float
    uplink_w: float
    broadcast_w: float
    sleep: tuple[SleepState, ...]
    broadcast_frac: float
    transmit_power_w: float

    @property
    def gap_s(self) -> float:
        """Time between two broadcast bursts."""
        return SSB_PERIOD_S * (1.0 - self.broadcast_frac)

    def resting(self) -> SleepState:
        """The state of least mean power that fits between two bursts, else awake."""
        awake = SleepState(name="none", power_w=self.awake_w)
        fitting = [s for s in self.sleep if s.transition_s <= self.gap_s]
        return min([awake, *fitting], key=self._gap_power_w)

    def _gap_power_w(self, state: SleepState) -> float:
        return (state.power_w * self.gap_s + state.transition_j) / SSB_PERIOD_S


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StationEnergy:
    """Energy of a cell over a time, by part; `floor` is the rest state over the whole time.

    Attributes:
        floor_j: Resting power (sleep, or awake where no sleep fits) over the whole time.
        awake_j: What being kept awake by traffic adds to it.
        transition_j: Falling asleep and waking up.
        broadcast_j: SSB and SIB1 above the power between bursts.
        downlink_j: Traffic sent.
        uplink_j: Traffic received.
    """

    floor_j: float
    awake_j: float
    transition_j: float
    broadcast_j: float
    downlink_j: float
    uplink_j: float

    @property
    def total_j(self) -> float:
        """Sum of the parts."""
        return (
            self.floor_j + self.awake_j + self.transition_j + self.broadcast_j
            + self.downlink_j + self.uplink_j
        )  # fmt: skip


def earth_power_w(
    load_frac: float, *, trx: float, p0_w: float, slope: float, max_w: float
) -> float:
    """Input power of an EARTH base station that is on: N_TRX (P0 + slope P_max load).

    N_TRX multiplies both terms (and the sleep power); some public code forgets it on the slope.
    Source: Auer et al., IEEE Wireless Communications 18(5), 2011, Table 2 (10 MHz LTE, 2010).
    """
    return trx * (p0_w + slope * max_w * load_frac)


def downlink_relative(
    p3: float, p4: float, *, band_frac: float = 1.0, psd_ratio: float = 1.0, txru_frac: float = 1.0
) -> float:
    """Downlink power in relative units (TR 38.864 clause 5.1, single amplifier efficiency).

    P = P3 + s_a (P4 - P3) (A + s_f s_p (1 - A)), A = 0.4.

    Args:
        p3: Relative power of micro sleep.
        p4: Relative power of full downlink.
        band_frac: s_f, occupied over reference bandwidth.
        psd_ratio: s_p, spectral density over that of the reference.
        txru_frac: s_a, active over reference transceivers.
    """
    part = STATIC_FRAC + band_frac * psd_ratio * (1.0 - STATIC_FRAC)
    return p3 + txru_frac * (p4 - p3) * part


def broadcast_frac(
    beams: float, subcarrier_hz: float = 30e3, *, sib1_symbols: float = SIB1_SYMBOLS
) -> float:
    """Share of time in which SSB and SIB1 of all beams are sent, one after the other."""
    symbol_s = 1.0 / (SYMBOLS * subcarrier_hz)
    return beams * symbol_s * (SSB_SYMBOLS / SSB_PERIOD_S + sib1_symbols / SIB1_PERIOD_S)


def station_power(
    model: str,
    *,
    bandwidth_hz: float,
    anchor_w: float | None = None,
    transmit_power_w: float | None = None,
    sleep: Sleep = "light",
    sib1_symbols: float = SIB1_SYMBOLS,
) -> StationPower:
    """Power states of a base station from the packaged table.

    Args:
        model: Row of `base_stations`.
        bandwidth_hz: Channel bandwidth, of which broadcast fills 240 subcarriers.
        anchor_w: Watts of full downlink for models in relative units, which have none of their own.
        transmit_power_w: Radiated power at full load, for EARTH at most N_TRX P_max.
        sleep: Deepest state that the operator allows.
        sib1_symbols: Symbols of SIB1 per beam and period.

    Raises:
        DataError: No such row, a relative model without its anchor, or too much power.
    """
    row = data.row("base_stations", model)
    spacing_hz = data.number(row, "subcarrier_hz")
    band = min(1.0, SSB_SUBCARRIERS * spacing_hz / bandwidth_hz)
    beams = data.number(row, "ssb_beams")
    share = broadcast_frac(beams, spacing_hz, sib1_symbols=sib1_symbols)
    full_w = data.number(row, "transmit_power_w")
    radiated_w = full_w if transmit_power_w is None else transmit_power_w
    if radiated_w > full_w * (1.0 + 1e-9):
        raise DataError(
            f"expected transmit_power of at most {full_w:g} W for base station '{model}'; got "
            f"{radiated_w:g} W. Choose a larger model."
        )
    if data.text(row, "kind") == "earth":
        states = _earth(row, radiated_w, band)
    else:
        states = _relative(row, model, anchor_w, psd_ratio=radiated_w / full_w, band=band)
    allowed = tuple(s for s in states.sleep if s.name in DEPTH[1 : DEPTH.index(sleep) + 1])
    return dataclasses.replace(
        states, sleep=allowed, broadcast_frac=share, transmit_power_w=radiated_w
    )


def station_energy(
    station: StationPower,
    duration_s: float,
    *,
    downlink_s: float,
    uplink_s: float,
    awake_frac: float,
) -> StationEnergy:
    """Energy of a cell over a time, by part.

    The rest state runs all the time; SSB periods with traffic are spent awake instead (the
    transition is saved); broadcast and traffic add their power above the state they interrupt.
    Broadcast during traffic shares its symbols and costs nothing more.

    Args:
        station: Power states.
        duration_s: Time, a multiple of many SSB periods.
        downlink_s: Time of it in which the whole band was sent with full power.
        uplink_s: Time of it in which the whole band was received.
        awake_frac: Share of SSB periods with traffic, which keeps the cell from sleeping.
    """
    rest = station.resting()
    awake = awake_frac if rest.name != "none" else 0.0
    lift_w = station.awake_w - rest.power_w
    asleep_s = duration_s * (1.0 - awake)
    between_w = rest.power_w + lift_w * awake
    beacon_s = station.broadcast_frac * max(duration_s - downlink_s, 0.0)
    return StationEnergy(
        floor_j=rest.power_w * duration_s,
        awake_j=lift_w * duration_s * awake,
        transition_j=rest.transition_j * asleep_s / SSB_PERIOD_S,
        broadcast_j=(station.broadcast_w - between_w) * beacon_s,
        downlink_j=(station.downlink_w - station.awake_w) * downlink_s,
        uplink_j=(station.uplink_w - station.awake_w) * uplink_s,
    )


def _earth(row: data.Row, radiated_w: float, band: float) -> StationPower:
    trx, p0, slope, sleep = (
        data.number(row, c) for c in ("trx_count", "idle_power_w", "slope", "sleep_power_w")
    )
    max_w = radiated_w / trx
    full, beacon = (
        earth_power_w(load, trx=trx, p0_w=p0, slope=slope, max_w=max_w) for load in (1.0, band)
    )
    # EARTH has one sleep state and no time to enter it: cell DTX, here called micro.
    states = [SleepState(name="micro", power_w=trx * sleep)]
    return _station(row, trx * p0, full, trx * p0, beacon, states)


def _relative(
    row: data.Row, model: str, anchor_w: float | None, *, psd_ratio: float, band: float
) -> StationPower:
    if anchor_w is None:
        raise DataError(
            f"expected anchor_power for base station '{model}', whose powers are relative; got "
            "none. 3GPP gives no watts: state the measured power of your cell at full load."
        )
    p3, p4, p5 = (data.number(row, c) for c in ("micro_rel", "downlink_rel", "uplink_rel"))
    unit_w = anchor_w / p4
    full = downlink_relative(p3, p4, psd_ratio=psd_ratio)
    beacon = downlink_relative(p3, p4, band_frac=band, psd_ratio=psd_ratio)
    states = [
        SleepState(
            name=name,
            power_w=unit_w * data.number(row, f"{name}_rel"),
            transition_s=data.number(row, f"{name}_transition_s"),
            transition_j=unit_w * data.number(row, f"{name}_transition_rel_s"),
        )
        for name in DEPTH[2:]
    ]
    return _station(row, unit_w * p3, unit_w * full, unit_w * p5, unit_w * beacon, states)


def _station(
    row: data.Row,
    awake_w: float,
    downlink_w: float,
    uplink_w: float,
    broadcast_w: float,
    sleep: Iterable[SleepState],
) -> StationPower:
    return StationPower(
        model=data.text(row, "base_station"),
        awake_w=awake_w,
        downlink_w=downlink_w,
        uplink_w=uplink_w,
        broadcast_w=broadcast_w,
        sleep=tuple(sleep),
        broadcast_frac=0.0,
        transmit_power_w=0.0,
    )
