"""Where models can run: each server of a scenario, set up with each model that it may hold.

A server of the scenario is a place for one model. Which models are known there: those that the
scenario's servers and terminals run, in these formats, and those that the user names. A service may
have its answers from a model that answers it today, or whose `quality` the scenario states for it:
where nothing is stated, nothing is assumed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Final

from tree6g.compute.model.formats import weight_format
from tree6g.engine import choosing, paths, prospects
from tree6g.engine.hosts import long_prompt_s_per_tok, replica_of
from tree6g.engine.policies import SAFE_FRAC
from tree6g.engine.world import Ai, Host, World
from tree6g.errors import DataError, InfeasibleError, ScenarioError
from tree6g.optimise.placing.load import Machine
from tree6g.scenario.model import Server
from tree6g.scenario.model_config import architecture
from tree6g.scenario.variants import model_of, quality_of, told_as, variant_name

LEAST_FRAC: Final = 0.002  # of the requests, for long prompts to be a group of their own
MOST_SETUPS: Final = 12  # models that one place may choose from


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A model in a storage format."""

    model: str
    weights: str

    @property
    def name(self) -> str:
        """For people."""
        return variant_name(self.model, self.weights)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A server with a model on it.

    Attributes:
        place: Number of the server among those of the scenario.
        model: What it runs, as the ledger would have it (`scenario.variants`).
        host: The server as it is today.
        server: As the scenario would say it with this model.
        machine: How it works under load.
        idle_w: Its power when it waits, host, cooling and power supply included; 0: not counted.
        counts: Whether its joules are inside the scenario's boundary.
        latency_s: One-way latency from each site. [site]
        j_per_bit: Energy of transport from each site, as far as it counts. [site]
    """

    place: int
    model: str
    host: Host
    server: Server
    machine: Machine
    idle_w: float
    counts: bool
    latency_s: tuple[float, ...]
    j_per_bit: tuple[float, ...]

    @property
    def node(self) -> str:
        """Node of the ledger."""
        return self.host.node

    @property
    def variant(self) -> Variant:
        """What it runs."""
        return Variant(model=self.server.model, weights=self.server.weights)

    @property
    def as_today(self) -> bool:
        """Whether this is how the scenario has it."""
        return self.server == self.host.spec

    def serves(self, service: Ai, site: int, today: frozenset[str]) -> bool:
        """Whether it may answer users of a service at a site.

        Args:
            service: The service.
            site: Number of the site.
            today: Models that answer the service today.
        """
        near = self.host.site in (None, site)
        return near and allowed(service, self.model, today)


def setups(world: World, counted: frozenset[str], named: Sequence[Variant] = ()) -> list[Setup]:
    """Every server with every model that fits on it and that some service may have.

    Args:
        world: The network.
        counted: Nodes inside the boundary.
        named: Models besides those of the scenario.

    Raises:
        ScenarioError: A named model for which no service states a quality.
    """
    variants = _variants(world, named)
    servers = [host for host in world.hosts if host.spec is not None]
    found = [
        made
        for place, host in enumerate(servers)
        for variant in variants
        if (made := _setup(world, counted, place, host, variant))
    ]
    return [s for s in found if any(allowed(a, s.model, answers(world, a)) for a in world.ai)]


def answers(world: World, service: Ai) -> frozenset[str]:
    """Models that answer a service today."""
    return frozenset(h.model for h in world.hosts if service.spec.name in h.services)


def allowed(service: Ai, model: str, today: frozenset[str]) -> bool:
    """Whether a service may have its answers from a model, by its quality."""
    spec = service.spec
    if model not in today and not {model, model_of(model)} & set(spec.quality):
        return False
    if spec.quality_min_frac is None:
        least = prospects.quality_min_frac(spec.token_class)
        return model in today or quality_of(spec.quality, model) >= least
    return quality_of(spec.quality, model) >= spec.quality_min_frac


def _variants(world: World, named: Sequence[Variant]) -> list[Variant]:
    known = [
        Variant(model=host.spec.model, weights=host.spec.weights)
        for host in world.hosts
        if host.spec is not None
    ]
    devices = world.scenario.devices
    if devices is not None:
        known.append(Variant(model=devices.model, weights=devices.weights))
    for variant in named:
        architecture(variant.model)  # an unknown one is refused in words
        weight_format(variant.weights)
        if not any({variant.model, variant.name} & set(s.spec.quality) for s in world.ai):
            raise ScenarioError(
                f"expected a 'quality' of '{variant.model}' for some AI service, which says what "
                "its tokens are worth; none is stated. Add it to the scenario, with its source."
            )
    found = list(dict.fromkeys([*known, *named]))
    if len(found) > MOST_SETUPS:
        raise ScenarioError(f"expected at most {MOST_SETUPS} models; got {len(found)}.")
    return found


def _setup(
    world: World, counted: frozenset[str], place: int, host: Host, variant: Variant
) -> Setup | None:
    """A server with a model; None if it does not fit or may not be there."""
    assert host.spec is not None  # noqa: S101 - servers alone
    fixed = world.scenario.layout is not None and host.site is not None
    server = host.spec.model_copy(update={"model": variant.model, "weights": variant.weights})
    if fixed and server != host.spec:  # sites of a layout are alike
        return None
    try:
        replica = replica_of(server)
    except (InfeasibleError, DataError):  # too large, or a format that it cannot compute in
        return None
    inside, sites = host.node in counted, range(len(world.sites))
    watts = replica.idle_w + server.host_power_w * server.count
    return Setup(
        place=place,
        model=told_as(server.model, server.weights, (a.spec.quality for a in world.ai)),
        host=host,
        server=server,
        machine=Machine(
            replica=replica,
            most=server.max_batch,
            prompt_s_per_tok=long_prompt_s_per_tok(replica),
        ),
        idle_w=host.pue * watts * inside,
        counts=inside,
        latency_s=tuple(paths.latency_s(world, host.link, site) for site in sites),
        j_per_bit=tuple(paths.energy_j_per_bit(world, host.link, site) for site in sites),
    )


def alike(some: Sequence[Setup]) -> Iterator[list[Setup]]:
    """Setups of the same model on servers that are alike at one spot, which may share work."""
    kinds: dict[tuple[object, ...], list[Setup]] = {}
    for setup in some:
        same = setup.server.model_copy(update={"name": "x", "services": ()})
        kinds.setdefault((setup.host.place, repr(same)), []).append(setup)
    yield from kinds.values()


def limits_tok(world: World, some: Sequence[Setup]) -> dict[str, float]:
    """Prompt that is in time on the slowest server of today, by service: longer ones are long.

    A server that prompts keep half busy takes twice the time for each. Infinite where a prompt of
    any length, or next to none, would be in time.
    """
    found = {}
    for service in world.ai:
        query = choosing.query_of(world, service)
        slowest = max(
            (
                s.machine.prompt_s_per_tok
                for s in some
                if s.as_today and service.spec.name in s.host.services
            ),
            default=0.0,
        )
        limit = 0.5 * SAFE_FRAC * query.ttft_budget_s / slowest if slowest else math.inf
        mine = world.requests.prompt_tok[world.requests.service == service.index]
        many = (
            LEAST_FRAC <= float((mine > limit).mean()) <= 1.0 - LEAST_FRAC if len(mine) else False
        )
        found[service.spec.name] = float(math.floor(limit)) if many else math.inf
    return found
