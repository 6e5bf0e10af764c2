"""What many cells should do: a radiated power for each, and who is served.

The certified optimum is that of fixed interference, with a power for each user. The plan has one
power per cell. Its powers are chosen at the interference of the run; what they do to one another
is then found by iteration, and they are chosen again, until they stay (`ROUNDS` at most). The best
of all rounds by its own promise is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tree6g.engine import rates
from tree6g.engine.crowd import DOWN
from tree6g.errors import InfeasibleError
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation import network as allocation
from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.allocation.problem import (
    AiUsers,
    Cell,
    DataUsers,
    FloatArray,
    Problem,
    no_ai,
    no_data,
)
from tree6g.optimise.allocation.solution import NetworkSolution
from tree6g.optimise.allocation.solve import allocate_network
from tree6g.optimise.scenario.network import Air, Carried, Network, covered_db, kept_db, radio_w
from tree6g.optimise.scenario.served import scale_rates, without_refused
from tree6g.scenario.load import dump

POWERS: Final = 81  # radiated powers of a cell that are tried, from coverage to the most
STEPS: Final = 25  # powers at which a user's rate is looked at for the bound
ROUNDS: Final = 8  # of powers and the interference that they make
STAYS: Final = 0.005  # relative change of powers that is none
WHOLE: Final = 1e-9  # of a share: rounding


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """The certified optimum of a network, and a plan that its cells can carry out.

    Attributes:
        solution: The best allocation with a power of its own for each user, at the interference of
            the run.
        share_frac: Served share of today's rates, by service.
        air: Powers and loads of the plan, and what its terminals hear.
        tree_beq_per_j: What it promises.
        ee_bit_per_j: What it promises.
        unrefined: TREE and EE that it would promise if interference and cells of terminals stayed
            as they are.
        rounds: How often powers were chosen.
    """

    solution: NetworkSolution
    share_frac: dict[str, float]
    air: Air
    tree_beq_per_j: float
    ee_bit_per_j: float
    unrefined: tuple[float, float]
    rounds: int

    @property
    def promise(self) -> float:
        """The figure of the objective that the plan promises."""
        return self.tree_beq_per_j if self.solution.objective == "tree" else self.ee_bit_per_j

    @property
    def promise_unrefined(self) -> float:
        """The same at the interference of the run."""
        return self.unrefined[0 if self.solution.objective == "tree" else 1]


def network_plan(
    start: Network, objective: Objective = "tree", least_frac: float = 1.0
) -> NetworkPlan:
    """The best allocation of a network and a plan near it.

    Args:
        start: The network as a run of it measured it.
        objective: `tree` or `ee`.
        least_frac: Share of today's rates that is owed to every service.

    Raises:
        InfeasibleError: What is owed cannot be given.
    """
    solution = allocate_network(problem(start, least_frac), objective)
    share = _shares(start, solution)
    number = 0 if objective == "tree" else 1
    air, tried, rounds = start.today, [], 0
    while rounds < ROUNDS:
        rounds += 1
        power_w = _powers(start, air, share)
        stays = np.abs(power_w / air.power_w - 1.0).max() <= STAYS
        air = start.settled(power_w, share)
        tried.append(air)
        if stays:
            break
    fits = [each for each in tried if _fits(start, each)] or [tried[-1]]
    best = max(fits, key=lambda each: start.figures(each, share)[number])
    tree, ee = start.figures(best, share)
    return NetworkPlan(
        solution=solution,
        share_frac=share,
        air=best,
        tree_beq_per_j=tree,
        ee_bit_per_j=ee,
        unrefined=_unrefined(start, best, share),
        rounds=rounds,
    )


def _fits(start: Network, air: Air) -> bool:
    """Whether no cell is fuller than it may be."""
    return bool((air.load_frac <= start.most_frac * (1.0 + 1e-9)).all())


def _unrefined(start: Network, air: Air, share: Mapping[str, float]) -> tuple[float, float]:
    """Figures of powers as though interference and cells of terminals stayed those of the run."""
    same = start.heard(air.power_w, start.today.load_frac, moves=False)
    ratio_db = 10.0 * np.log10(air.power_w / start.today.power_w)
    sinr_db = tuple(
        db + ratio_db[serving]
        for db, serving in zip(start.today.sinr_db, start.today.serving, strict=True)
    )
    same = dataclasses.replace(same, sinr_db=sinr_db)
    same = dataclasses.replace(same, load_frac=start.used_frac(same, share))
    return start.figures(same, share)


def _powers(start: Network, air: Air, share: Mapping[str, float]) -> FloatArray:
    """The power of each cell with the fewest joules, at the interference of `air`. [cell].

    What is served is given, so the fewest joules are the best ratio, and each cell's own matter.
    """
    margin_db = np.minimum(covered_db(start, air), kept_db(start, air.power_w))
    least = np.minimum(air.power_w * 10.0 ** (-margin_db / 10.0), [s.most_w for s in start.sending])
    most = np.array([s.most_w for s in start.sending])
    steps = np.linspace(0.0, 1.0, POWERS)[:, None]
    tried = np.concatenate([least * (most / least) ** steps, air.power_w[None, :]])
    load = np.stack([_loads(start, air, powers, share) for powers in tried])
    drawn = np.empty_like(load)
    for number, sending in enumerate(start.sending):
        drawn[:, number] = radio_w(sending, tried[:, number], load[:, number], start.seconds)
    fits = load <= start.most_frac * (1.0 + 1e-9)
    if not fits.any(axis=0).all():
        full = int(np.argmin(fits.any(axis=0)))
        room = start.most_frac[full]
        raise InfeasibleError(
            f"expected a power of up to {most[full]:.3g} W with which cell "
            f"'{start.world.cells[full].node}' carries its share in {room:.0%} of the downlink's "
            f"time; it takes {load[:, full].min() / room:.3g} times that."
        )
    best = np.argmin(np.where(fits, drawn, np.inf), axis=0)
    return tried[best, np.arange(len(best))]


def _loads(start: Network, air: Air, power_w: FloatArray, share: Mapping[str, float]) -> FloatArray:
    """Loads if each cell changed its power alone. [cell]."""
    change_db = 10.0 * np.log10(power_w / air.power_w)
    sinr_db = tuple(
        db + change_db[serving] for db, serving in zip(air.sinr_db, air.serving, strict=True)
    )
    return start.used_frac(dataclasses.replace(air, sinr_db=sinr_db), share)


def problem(start: Network, least_frac: float) -> allocation.Network:
    """The problem of allocation at the interference of the run.

    Broadcast radiates nothing and costs nothing in it, and every user's rate is one that lies above
    the engine's at all powers that a cell may have, so that bounds hold for every plan.
    """
    cells = [_cell(start, number, least_frac) for number in range(len(start.world.cells))]
    return allocation.Network(cells=tuple(cells))


def _cell(start: Network, number: int, least_frac: float) -> Problem:
    cell, sending = start.world.cells[number], start.sending[number]
    count, time_frac = len(start.world.cells), sending.time_frac * start.most_frac[number]
    beacons_w = sum(s.beacon_s * s.beacon_per_w * s.power_w for s in start.sending) / start.seconds
    mine = [_users(start, number, n) for n in range(len(start.services))]
    data = [m for m in mine if m is not None and m[0].figure.kind == "data"]
    ai = [m for m in mine if m is not None and m[0].figure.kind == "ai"]
    return Problem(
        cell=Cell(
            bandwidth_hz=cell.spec.bandwidth_hz * time_frac,
            power_limit_w=sending.most_w * time_frac,
            amplifier_frac=1.0 / sending.per_w,
            fixed_power_w=(start.fixed_w - beacons_w) / count,
            power_w_per_hz=sending.base_w / cell.spec.bandwidth_hz,
            attenuation_frac=_steepness(start, number),
        ),
        data=_data_users(start, data, least_frac),
        ai=_ai_users(start, ai, least_frac),
        beside_beq_per_s=start.beside_beq_per_s / count,
        beside_bps=start.beside_bps / count,
    )


_Users = tuple[Carried, FloatArray, FloatArray]  # service, bits per second, gain


def _users(start: Network, number: int, service: int) -> _Users | None:
    """Terminals of a service in a cell that have bits; None: there is none."""
    carried, serving = start.services[service], start.today.serving[service]
    mine = (serving == number) & (carried.bits_per_s > 0.0)
    if not mine.any():
        return None
    sinr_db = start.today.sinr_db[service][mine]
    return carried, carried.bits_per_s[mine], _gain(start, number, sinr_db, carried.stretch[mine])


def _steepness(start: Network, number: int) -> float:
    """What rate over log2(1 + SINR) is at most far up: layers, and what they reach of capacity."""
    spec = start.world.cells[number].spec
    each = 1.0 if spec.link == "mcs" else rates.QUALITY[DOWN].attenuation
    return each * spec.layers


def _gain(start: Network, number: int, sinr_db: FloatArray, stretch: FloatArray) -> FloatArray:
    """Gain with which capacity lies above a terminal's rate at all powers. [terminal].

    For attenuated Shannon below its cap that is the gain that it has.
    """
    cell, sending = start.world.cells[number], start.sending[number]
    steps = np.geomspace(min(sending.cover_w, sending.most_w), sending.most_w, STEPS)
    least = np.zeros(len(sinr_db))
    for power_w in np.append(steps, sending.power_w):
        there_db = sinr_db + 10.0 * np.log10(power_w / sending.power_w)
        rate = rates.rate_bps(cell.spec, DOWN, np.maximum(there_db, rates.floor_sinr_db(DOWN)))
        per_hz = rate / stretch / (sending.time_frac * cell.spec.bandwidth_hz)
        needed = np.expm1(np.log(2.0) * per_hz / _steepness(start, number))
        least = np.maximum(least, needed * cell.spec.bandwidth_hz / power_w)
    return least


def _data_users(start: Network, users: list[_Users], least_frac: float) -> DataUsers:
    if not users:
        return no_data()
    rate = np.concatenate([bits for _, bits, _ in users])
    worth = [
        float(s.figure.utility_beq or 0.0) / (s.bits_per_s.sum() * start.seconds)
        for s, _, _ in users
    ]
    return DataUsers(
        gain_hz_per_w=np.concatenate([gain for _, _, gain in users]),
        weight=np.repeat(worth, [len(bits) for _, bits, _ in users]),
        rate_min_bps=least_frac * rate,
        rate_max_bps=rate,
    )


def _ai_users(start: Network, users: list[_Users], least_frac: float) -> AiUsers:
    """Tokens in proportion to bits; utilities are linear at the worth that a token had."""
    if not users:
        return no_ai()
    figures = [service.figure for service, _, _ in users]
    count = [len(bits) for _, bits, _ in users]
    bit_per_tok = np.array(
        [
            float(service.bits_per_s.sum()) * start.seconds / service.figure.tokens_out_tok
            for service, _, _ in users
        ]
    )
    rate = np.concatenate([bits for _, bits, _ in users]) / np.repeat(bit_per_tok, count)
    return AiUsers(
        gain_hz_per_w=np.concatenate([gain for _, _, gain in users]),
        weight=np.ones(len(rate)),
        curves=tuple(
            Curve(alpha_bit_per_tok=float(f.utility_beq or 0.0) / f.tokens_out_tok) for f in figures
        ),
        curve=np.repeat(np.arange(len(users)), count),
        bit_per_tok=np.repeat(bit_per_tok, count),
        delay_s=np.full(len(rate), np.inf),
        gpu_s_per_tok=np.zeros(len(rate)),
        energy_j_per_tok=np.repeat([start.joule_per_tok.get(f.name, 0.0) for f in figures], count),
        rate_min_tps=least_frac * rate,
        rate_max_tps=rate,
    )


def _shares(start: Network, best: NetworkSolution) -> dict[str, float]:
    """Served over today's rates, service by service."""
    got = dict.fromkeys([s.figure.name for s in start.services], 0.0)
    for number, cell in enumerate(best.cells):
        data, ai = 0, 0
        for n, service in enumerate(start.services):
            users = _users(start, number, n)
            if users is None:
                continue
            many = len(users[1])
            if service.figure.kind == "data":
                part = float(cell.rate_bps[data : data + many].sum())
                data += many
                got[service.figure.name] += part / float(service.bits_per_s.sum())
            else:
                part = float(cell.rate_tps[ai : ai + many].sum())
                ai += many
                got[service.figure.name] += part * start.seconds / service.figure.tokens_out_tok
    return {
        name: 1.0 if share > 1.0 - WHOLE else (0.0 if share < WHOLE else share)
        for name, share in got.items()
    }


def network_planned(start: Network, chosen: NetworkPlan) -> dict[str, Any]:
    """The scenario of a plan as plain data: powers of the cells, services that stay."""
    plain = dump(start.scenario)
    plain["name"] = f"{start.scenario.name}-{chosen.solution.objective}"
    powers = [float(f"{power:.6g}") for power in chosen.air.power_w.tolist()]
    if start.scenario.layout is not None:
        plain["layout"]["cell_power_w"] = powers
    else:
        for site in plain["sites"]:
            site["base_station"]["sector_power_w"] = powers[: site["sectors"]]
            del powers[: site["sectors"]]
    gone = without_refused(plain, chosen.share_frac)
    scale_rates(plain, chosen.share_frac)
    for place in (*plain["sites"], *plain["clouds"]):
        asked = [server["services"] for server in place["servers"]]
        for server in place["servers"]:
            server["services"] = [name for name in server["services"] if name not in gone]
        place["servers"] = [
            server
            for server, before in zip(place["servers"], asked, strict=True)
            if server["services"] or not before
        ]
    return plain
