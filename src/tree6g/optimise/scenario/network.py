"""A run of many cells as a problem of allocation: what its ledger measured, cell by cell.

As of one cell (`surrogate`), but every terminal has a share of other cells in its noise:

    SINR = p_c g_c / (N + sum over others of load p g)

with the mean loads of the run, or the margin where the scenario has one. What of the joules does
not depend on the decision is that of the run. Time that a cell sent, measured over expected, is a
factor of each cell and service (`stretch`): it holds what means leave out, such as that some
terminals send more than others; so at today's powers the model has the run's time and joules.
Requests stay with the servers that answered them, each token at the joules that it took.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import numpy as np

from tree6g.engine import rates
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN
from tree6g.engine.run import RunResult
from tree6g.engine.world import World
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.optimise.allocation.problem import FloatArray, IntArray
from tree6g.optimise.scenario.sending import Sending, sending_of, sums
from tree6g.optimise.scenario.surrogate import COMPUTE, FULL_FRAC
from tree6g.optimise.servers.measured import joule_per_tok
from tree6g.scenario.model import Scenario

SWEEPS: Final = 100  # of the fixed point of loads and interference
SETTLED: Final = 1e-9  # of a load
UPLINK_DB: Final = 3.0  # by which the uplink of a terminal may become weaker


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A service that the downlink carries. Arrays are [terminal] of its crowd.

    Attributes:
        figure: Its figure in the run.
        gain: Coupling gains as factors. [terminal, cell]
        serving: Cell of each today.
        bits_per_s: Bits per second in the downlink.
        stretch: Time that a bit took over what is expected of the mean.
    """

    figure: ServiceFigure
    gain: FloatArray
    serving: IntArray
    bits_per_s: FloatArray
    stretch: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """Powers of all cells, and what comes of them.

    Attributes:
        power_w: Radiated power. [cell]
        load_frac: Share of the downlink's time that is used. [cell]
        serving: Cell of each terminal, by service.
        sinr_db: Its SINR there.
    """

    power_w: FloatArray
    load_frac: FloatArray
    serving: tuple[IntArray, ...]
    sinr_db: tuple[FloatArray, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A run of many cells as numbers that a decision starts from.

    Attributes:
        scenario: What was run.
        seconds: Its length.
        figure: Its figure.
        world: Its cells.
        sending: What each cell draws for its downlink. [cell]
        services: Services in the downlink, data first.
        joule_per_tok: Energy of an output token above idle, prompts included, by AI service.
        fixed_w: Power of everything else.
        beside_beq_per_s: Worth of uplink data.
        beside_bps: All bits of the uplink.
        today: Powers and loads of the run.
    """

    scenario: Scenario
    seconds: float
    figure: Figure
    world: World
    sending: tuple[Sending, ...]
    services: tuple[Carried, ...]
    joule_per_tok: Mapping[str, float]
    fixed_w: float
    beside_beq_per_s: float
    beside_bps: float
    today: Air

    @property
    def most_frac(self) -> FloatArray:
        """Share of the downlink's time that a cell may use: half of it, or today's. [cell]."""
        return np.maximum(FULL_FRAC, self.today.load_frac)

    def used_frac(self, air: Air, share_frac: Mapping[str, float]) -> FloatArray:
        """Share of the downlink's time that is used at the SINR of `air`. [cell]."""
        used = np.zeros(len(self.world.cells))
        for service, serving, sinr_db in zip(self.services, air.serving, air.sinr_db, strict=True):
            each = service.bits_per_s * service.stretch * self.s_per_bit(serving, sinr_db)
            share = share_frac.get(service.figure.name, 1.0)
            used += share * np.bincount(serving, weights=each, minlength=len(used))
        return used

    def s_per_bit(self, serving: IntArray, sinr_db: FloatArray) -> FloatArray:
        """Share of the downlink's time that a bit per second takes. [terminal]."""
        found = np.empty(len(serving))
        for cell in self.world.cells:
            mine = serving == cell.index
            if mine.any():
                found[mine] = 1.0 / rates.rate_bps(cell.spec, DOWN, sinr_db[mine])
        return found

    def heard(self, power_w: FloatArray, load_frac: FloatArray, *, moves: bool = True) -> Air:
        """SINR at some powers and loads; terminals go to the cell that they hear best, or stay."""
        servings, sinrs = [], []
        for service in self.services:
            received = service.gain * power_w
            serving = np.argmax(received, axis=1) if moves else service.serving
            servings.append(serving)
            sinrs.append(self._sinr_db(received, serving, load_frac))
        return Air(
            power_w=power_w,
            load_frac=load_frac,
            serving=tuple(servings),
            sinr_db=tuple(sinrs),
        )

    def _sinr_db(self, received: FloatArray, serving: IntArray, load: FloatArray) -> FloatArray:
        cells = self.world.cells
        noise = np.array([rates.noise_w(cell.spec, DOWN) for cell in cells])
        own = received[np.arange(len(serving)), serving]
        if not self.world.radio.follows_load:
            margin = 10.0 ** (np.array([c.spec.interference_margin_db for c in cells]) / 10.0)
            return 10.0 * np.log10(own / (noise * margin)[serving])
        least = np.array([cell.station.signals.sending_frac for cell in cells])
        band = np.array([cell.spec.frequency_hz for cell in cells])
        others = received * np.maximum(np.minimum(load, 1.0), least)
        same = band[:, None] == band
        np.fill_diagonal(same, val=False)
        disturbing = (others * same[serving]).sum(axis=1)
        return 10.0 * np.log10(own / (noise[serving] + disturbing))

    def settled(self, power_w: FloatArray, share_frac: Mapping[str, float]) -> Air:
        """Loads and interference that go together, by iteration."""
        load = self.today.load_frac
        for _ in range(SWEEPS):
            air = self.heard(power_w, load)
            more = self.used_frac(air, share_frac)
            if np.abs(more - load).max() <= SETTLED:
                break
            load = 0.5 * (load + more)
        return dataclasses.replace(air, load_frac=more)

    def energy_j(self, air: Air, share_frac: Mapping[str, float]) -> float:
        """Joules of everything for powers and loads."""
        total_j = self.fixed_w * self.seconds
        for sending, power_w, load in zip(
            self.sending, air.power_w.tolist(), air.load_frac.tolist(), strict=True
        ):
            total_j += self.seconds * float(radio_w(sending, power_w, load, self.seconds))
        for service in self.services:
            name, tokens = service.figure.name, service.figure.tokens_out_tok
            total_j += share_frac.get(name, 1.0) * self.joule_per_tok.get(name, 0.0) * tokens
        return total_j

    def figures(self, air: Air, share_frac: Mapping[str, float]) -> tuple[float, float]:
        """TREE and EE of powers, loads and served shares."""
        energy_j = self.energy_j(air, share_frac)
        worth, bits = self.beside_beq_per_s * self.seconds, self.beside_bps * self.seconds
        for service in self.services:
            part = share_frac.get(service.figure.name, 1.0)
            worth += part * float(service.figure.utility_beq or 0.0)
            bits += part * float(service.bits_per_s.sum()) * self.seconds
        return worth / energy_j, bits / energy_j


def radio_w(
    sending: Sending, power_w: float | FloatArray, load_frac: float | FloatArray, seconds: float
) -> float | FloatArray:
    """Mean power of a downlink above rest; of broadcast, what it is more than today."""
    sent_frac = load_frac * sending.time_frac
    beacon_w = sending.beacon_s * sending.beacon_per_w / seconds
    return sent_frac * (sending.base_w + sending.per_w * power_w) + beacon_w * (
        power_w - sending.power_w
    )


def network(result: RunResult) -> Network:
    """The model of a run of many cells, whose terminals stay (`require_still`).

    Raises:
        InfeasibleError: It earned nothing.
    """
    scenario = result.scenario
    world, figure = build(scenario, {}), result.tree()
    if not figure.tree_beq_per_j:
        raise InfeasibleError(
            f"expected a run of '{scenario.name}' that earns something; it earned nothing in "
            f"{figure.covered_s:g} s."
        )
    seconds = float(figure.covered_s)
    energy = sums(result, "energy", "node, component, state, service", "energy_j")
    used = sums(result, "work", "node, kind, service", "demand")
    moved = sums(result, "work", "node, kind, service", "amount")
    sending = _sending(world, energy, used, seconds)
    time_frac = np.array([s.time_frac for s in sending])
    load = np.array([s.used_s for s in sending]) / (time_frac * seconds)
    power_w = np.array([s.power_w for s in sending])
    counted = figure.boundary in COMPUTE
    ai = [s for s in figure.services if s.kind == "ai" and s.tokens_out_tok > 0.0]
    made_tok = {s.name: s.tokens_out_tok for s in ai}
    joule = joule_per_tok(world, made_tok, energy if counted else {}, moved)
    data = [s for s in figure.services if s.kind == "data"]
    down_bits = {s.name: sum(v for k, v in moved.items() if k[1:] == (DOWN, s.name)) for s in data}
    carried = [_carried(world, s, moved, seconds) for s in (*data, *ai)]
    services = tuple(c for c in carried if c.bits_per_s.any())
    nothing = Air(power_w=power_w, load_frac=load, serving=(), sinr_db=())
    begun = Network(
        scenario=scenario,
        seconds=seconds,
        figure=figure,
        world=world,
        sending=tuple(sending),
        services=services,
        joule_per_tok=joule,
        fixed_w=0.0,
        beside_beq_per_s=sum(float(s.utility_beq or 0.0) for s in data if not down_bits[s.name])
        / seconds,
        beside_bps=sum(v for key, v in moved.items() if key[1] == "bit_ul") / seconds,
        today=nothing,
    )
    return _as_measured(begun, used)


def require_still(scenario: Scenario) -> None:
    """Raise a ScenarioError for what the model does not see."""
    if scenario.devices is not None:
        raise ScenarioError(
            f"expected terminals that run no models; those of '{scenario.name}' do: where to "
            "compute is a matter of placement."
        )
    if scenario.population.speed_m_per_s > 0.0:
        raise ScenarioError(
            f"expected terminals that stay where they are; those of '{scenario.name}' move, and "
            "powers for the links of one moment say little of the next."
        )


def _sending(
    world: World,
    energy: Mapping[tuple[str, ...], float],
    used: Mapping[tuple[str, ...], float],
    seconds: float,
) -> list[Sending]:
    found = []
    for cell in world.cells:
        sent: dict[tuple[str, ...], float] = defaultdict(float)
        sent.update({key[1:]: s for key, s in used.items() if key[0] == cell.node})
        site = world.sites[cell.site_index]
        found.append(sending_of(site, cell, energy, sent, seconds, 0.0))
    return found


def _carried(
    world: World, figure: ServiceFigure, moved: Mapping[tuple[str, ...], float], seconds: float
) -> Carried:
    """Bits of each cell, evenly over its terminals."""
    crowd = world.radio.crowd_of[figure.name]
    count = np.bincount(crowd.serving, minlength=len(world.cells))
    bits = np.array([moved.get((cell.node, DOWN, figure.name), 0.0) for cell in world.cells])
    each = np.divide(bits / seconds, count, out=np.zeros(len(count)), where=count > 0)
    return Carried(
        figure=figure,
        gain=crowd.gain,
        serving=crowd.serving,
        bits_per_s=each[crowd.serving],
        stretch=np.ones(len(crowd)),
    )


def _as_measured(begun: Network, used: Mapping[tuple[str, ...], float]) -> Network:
    """The model with the time that services took, the margins of coverage, and what is left."""
    power_w, load = begun.today.power_w, begun.today.load_frac
    today = begun.heard(power_w, load, moves=False)
    services = []
    time_frac = np.array([s.time_frac for s in begun.sending])
    for service, serving, sinr_db in zip(begun.services, today.serving, today.sinr_db, strict=True):
        each = service.bits_per_s * begun.s_per_bit(serving, sinr_db)
        expected = np.bincount(serving, weights=each, minlength=len(load)) * time_frac
        name = service.figure.name
        took = np.array([used.get((c.node, DOWN, name), 0.0) for c in begun.world.cells])
        ratio = np.divide(
            took / begun.seconds, expected, out=np.ones(len(load)), where=expected > 0.0
        )
        services.append(dataclasses.replace(service, stretch=ratio[serving]))
    known = dataclasses.replace(begun, services=tuple(services), today=today)
    margin_db = covered_db(known, today)
    sending = tuple(
        dataclasses.replace(s, cover_w=s.power_w * 10.0 ** (-margin / 10.0))
        for s, margin in zip(begun.sending, margin_db.tolist(), strict=True)
    )
    dynamic_j = dataclasses.replace(known, fixed_w=0.0).energy_j(today, {})
    fixed_w = (begun.figure.energy_j - dynamic_j) / begun.seconds
    return dataclasses.replace(known, sending=sending, fixed_w=fixed_w)


def covered_db(start: Network, air: Air) -> FloatArray:
    """By how much each cell's power may fall before one of its terminals loses coverage. [cell]."""
    least_db = rates.least_sinr_db(DOWN)
    margin = np.full(len(start.world.cells), 60.0)
    for serving, sinr_db in zip(air.serving, air.sinr_db, strict=True):
        above = sinr_db - least_db
        heard = above >= 0.0
        np.minimum.at(margin, serving[heard], above[heard])
    return margin


def kept_db(start: Network, power_w: FloatArray) -> FloatArray:
    """By how much a cell's power may fall before a terminal goes where its uplink is weak. [cell].

    Terminals go to the cell that they hear best; the power of others does nothing for their own
    way up, so none may go to a cell that is more than `UPLINK_DB` weaker than the one of today.
    """
    margin = np.full(len(power_w), 60.0)
    for crowd in start.world.radio.crowds():
        own = crowd.gain[np.arange(len(crowd)), crowd.serving]
        weak = crowd.gain < own[:, None] * 10.0 ** (-UPLINK_DB / 10.0)
        loudest = np.max(np.where(weak, crowd.gain * power_w, 0.0), axis=1, initial=0.0)
        heard = (loudest > 0.0) & (own > 0.0)
        here = crowd.serving[heard]
        above_db = 10.0 * np.log10(power_w[here] * own[heard] / loudest[heard])
        np.minimum.at(margin, here, np.maximum(above_db, 0.0))
    return margin
