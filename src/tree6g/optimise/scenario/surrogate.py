"""A run of one cell as a problem of allocation: what its ledger measured, and the engine's radio.

Worth per bit and token, joules per token and everything that does not depend on the decision are
those of the run; so at today's power the surrogate has the run's joules. Of the radio it takes

    sending power   P(p) = c0 + c1 p while the carrier sends, rest power else (mean of the run)
    rate            R = a B log2(1 + g p / B) per second of downlink slots, g at today's margin

Bits of AI in the uplink and data in the uplink stay as they are, beside the decision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from tree6g.compute.model.catalogue import image_names
from tree6g.engine import radio, rates
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN
from tree6g.engine.run import RunResult
from tree6g.engine.world import Cell as EngineCell
from tree6g.engine.world import World
from tree6g.engine.worth import profile_of
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.delay import delay_of, delays_of
from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.problem import AiUsers, Cell, DataUsers, FloatArray, Problem
from tree6g.optimise.scenario.sending import Sending, sending_of, sums
from tree6g.optimise.servers.choice import Running
from tree6g.optimise.servers.measured import joule_per_tok, pools
from tree6g.optimise.servers.pool import Pool
from tree6g.scenario.model import Scenario

COMPUTE: Final = ("operator", "full")  # boundaries that count the joules of servers
FULL_FRAC: Final = 0.5  # of the downlink's time that plans may fill: beyond, queues build up


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A service whose bits the downlink carries.

    Attributes:
        figure: Its figure in the run.
        bits_per_s: Bits per second in the downlink, all terminals together.
        sinr_db: Of its terminals at today's power. [terminal]
    """

    figure: ServiceFigure
    bits_per_s: float
    sinr_db: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """A run as numbers that a decision starts from.

    Attributes:
        scenario: What was run.
        seconds: Its length.
        figure: Its figure.
        cell: Its cell.
        sending: Joules of the downlink.
        data: Data services in the downlink.
        ai: AI services.
        joule_per_tok: Energy of an output token above idle, prompts included, by AI service.
        pools: Servers with the settings that they may have; none if their joules do not count.
        fixed_w: Power of everything else.
        beside_beq_per_s: Worth of uplink data.
        beside_bps: All bits of the uplink.
    """

    scenario: Scenario
    seconds: float
    figure: Figure
    cell: EngineCell
    sending: Sending
    data: tuple[Moved, ...]
    ai: tuple[Moved, ...]
    joule_per_tok: Mapping[str, float]
    pools: tuple[Pool, ...]
    fixed_w: float
    beside_beq_per_s: float
    beside_bps: float

    @property
    def value_today(self) -> float:
        """TREE of the run."""
        return float(self.figure.tree_beq_per_j or 0.0)

    def tokens_per_s(self, service: Moved) -> float:
        """Output tokens of an AI service per second in the run."""
        return service.figure.tokens_out_tok / self.seconds

    @property
    def most_frac(self) -> float:
        """Share of the downlink's time that may be used: half of it, or what is used today.

        Measured or by the rates of the terminals, whichever is more: requests that came from those
        with weak links by chance, or did not, are no reason to refuse what is served today.
        """
        today = dict.fromkeys((s.figure.name for s in (*self.data, *self.ai)), 1.0)
        used_s = max(self.sending.used_s, self.used_s(today, self.sending.power_w))
        return max(FULL_FRAC, used_s / (self.sending.time_frac * self.seconds))

    def used_s(self, share: Mapping[str, float], power_w: float) -> float:
        """Time that the downlink sends at a power, with the engine's own rates, cap included.

        Args:
            share: Served share of today's rates, by service.
            power_w: Radiated power.
        """
        change_db = 10.0 * np.log10(power_w / self.sending.power_w)
        return sum(
            self.seconds * share[s.figure.name] * s.bits_per_s * self._s_per_bit(s, change_db)
            for s in (*self.data, *self.ai)
        )

    def idle_w(self, running: Sequence[Running]) -> float:
        """By how much more than today the servers of some settings draw without work."""
        return sum(each.idle_w - each.pool.idle_w for each in running)

    def problem(
        self, least_frac: float, served: frozenset[str], running: Sequence[Running]
    ) -> Problem:
        """The problem of allocation; broadcast is taken to radiate nothing, so bounds hold.

        Args:
            least_frac: Share of today's rates that is owed to every service.
            served: AI services that are served.
            running: Settings of the servers.
        """
        send, base = self.sending, self.cell.spec
        beacon_w = send.beacon_s * send.beacon_per_w * send.power_w / self.seconds
        servers_w = self.idle_w(running) + sum(each.base_w for each in running)
        time_frac = send.time_frac * self.most_frac
        return Problem(
            cell=Cell(
                bandwidth_hz=base.bandwidth_hz * time_frac,
                power_limit_w=send.most_w * time_frac,
                amplifier_frac=1.0 / send.per_w,
                fixed_power_w=self.fixed_w - beacon_w + servers_w,
                power_w_per_hz=send.base_w / base.bandwidth_hz,
                attenuation_frac=rates.QUALITY[DOWN].attenuation,
            ),
            data=self._data_users(least_frac),
            ai=self._ai_users(least_frac, served, running),
            beside_beq_per_s=self.beside_beq_per_s,
            beside_bps=self.beside_bps,
        )

    def gain_hz_per_w(self, service: Moved) -> FloatArray:
        """Signal-to-noise ratio of a watt in a hertz of its terminals. [terminal]."""
        return 10.0 ** (service.sinr_db / 10.0) * self.cell.spec.bandwidth_hz / self.sending.power_w

    def _data_users(self, least_frac: float) -> DataUsers:
        each = [np.full(len(s.sinr_db), s.bits_per_s / len(s.sinr_db)) for s in self.data]
        rate = np.concatenate([*each, np.empty(0)])
        worth = [np.full(len(s.sinr_db), _per(s.figure.utility_beq, s.bits_per_s * self.seconds))
                 for s in self.data]  # fmt: skip
        return DataUsers(
            gain_hz_per_w=np.concatenate([*map(self.gain_hz_per_w, self.data), np.empty(0)]),
            weight=np.concatenate([*worth, np.empty(0)]),
            rate_min_bps=least_frac * rate,
            rate_max_bps=rate,
        )

    def _ai_users(
        self, least_frac: float, served: frozenset[str], running: Sequence[Running]
    ) -> AiUsers:
        """Users per service; utilities are linear at the worth that a token had in the run."""
        count = [len(s.sinr_db) for s in self.ai]
        on = np.array([float(s.figure.name in served) for s in self.ai])
        token = np.array([self.tokens_per_s(s) for s in self.ai])
        bits = np.array([_per(s.bits_per_s, self.tokens_per_s(s)) for s in self.ai])
        joule = np.array([_per(self._slope_w(s, running), self.tokens_per_s(s)) for s in self.ai])
        rate = np.repeat(on * token / np.maximum(count, 1), count)
        return AiUsers(
            gain_hz_per_w=np.concatenate([*map(self.gain_hz_per_w, self.ai), np.empty(0)]),
            weight=np.ones(len(rate)),
            curves=tuple(
                Curve(alpha_bit_per_tok=_per(s.figure.utility_beq, s.figure.tokens_out_tok))
                for s in self.ai
            ),
            curve=np.repeat(np.arange(len(self.ai)), count),
            bit_per_tok=np.repeat(bits, count),
            delay_s=np.full(len(rate), np.inf),
            gpu_s_per_tok=np.zeros(len(rate)),
            energy_j_per_tok=np.repeat(joule, count),
            rate_min_tps=least_frac * rate,
            rate_max_tps=rate,
        )

    def _s_per_bit(self, service: Moved, change_db: float) -> float:
        rate_bps = rates.rate_bps(self.cell.spec, DOWN, service.sinr_db + change_db)
        return float(np.mean(self.sending.time_frac / rate_bps))

    def _slope_w(self, service: Moved, running: Sequence[Running]) -> float:
        """Power above idle that all of a service's tokens cause, by the chords of the servers."""
        name = service.figure.name
        return sum(each.slope_w * each.pool.work_frac.get(name, 0.0) for each in running)


