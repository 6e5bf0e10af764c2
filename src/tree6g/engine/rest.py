"""How a cell rests: its order, and what a step must know of the one before."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from tree6g import data
from tree6g.engine.policies.sleep import Order
from tree6g.errors import DataError, ScenarioError
from tree6g.radio.broadcast import broadcast
from tree6g.radio.power import SleepState, StationPower, carriers_power, station_power
from tree6g.radio.sleep import asleep_in
from tree6g.radio.wake import UplinkWake
from tree6g.scenario.model import Site
from tree6g.scenario.station import BaseStation


def station_of(site: Site) -> StationPower:
    """Power states of a site's base station.

    Raises:
        ScenarioError: A station that its model does not know.
    """
    base = site.base_station
    try:
        row = data.row("base_stations", base.model)
        signals = broadcast(
            data.number(row, "ssb_beams"),
            data.number(row, "subcarrier_hz"),
            ssb_period_s=base.ssb_period_s,
            sib1_period_s=base.sib1_period_s,
            rach_period_s=base.rach_period_s,
        )
        station = station_power(
            base.model,
            bandwidth_hz=base.bandwidth_hz,
            anchor_w=base.anchor_power_w,
            transmit_power_w=base.transmit_power_w,
            sleep=base.sleep,
            efficiency=base.amplifier,
            carriers=base.carriers,
            signals=signals,
        )
    except DataError as error:
        raise ScenarioError(f"base station of site '{site.name}': {error}") from error
    # Only a scenario that says FDD sends in both directions at once, whatever the table's set does.
    station = dataclasses.replace(station, fdd=base.slot_pattern == "FDD")
    return shared(station if base.power_scale == 1.0 else station.scaled(base.power_scale))


def with_power(site: Site, power_w: float | None) -> Site:
    """The site with another radiated power; None: the most that its base station may radiate."""
    base = site.base_station.model_copy(update={"transmit_power_w": power_w})
    return site.model_copy(update={"base_station": base})


@functools.lru_cache(maxsize=256)
def shared(station: StationPower) -> StationPower:
    """One record for stations that are alike, so that a step tells their kinds at a glance."""
    return station


@dataclasses.dataclass(slots=True)
class Waits:
    """Messages that came to a cell, how many found it asleep, and how long these waited."""

    messages: int = 0
    woken: int = 0
    wait_s: float = 0.0
    longest_s: float = 0.0


@dataclasses.dataclass(slots=True, kw_only=True)
class Rest:
    """State of a cell that may sleep, be muted or be switched off.

    Attributes:
        whole: Power states with everything on.
        station: Power states under the order.
        order: What the cell is to do.
        idle_timer_s: Time without traffic before it sleeps, as the scenario says.
        uplink_wake: How terminals reach it while it sleeps.
        operator_share_frac: Share of this operator in what it draws without traffic.
        traffic_end_s: End of the last traffic.
        off_from_s: When it went off; None: it is on.
        up_from_s: When it is up again; infinity while it is off.
        entered_off: Share of its power that went off in this step, by carriers that were muted or
            as a whole; each pays the transition of `off`, both ways at once.
        used_s: Carrier time used since the policy was last asked, by kind of bits.
        asked_s: When that was.
        asleep_s: Time asleep so far, off included.
        lasted_s: Time of the run so far.
        waits: What its traffic waited, by kind of bits.
    """

    whole: StationPower
    station: StationPower
    order: Order = dataclasses.field(default_factory=Order)
    idle_timer_s: float = 0.0
    uplink_wake: UplinkWake = "occasion"
    operator_share_frac: float = 1.0
    traffic_end_s: float = -math.inf
    off_from_s: float | None = None
    up_from_s: float = -math.inf
    entered_off: float = 0.0
    used_s: dict[str, float] = dataclasses.field(default_factory=dict)
    asked_s: float = 0.0
    asleep_s: float = 0.0
    lasted_s: float = 0.0
    waits: dict[str, Waits] = dataclasses.field(
        default_factory=lambda: {"bit_dl": Waits(), "bit_ul": Waits()}
    )

    @classmethod
    def of(cls, station: StationPower, base: BaseStation) -> Rest:
        """A cell that is on and has had no traffic yet."""
        return cls(
            whole=station,
            station=station,
            idle_timer_s=base.idle_timer_s,
            uplink_wake=base.uplink_wake,
            operator_share_frac=base.operator_share_frac,
        )

    def follow(self, order: Order, t_s: float) -> None:
        """Take an order; `engine.sleep` switches the cell on and off.

        A sleep that the order begins or changes in the middle of a gap begins now: it pays its own
        transition and must fit into what is left. One that goes on pays nothing more. Carriers that
        are muted go off; transceivers go to micro sleep, which takes no transition.
        """
        before, carriers = self._state(t_s), self.station.carriers
        self.order = order
        station = self.whole.with_carriers(order.carriers or self.whole.carriers)
        station = station.with_antennas(order.antenna_frac)
        self.station = shared(station if order.sleeps else station.allowing("none"))
        if self.off_from_s is None:
            self.entered_off += max(0.0, self._part(carriers) - self._part(station.carriers))
        if self._state(t_s) not in (None, before):
            self._sleep_from(t_s)

    def _state(self, t_s: float) -> SleepState | None:
        if self.off_from_s is not None:
            return None
        return asleep_in(
            self.station, t_s, timer_s=self.order.timer_s, traffic_end_s=self.traffic_end_s
        )

    def _sleep_from(self, t_s: float) -> None:
        """Let the timer end now, and not a rounding before."""
        end_s = t_s - self.order.timer_s
        while end_s + self.order.timer_s < t_s:
            end_s = math.nextafter(end_s, math.inf)
        self.traffic_end_s = end_s

    def _part(self, carriers: int) -> float:
        """Power of some carriers over that of all."""
        return carriers_power(carriers) / carriers_power(self.whole.carriers)

    def switch_on(self, t_s: float) -> None:
        """Wake a cell that is off: half of the transition, after all of it since it went off.

        It comes up as though from traffic: its timer runs before it sleeps again.
        """
        if self.off_from_s is not None and not np.isfinite(self.up_from_s):
            off = self.whole.off
            self.up_from_s = max(t_s + off.wake_s, self.off_from_s + off.transition_s)
            self.traffic_end_s = max(self.traffic_end_s, self.up_from_s)

    def switch_off(self, t_s: float) -> None:
        """Send a cell to sleep for good."""
        self.off_from_s, self.up_from_s = t_s, math.inf
        self.entered_off += self._part(self.station.carriers)  # the others are off already

    def fail(self, t_s: float) -> None:
        """Be off from now on, also if it was on its way up."""
        if self.off_from_s is None:
            self.switch_off(t_s)
        self.up_from_s = math.inf

    def off_until(self, t0_s: float, t1_s: float) -> float:
        """End of the part of a step that it is off."""
        return t0_s if self.off_from_s is None else min(max(self.up_from_s, t0_s), t1_s)
