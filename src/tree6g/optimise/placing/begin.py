"""A run of a scenario as the start of a placement: what is there whatever is placed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tree6g.engine import prospects
from tree6g.engine.build import build
from tree6g.engine.run import RunResult
from tree6g.engine.world import World, terminals_node
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.figure import Figure
from tree6g.optimise.placing.groups import groups
from tree6g.optimise.placing.options import Options, options
from tree6g.optimise.placing.setups import Variant, limits_tok, setups
from tree6g.optimise.scenario.surrogate import require_linear, require_tokens
from tree6g.scenario.model import Scenario

COMPUTE = ("operator", "full")  # boundaries that count the joules of servers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A network as a run measured it, and all ways to serve its AI services.

    Attributes:
        scenario: What was run.
        figure: Its figure.
        options: The ways.
        limit_tok: Prompts longer than this are long, by service.
        fixed_w: Mean power of what no placement changes.
        fixed_beq_per_s: Worth of data services.
        fixed_bps: Their bits.
    """

    scenario: Scenario
    figure: Figure
    options: Options
    limit_tok: dict[str, float]
    fixed_w: float
    fixed_beq_per_s: float
    fixed_bps: float

    @property
    def world(self) -> World:
        """The network before its first step."""
        return self.options.world

    @property
    def sites(self) -> list[str]:
        """Names of the sites."""
        return [site.name for site in self.world.sites]


def require_choice(scenario: Scenario) -> None:
    """Raise a ScenarioError unless there is something to place whose joules count."""
    if scenario.boundary not in COMPUTE:
        raise ScenarioError(
            f"expected a boundary that counts servers ({' or '.join(COMPUTE)}); '{scenario.name}' "
            f"has '{scenario.boundary}'. Say --set boundary=full."
        )
    servers = [*(site.servers for site in scenario.sites), *(c.servers for c in scenario.clouds)]
    if not any(servers) or not any(service.kind == "ai" for service in scenario.services):
        raise ScenarioError(
            f"expected a scenario with an AI service and a server; '{scenario.name}' has nothing "
            "to place."
        )
    require_tokens(scenario)
    require_linear(scenario)


def begin(result: RunResult, named: Sequence[Variant] = ()) -> Start:
    """The start of a placement from a run.

    Args:
        result: The run of the scenario as it is.
        named: Models that servers may run besides those of the scenario.

    Raises:
        ScenarioError: Nothing to place, or a named model without a quality.
        InfeasibleError: It was asked for nothing.
    """
    scenario = result.scenario
    require_choice(scenario)
    world, figure = build(scenario, {}), result.tree()
    seconds = float(figure.covered_s)
    if not len(world.requests):
        raise InfeasibleError(f"expected a run of '{scenario.name}' with AI requests; it had none.")
    counted = frozenset(_counted(result))
    some = setups(world, counted, named)
    limit_tok = limits_tok(world, some)
    rows = result.ledger.query(
        "SELECT node, component, service, sum(energy_j) AS j FROM energy GROUP BY ALL"
    ).to_pylist()
    ai = {service.spec.name for service in world.ai}
    servers = {host.node for host in world.hosts if host.spec is not None}
    fixed_j = sum(
        float(row["j"])
        for row in rows
        if row["node"] in counted
        and row["node"] not in servers
        and row["component"] != "npu"
        and row["service"] not in ai
    )
    data = [service for service in figure.services if service.kind == "data"]
    return Start(
        scenario=scenario,
        figure=figure,
        options=options(
            world, groups(world, seconds, _air(result, world, rows), limit_tok), some, counted
        ),
        limit_tok=limit_tok,
        fixed_w=fixed_j / seconds,
        fixed_beq_per_s=sum(float(service.utility_beq or 0.0) for service in data) / seconds,
        fixed_bps=sum(service.bits_bit for service in data) / seconds,
    )


def _counted(result: RunResult) -> list[str]:
    """Nodes inside the scenario's boundary."""
    rows = result.ledger.query("SELECT node, boundaries FROM entity").to_pylist()
    inside = result.scenario.boundary
    return [str(row["node"]) for row in rows if inside in str(row["boundaries"]).split()]


def _air(
    result: RunResult, world: World, rows: Sequence[dict[str, object]]
) -> dict[str, tuple[float, float]]:
    """Joules of cells and of terminals that were measured over those expected, by service.

    1 where nothing was sent; terminals count only in the boundary `full`.
    """
    cells = {cell.node for cell in world.cells}
    devices = {terminals_node(site.name) for site in world.sites}
    sent = result.ledger.query("SELECT service, node, count(*) AS n FROM request GROUP BY ALL")
    full, found = float(result.scenario.boundary == "full"), {}
    for service in world.ai:
        name = service.spec.name
        mine = np.flatnonzero(world.requests.service == service.index)
        radio_j, terminal_j, *_ = prospects.on_air(world, mine)
        there = np.isfinite(radio_j)
        count = sum(
            int(row["n"])
            for row in sent.to_pylist()
            if row["service"] == name and row["node"] not in devices
        )
        ratios = []
        for nodes, joules in ((cells, radio_j), (devices, terminal_j)):
            got_j = sum(
                float(str(row["j"]))
                for row in rows
                if row["service"] == name and row["node"] in nodes and row["component"] != "npu"
            )
            mean_j = float(joules[there].mean()) if there.any() else 0.0
            ratios.append(got_j / (mean_j * count) if mean_j * count > 0.0 and got_j else 1.0)
        found[name] = (ratios[0], full * ratios[1])
    return found
