"""Answers of models that terminals share with a server, and what is decided about their cuts."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.paths import energy_j_per_bit, latency_s
from tree6g.engine.policies.cut import CutPolicy, CutQuery, cut_policy
from tree6g.engine.split_costs import SplitCosts, Way, split_costs
from tree6g.engine.world import Ai, Cell, Host, Tick, World
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.scenario.model import Scenario, Split

BUSIEST_FRAC: Final = 0.95  # of the air that others leave: no answer waits for ever


@dataclasses.dataclass(slots=True, kw_only=True)
class Running:
    """An answer under way.

    Attributes:
        request: Which.
        cut: Layers on the terminal.
        clock_s: How far it has come in time.
        units: How far it has come in work: the prompt is the first unit, then each token is one.
        gone: The last token that has left for the user, or was made on the terminal.
    """

    request: int
    cut: int
    clock_s: float
    units: float = 0.0
    gone: int = 0

    @property
    def prompting(self) -> bool:
        """Whether the prompt is not through yet."""
        return self.units < 1.0


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Shared:
    """A service whose model is shared, and its answers.

    Attributes:
        service: The service.
        split: What the scenario says.
        host: The server.
        costs: What work costs at every cut.
        policy: Decides on cuts; None: the number of the scenario stands.
        capable: Terminals per site that can, the first ones.
        waiting: Requests of each terminal that wait for the one before.
        running: The answer of each terminal.
        free_s: When each terminal's last answer ended.
        air_s: Airtime of each cell that tensors took in the last step.
        tensors: Bits on their way up in this step, and when: by cell. [message]
        started: Answers begun.
        moved: Moves of a cut.
        recomputed: Of these, with keys and values computed anew.
        moved_byte: Bytes that moves sent.
    """

    service: Ai
    split: Split
    host: Host
    costs: SplitCosts
    policy: CutPolicy | None
    capable: dict[int, int]
    waiting: dict[int, deque[int]] = dataclasses.field(default_factory=dict)
    running: dict[int, Running] = dataclasses.field(default_factory=dict)
    free_s: dict[int, float] = dataclasses.field(default_factory=dict)
    air_s: dict[int, float] = dataclasses.field(default_factory=dict)
    tensors: dict[int, list[tuple[float, float, int]]] = dataclasses.field(default_factory=dict)
    started: int = 0
    moved: int = 0
    recomputed: int = 0
    moved_byte: float = 0.0


def shared(scenario: Scenario, ai: Sequence[Ai], hosts: Sequence[Host]) -> Iterator[Shared]:
    """The services of a scenario whose models are shared.

    Raises:
        ScenarioError: A cut that the model does not have.
    """
    for service in ai:
        split, devices = service.spec.split, scenario.devices
        if split is None or devices is None:
            continue
        host = next(h for h in hosts if h.spec is not None and h.spec.name == split.server)
        assert host.spec is not None  # noqa: S101 - just looked at
        costs = split_costs(split, host.spec, devices)
        fixed = isinstance(split.cut, int)
        _check_depth(service, host, split, costs)
        yield Shared(
            service=service,
            split=split,
            host=host,
            costs=costs,
            policy=None if fixed else cut_policy(str(split.cut)),
            capable={h.site: len(h.free_s) for h in hosts if h.spec is None and h.site is not None},
        )


def _check_depth(service: Ai, host: Host, split: Split, costs: SplitCosts) -> None:
    """The layers that terminals get must be there and fit.

    Raises:
        ScenarioError: They are not.
        InfeasibleError: They do not.
    """
    deepest = split.cut if isinstance(split.cut, int) else split.keep_layers
    if deepest > costs.layers:
        raise ScenarioError(
            f"expected at most {costs.layers} layers of '{host.model}' on the terminals of service "
            f"'{service.spec.name}'; got {deepest}."
        )
    if not costs.allowed(1, 1)[deepest]:
        raise InfeasibleError(
            f"expected {deepest} layers of '{host.model}' to fit into the memory of the terminals "
            f"of service '{service.spec.name}'; they do not. Use fewer bits or fewer layers."
        )


def way_of(world: World, one: Shared, terminal: int, tick: Tick) -> Way:
    """The terminal's link in this step."""
    index = int(world.radio.users.serving[terminal])
    cell, name, link = world.cells[index], one.service.spec.name, one.host.link
    busy_frac = min(one.air_s.get(index, 0.0) / tick.step_s, BUSIEST_FRAC)
    transport_s = latency_s(world, link, cell.site_index)
    rate_bps = float(world.radio.rate_bps[UP][name][terminal])
    sender_w = world.scenario.population.terminal.anchor_power_w
    return Way(
        up_bps=rate_bps * (1.0 - busy_frac),
        air_bps=rate_bps,
        down_bps=float(world.radio.rate_bps[DOWN][name][terminal]),
        up_s=cell.uplink.latency_s + transport_s,
        down_s=cell.downlink.latency_s + transport_s,
        air_w=cell.uplink.time_frac * (sender_w + above_sleep_w(cell, cell.rest.station.uplink_w)),
        down_air_w=cell.downlink.time_frac * above_sleep_w(cell, cell.rest.station.downlink_w),
        j_per_bit=energy_j_per_bit(world, link, cell.site_index),
    )


