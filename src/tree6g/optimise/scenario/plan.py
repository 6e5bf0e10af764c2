"""What a cell should do, as a scenario that can be run: one radiated power, and who is served."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.allocation.solution import Solution
from tree6g.optimise.allocation.solve import allocate
from tree6g.optimise.scenario.served import scale_rates, without_refused
from tree6g.optimise.scenario.surrogate import Surrogate
from tree6g.optimise.servers.choice import Running, combinations
from tree6g.scenario.load import dump

POWERS: Final = 241  # radiated powers that are tried, from coverage to the most
MOST_SERVICES: Final = 6  # AI services whose servers may go off: all sets of them are tried


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The certified optimum, and the plan that a cell with one power for all can carry out.

    Attributes:
        solution: The best allocation with a power of its own for each user.
        upper_bound: No allocation has more, whatever servers are on.
        running: Settings of the servers.
        share_frac: Served share of today's rates, by service of the downlink and AI service.
        power_w: Radiated power of the plan, the same for all.
        tree_beq_per_j: What it promises.
        ee_bit_per_j: What it promises.
        unfitted: TREE and EE that it would promise if a token took what it takes today, whatever
            the load and the setting of its server.
        load_frac: Share of the downlink's time that it fills.
    """

    solution: Solution
    upper_bound: float
    running: tuple[Running, ...]
    share_frac: dict[str, float]
    power_w: float
    tree_beq_per_j: float
    ee_bit_per_j: float
    unfitted: tuple[float, float]
    load_frac: float

    @property
    def promise(self) -> float:
        """The figure of the objective that the plan promises."""
        return self.tree_beq_per_j if self.solution.objective == "tree" else self.ee_bit_per_j

    @property
    def promise_unfitted(self) -> float:
        """The same without the curves of the servers."""
        return self.unfitted[0 if self.solution.objective == "tree" else 1]


def plan(start: Surrogate, objective: Objective = "tree", least_frac: float = 1.0) -> Plan:
    """The best allocation of a cell and a plan near it.

    Args:
        start: The cell as a run of it measured it.
        objective: `tree` or `ee`.
        least_frac: Share of today's rates that is owed to every service. Below 1, who is not worth
            the joules is refused, which raises any ratio: another service (METRIC rule 10).

    Raises:
        InfeasibleError: What is owed cannot be given.
    """
    names = [service.figure.name for service in start.ai]
    sets = [frozenset(names)]
    if least_frac <= 0.0 and len(names) <= MOST_SERVICES:
        sizes = range(len(names), -1, -1)
        sets = [frozenset(some) for n in sizes for some in itertools.combinations(names, n)]
    found = [
        (allocate(start.problem(least_frac, on, running), objective), running)
        for on in sets
        for running in combinations(start.pools, on, least_frac)
    ]
    best, running = max(found, key=lambda each: each[0].value)
    share = _shares(start, best)
    power_w, used_s = _one_power(start, share, objective, running)
    tree, ee = _promised(start, share, power_w, used_s, running)
    return Plan(
        solution=best,
        upper_bound=max(each[0].upper_bound for each in found),
        running=running,
        share_frac=share,
        power_w=power_w,
        tree_beq_per_j=tree,
        ee_bit_per_j=ee,
        unfitted=_promised(start, share, power_w, used_s, running, fitted=False),
        load_frac=used_s / (start.seconds * start.sending.time_frac),
    )


def planned(start: Surrogate, chosen: Plan) -> dict[str, Any]:
    """The scenario of a plan as plain data: radiated power, rates of requests, servers that stay.

    Who is refused does not ask: refusals are in `Plan.share_frac`, not in the run.
    """
    plain = dump(start.scenario)
    plain["sites"][0]["base_station"]["transmit_power_w"] = float(f"{chosen.power_w:.6g}")
    plain["sites"][0]["base_station"]["sector_power_w"] = []
    plain["name"] = f"{start.scenario.name}-{chosen.solution.objective}"
    gone = without_refused(plain, chosen.share_frac)
    scale_rates(plain, chosen.share_frac)
    left = {s["name"] for s in plain["services"] if s["kind"] == "ai"}
    servers = plain["sites"][0]["servers"]
    for server in servers:
        server["services"] = [name for name in server["services"] if name not in gone]
    before = {s.name: s.services for s in start.scenario.sites[0].servers}
    servers[:] = [s for s in servers if left and (s["services"] or not before[s["name"]])]
    for running in chosen.running:
        _set_up(servers, running)
    return plain


