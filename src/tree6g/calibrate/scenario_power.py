"""The power of a scenario as a ledger shows it: factors on what its template draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tree6g import data
from tree6g.calibrate.result import Constant
from tree6g.calibrate.scenario_loads import Draw
from tree6g.scenario.load import dump, load
from tree6g.scenario.model import Scenario

# Of a station that nobody meters: so that joules compare, it takes next to none.
UNMETERED: Final = 1e-6
_LEAST, _MOST = 1e-3, 1e3


def server_nodes(scenario: Scenario) -> list[str]:
    """Nodes of the servers."""
    return [node for node, _, _ in _servers(dump(scenario))]


def powered(
    scenario: Scenario,
    measured: Mapping[str, Draw],
    modelled: Mapping[str, Draw],
    said: list[str],
    constants: list[Constant],
) -> Scenario:
    """The scenario with power scaled to what was measured.

    Args:
        scenario: With the load of the ledger.
        measured: Power by node or tier.
        modelled: The same of a simulation of it.
        said: Gets what could not be fitted.
        constants: Gets the factors.
    """
    plain = dump(scenario)
    told: set[str] = set()
    for node, tier, server in _servers(plain):
        group = node if node in measured else tier
        if group not in measured or not measured[group].whole_w > 0.0:
            if group not in told:
                said.append(f"{group}: no energy of servers is metered; power is the template's.")
            told.add(group)
            continue
        first = group not in told
        told.add(group)
        pair = (measured[group], modelled[group])
        found = _scale_server(server, group, pair, said if first else [])
        constants += found if first else []
    _scale_radio(plain, measured, modelled, said, constants)
    _scale_overhead(plain, measured, said)
    said.append("The model, its times per token, radio links and places are the template's.")
    return load(plain)


def _servers(plain: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for tier, places in (("edge", plain["sites"]), ("cloud", plain["clouds"])):
        for place in places:
            for server in place["servers"]:
                yield f"{place['name']}.{server['name']}", tier, server


def _scale_server(
    server: dict[str, Any],
    group: str,
    pair: tuple[Draw, Draw],
    said: list[str],
) -> list[Constant]:
    """Joules above rest compare per token computed, for two draws of one load differ."""
    own, model = pair
    found = []
    rest_w = server["idle_power_w"]
    if rest_w is None:
        row = data.row("accelerators", server["accelerator"])
        rest_w = data.number(row, "idle_context_w")
    if own.idle_w is None:
        said.append(f"{group}: power at rest cannot be told from work; it is the template's.")
    elif own.idle_w > 0.0 and model.idle_w:
        server["idle_power_w"] = rest_w * own.idle_w / model.idle_w
        found.append(Constant(name=f"{group}: idle_power_w", value=own.idle_w))
        if not own.told:
            said.append(
                f"{group}: the ledger does not tell rest from work; {own.idle_w:.4g} W at rest is "
                "where the line of power over work begins."
            )
    # Where rest is not told, it is the model's, and what is left of the power is work.
    active_w = own.active_w if own.idle_w is not None else own.whole_w - (model.idle_w or 0.0)
    ratio = _ratio(active_w, own.work_per_s) * _ratio(model.work_per_s, model.active_w)
    if _LEAST < ratio < _MOST:
        server["energy_scale"] *= ratio
        found.append(Constant(name=f"{group}: energy_scale", value=server["energy_scale"]))
    else:
        said.append(f"{group}: joules of work are too few to fit; they are the template's.")
    factor = _ratio(own.host_w, model.host_w)
    if not own.host_w > 0.0:
        said.append(f"{group}: no host is metered; it takes nothing here.")
    server["host_power_w"] = server["host_power_w"] * factor
    found.append(Constant(name=f"{group}: host_w", value=own.host_w))
    return found


def _scale_radio(
    plain: dict[str, Any],
    measured: Mapping[str, Draw],
    modelled: Mapping[str, Draw],
    said: list[str],
    constants: list[Constant],
) -> None:
    own_w = sum(d.radio_w for d in measured.values())
    model_w = sum(d.radio_w for d in modelled.values())
    factor = _ratio(own_w, model_w)
    if factor > 0.0:
        constants.append(Constant(name="ran: power_scale", value=factor))
    else:
        factor = UNMETERED
        said.append("No radio is metered; the cells take next to nothing here, so joules compare.")
    for site in plain["sites"]:
        station = site["base_station"]
        station["power_scale"] = min(max(station["power_scale"] * factor, UNMETERED), _MOST)


def _scale_overhead(plain: dict[str, Any], measured: Mapping[str, Draw], said: list[str]) -> None:
    """Cooling and power supply: of sites together, and of clouds."""
    clouds = {n for n, tier, _ in _servers(plain) if tier == "cloud"} | {"cloud"}
    for places, own in (
        (plain["sites"], [d for g, d in measured.items() if g not in clouds]),
        (plain["clouds"], [d for g, d in measured.items() if g in clouds]),
    ):
        other_w = sum(d.whole_w + d.host_w + d.radio_w for d in own)
        overhead_w = sum(d.overhead_w for d in own)
        if not other_w > 0.0:
            continue
        if overhead_w == 0.0 and any(place["pue"] > 1.0 for place in places):
            said.append("No cooling or power supply is metered: PUE is 1.")
        for place in places:
            place["pue"] = min(1.0 + overhead_w / other_w, 4.0)


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0.0 else 0.0
