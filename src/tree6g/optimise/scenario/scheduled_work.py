"""All that a scenario of one cell and one server offers, and what it costs at least.

What a schedule decides is left free: who is served when, in which batch, when the cell sleeps. What
the engine's models take whatever it decides is counted:

    station   every burst of common signals, and between two of them the cheapest rest
    traffic   airtime at the rates of the terminals, what sending draws above waking
    server    idle power of accelerator and host all the time; per iteration the weights and its
              constant time; per token its FLOP, keys and values at the context of the prompt

The time of an iteration has a root of two squares; any of its tangents lies below it, and the one
with the least bound is taken. Concave utilities count by their slope at 0, which is more. Valid for
terminals that stay where they are, a fixed interference margin, dense models and cells that are
never switched off or muted.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import window_area_tok2
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.policies import policy
from tree6g.engine.policies.servers import server_policy
from tree6g.engine.world import Ai, Host, World
from tree6g.engine.worth import first_s, next_s, profile_of
from tree6g.errors import ScenarioError
from tree6g.optimise.scenario.surrogate import COMPUTE, require_one_cell, require_tokens
from tree6g.optimise.scheduling.fluid import Bound, FloatArray, Work, bound
from tree6g.radio.power import StationPower
from tree6g.scenario.model import Scenario
from tree6g.scenario.trace import Trace
from tree6g.scenario.variants import quality_of

ANGLES: Final = np.linspace(0.0, 0.5 * math.pi, 7)  # tangents that are tried
STEADY: Final = ("idle-timer", "always-on")  # sleep policies that leave the cell as it is
SLOPED: Final = (
    "linear",
    "log",
    "alpha_fair",
    "saturating",
)  # alpha is the slope at 0, and U below


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Items:
    """Some items, fields as of `Work`."""

    worth_beq: FloatArray
    energy_j: FloatArray
    down_s: FloatArray
    up_s: FloatArray
    iterations: FloatArray
    from_s: FloatArray
    until_s: FloatArray


def clairvoyant(scenario: Scenario, traces: Mapping[str | None, Trace], seconds: float) -> Bound:
    """The least bound on the TREE of any schedule of a scenario.

    Args:
        scenario: Of one cell and one server.
        traces: Traces by AI service; None: all AI requests.
        seconds: Length of the run.

    Raises:
        ScenarioError: Not such a scenario.
    """
    require(scenario)
    bounds = [bound(work(scenario, traces, seconds, angle)) for angle in ANGLES.tolist()]
    return min(bounds, key=lambda found: found.tree_beq_per_j)


def require(scenario: Scenario) -> None:
    """Raise a ScenarioError unless the bound holds for a scenario."""
    require_one_cell(scenario)
    require_tokens(scenario)
    servers = scenario.sites[0].servers
    faults = {
        "one server": len(servers) > 1,
        "terminals that stay": scenario.population.speed_m_per_s > 0.0,
        "a fixed interference margin": scenario.interference != "margin",
        f"sleep_policy {' or '.join(STEADY)}": scenario.sleep_policy not in STEADY,
        "a station of one operator": scenario.sites[0].base_station.operator_share_frac < 1.0,
        "a policy that switches no servers": server_policy(policy(scenario.policy)) is not None,
        "no outages": bool(scenario.outages),
        "no answers that terminals share": any(
            s.kind == "ai" and s.split is not None for s in scenario.services
        ),
    }
    wrong = [name for name, is_so in faults.items() if is_so]
    if wrong:
        raise ScenarioError(
            f"expected {', '.join(wrong)} in '{scenario.name}'; got something else, for which no "
            "bound is known."
        )
    for spec in scenario.services:
        if spec.kind == "ai" and (family := profile_of(spec).curve.family) not in SLOPED:
            raise ScenarioError(
                f"expected a utility that is nowhere above its slope at 0 ({', '.join(SLOPED)}) "
                f"for service '{spec.name}'; got '{family}', for which no bound is known."
            )


def work(
    scenario: Scenario, traces: Mapping[str | None, Trace], seconds: float, angle: float
) -> Work:
    """What is offered, with one of the tangents of the time of an iteration."""
    world = build(scenario, dict(traces))
    cell, station = world.cells[0], world.cells[0].station
    server = next((host for host in world.hosts if host.spec is not None), None)
    counted = server is not None and scenario.boundary in COMPUTE
    parts = [_data(world, kind) for kind in (DOWN, UP)]
    parts += [one for service in world.ai for one in _answers(world, service, server, angle)]
    items = _Items(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(_Items)
        }
    )
    fixed_w = server_w(server) if counted and server is not None else 0.0
    return Work(
        worth_beq=items.worth_beq,
        energy_j=items.energy_j,
        iterations=items.iterations if counted else np.zeros(len(items.iterations)),
        from_s=items.from_s,
        until_s=items.until_s,
        use_s=np.stack([items.down_s, items.up_s]),
        room_s=np.full(2, seconds),
        iteration_j=iteration_j(server, angle) if counted and server is not None else 0.0,
        fixed_j=cell.pue * station_j(station, seconds) + fixed_w * seconds,
    )


def station_j(station: StationPower, seconds: float) -> float:
    """Joules of a cell without traffic that rests as cheaply as it can between its bursts."""
    bursts = station.signals.bursts(0.0, seconds)
    ends_s = np.append(bursts.start_s[1:], seconds)
    gap_s = np.maximum(ends_s - bursts.end_s, 0.0)
    rest_j = station.awake_w * gap_s
    for state in station.sleep:
        fits = state.transition_s <= gap_s
        rest_j = np.where(
            fits, np.minimum(rest_j, state.power_w * gap_s + state.transition_j), rest_j
        )
    rest_j[-1:] = np.minimum(rest_j, station.off.power_w * gap_s)[-1:]  # the run's end cuts it
    burst_j = station.broadcast_w * bursts.send_s + station.uplink_w * bursts.listen_s
    return float(rest_j.sum() + burst_j.sum())


def server_w(host: Host) -> float:
    """What a server draws without any work."""
    assert host.spec is not None  # noqa: S101 - told apart by the caller
    return host.pue * (host.replica.idle_w + host.spec.host_power_w * host.spec.count)


def iteration_j(host: Host, angle: float) -> float:
    """Joules above idle of an iteration, whoever takes part."""
    r = host.replica
    time_s = math.cos(angle) * r.weight_s + r.fixed_s
    return host.pue * (_active_w(r) * time_s + r.j_per_byte * r.weight_byte)


def _active_w(r: Replica) -> float:
    return max(r.static_w - r.idle_w, 0.0)


def _per_air_w(world: World, kind: str) -> float:
    """What a second of a direction's air draws above waking, common signals in it taken off."""
    cell, station = world.cells[0], world.cells[0].station
    time_frac = cell.carrier(kind).time_frac
    if kind == UP:
        above_w = 0.0 if station.fdd else station.uplink_w - station.awake_w
        return cell.pue * time_frac * max(above_w, 0.0)
    bursts = station.signals.bursts(0.0, max(world.step_s, station.signals.sib1_period_s))
    covered_frac = min(1.0, float(bursts.send_s.sum()) / world.step_s)
    above_w = station.downlink_w - station.awake_w
    above_w -= covered_frac * (station.broadcast_w - station.awake_w)
    return cell.pue * time_frac * max(above_w, 0.0)