def _set_up(servers: list[dict[str, Any]], running: Running) -> None:
    """Servers of a pool as their setting has them; those that are off go."""
    if running.option is None:
        return
    setting, names = running.option.setting, running.pool.names
    gone = names[setting.servers :]
    servers[:] = [server for server in servers if server["name"] not in gone]
    given = {"count": setting.count, "clock": setting.clock, "max_batch": setting.max_batch}
    for server in servers:
        if server["name"] in names:
            server.update(given)


def _shares(start: Surrogate, best: Solution) -> dict[str, float]:
    """Served over today's rates, service by service."""
    shares, data, ai = {}, 0, 0
    for service in start.data:
        many = len(service.sinr_db)
        got = float(best.rate_bps[data : data + many].sum())
        shares[service.figure.name] = _whole(got / service.bits_per_s)
        data += many
    for service in start.ai:
        many = len(service.sinr_db)
        got = float(best.rate_tps[ai : ai + many].sum())
        shares[service.figure.name] = _whole(got / start.tokens_per_s(service))
        ai += many
    return shares


def _whole(share: float) -> float:
    """A share without what is only rounding."""
    return 1.0 if share > 1.0 - 1e-9 else (0.0 if share < 1e-9 else share)


def _one_power(
    start: Surrogate, share: dict[str, float], objective: Objective, running: Sequence[Running]
) -> tuple[float, float]:
    """The radiated power, the same for all, with the best promise, and its time of sending."""
    most_w = start.sending.most_w
    least_w = min(start.sending.cover_w, most_w)
    tried = np.append(np.geomspace(least_w, most_w, POWERS), start.sending.power_w)
    used_s = np.array([start.used_s(share, float(power)) for power in tried])
    room_s = start.most_frac * start.sending.time_frac * start.seconds
    fits = used_s <= room_s * (1.0 + 1e-9)
    if not fits.any():
        raise InfeasibleError(
            f"expected a power of up to {most_w:.3g} W that carries the plan in "
            f"{start.most_frac:.0%} of the downlink's time; it takes "
            f"{used_s.min() / room_s:.3g} times that."
        )
    number = 0 if objective == "tree" else 1
    figures = [
        _promised(start, share, float(power), float(used), running)[number]
        for power, used in zip(tried, used_s, strict=True)
    ]
    best = int(np.argmax(np.where(fits, figures, -np.inf)))
    return float(tried[best]), float(used_s[best])


def _promised(
    start: Surrogate,
    share: dict[str, float],
    power_w: float,
    used_s: float,
    running: Sequence[Running],
    *,
    fitted: bool = True,
) -> tuple[float, float]:
    """TREE and EE of one power for all, with joules of servers by their curves or as today."""
    send, seconds = start.sending, start.seconds
    energy_j = (start.fixed_w + start.idle_w(running)) * seconds
    energy_j += used_s * (send.base_w + send.per_w * power_w)
    energy_j += send.beacon_s * send.beacon_per_w * (power_w - send.power_w)
    worth, bits = start.beside_beq_per_s * seconds, start.beside_bps * seconds
    for service in (*start.data, *start.ai):
        part = share[service.figure.name]
        worth += part * float(service.figure.utility_beq or 0.0)
        bits += part * service.bits_per_s * seconds
    if fitted:
        energy_j += seconds * sum(each.active_w(share) for each in running)
    else:
        joules = start.joule_per_tok.items()
        made_tok = {s.figure.name: s.figure.tokens_out_tok for s in start.ai}
        energy_j += sum(share[name] * joule * made_tok[name] for name, joule in joules)
    return worth / energy_j, bits / energy_j
