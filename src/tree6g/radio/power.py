"""Power of a base station by state: EARTH 2011 and the relative model of TR 38.864.

TR 38.864 V18.1.0 clause 5.1 (as quoted in the energy model of ns-3 nr; second-hand):
P_DL = P3 + s_a (P4 - P3) (A + s_f s_p / eta (1 - A)) and P_UL = P3 + s_a (P5 - P3), with A = 0.4,
P3 micro sleep. A sleep state draws its power for as long as it lasts; going to sleep and waking up
cost an energy besides, once for both. Powers are those of the radio site's equipment; site cooling
is not included. The powers are relative: watts come from an anchor that the user states.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

from tree6g import data
from tree6g.errors import DataError
from tree6g.radio.broadcast import SSB_SUBCARRIERS, Broadcast, broadcast

Sleep = Literal["none", "micro", "light", "deep"]
Efficiency = Literal["single", "dual"]
DEPTH: Final[tuple[Sleep, ...]] = ("none", "micro", "light", "deep")
STATIC_FRAC: Final = 0.4  # A of TR 38.864 clause 5.1: share of P4 - P3 that is not the amplifier
LOW_EFFICIENCY: Final = 0.76  # eta of the dual model where s_f s_p is below one half
FURTHER_CARRIER: Final = 0.7  # TR 38.864: power of each further contiguous carrier over the first's


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SleepState:
    """A state between transmissions: power, and what entering and leaving it takes together."""

    name: Sleep
    power_w: float
    transition_s: float = 0.0
    transition_j: float = 0.0

    @property
    def wake_s(self) -> float:
        """Time to wake up: half of the transition, which 3GPP states only for both ways."""
        return 0.5 * self.transition_s

    def scaled(self, factor: float) -> SleepState:
        """The same state with its watts and joules times a factor."""
        return dataclasses.replace(
            self, power_w=factor * self.power_w, transition_j=factor * self.transition_j
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StationPower:
    """Power of a base station by state.

    Attributes:
        model: Row of the packaged table.
        awake_w: Powered, ready, not transmitting (EARTH: P0; TR 38.864: micro sleep P3).
        downlink_w: Transmitting with full power over the whole band.
        uplink_w: Receiving.
        broadcast_w: Transmitting SSB and SIB1, which fill a part of the band.
        sleep: Allowed states between bursts, deepest last.
        off: The state of a cell that is switched off: nothing is sent, nobody is heard.
        muted_w: What a muted transceiver leaves of the awake power (EARTH: its sleep).
        signals: SSB, SIB1 and RACH.
        fdd: Both directions at once; receiving then costs nothing beside sending (TR 38.864).
        carriers: Contiguous carriers that are on.
        transmit_power_w: Radiated power at full load.
    """

    model: str
    awake_w: float
    downlink_w: float
    uplink_w: float
    broadcast_w: float
    sleep: tuple[SleepState, ...]
    off: SleepState
    muted_w: float
    signals: Broadcast
    fdd: bool
    carriers: int
    transmit_power_w: float

    def allowing(self, deepest: Sleep) -> StationPower:
        """The same station with no state deeper than this one."""
        names = DEPTH[1 : DEPTH.index(deepest) + 1]
        return dataclasses.replace(self, sleep=tuple(s for s in self.sleep if s.name in names))

    def scaled(self, factor: float) -> StationPower:
        """The same station with all of its watts and joules times a factor."""
        names = ("awake_w", "downlink_w", "uplink_w", "broadcast_w", "muted_w")
        return dataclasses.replace(
            self,
            sleep=tuple(state.scaled(factor) for state in self.sleep),
            off=self.off.scaled(factor),
            **{name: factor * getattr(self, name) for name in names},
        )

    def with_antennas(self, active_frac: float) -> StationPower:
        """With only a share of the transceivers on (s_a of TR 38.864, N_TRX of EARTH).

        TR 38.864 scales what sending and receiving add, not the awake power; in EARTH a muted
        transceiver sleeps. Each active transceiver keeps its power, so the radiated power falls
        with the share.
        """
        awake_w = active_frac * self.awake_w + (1.0 - active_frac) * self.muted_w
        downlink, uplink, broadcast = (
            awake_w + active_frac * (power_w - self.awake_w)
            for power_w in (self.downlink_w, self.uplink_w, self.broadcast_w)
        )
        return dataclasses.replace(
            self,
            awake_w=awake_w,
            downlink_w=downlink,
            uplink_w=uplink,
            broadcast_w=broadcast,
            transmit_power_w=active_frac * self.transmit_power_w,
        )

    def with_carriers(self, active: int) -> StationPower:
        """With only some of the contiguous carriers on; those that are muted draw nothing.

        The first one sends the broadcast, whatever the others do.
        """
        part = carriers_power(active) / carriers_power(self.carriers)
        awake_w = part * self.awake_w
        return dataclasses.replace(
            self,
            awake_w=awake_w,
            downlink_w=part * self.downlink_w,
            uplink_w=part * self.uplink_w,
            broadcast_w=awake_w + self.broadcast_w - self.awake_w,
            sleep=tuple(_scaled(s, part) for s in self.sleep),
            muted_w=part * self.muted_w,
            carriers=active,
            transmit_power_w=self.transmit_power_w * active / self.carriers,
        )


def carriers_power(count: int) -> float:
    """Power of contiguous intra-band carriers over that of one: 1 + 0.7 (n - 1)."""
    return 1.0 + FURTHER_CARRIER * (count - 1)


def earth_power_w(
    load_frac: float, *, trx: float, p0_w: float, slope: float, max_w: float
) -> float:
    """Input power of an EARTH base station that is on: N_TRX (P0 + slope P_max load).

    N_TRX multiplies both terms (and the sleep power); some public code forgets it on the slope.
    Source: Auer et al., IEEE Wireless Communications 18(5), 2011, Table 2 (10 MHz LTE, 2010).
    """
    return trx * (p0_w + slope * max_w * load_frac)


def downlink_relative(
    p3: float,
    p4: float,
    *,
    band_frac: float = 1.0,
    psd_ratio: float = 1.0,
    txru_frac: float = 1.0,
    efficiency: Efficiency = "single",
) -> float:
    """Downlink power in relative units (TR 38.864 clause 5.1).

    P = P3 + s_a (P4 - P3) (A + s_f s_p / eta (1 - A)), A = 0.4.

    Args:
        p3: Relative power of micro sleep.
        p4: Relative power of full downlink.
        band_frac: s_f, occupied over reference bandwidth.
        psd_ratio: s_p, spectral density of an active transceiver over that of the reference.
        txru_frac: s_a, active over reference transceivers.
        efficiency: `single`: eta = 1; `dual`: 0.76 where s_f s_p < 0.5.
    """
    output = band_frac * psd_ratio
    eta = LOW_EFFICIENCY if efficiency == "dual" and output < 0.5 else 1.0
    return p3 + txru_frac * (p4 - p3) * (STATIC_FRAC + output / eta * (1.0 - STATIC_FRAC))


def uplink_relative(p3: float, p5: float, *, txru_frac: float = 1.0) -> float:
    """Uplink power in relative units: P3 + s_a (P5 - P3), TR 38.864 clause 5.1."""
    return p3 + txru_frac * (p5 - p3)


def station_power(
    model: str,
    *,
    bandwidth_hz: float,
    anchor_w: float | None = None,
    transmit_power_w: float | None = None,
    sleep: Sleep = "light",
    efficiency: Efficiency = "single",
    carriers: int = 1,
    signals: Broadcast | None = None,
) -> StationPower:
    """Power states of a base station from the packaged table.

    Args:
        model: Row of `base_stations`.
        bandwidth_hz: Bandwidth of all carriers; broadcast fills 240 subcarriers of one.
        anchor_w: Watts of full downlink of all carriers, for models in relative units, which have
            none of their own.
        transmit_power_w: Radiated power at full load, for EARTH at most N_TRX P_max.
        sleep: Deepest state that the operator allows.
        efficiency: Of the amplifier, for models in relative units.
        carriers: Contiguous carriers of equal width; relative models only.
        signals: SSB, SIB1 and RACH; None: those of `broadcast` for the row's beams.

    Raises:
        DataError: No such row, a relative model without its anchor, too much power, or carriers
            of a model that does not know them.
    """
    row = data.row("base_stations", model)
    spacing_hz = data.number(row, "subcarrier_hz")
    full_w = data.number(row, "transmit_power_w")
    radiated_w = full_w if transmit_power_w is None else transmit_power_w
    if radiated_w > full_w * (1.0 + 1e-9):
        raise DataError(
            f"expected transmit_power of at most {full_w:g} W for base station '{model}'; got "
            f"{radiated_w:g} W. Choose a larger model."
        )
    beacon = signals or broadcast(data.number(row, "ssb_beams"), spacing_hz)
    band = min(1.0, SSB_SUBCARRIERS * spacing_hz / bandwidth_hz)
    if data.text(row, "kind") == "earth":
        if carriers > 1:
            raise DataError(
                f"expected one carrier for base station '{model}'; got {carriers}. EARTH knows no "
                "power by carrier: take a model of TR 38.864, or one site per carrier."
            )
        station = _earth(row, radiated_w, band, beacon)
    else:
        if anchor_w is None:
            raise DataError(
                f"expected anchor_power for base station '{model}', whose powers are relative; "
                "got none. 3GPP gives no watts: state the measured power of your cell at full load."
            )
        unit_w = anchor_w / data.number(row, "downlink_rel")
        station = _relative(row, unit_w, radiated_w / full_w, band, carriers, efficiency, beacon)
    return dataclasses.replace(station.allowing(sleep), transmit_power_w=radiated_w)


def _earth(row: data.Row, radiated_w: float, band: float, signals: Broadcast) -> StationPower:
    trx, p0, slope, sleep = (
        data.number(row, c) for c in ("trx_count", "idle_power_w", "slope", "sleep_power_w")
    )
    max_w = radiated_w / trx
    full, beacon = (
        earth_power_w(load, trx=trx, p0_w=p0, slope=slope, max_w=max_w) for load in (1.0, band)
    )
    # EARTH has one sleep state and no time to enter it: cell DTX, here called micro. It knows
    # nothing deeper, so a cell that is switched off draws as much.
    asleep = SleepState(name="micro", power_w=trx * sleep)
    return StationPower(
        model=data.text(row, "base_station"),
        awake_w=trx * p0,
        downlink_w=full,
        uplink_w=trx * p0,
        broadcast_w=beacon,
        sleep=(asleep,),
        off=asleep,
        muted_w=asleep.power_w,
        signals=signals,
        fdd=False,
        carriers=1,
        transmit_power_w=radiated_w,
    )


def _relative(
    row: data.Row,
    unit_w: float,
    psd_ratio: float,
    band: float,
    carriers: int,
    efficiency: Efficiency,
    signals: Broadcast,
) -> StationPower:
    """All carriers at once; the anchor is theirs together, broadcast is sent by the first one."""
    p3, p4, p5 = (data.number(row, c) for c in ("micro_rel", "downlink_rel", "uplink_rel"))
    full = downlink_relative(p3, p4, psd_ratio=psd_ratio, efficiency=efficiency)
    first = min(1.0, band * carriers)
    beacon = downlink_relative(p3, p4, band_frac=first, psd_ratio=psd_ratio, efficiency=efficiency)
    states = tuple(
        SleepState(
            name=name,
            power_w=unit_w * data.number(row, f"{name}_rel"),
            transition_s=data.number(row, f"{name}_transition_s"),
            transition_j=unit_w * data.number(row, f"{name}_transition_rel_s"),
        )
        for name in DEPTH[2:]
    )
    return StationPower(
        model=data.text(row, "base_station"),
        awake_w=unit_w * p3,
        downlink_w=unit_w * full,
        uplink_w=unit_w * p5,
        broadcast_w=unit_w * (p3 + (beacon - p3) / carriers_power(carriers)),
        sleep=states,
        off=states[-1],
        muted_w=unit_w * p3,
        signals=signals,
        fdd=data.text(row, "duplex") == "fdd",
        carriers=carriers,
        transmit_power_w=0.0,
    )


def _scaled(state: SleepState, part: float) -> SleepState:
    return dataclasses.replace(
        state, power_w=part * state.power_w, transition_j=part * state.transition_j
    )