def above_sleep_w(cell: Cell, power_w: float) -> float:
    """What a cell draws more at a power than asleep between transmissions."""
    station = cell.rest.station
    asleep_w = min([station.awake_w, *(state.power_w for state in station.sleep)])
    return cell.pue * (power_w - asleep_w)


def query(
    world: World, one: Shared, run: Running, way: Way, sequences: float, *, present: int | None
) -> CutQuery:
    """What a policy is told of an answer; moving is free until its price is worked out.

    Args:
        world: The run.
        one: The service.
        run: The answer.
        way: Its terminal's link.
        sequences: Answers that share a pass of the server.
        present: Its cut, None if it has not begun.
    """
    requests, request = world.requests, run.request
    prompt, output = int(requests.prompt_tok[request]), int(requests.output_tok[request])
    now = one.costs.prompt(prompt, sequences)
    middle = prompt + 0.5 * (math.floor(run.units) + output)
    token = one.costs.token(middle, sequences)
    none = np.zeros(one.costs.layers + 1)
    begun = not run.prompting
    left = none + 1.0
    if present is not None:
        left[present] = 1.0 - run.units
    profile = one.service.profile
    first_s = profile.ttft_budget_s if profile.deadline_s is None else math.inf
    last_s = (
        profile.deadline_s
        if profile.deadline_s is not None
        else (first_s or math.inf) + (output - 1) * (profile.tpot_budget_s or math.inf)
    )
    gone_s = run.clock_s - float(requests.arrival_s[request])
    return CutQuery(
        cut=present,
        prompting=run.prompting,
        now_s=none if begun else left * now.time_s(way),
        now_j=none if begun else left * now.energy_j(way),
        token_s=token.time_s(way),
        token_j=token.energy_j(way),
        move_s=none,
        move_j=none,
        rest_tok=output - max(run.units, 1.0),
        first_left_s=math.inf if begun else (first_s or math.inf) - gone_s,
        last_left_s=last_s - gone_s,
        allowed=one.costs.allowed(prompt, output),
    )


def asked(one: Shared, query: CutQuery) -> int:
    """What the policy says.

    Raises:
        ScenarioError: It is no cut of the model.
    """
    assert one.policy is not None  # noqa: S101 - told apart by the callers
    cut = one.policy(query)
    if not 0 <= cut <= one.costs.layers:
        raise ScenarioError(
            f"expected a cut from 0 to {one.costs.layers} of the cut policy; got {cut!r}."
        )
    return int(cut)
