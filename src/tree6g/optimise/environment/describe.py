"""The network of an episode from a scenario, by the functions that a run of it is built with.

In: cells, power models, path loss, shadowing and terminals as the engine drops them; rates of the
downlink; servers with the time and energy of their iterations; services with their lengths,
profiles and mean rates. What is left out is said in `Network.notes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tree6g.compute.roofline import decode_batch, iteration, prompt_batch
from tree6g.engine import radio, rates
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN, IntArray
from tree6g.engine.header import station_source
from tree6g.engine.rest import station_of
from tree6g.engine.world import Cell, Host, World
from tree6g.errors import ScenarioError
from tree6g.optimise.environment.network import (
    POWER_FRAC,
    SINR_MAX_DB,
    SINR_STEP_DB,
    Coupling,
    Network,
    Servers,
    Stations,
)
from tree6g.optimise.environment.streams import patterns, stream
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.sleep import idle_power_w
from tree6g.scenario.load import dump
from tree6g.scenario.model import DataService, Scenario
from tree6g.traffic.lengths import mean_lengths


def describe(scenario: Scenario) -> Network:
    """The network of a scenario.

    Raises:
        ScenarioError: It has what the environment cannot show: models on terminals, split models,
            rented clouds, utility that is not linear, an AI service that no server answers, or
            nothing in the downlink.
        InfeasibleError: A model that does not fit.
    """
    _require_known(scenario)
    world = build(scenario, {})
    crowds = list(_crowds(world))
    if not crowds:
        raise ScenarioError(
            f"expected a service with a downlink in '{scenario.name}'; all of them only send up."
        )
    widths = [max(int(count.max()), 1) for _, count in crowds]
    ends = np.cumsum(widths).tolist()
    places = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
    hosts = _hosts(world)
    kinds = _alike(world.cells)
    return Network(
        name=scenario.name,
        present=_present(world, crowds, places),
        streams=tuple(
            stream(world, name, at, hosts) for (name, _), at in zip(crowds, places, strict=True)
        ),
        sinr_db=_sinr_db(world, crowds, places),
        rate_bps=_rate_tables(world.cells, kinds),
        kind=kinds,
        floor_db=rates.floor_sinr_db(DOWN),
        stations=_stations(world),
        servers=_servers(world, hosts),
        coupling=_coupling(world, crowds, places),
        notes=tuple(_notes(world)),
        station_source="; ".join(dict.fromkeys(map(station_source, world.cells))),
        scenario=dump(scenario),
    )


def _require_known(scenario: Scenario) -> None:
    wrong = []
    if scenario.devices is not None:
        wrong.append("models on terminals (devices)")
    wrong += [f"the rented cloud '{cloud.name}'" for cloud in scenario.clouds if cloud.rented]
    if scenario.population.speed_m_per_s > 0.0:
        wrong.append("terminals that walk (population.speed)")
    wrong += [
        f"the split model of '{service.name}'"
        for service in scenario.services
        if not isinstance(service, DataService) and service.split is not None
    ]
    if wrong:
        raise ScenarioError(
            f"expected a scenario of cells and servers; '{scenario.name}' has "
            f"{', '.join(wrong)}, which the environment does not know. Leave that out."
        )


def _crowds(world: World) -> Iterator[tuple[str, IntArray]]:
    """Services of the downlink, AI first, and how many users each cell has of them. [cell]."""
    names = [service.spec.name for service in world.ai]
    names += [name for name, kind in world.direction.items() if kind == DOWN]
    for name in names:
        serving = world.radio.crowd_of[name].serving
        yield name, np.bincount(serving, minlength=len(world.cells))


def _at_cells(
    world: World, crowds: Sequence[tuple[str, IntArray]], places: Sequence[slice]
) -> Iterator[tuple[str, Cell, IntArray, slice]]:
    """Terminals of every service at every cell, with their places along the axis of users."""
    for (name, _), at in zip(crowds, places, strict=True):
        serving = world.radio.crowd_of[name].serving
        for cell in world.cells:
            rows = np.flatnonzero(serving == cell.index)
            yield name, cell, rows, slice(at.start, at.start + len(rows))


def _present(
    world: World, crowds: Sequence[tuple[str, IntArray]], places: Sequence[slice]
) -> np.ndarray:
    present = np.zeros((len(world.cells), places[-1].stop), dtype=bool)
    for _, cell, _, at in _at_cells(world, crowds, places):
        present[cell.index, at] = True
    return present


def _sinr_db(
    world: World, crowds: Sequence[tuple[str, IntArray]], places: Sequence[slice]
) -> FloatArray:
    sinr = np.full((len(world.cells), places[-1].stop), rates.floor_sinr_db(DOWN))
    for name, cell, rows, at in _at_cells(world, crowds, places):
        gain_db = world.radio.crowd_of[name].gain_db[rows, cell.index]
        sinr[cell.index, at] = radio.margin_sinr_db(cell, DOWN, gain_db, np.ones(len(rows)))
    return sinr


def _coupling(
    world: World, crowds: Sequence[tuple[str, IntArray]], places: Sequence[slice]
) -> Coupling | None:
    if not world.radio.follows_load:
        return None
    cells = world.cells
    power_w = np.array([cell.station.transmit_power_w for cell in cells])
    band_hz = np.array([cell.spec.frequency_hz for cell in cells])
    own = np.zeros((len(cells), places[-1].stop))
    others = np.zeros((*own.shape, len(cells)))
    for name, cell, rows, at in _at_cells(world, crowds, places):
        heard_w = world.radio.crowd_of[name].gain[rows] * power_w
        own[cell.index, at] = heard_w[:, cell.index]
        others[cell.index, at] = heard_w * (band_hz == band_hz[cell.index])
        others[cell.index, at, cell.index] = 0.0
    noise_w = np.array([rates.noise_w(cell.spec, DOWN) for cell in cells])
    return Coupling(own_w=own, others_w=others, noise_w=noise_w)


def _alike(cells: Sequence[Cell]) -> IntArray:
    """Number of the kind of base station of each cell. [cell]."""
    known: list[object] = []
    found = []
    for cell in cells:
        if cell.spec not in known:
            known.append(cell.spec)
        found.append(known.index(cell.spec))
    return np.array(found, dtype=np.int64)


def _rate_tables(cells: Sequence[Cell], kinds: IntArray) -> FloatArray:
    """Rates of the engine on a grid of SINR, one row for each kind of base station."""
    count = round((SINR_MAX_DB - rates.floor_sinr_db(DOWN)) / SINR_STEP_DB) + 1
    sinr_db: FloatArray = rates.floor_sinr_db(DOWN) + SINR_STEP_DB * np.arange(float(count))
    first = [int(np.flatnonzero(kinds == kind)[0]) for kind in range(int(kinds.max()) + 1)]
    return np.stack([rates.rate_bps(cells[n].spec, DOWN, sinr_db) for n in first])


def _stations(world: World) -> Stations:
    rest, send = [], []
    for cell in world.cells:
        levels = [_at_power(world, cell, part) for part in POWER_FRAC[1:]]
        rest.append([0.0, *(level[0] for level in levels)])
        send.append([0.0, *(level[1] for level in levels)])
    off = [cell.station.off for cell in world.cells]
    return Stations(
        node=tuple(cell.node for cell in world.cells),
        site=tuple(cell.site for cell in world.cells),
        site_index=np.array([cell.site_index for cell in world.cells], dtype=np.int64),
        model=tuple(cell.station.model for cell in world.cells),
        pue=np.array([cell.pue for cell in world.cells]),
        rest_w=np.array(rest),
        send_w=np.array(send),
        off_w=np.array([state.power_w for state in off]),
        off_j=np.array([state.transition_j for state in off]),
        wake_s=np.array([state.wake_s for state in off]),
        time_frac=np.array([rates.time_frac(cell.spec, DOWN) for cell in world.cells]),
    )


def _at_power(world: World, cell: Cell, part: float) -> tuple[float, float]:
    """Power without traffic and while sending, at a part of the scenario's radiated power."""
    site = world.sites[cell.site_index]
    radiated_w = part * cell.station.transmit_power_w
    base = cell.spec.model_copy(update={"transmit_power_w": radiated_w})
    station = station_of(site.model_copy(update={"base_station": base}))
    return idle_power_w(station), station.downlink_w


