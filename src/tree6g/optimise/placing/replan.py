"""A policy that places anew over the day: which servers are on, and who answers whom.

It is told every `server_period` what was asked. One period before an hour of the day's load begins,
when it begins, or as soon as more comes of a service than the plan and chance explain, it solves
the placement again at the load that it expects, with the models that servers have. Servers that are
off cost their start besides, spread over an hour. A model that terminals share with a server is
weighed request by request, over the terminal's link as it is then.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.engine.policies import Option, Query, first_to_answer, on_time
from tree6g.engine.policies.servers import FleetReport
from tree6g.engine.switch import OFF
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.optimise.placing.begin import Start
from tree6g.optimise.placing.decide import decide
from tree6g.optimise.placing.first import DEVICE, SPLIT
from tree6g.optimise.placing.groups import BIN_S, Group
from tree6g.optimise.placing.options import Options, Way
from tree6g.optimise.placing.setups import Setup

HORIZON_S: Final = 3600.0  # over which a start is spread
SPARE_FRAC: Final = 0.25  # capacity above the expected load
FAR: Final = 4.0  # standard deviations of a Poisson number: a load that is not the planned one


class Replan:
    """The policy; of a run of its own.

    A server that the plan names and that is too full by now leaves a request to another that is on.

    Attributes:
        plans: How often it has planned.
    """

    def __init__(self, start: Start, *, spare_frac: float = SPARE_FRAC) -> None:
        """Begin with what a run of the scenario told.

        Args:
            start: The network; the day's load by the hour is known from it, as from earlier days.
            spare_frac: Capacity above the expected load; more of it serves more on time.

        Raises:
            ScenarioError: Less than no spare capacity, or without end.
        """
        if not 0.0 <= spare_frac < math.inf:
            raise ScenarioError(
                f"expected a finite spare share of at least 0, such as 0.25; got {spare_frac:g}."
            )
        self._start, self._spare_frac = start, spare_frac
        self._hours: tuple[int, int] | None = None
        self._rate: dict[tuple[str, int], float] = {}
        self._on: set[str] = set()
        self._table: dict[tuple[str, int, bool, bool], tuple[str | None, frozenset[str]]] = {}
        self.plans = 0

    def servers(self, report: FleetReport) -> set[str]:
        """Servers that are to be on."""
        hours = (
            self._hour(report.t_s),
            self._hour(report.t_s + self._start.scenario.server_period_s),
        )
        if hours != self._hours or self._surprised(report):
            self._plan(report, hours)
        return self._on

    def _hour(self, t_s: float) -> int:
        """Which stretch of the day's load a time is in."""
        return min(int(t_s // BIN_S), len(self._start.options.groups[0].weight) - 1)

    def __call__(self, query: Query, options: Sequence[Option]) -> int | None:
        """Who answers: by the plan, or terminal and server together where that takes less."""
        able = any(option.tier in (DEVICE, SPLIT) for option in options)
        limit = self._start.limit_tok.get(query.service, math.inf)
        key = query.service, query.site, able, query.prompt_tok > limit
        first, nodes = self._table.get(key, (None, frozenset()))
        for number, option in enumerate(options):
            if option.tier == first == DEVICE and on_time(query, option):
                return number
        hosts = [n for n, o in enumerate(options) if o.tier not in (DEVICE, SPLIT)]
        named = [n for n in hosts if options[n].node in nodes] or hosts
        whole = _first_in_time(query, options, named, hosts)
        if whole is None:
            return first_to_answer(options)
        for number, option in enumerate(options):
            if option.tier == SPLIT and on_time(query, option):
                less = option.expected_energy_j < options[whole].expected_energy_j
                return number if less else whole
        return whole

    def _surprised(self, report: FleetReport) -> bool:
        """Whether more has come than chance explains."""
        for key, asked_rps in report.asked_rps.items():
            planned = self._rate.get(key, 0.0) * report.since_s
            if asked_rps * report.since_s - planned > FAR * math.sqrt(max(planned, 1.0)):
                return True
        return False

    def _plan(self, report: FleetReport, hours: tuple[int, int]) -> None:
        rates = [[group.rate_rps[hour] for group in self._start.options.groups] for hour in hours]
        busiest = hours[int(np.argmax([sum(rate) for rate in rates]))]
        some = expected(self._start.options, busiest, report, spare_frac=self._spare_frac)
        spare = dataclasses.replace(self._start, options=some)
        try:
            plan = decide(spare, "tree")
        except InfeasibleError:  # more has come than all servers keep their budgets for
            self._on = {server.node for server in report.servers}
            self._table = {}
        else:
            self._on = {setup.node for setup in plan.on}
            self._table = {
                some.groups[way.group].key: (
                    None if way.first is None else way.first.tier,
                    frozenset(some.setups[s].node for s in way.setups),
                )
                for way in plan.ways
            }
        self._rate = {}
        for group in some.groups:
            key = group.name, group.site
            self._rate[key] = self._rate.get(key, 0.0) + group.mean_rps
        self._hours = hours
        self.plans += 1


def _first_in_time(
    query: Query, options: Sequence[Option], named: Sequence[int], hosts: Sequence[int]
) -> int | None:
    """The server that answers first: of those named in time, else of all in time, else of those.

    A server may be too full for the pace of a service and still have the first token soon.
    """
    for some in (named, hosts):
        timely = [n for n in some if on_time(query, options[n])]
        if timely:
            return timely[first_to_answer([options[n] for n in timely]) or 0]
    best = first_to_answer([options[n] for n in named])
    return None if best is None else named[best]


def expected(
    known: Options, stretch: int, report: FleetReport, *, spare_frac: float = SPARE_FRAC
) -> Options:
    """The ways at the load that is expected now, with the models that servers have.

    The hour's load is known from earlier days; where what has just come is more, that is expected.

    Args:
        known: All ways, with the load of all hours.
        stretch: The hour.
        report: What was asked, and which servers are on.
        spare_frac: Capacity above the expected load.
    """
    usual: dict[tuple[str, int], float] = {}
    for group in known.groups:
        key = group.name, group.site
        usual[key] = usual.get(key, 0.0) + float(group.rate_rps[stretch])
    groups = [_at(group, stretch, usual, report) for group in known.groups]
    off = {server.node: server.start_j for server in report.servers if server.state == OFF}
    setups = [_with_start(setup, off, report) for setup in known.setups]
    numbers = [n for n, setup in enumerate(setups) if setup.as_today]
    ways = [
        _scaled(way, known.groups[way.group], groups[way.group], 1.0 + spare_frac)
        for way in known.ways
        if set(way.setups) <= set(numbers)
    ]
    return dataclasses.replace(known, groups=groups, setups=setups, ways=ways)


def _at(
    group: Group, stretch: int, usual: dict[tuple[str, int], float], report: FleetReport
) -> Group:
    """A group at the rate that is expected of it."""
    key = group.name, group.site
    rate = float(group.rate_rps[stretch])
    asked = report.asked_rps.get(key, 0.0) * (report.since_s > 0.0)
    more = max(1.0, asked / usual[key]) if usual[key] > 0.0 else 1.0
    return dataclasses.replace(group, rate_rps=np.array([rate * more]), weight=np.ones(1))


def _with_start(setup: Setup, off: dict[str, float], report: FleetReport) -> Setup:
    """A server whose start is spread over the horizon; at the start of a run it is free."""
    start_j = off.get(setup.node, 0.0) * (report.t_s > 0.0) * setup.counts
    return dataclasses.replace(setup, idle_w=setup.idle_w + start_j / HORIZON_S)


def _scaled(way: Way, before: Group, now: Group, room: float) -> Way:
    """A way at another load of its group; what terminals take of it stays the same share."""
    mean = before.mean_rps / float(before.weight.sum())
    rate = way.work.rate_rps * now.mean_rps / mean
    use = way.use_frac * now.peak_rps / before.peak_rps * room
    work = dataclasses.replace(way.work, rate_rps=rate)
    return dataclasses.replace(way, work=work, use_frac=use)
