"""Servers that are alike at one place, and how else they could be set up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.accelerator import clock_states
from tree6g.compute.serving.requests import FloatArray
from tree6g.engine.hosts import limits_of, replica_of
from tree6g.errors import InfeasibleError
from tree6g.optimise.servers.curve import LEAST_POINTS, FitError, ServerCurve, fit_error, fitted
from tree6g.optimise.servers.demand import Demand
from tree6g.optimise.servers.trial import Point, trial
from tree6g.scenario.model import Server

ON_TIME_SLACK_FRAC: Final = 1e-3  # of tokens, by which a setting may be later than today's
MOST_COUNTS: Final = 6  # numbers of servers that are tried
LIGHTER: Final = (2, 4)  # the lightest load that is tried is a quarter of today's of one server
NEAR_FRAC: Final = 0.25  # of the places of a batch: where more run, its limit is a decision


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the servers of a pool are set up.

    Attributes:
        servers: How many are on.
        count: Accelerators of each.
        clock: Their clock state; None: the highest.
        max_batch: Sequences decoded together at most.
    """

    servers: int
    count: int
    clock: str | None
    max_batch: int

    def of(self, spec: Server) -> Server:
        """A server of a pool, set up like this."""
        given = {"count": self.count, "clock": self.clock, "max_batch": self.max_batch}
        return spec.model_copy(update=given)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A setting, and what it does with the whole demand of the pool.

    Attributes:
        setting: The setting.
        curve: One of its servers over load.
        points: What the curve was fitted to.
        error: How far it is off there.
        idle_w: Power of the pool that waits: accelerators, hosts, cooling.
        on_time_frac: Share of tokens on time.
    """

    setting: Setting
    curve: ServerCurve
    points: tuple[Point, ...]
    error: FitError
    idle_w: float
    on_time_frac: float

    def rate_tps(self, demand_tps: float, share_frac: npt.ArrayLike = 1.0) -> FloatArray:
        """Token rate of each server at shares of the demand. [share]."""
        return np.asarray(share_frac, dtype=np.float64) * demand_tps / self.setting.servers

    def active_w(self, demand_tps: float, share_frac: npt.ArrayLike = 1.0) -> FloatArray:
        """Power above idle of all its servers, cooling apart. [share]."""
        return self.setting.servers * self.curve.active_w(self.rate_tps(demand_tps, share_frac))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Servers that are alike but for their names, at one place.

    Attributes:
        place: Site or cloud.
        names: Their names.
        spec: One of them.
        demand_tps: Output tokens per second that the run asked of them.
        work_frac: Share of each service in their work; sums to 1.
        idle_w: Power of today's idle, as the run measured it.
        active_w: Power above idle, as the run measured it.
        expected_scale: What `scale` would be if the run did as the simulations of its servers:
            cooling, and the time of requests over that of the run.
        today: How they are set up.
        options: How they may be set up, today's first; none is later than today's.
    """

    place: str
    names: tuple[str, ...]
    spec: Server
    demand_tps: float
    work_frac: Mapping[str, float]
    idle_w: float
    active_w: float
    expected_scale: float
    today: Option
    options: tuple[Option, ...]

    @property
    def scale(self) -> float:
        """Measured power above idle over that of the curve, cooling included."""
        return self.active_w / float(self.today.active_w(self.demand_tps))

    def share_frac(self, shares: Mapping[str, float]) -> float:
        """Share of today's work where services have a share of their rates."""
        return sum(part * shares.get(name, 0.0) for name, part in self.work_frac.items())

    def option_idle_w(self, option: Option) -> float:
        """Idle power of an option."""
        return self.idle_w * option.idle_w / self.today.idle_w

    def option_active_w(self, option: Option, share_frac: npt.ArrayLike = 1.0) -> FloatArray:
        """Power above idle of an option at shares of today's work. [share].

        As the run measured it, times what the curves say changes. A single server has no routing,
        which spreads requests more evenly than chance: it is taken as simulated.
        """
        alone = option.setting.servers == 1 < self.today.setting.servers
        scale = self.expected_scale if alone else self.scale
        return scale * option.active_w(self.demand_tps, share_frac)