def _hosts(world: World) -> dict[tuple[int, str], Host]:
    """Who answers an AI service at a cell: the first server of its site, else of a cloud."""
    found: dict[tuple[int, str], Host] = {}
    for cell in world.cells:
        for service in world.ai:
            name = service.spec.name
            able = [host for host in world.hosts if name in host.services]
            near = [host for host in able if host.site == cell.site_index]
            near += [host for host in able if host.site is None]
            if not near:
                raise ScenarioError(
                    f"expected a server for '{name}' at site '{cell.site}' or in a cloud; got "
                    "none. Add one under its `servers`."
                )
            found[cell.index, name] = near[0]
    for service in world.ai:
        models = sorted({h.model for (_, name), h in found.items() if name == service.spec.name})
        if len(models) > 1:
            raise ScenarioError(
                f"expected one model for '{service.spec.name}' at all sites; got "
                f"{', '.join(models)}. Worth differs by model: give the variants services of "
                "their own."
            )
    return found


def _servers(world: World, found: dict[tuple[int, str], Host]) -> Servers:
    hosts = list({host.number: host for host in found.values()}.values())
    where = {host.number: n for n, host in enumerate(hosts)}
    names = [service.spec.name for service in world.ai]
    of = np.array(
        [[where[found[cell.index, name].number] for name in names] for cell in world.cells],
        dtype=np.int64,
    ).reshape(len(world.cells), len(names))
    tables = [_iterations(world, host, names) for host in hosts]
    most = np.array([len(table[0]) - 1 for table in tables], dtype=np.int64)
    token = np.zeros((2, len(hosts), int(most.max(initial=0)) + 1))
    token[0] = 1.0  # nothing is divided by the time of nobody's iteration
    for n, table in enumerate(tables):
        token[:, n, : most[n] + 1] = table[:2]
    specs = [host.spec for host in hosts if host.spec is not None]
    return Servers(
        node=tuple(host.node for host in hosts),
        place=tuple(host.place for host in hosts),
        tier=tuple(host.tier for host in hosts),
        record=tuple(f"{s.count} x {s.accelerator}, {s.model}" for s in specs),
        pue=np.array([host.pue for host in hosts]),
        gpu_w=np.array([host.replica.idle_w for host in hosts]),
        host_w=np.array([s.host_power_w * s.count for s in specs]),
        u95_frac=np.array([host.replica.u95_frac for host in hosts]),
        prompt_s=np.array([table[2][0] for table in tables]),
        prompt_j=np.array([table[2][1] for table in tables]),
        most=most,
        token_s=token[0],
        token_j=token[1],
        of=of,
        cells=np.array([len(np.unique(np.nonzero(of == n)[0])) for n in range(len(hosts))]),
    )


