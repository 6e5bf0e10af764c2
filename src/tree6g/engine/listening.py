"""Radios of the terminals in a run: what waits for them to listen, and what they draw.

With `population.terminal.model: tr38840`, a terminal counts while it is connected: from its first
message until `release` after its last one. All of it is counted then, each joule under the service
of the message that it last sent or received: sending and receiving as state `active`, listening as
`idle`, asleep as `sleep`, and the transitions. What it draws in idle mode, before and after, is
there without these services and is not counted; a connected terminal in deep sleep draws no more
than that, 1/700 of the anchor, and is counted all the same. Powers are averages over slots, so a
transmission takes at least one. A message that waits in the cell's queue keeps its terminal awake.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.engine import lanes
from tree6g.engine.airtime import Messages, Passage
from tree6g.engine.crowd import DOWN, UP, Crowd, IntArray, Radio
from tree6g.engine.radio import band_frac, power_w
from tree6g.radio import connection
from tree6g.radio.drx import Drx
from tree6g.radio.numerology import numerology
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power_control import MAX_POWER_DBM
from tree6g.radio.terminal_power import TerminalPower, terminal_power
from tree6g.scenario.model import Scenario

if TYPE_CHECKING:
    from tree6g.engine.air import Passing
    from tree6g.engine.world import Cell, Tick, World

TERMINAL: Final = "terminal-power"
SENDERS: Final = (
    "Terminals count only while they send or run a model; what they draw otherwise is left out."
)
CONNECTED: Final = (
    "Terminals count while they are connected or run a model: until {:g} s after their last "
    "message. What they draw in idle mode is left out."
)
SCALES_HZ: Final = (20e6, 100e6)  # bandwidth parts for which TR 38.840 scales what receiving draws


class Sent(NamedTuple):
    """Transmissions of a step, or messages that wait. Arrays are [transmission].

    Attributes:
        service: Number of the service.
        terminal: Number of the terminal in its crowd.
        uplink: Whether it sends.
        start_s: From when it is awake for it.
        stop_s: Until when.
        data_s: Time of it in which it sends or receives.
        power_w: What it draws then.
    """

    service: IntArray
    terminal: IntArray
    uplink: npt.NDArray[np.bool_]
    start_s: FloatArray
    stop_s: FloatArray
    data_s: FloatArray
    power_w: FloatArray


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Listeners:
    """Terminals of a crowd and what the steps so far leave behind. Arrays are [terminal].

    Attributes:
        crowd: Who.
        services: Their services, by number; the first and only one of a data service.
        offset_s: Start of each one's first DRX cycle.
        ended_s: End of its last message.
        expected_s: When the messages under way are out at best.
        told_s: When it was told of its last message, or will be.
        tail: Service of its last message.
        sent: Transmissions of the running step.
    """

    crowd: Crowd
    services: tuple[int, ...]
    offset_s: FloatArray
    ended_s: FloatArray
    expected_s: FloatArray
    told_s: FloatArray
    tail: IntArray
    sent: list[Sent] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Listening:
    """All terminals' radios, and what became of them so far.

    Attributes:
        drx: Timers; on all the time where there is no DRX.
        release_s: Connection after the last message.
        power: States; what receiving draws is that of the cell's bandwidth.
        control_w: Listening. [cell]
        data_w: Receiving. [cell]
        names: Services by number.
        listeners: Terminals of each crowd.
        connected_s: Time that terminals were connected.
        listened_s: Time of it awake.
        told: Downlink messages told to terminals.
        waited: Those that found theirs asleep.
        wait_s: What these waited.
        longest_s: The longest of it.
    """

    drx: Drx
    release_s: float
    power: TerminalPower
    control_w: FloatArray
    data_w: FloatArray
    names: tuple[str, ...]
    listeners: Sequence[Listeners]
    connected_s: float = 0.0
    listened_s: float = 0.0
    told: int = 0
    waited: int = 0
    wait_s: float = 0.0
    longest_s: float = 0.0

    def of(self, service: str) -> Listeners:
        """The terminals of a service."""
        number = self.names.index(service)
        return next(who for who in self.listeners if number in who.services)


def listening(scenario: Scenario, cells: Sequence[Cell], radio: Radio) -> Listening | None:
    """Radios of all terminals; None where the scenario asks for nothing but sending."""
    asked = scenario.population.terminal
    if asked.model == "send-only":
        return None
    cycle_s = asked.drx_cycle_s
    drx = Drx(
        cycle_s=cycle_s or 1.0,
        on_s=asked.drx_on_s if cycle_s else 1.0,
        inactivity_s=asked.drx_inactivity_s,
    )
    powers = [
        terminal_power(
            asked.anchor_power_w,
            bandwidth_hz=float(np.clip(cell.spec.bandwidth_hz, *SCALES_HZ)),
            receive_antennas=asked.receive_antennas,
        )
        for cell in cells
    ]
    names = scenario.senders
    return Listening(
        drx=drx,
        release_s=asked.release_s,
        power=powers[0],
        control_w=np.array([power.control_w for power in powers]),
        data_w=np.array([power.data_w for power in powers]),
        names=names,
        listeners=[_listeners(drx, crowd, names, radio) for crowd in radio.crowds()],
    )


def _listeners(drx: Drx, crowd: Crowd, names: Sequence[str], radio: Radio) -> Listeners:
    never = np.full(len(crowd), -np.inf)
    return Listeners(
        crowd=crowd,
        services=tuple(n for n, name in enumerate(names) if radio.crowd_of.get(name) is crowd),
        offset_s=connection.spread_offset_s(drx, len(crowd)),
        ended_s=never,
        expected_s=never.copy(),
        told_s=never.copy(),
        tail=np.zeros(len(crowd), dtype=np.int64),
    )


def hear(world: World, tick: Tick, services: Iterable[str]) -> None:
    """Tell terminals of what comes down for some services in this step; queue what they heard of.

    Only uplink of this step that is over counts, so data services may come before the uplink phase:
    their terminals have none.
    """
    known, wanted = world.listening, tuple(services)
    if known is None:
        return
    for who in known.listeners:
        names = [known.names[n] for n in who.services if known.names[n] in wanted]
        found = list(_untold(world, names, tick.t1_s))
        if found:
            _tell(world, known, who, found)
    lanes.release(world, tick.t1_s, wanted)


def _untold(
    world: World, names: Sequence[str], until_s: float
) -> Iterator[tuple[Messages, str, IntArray]]:
    """Messages held that are ready and not told: which, of which service, which rows."""
    for name in names:
        if name in world.chunks:
            held = world.chunks[name]
            rows = np.flatnonzero(~held["told"] & (held["ready_s"] < until_s))
            if len(rows):
                yield held, name, rows


def _tell(
    world: World,
    known: Listening,
    who: Listeners,
    found: Sequence[tuple[Messages, str, IntArray]],
) -> None:
    """When terminals of one crowd can be told of messages; written into these."""
    rates = world.radio.rate_bps[DOWN]
    batches = [(held[rows], name) for held, name, rows in found]
    terminal = np.concatenate([batch["terminal"] for batch, _ in batches])
    ready_s = np.concatenate([batch["ready_s"] for batch, _ in batches])
    air_s = np.concatenate([b["bit"] / rates[name][b["terminal"]] for b, name in batches])
    over = [sent for sent in who.sent if sent.uplink.all()]
    packets = connection.Packets(
        terminal=np.concatenate([terminal, *(sent.terminal for sent in over)]),
        ready_s=np.concatenate([ready_s, *(sent.start_s for sent in over)]),
        air_s=np.concatenate([air_s, *(sent.stop_s - sent.start_s for sent in over)]),
        waits=np.concatenate([np.ones_like(terminal, bool), *(~sent.uplink for sent in over)]),
    )
    told_s = connection.heard_s(
        known.drx,
        packets,
        told_s=who.told_s,
        until_s=np.maximum(who.ended_s, who.expected_s) + known.drx.inactivity_s,
        offset_s=who.offset_s,
    )[: len(terminal)]
    np.maximum.at(who.told_s, terminal, told_s)
    np.maximum.at(who.expected_s, terminal, told_s + air_s)
    first = 0
    for held, _, rows in found:
        held["heard_s"][rows] = held["open_s"][rows] = told_s[first : first + len(rows)]
        held["told"][rows] = True
        first += len(rows)
    wait_s = told_s - ready_s
    known.told += len(wait_s)
    known.waited += int(np.count_nonzero(wait_s > 0.0))
    known.wait_s += float(wait_s.sum())
    known.longest_s = max(known.longest_s, float(wait_s.max(initial=0.0)))


def observe_all(world: World, passing: Passing, tick: Tick) -> None:
    """Note what terminals sent or received in a phase, if anybody asks."""
    if world.listening is not None:
        for cell, service, passage in passing.each():
            observe(world, cell, passing.kind, service, passage, tick)


def observe(
    world: World, cell: Cell, kind: str, service: str, passage: Passage, tick: Tick
) -> None:
    """Note what terminals sent or received in a passage, and at which power."""
    known = world.listening
    if known is None or not len(passage.begun):
        return
    who, number = known.of(service), known.names.index(service)
    terminal = passage.begun["terminal"]
    start_s = np.maximum(passage.begun["heard_s"], tick.t0_s)
    data_s = passage.data_s * cell.carrier(kind).time_frac
    slot_s = numerology(cell.spec.subcarrier_hz).slot_s
    data_s = np.where(data_s > 0.0, np.maximum(data_s, slot_s), 0.0)
    if kind == UP:
        draw_w = known.power.sending_w(_power_dbm(world, cell, service, terminal))
    else:
        draw_w = np.full(len(terminal), known.data_w[cell.index])
    stop_s = np.maximum(passage.stop_s, start_s + data_s)
    service_n, uplink = np.full(len(terminal), number), np.full(len(terminal), kind == UP)
    who.sent.append(Sent(service_n, terminal, uplink, start_s, stop_s, data_s, draw_w))


def _power_dbm(world: World, cell: Cell, service: str, terminal: IntArray) -> FloatArray:
    """Power that terminals radiate, without what the cell's muted antennas take of it."""
    gain_db = world.radio.crowd_of[service].gain_db[terminal, cell.index]
    part_frac = world.radio.part_frac[UP][service][terminal] * band_frac(cell, UP, service)
    whole_w = power_w(cell, UP, gain_db, part_frac) * part_frac
    power_dbm = 10.0 * np.log10(whole_w) + 30.0 - cell.uplink_db
    return np.minimum(power_dbm, MAX_POWER_DBM)


def notes(world: World) -> list[str]:
    """What the terminals' radios did, for the header, and the latency paid for their sleep."""
    known = world.listening
    if known is None:
        return [SENDERS]
    told = [CONNECTED.format(known.release_s)]
    if known.connected_s > 0.0:
        told.append(
            f"Terminals were connected for {known.connected_s:,.0f} s in all and listened for "
            f"{known.listened_s / known.connected_s:.1%} of it; {_waited(known)}."
        )
    return told


def _waited(known: Listening) -> str:
    if not known.waited:
        return "no downlink message waited for them"
    return (
        f"{known.waited / known.told:.1%} of downlink messages found them asleep and waited "
        f"{1e3 * known.wait_s / known.waited:.1f} ms on average, {1e3 * known.longest_s:.1f} ms at "
        "most"
    )