def surrogate(result: RunResult) -> Surrogate:
    """The surrogate of a run of one cell (`is_one_cell`).

    Raises:
        InfeasibleError: It earned nothing.
    """
    scenario = result.scenario
    world = build(scenario, {})
    figure = result.tree()
    if not figure.tree_beq_per_j:
        raise InfeasibleError(
            f"expected a run of '{scenario.name}' that earns something; it earned nothing in "
            f"{figure.covered_s:g} s."
        )
    cell, seconds = world.cells[0], float(figure.covered_s)
    energy = sums(result, "energy", "node, component, state, service", "energy_j")
    sent = sums(result, "work", "kind, service", "demand")
    amount = sums(result, "work", "kind, service", "amount")
    tokens = sums(result, "work", "node, kind, service", "amount")
    sending = sending_of(world.sites[0], cell, energy, sent, seconds, _margin_db(world, cell))
    moved = {s.name: _moved(world, cell, s, amount, seconds) for s in figure.services}
    data = tuple(m for m in moved.values() if m.figure.kind == "data" and m.bits_per_s > 0.0)
    ai = tuple(m for m in moved.values() if m.figure.kind == "ai" and m.figure.tokens_out_tok > 0.0)
    counted = figure.boundary in COMPUTE
    made_tok = {m.figure.name: m.figure.tokens_out_tok for m in ai}
    joule = joule_per_tok(world, made_tok, energy if counted else {}, tokens)
    waits = delays_of(result.ledger, (figure.t0_s, figure.t1_s))
    ttft_s = {m.figure.name: delay_of(waits, m.figure.name, "ttft").mean_s or 0.0 for m in ai}
    dynamic_j = sending.used_s * (sending.base_w + sending.per_w * sending.power_w)
    dynamic_j += sum(joule[m.figure.name] * m.figure.tokens_out_tok for m in ai)
    up = [s for s in figure.services if s.kind == "data" and moved[s.name].bits_per_s == 0.0]
    return Surrogate(
        scenario=scenario,
        seconds=seconds,
        figure=figure,
        cell=cell,
        sending=sending,
        data=data,
        ai=ai,
        joule_per_tok=joule,
        pools=pools(world, energy, tokens, ttft_s, seconds) if counted else (),
        fixed_w=(figure.energy_j - dynamic_j) / seconds,
        beside_beq_per_s=sum(float(s.utility_beq or 0.0) for s in up) / seconds,
        beside_bps=sum(v for key, v in amount.items() if key[0] == "bit_ul") / seconds,
    )