def _data(world: World, kind: str) -> _Items:
    """Messages of all data services in a direction."""
    worth, air = [np.empty(0)], [np.empty(0)]
    for source in world.sources:
        spec = source.spec
        if (DOWN if spec.direction == "down" else UP) != kind:
            continue
        _, sender, byte = source.arrivals.window(0.0, world.arrivals_end_s)
        terminal = world.radio.crowd_of[spec.name].terminal(*np.divmod(sender, spec.sources))
        worth.append(spec.weight * 8.0 * byte)
        air.append(8.0 * byte / world.radio.rate_bps[kind][spec.name][terminal])
    worth_beq, air_s = np.concatenate(worth), np.concatenate(air)
    return _items(world, worth_beq, np.zeros(len(air_s)), kind, air_s)


def _answers(world: World, service: Ai, host: Host | None, angle: float) -> tuple[_Items, _Items]:
    """Prompts and answers of an AI service: two items each, for either may be late."""
    curve, spec, requests = service.profile.curve, service.spec, world.requests
    rows = np.flatnonzero(requests.service == service.index)
    prompt_tok = requests.prompt_tok[rows].astype(np.float64)
    out_tok = requests.output_tok[rows].astype(np.float64)
    terminal = world.terminal_of(rows)
    quality = quality_of(spec.quality, host.model) if host is not None else 1.0
    prompt_j, token_j = _own_j(host, prompt_tok, angle)
    value_beq = spec.weight * quality * curve.alpha_bit_per_tok
    up_bit = 8.0 * (spec.prompt_byte_per_tok * prompt_tok + spec.request_overhead_byte)
    prompts = _items(
        world,
        value_beq * service.profile.k_in * prompt_tok,
        prompt_j,
        UP,
        up_bit / world.radio.rate_bps[UP][spec.name][terminal],
    )
    size = spec.tokens_per_chunk if service.streams else math.inf
    chunk_byte = 4.0 if math.isinf(size) else (spec.chunk_byte + (size - 1) * 4.0) / size
    answers = _items(
        world,
        value_beq * out_tok,
        out_tok * token_j,
        DOWN,
        8.0 * chunk_byte * out_tok / world.radio.rate_bps[DOWN][spec.name][terminal],
    )
    arrival_s = requests.arrival_s[rows]
    until_s = arrival_s + first_s(service) + (out_tok - 1.0) * next_s(service)
    return prompts, dataclasses.replace(
        answers, iterations=out_tok, from_s=arrival_s, until_s=until_s
    )


