"""All ways to serve each group, and what a choice of them comes to.

A way: servers (one, or some that are alike and share the work), what runs on them, and what
terminals take on first. Joules of a server depend on everybody's load on it: the more it has, the
less each token costs. So there are two sums:

    least_j     joules as if every server had all the load that it may ever get, and `most_beq`,
    most_beq    worth as if it were empty and fast: the bound of `optimise.placement` on them is
                above all choices. Joules per share of capacity are taken to fall with the load for
                mixed work as they do for each kind alone; tests try all choices of small networks
    totals()    what a choice really comes to, each server at the load that it then has

Capacity counts in shares: a group uses its peak rate over the greatest rate at which the server
alone keeps half of the time to first token and the time per token; shares of groups add up.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from tree6g.engine import choosing
from tree6g.engine.policies import Query
from tree6g.engine.world import World
from tree6g.metric.compare import SERVED_SHARE_LIMIT
from tree6g.optimise.placement.problem import FloatArray
from tree6g.optimise.placing import first as firsts
from tree6g.optimise.placing.first import First
from tree6g.optimise.placing.groups import Group
from tree6g.optimise.placing.load import Loaded, Work, loaded, most_rps
from tree6g.optimise.placing.setups import Setup, alike, allowed, answers

MOST_REPLICAS: Final = 4  # servers that share the work of one group


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way to serve one group.

    Attributes:
        group: Number of the group.
        setups: Numbers of the servers, as they are set up.
        first: What terminals take on first; None: nothing.
        work: What each of the servers gets, at the mean rate. The rate is of one of them.
        use_frac: Share of each server's capacity, at the peak.
        first_s: Time to the first token there when it is empty.
        carried_j: Joules of air, transport and terminals of a request of the group.
        carried_bit: Bits of it.
        least_j: Joules at the servers of a request of the group, when all come who may.
        most_beq: Worth of a request when they are empty.
        timely_frac: Share of that worth on time, of what would be if all were.
    """

    group: int
    setups: tuple[int, ...]
    first: First | None
    work: Work
    use_frac: float
    first_s: float
    carried_j: float
    carried_bit: float
    least_j: float
    most_beq: float
    timely_frac: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What a choice comes to, means over the run.

    Attributes:
        worth_beq_per_s: Of the AI services, on time.
        bit_per_s: Their bits.
        power_w: What depends on the choice, idle power of its servers included.
        loads: Servers that are used, by number of the setup, at their mean load.
        use_frac: Their capacity at the peak.
    """

    worth_beq_per_s: float
    bit_per_s: float
    power_w: float
    loads: dict[int, Loaded]
    use_frac: dict[int, float]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """Groups, servers as they may be set up, and ways.

    Attributes:
        world: The network.
        groups: Who asks.
        setups: Servers with models.
        ways: Ways of all groups, sorted by group.
    """

    world: World
    groups: Sequence[Group]
    setups: Sequence[Setup]
    ways: Sequence[Way]

    @cached_property
    def of_group(self) -> list[list[int]]:
        """Numbers of the ways of each group."""
        found: list[list[int]] = [[] for _ in self.groups]
        for number, way in enumerate(self.ways):
            found[way.group].append(number)
        return found

    def totals(self, chosen: Sequence[int]) -> Total:
        """What ways come to together, one of each group."""
        ways = [self.ways[n] for n in chosen]
        weight = self.groups[0].weight if self.groups else np.ones(1)
        servers = sorted({s for way in ways for s in way.setups})
        of = {s: [way for way in ways if s in way.setups] for s in servers}
        bins = {s: [self._under(s, of[s], b) for b in range(len(weight))] for s in servers}
        mean = {s: _mean(bins[s], weight) for s in servers}
        worth = bit = power = 0.0
        for way in ways:
            group = self.groups[way.group]
            worth += group.mean_rps * self._worth(way, mean)
            bit += group.mean_rps * way.carried_bit
            power += group.mean_rps * way.carried_j
        for s in servers:
            setup = self.setups[s]
            busy_w = sum(w * b.power_w for w, b in zip(weight.tolist(), bins[s], strict=True))
            power += setup.idle_w + setup.host.pue * setup.counts * busy_w
        use = {s: sum(way.use_frac for way in of[s]) for s in servers}
        return Total(worth_beq_per_s=worth, bit_per_s=bit, power_w=power, loads=mean, use_frac=use)

    def _under(self, setup: int, ways: Sequence[Way], stretch: int) -> Loaded:
        """A server in a stretch of time."""
        works = [
            dataclasses.replace(way.work, rate_rps=way.work.rate_rps * _relative(group, stretch))
            for way in ways
            for group in (self.groups[way.group],)
        ]
        return loaded(self.setups[setup].machine, works)

    def _worth(self, way: Way, under: dict[int, Loaded]) -> float:
        """Mean worth on time of a request of a way's group."""
        group = self.groups[way.group]
        parts = [
            _served_beq(
                group, self.setups[s], way.first, under[s], network_s(self.setups[s], group)
            )
            for s in way.setups
        ]
        return (way.first.worth_beq if way.first else 0.0) + sum(parts) / len(parts)


