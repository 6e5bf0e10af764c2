"""Who asks: the users of an AI service at a site, by what their terminals can and what they ask.

Terminals that run a model are apart from others, and long prompts from short ones where a server is
too slow for the long ones.

What they ask for are the requests of the scenario itself, as its run draws them; what the air takes
is the engine's expectation at the terminals' rates, scaled to the joules that a run measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from tree6g.engine import prospects
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.world import Ai, World
from tree6g.optimise.placement.problem import FloatArray
from tree6g.optimise.placing.load import Work

BIN_S: Final = 3600.0  # load is followed hour by hour
SAMPLE: Final = 200  # requests of a group that are looked at one by one


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Users with one service at one site, in one or more stretches of time. [bin], [request].

    Attributes:
        service: Their service.
        site: Number of the site whose cells serve them.
        capable: Whether their terminals run a model.
        long: Whether their prompts are longer than the limit of the service.
        terminals: How many there are.
        rate_rps: Requests per second in each stretch. [bin]
        weight: Length of each stretch over the length of the run. [bin]
        prompt_tok: Prompts of some of their requests. [request]
        output_tok: Answers of these. [request]
        terminal: Terminals of these among all users. [request]
        radio_j: Mean joules of the cell for a request to a server.
        terminal_j: Mean joules of the terminal's radio for it.
        bit: Mean bits of it, both ways.
        radio_s: Time on the air, both ways, without a queue.
    """

    service: Ai
    site: int
    capable: bool
    long: bool
    terminals: int
    rate_rps: FloatArray
    weight: FloatArray
    prompt_tok: FloatArray
    output_tok: FloatArray
    terminal: IntArray
    radio_j: float
    terminal_j: float
    bit: float
    radio_s: float

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.service.spec.name

    @property
    def key(self) -> tuple[str, int, bool, bool]:
        """What a dispatch policy knows of a request: service, site, terminal, prompt."""
        return self.name, self.site, self.capable, self.long

    def told(self, sites: Sequence[str]) -> str:
        """For people."""
        words = [self.name, f"at {sites[self.site]}"] if len(sites) > 1 else [self.name]
        words += ["long prompts"] * self.long + ["of terminals with a model"] * self.capable
        return ", ".join(words)

    @property
    def mean_rps(self) -> float:
        """Mean rate over the run."""
        return float(self.rate_rps @ self.weight)

    @property
    def peak_rps(self) -> float:
        """The greatest rate of any stretch."""
        return float(self.rate_rps.max())

    def work(self, rate_rps: float) -> Work:
        """Their requests at a rate."""
        return Work(
            rate_rps=rate_rps, prompt_tok=self.mean_prompt_tok, output_tok=self.mean_output_tok
        )

    @cached_property
    def mean_prompt_tok(self) -> float:
        """Mean prompt."""
        return float(self.prompt_tok.mean())

    @cached_property
    def mean_output_tok(self) -> float:
        """Mean answer."""
        return float(self.output_tok.mean())


def groups(
    world: World,
    covered_s: float,
    air: Mapping[str, tuple[float, float]],
    limit_tok: Mapping[str, float],
) -> list[Group]:
    """All groups that ask for anything.

    Args:
        world: The network as it is built, before its first step.
        covered_s: Length of the run.
        air: Joules of cells and of terminals that were measured over those expected, by service.
        limit_tok: Prompts longer than this are long, by service.
    """
    found = []
    for service, site, capable, rows in _parts(world):
        long = world.requests.prompt_tok[rows] > limit_tok[service.spec.name]
        for is_long in (False, True):
            mine = rows[long == is_long]
            if len(mine):
                part = (service, site, capable, is_long)
                found.append(_group(world, covered_s, air, part, mine))
    return found


def edges_s(world: World) -> FloatArray:
    """Stretches of time: hours, the last one shorter."""
    end_s = world.arrivals_end_s
    return np.append(np.arange(0.0, end_s - 1e-6, BIN_S), end_s)


def _parts(world: World) -> Iterator[tuple[Ai, int, bool, IntArray]]:
    """Service, site, whether the terminals run a model, and requests."""
    requests, rows = world.requests, np.arange(len(world.requests))
    site = np.array([cell.site_index for cell in world.cells])[world.cell_of(rows)]
    for service in world.ai:
        able = np.zeros(len(world.sites), dtype=np.int64)
        for host in world.hosts:
            if host.batch is None and service.spec.name in host.services:
                able[host.site] = len(host.free_s)
        capable = requests.user < able[requests.site]
        for number in range(len(world.sites)):
            mine = (requests.service == service.index) & (site == number)
            for runs in (False, True):
                yield service, number, runs, np.flatnonzero(mine & (capable == runs))


def _group(
    world: World,
    covered_s: float,
    air: Mapping[str, tuple[float, float]],
    part: tuple[Ai, int, bool, bool],
    rows: IntArray,
) -> Group:
    service, site, capable, long = part
    requests, edges = world.requests, edges_s(world)
    some = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64))]
    own = prospects.on_air(world, some)
    scale = air.get(service.spec.name, (1.0, 1.0))
    cell = world.cell_of(some)
    count = np.histogram(requests.arrival_s[rows], edges)[0]
    return Group(
        service=service,
        site=site,
        capable=capable,
        long=long,
        terminals=len(np.unique(world.terminal_of(rows))),
        rate_rps=count / np.diff(edges),
        weight=np.diff(edges) / covered_s,
        prompt_tok=requests.prompt_tok[some].astype(np.float64),
        output_tok=requests.output_tok[some].astype(np.float64),
        terminal=world.terminal_of(some),
        radio_j=scale[0] * _mean(own.radio_j),
        terminal_j=scale[1] * _mean(own.terminal_j),
        bit=float(own.bit.mean()),
        radio_s=float((world.latencies_s(UP) + world.latencies_s(DOWN))[cell].mean()),
    )


def _mean(joules: FloatArray) -> float:
    """Mean over terminals that have a rate; the others are lost wherever they ask."""
    there = np.isfinite(joules)
    return float(joules[there].mean()) if there.any() else 0.0