def is_one_cell(scenario: Scenario) -> bool:
    """Whether there is one cell, whose models run at its site."""
    cells = len(scenario.sites) * scenario.sites[0].sectors
    return (
        cells == 1 and scenario.layout is None and scenario.devices is None and not scenario.clouds
    )


def require_one_cell(scenario: Scenario) -> None:
    """Raise a ScenarioError unless there is one cell, whose models run at its site."""
    site = scenario.sites[0]
    cells = len(scenario.sites) * site.sectors
    if cells != 1 or scenario.layout is not None:
        raise ScenarioError(
            f"expected a scenario of one cell; '{scenario.name}' has several. Allocation is within "
            "a cell; powers of cells that disturb one another are another problem."
        )
    if scenario.devices is not None or scenario.clouds:
        raise ScenarioError(
            f"expected servers at the site alone; '{scenario.name}' has terminals or clouds that "
            "run models: where to compute is a matter of placement."
        )


def require_tokens(scenario: Scenario) -> None:
    """Raise a ScenarioError where servers run models whose results are no tokens.

    An image counts as many tokens at once, at joules of its own: a bound that takes requests by the
    token does not hold for it.
    """
    servers = [s for site in scenario.sites for s in site.servers]
    servers += [s for cloud in scenario.clouds for s in cloud.servers]
    found = sorted({s.model for s in servers} & set(image_names()))
    if found:
        raise ScenarioError(
            f"expected models with tokens; servers of '{scenario.name}' run {', '.join(found)}. "
            "For images no bound is known."
        )


def require_linear(scenario: Scenario) -> None:
    """Raise a ScenarioError where the worth of tokens depends on how fast a session gets them.

    Plans count all tokens of a service alike; where U bends, those of slow sessions are worth more
    than those of fast ones, and no bound on such a sum is known here.
    """
    for spec in scenario.services:
        if spec.kind == "ai" and not (curve := profile_of(spec).curve).linear:
            raise ScenarioError(
                f"expected a linear utility for '{spec.name}' in '{scenario.name}'; got "
                f"'{curve.family}', for which no plan has a bound. Simulate designs (tree6g sweep, "
                f"tree6g compare), or say --set 'services.{spec.name}.utility={{family: linear}}'."
            )


def _margin_db(world: World, cell: EngineCell) -> float:
    """By how much the power may fall before a terminal goes below the least SINR, at least 0."""
    least_db = rates.least_sinr_db(DOWN)
    margins = []
    for crowd in world.radio.crowds():
        above = _sinr_db(cell, crowd.gain_db[:, cell.index]) - least_db
        margins.append(float(above[above >= 0.0].min(initial=60.0)))
    return max(0.0, min(margins, default=0.0))


def _sinr_db(cell: EngineCell, gain_db: FloatArray) -> FloatArray:
    """In the downlink at today's power. [terminal]."""
    return radio.margin_sinr_db(cell, DOWN, gain_db, np.ones(len(gain_db)))


def _moved(
    world: World,
    cell: EngineCell,
    figure: ServiceFigure,
    amount: Mapping[tuple[str, ...], float],
    seconds: float,
) -> Moved:
    crowd = world.radio.crowd_of[figure.name]
    sinr_db = _sinr_db(cell, crowd.gain_db[:, cell.index])
    return Moved(
        figure=figure,
        bits_per_s=amount.get((DOWN, figure.name), 0.0) / seconds,
        sinr_db=np.maximum(sinr_db, rates.floor_sinr_db(DOWN)),
    )


def _per(total: float | None, count: float) -> float:
    return float(total or 0.0) / count if count > 0.0 else 0.0