def options(
    world: World, groups: Sequence[Group], setups: Sequence[Setup], counted: frozenset[str]
) -> Options:
    """All ways of all groups that keep their budgets; of work that nobody does in time, any."""
    ways: list[Way] = []
    for number, group in enumerate(groups):
        found = list(_ways(world, number, group, setups, counted, late=False))
        found = found or list(_ways(world, number, group, setups, counted, late=True))
        ways += _timely(found)
    all_frac = _all_frac(ways, len(setups))
    ways = [
        dataclasses.replace(way, least_j=_least_j(way, groups[way.group], setups, all_frac))
        for way in ways
    ]
    return Options(world=world, groups=groups, setups=setups, ways=ways)


def network_s(setup: Setup, group: Group) -> float:
    """Time between a group and a server, both ways, without a queue."""
    return 2.0 * setup.latency_s[group.site] + group.radio_s


def _ways(
    world: World,
    number: int,
    group: Group,
    setups: Sequence[Setup],
    counted: frozenset[str],
    *,
    late: bool,
) -> Iterator[Way]:
    """Ways of a group that keep its budgets; `late`: any, for work that nobody does in time."""
    query = choosing.query_of(world, group.service)
    if late:
        query = dataclasses.replace(query, ttft_budget_s=math.inf, tpot_budget_s=math.inf)
    today = answers(world, group.service)
    may = [s for s in setups if s.serves(group.service, group.site, today)]
    begin: list[First | None] = [None]
    begin += _firsts(world, group, query, counted)
    index = {id(setup): n for n, setup in enumerate(setups)}
    for some in alike(may):
        for count in range(1, min(len(some), MOST_REPLICAS) + 1):
            for used in itertools.combinations(some, count):
                for before in begin:
                    if before is None or before.tier != firsts.SPLIT or _shares(group, used):
                        way = _way(number, group, query, used, [index[id(s)] for s in used], before)
                        yield from [] if way is None else [way]


def _firsts(world: World, group: Group, query: Query, counted: frozenset[str]) -> Iterator[First]:
    """What terminals of a group may take on."""
    if not group.capable:
        return
    terminals, today = world.scenario.boundary == "full", answers(world, group.service)
    own_model = next((h.model for h in world.hosts if h.spec is None), None)
    if own_model is not None and allowed(group.service, own_model, today):
        own = firsts.alone(world, group, query, counts=terminals)
        yield from [] if own is None else [own]
    for one in world.shared:
        if one.service is group.service and allowed(one.service, one.host.model, today):
            inside = one.host.node in counted
            yield from firsts.shared(world, group, one, query, counts=(terminals, inside))


def _shares(group: Group, used: Sequence[Setup]) -> bool:
    """Whether these are the one server that shares its model with the group's terminals."""
    split = group.service.spec.split
    assert split is not None  # noqa: S101 - or there would be no such way
    return len(used) == 1 and used[0].server.name == split.server and used[0].as_today