def options(spec: Server, servers: int, asked: Demand, pue: float) -> tuple[Option, ...]:
    """Settings that answer a demand no later than today's, today's first.

    Numbers of servers, accelerators of each, and clock states are enumerated; batches where more
    than a quarter of the places are in use, or tokens are late.

    Args:
        spec: One of the servers.
        servers: How many there are.
        asked: What all of them are asked.
        pue: Of their place.

    Raises:
        InfeasibleError: Today's setting answers nothing on time at any load.
    """
    now = Setting(servers=servers, count=spec.count, clock=spec.clock, max_batch=spec.max_batch)
    today = next(_tried(spec, now, (servers,), servers, asked, pue, least_frac=0.0), None)
    if today is None:
        raise InfeasibleError(f"expected that server '{spec.name}' answers somebody; it does not.")
    least_frac = today.on_time_frac - ON_TIME_SLACK_FRAC
    found = [today]
    for setting in _settings(spec, today):
        found += _tried(spec, setting, _numbers(servers), servers, asked, pue, least_frac)
    return (today, *(option for option in found[1:] if option.setting != now))


def _settings(spec: Server, today: Option) -> Iterator[Setting]:
    """Accelerators, clocks and batches; the number of servers is another matter."""
    counts = [n for n in range(1, spec.count + 1) if spec.count % n == 0]
    states = [state.name for state in clock_states(spec.accelerator)]
    clocks = [*states[1:], None if spec.clock is None else states[0]]
    for count in counts:
        for clock in clocks:
            for batch in _batches(spec, today):
                yield dataclasses.replace(today.setting, count=count, clock=clock, max_batch=batch)


def _batches(spec: Server, today: Option) -> Sequence[int]:
    late = today.on_time_frac < 1.0 - ON_TIME_SLACK_FRAC
    if not late and today.points[-1].running < NEAR_FRAC * spec.max_batch:
        return (spec.max_batch,)
    some = {max(spec.max_batch * k // 4, 1) for k in (1, 2, 4, 8)}
    return sorted(some)


def _numbers(servers: int) -> Sequence[int]:
    """Numbers of servers that are tried: all of few, a geometric row of many."""
    if servers <= MOST_COUNTS:
        return range(1, servers + 1)
    row = (round(servers ** (k / (MOST_COUNTS - 1))) for k in range(MOST_COUNTS))
    return sorted(set(row))


def _tried(
    spec: Server,
    setting: Setting,
    numbers: Sequence[int],
    servers: int,
    asked: Demand,
    pue: float,
    least_frac: float,
) -> Iterator[Option]:
    """A setting with each number of servers that keeps a share of tokens on time."""
    server = setting.of(spec)
    try:
        constants = replica_of(server)
    except InfeasibleError:
        return
    settings = limits_of(server, constants).settings()
    loads = sorted({1.0 / (servers * n) for n in LIGHTER} | {1.0 / n for n in numbers})
    tried = {load: trial(constants, settings, asked.part(load)) for load in loads}
    good = [p for p in tried.values() if p is not None and p.on_time_frac >= least_frac]
    if len({point.rate_tps for point in good}) < LEAST_POINTS:
        return
    curve = fitted(good, setting.max_batch)
    error = fit_error(curve, good)
    for number in numbers:
        point = tried[1.0 / number]
        if point is not None and point.on_time_frac >= least_frac:
            yield Option(
                setting=dataclasses.replace(setting, servers=number),
                curve=curve,
                points=tuple(good),
                error=error,
                idle_w=pue * number * (constants.idle_w + spec.host_power_w * setting.count),
                on_time_frac=point.on_time_frac,
            )