def _iterations(
    world: World, host: Host, names: Sequence[str]
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """Time and energy per token by sequences, and of a prompt token.

    All contexts are the mean prompt and half of the mean answer of what the server answers.
    """
    means = [mean_lengths(patterns(world)[name]) for name in names if name in host.services]
    prompt_tok, answer_tok = (float(np.mean(column)) for column in zip(*means, strict=True))
    context_tok = prompt_tok + 0.5 * answer_tok
    r, spec = host.replica, host.spec
    assert spec is not None  # noqa: S101 - terminals were refused
    most = max(1, min(spec.max_batch, int(r.kv_capacity_tok / context_tok)))
    many = np.arange(most + 1.0)
    inside = min(context_tok, r.window_tok)
    cost = iteration(r, decode_batch(many, many * context_tok, many * inside))
    time_s = np.where(many > 0.0, cost.time_s, 1.0)
    above_j = np.where(many > 0.0, cost.energy_j - r.idle_w * time_s, 0.0)
    one = iteration(r, prompt_batch(prompt_tok, window_tok=r.window_tok))
    prompt = (
        float(one.time_s) / prompt_tok,
        float(one.energy_j - r.idle_w * one.time_s) / prompt_tok,
    )
    return time_s, above_j / np.maximum(many, 1.0), prompt


def _notes(world: World) -> Iterator[str]:
    """What of the scenario is left out."""
    up = [name for name, kind in world.direction.items() if kind != DOWN]
    if up:
        yield f"The environment has no uplink: {', '.join(up)} and all prompts are left out of it."
    if world.links or world.backbone is not None:
        yield "Links to clouds carry their bits without delay or joules."
    if any(source.spec.arrival not in {"periodic", "poisson"} for source in world.sources):
        yield "Messages of all data services that are not periodic come at random times."
    if any(cell.rest.operator_share_frac < 1.0 for cell in world.cells):
        yield "Shared stations are counted whole."