def _way(
    number: int,
    group: Group,
    query: Query,
    used: Sequence[Setup],
    numbers: Sequence[int],
    first: First | None,
) -> Way | None:
    """A way, None if the servers cannot keep the group's budgets."""
    left = np.ones(len(group.prompt_tok)) if first is None else 1.0 - first.taken
    frac, one = float(left.mean()), used[0]
    whole = max(float(left.sum()), 1e-12)
    work = Work(
        rate_rps=frac * group.mean_rps / max(float(group.weight.sum()), 1e-12) / len(used),
        prompt_tok=float(left @ group.prompt_tok) / whole,
        output_tok=float(left @ group.output_tok) / whole,
    )
    away_s = network_s(one, group)
    first_s, tpot_s = firsts.expected_s(query, away_s, work.output_tok)
    most = most_rps(one.machine, work, first_s=first_s, tpot_s=tpot_s)
    if most == 0.0:
        return None
    empty = loaded(one.machine, [])
    use = frac * group.peak_rps / len(used) / most
    if first is not None:
        use += group.peak_rps * first.server_s / len(used)
    air_j = group.radio_j + group.terminal_j + group.bit * one.j_per_bit[group.site]
    served_beq = _served_beq(group, one, first, empty, away_s)
    none_s = np.zeros(len(left))
    whole_beq = float((left * firsts.worths(group, one.model, none_s, none_s)).mean())
    own_j = 0.0 if first is None else first.energy_j
    own_beq = 0.0 if first is None else first.worth_beq
    return Way(
        group=number,
        setups=tuple(numbers),
        first=first,
        work=work,
        use_frac=use,
        first_s=away_s + float(empty.first_s(one.machine, np.array(work.prompt_tok))),
        carried_j=frac * air_j + own_j,
        carried_bit=group.bit * (1.0 if first is None or first.tier == firsts.SPLIT else frac),
        least_j=0.0,
        most_beq=own_beq + served_beq,
        timely_frac=(own_beq + served_beq) / max(own_beq + whole_beq, 1e-12),
    )


def _all_frac(ways: Sequence[Way], setups: int) -> FloatArray:
    """Share of its capacity that a server needs if all come who may, at most 1. [setup]."""
    most: dict[tuple[int, int], float] = {}
    for way in ways:
        for s in way.setups:
            most[way.group, s] = max(way.use_frac, most.get((way.group, s), 0.0))
    whole = np.zeros(setups)
    for (_, s), use in most.items():
        whole[s] += use
    return np.minimum(whole, 1.0)


def _least_j(way: Way, group: Group, setups: Sequence[Setup], all_frac: FloatArray) -> float:
    """Joules of a request's part at its servers, under the load of all who may come."""
    setup = setups[way.setups[0]]
    if way.work.rate_rps == 0.0:
        return 0.0
    peak_rps = way.work.rate_rps * group.peak_rps / (group.mean_rps / float(group.weight.sum()))
    full_rps = peak_rps * max(1.0, float(all_frac[list(way.setups)].max()) / way.use_frac)
    full = loaded(setup.machine, [dataclasses.replace(way.work, rate_rps=full_rps)])
    frac = len(way.setups) * way.work.rate_rps * float(group.weight.sum()) / group.mean_rps
    return frac * setup.host.pue * setup.counts * full.power_w / full_rps


def _served_beq(
    group: Group, setup: Setup, first: First | None, under: Loaded, away_s: float
) -> float:
    """Worth on time of what a server answers, per request of the group."""
    left = np.ones(len(group.prompt_tok)) if first is None else 1.0 - first.taken
    first_s = away_s + under.first_s(setup.machine, group.prompt_tok)
    worth = firsts.worths(group, setup.model, first_s, np.array(under.tpot_s))
    return float((left * worth).mean())


def _timely(ways: Sequence[Way]) -> list[Way]:
    """Without ways of which more comes late than a same service may; all, if all are so."""
    best = max((way.timely_frac for way in ways), default=0.0)
    return [way for way in ways if way.timely_frac >= best - SERVED_SHARE_LIMIT]


def _relative(group: Group, stretch: int) -> float:
    """Rate in a stretch over the mean rate while requests come."""
    mean = group.mean_rps / max(float(group.weight.sum()), 1e-12)
    return float(group.rate_rps[stretch]) / mean


def _mean(bins: Sequence[Loaded], weight: FloatArray) -> Loaded:
    """Means over stretches, by their power's share of time; pace by their length."""
    share = weight / weight.sum()

    def of(name: str) -> float:
        return float(share @ np.array([getattr(b, name) for b in bins]))

    return Loaded(
        power_w=of("power_w"),
        tpot_s=of("tpot_s"),
        wait_s=of("wait_s"),
        prompts_frac=of("prompts_frac"),
        fits=all(b.fits for b in bins),
    )