def _items(
    world: World, worth_beq: FloatArray, energy_j: FloatArray, kind: str, air_s: FloatArray
) -> _Items:
    none = np.zeros(len(air_s))
    return _Items(
        worth_beq=worth_beq,
        energy_j=energy_j + _per_air_w(world, kind) * air_s,
        down_s=air_s if kind == DOWN else none,
        up_s=air_s if kind == UP else none,
        iterations=none,
        from_s=none,
        until_s=none,
    )


def _own_j(
    host: Host | None, prompt_tok: FloatArray, angle: float
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Joules of prompts without their first token's, and of a token. [request].

    The first token comes with its prompt; a token's joules are taken off the prompt and counted for
    all tokens, so that any part of an answer costs no more than it does.
    """
    if host is None:
        return np.zeros(len(prompt_tok)), np.zeros(len(prompt_tok))
    whole_j = host.pue * _prompt_j(host.replica, prompt_tok, angle)
    token_j = np.minimum(host.pue * _token_j(host.replica, prompt_tok, angle), whole_j)
    return whole_j - token_j, token_j


def _prompt_j(r: Replica, tok: FloatArray, angle: float) -> FloatArray:
    """Joules above idle that prompts cause by themselves, in one piece. [request]."""
    flop = r.prompt_flop_per_tok * tok + r.attention_flop * 0.5 * tok**2 + r.head_flop
    flop = flop + r.window_attention_flop * window_area_tok2(0.0, tok, r.window_tok)
    time_s = math.sin(angle) * r.flop_s * flop + r.token_s * tok + r.state_s + r.sequence_s
    kept_byte = (r.kv_byte_per_tok + r.window_kv_byte_per_tok) * tok
    own_j = r.j_per_flop * flop + r.j_per_kv_byte * kept_byte + r.j_per_byte * r.state_byte
    return np.asarray(_active_w(r) * time_s + own_j, dtype=np.float64)


def _token_j(r: Replica, context_tok: FloatArray, angle: float) -> FloatArray:
    """The same of a token at a context, which does not grow with the answer. [request]."""
    inside_tok = np.minimum(context_tok, r.window_tok)
    body_flop = r.body_flop_per_tok + r.head_flop
    own_s = math.sin(angle) * r.flop_s * body_flop + r.token_s + r.state_s + r.sequence_s
    time_s = own_s + r.kv_s_per_tok * context_tok + r.window_kv_s_per_tok * inside_tok
    flop = body_flop + r.decode_attention_flop * context_tok
    flop = flop + r.window_decode_attention_flop * inside_tok
    kept_byte = r.kv_byte_per_tok * context_tok + r.window_kv_byte_per_tok * inside_tok
    own_j = r.j_per_flop * flop + r.j_per_kv_byte * kept_byte + r.j_per_byte * r.state_byte
    return np.asarray(_active_w(r) * time_s + own_j, dtype=np.float64)
