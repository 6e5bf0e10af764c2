"""What no field of `learning` can know by itself."""

from __future__ import annotations

from collections.abc import Iterator

from tree6g.errors import nearest
from tree6g.scenario import ground
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.faults import got
from tree6g.scenario.learning import Learning
from tree6g.scenario.model import Scenario

HOURS = 24


def problems(scenario: Scenario) -> Iterator[Problem]:
    """Learning that does not go with the rest of the scenario."""
    asked = scenario.learning
    if asked is None:
        return
    yield from _name(scenario, asked)
    yield from _server(scenario, asked)
    yield from _clients(scenario, asked)
    yield from _method(asked)
    yield from _model(asked)
    curve = asked.charge_curve
    if curve and (len(curve) != HOURS or not sum(curve) > 0.0):
        text = f"expected {HOURS} values, one of them above 0; got {len(curve)} values"
        text += "." if sum(curve) > 0.0 else ", none above 0."
        yield _problem("charge_curve", text)


def _name(scenario: Scenario, asked: Learning) -> Iterator[Problem]:
    if asked.name in [service.name for service in scenario.services]:
        text = f"expected a name that no service has; got {got(asked.name)}. Choose another name."
        yield _problem("name", text)


def _server(scenario: Scenario, asked: Learning) -> Iterator[Problem]:
    """Somebody must collect, and all clients must reach it."""
    clouds = [f"{place.name}.{s.name}" for place in scenario.clouds for s in place.servers]
    edge = [f"{place.name}.{s.name}" for place in scenario.sites for s in place.servers]
    if asked.at not in clouds + edge:
        text = f"expected a server as 'cloud.server' or 'site.server'; got {got(asked.at)}. "
        yield _problem("at", text + nearest(asked.at, clouds + edge))
    elif asked.at in edge and ground.site_count(scenario) > 1:
        text = (
            f"expected a server in a cloud, which clients of all sites reach; got {got(asked.at)}."
        )
        yield _problem("at", text + f" Servers in clouds: {', '.join(clouds) or 'none'}.")


def _clients(scenario: Scenario, asked: Learning) -> Iterator[Problem]:
    """Clients are users of their own."""
    population = scenario.population
    users = len(population.places) or population.users * ground.site_count(scenario)
    if asked.clients > users:
        text = f"expected at most one client per user, {users}; got {asked.clients}. "
        yield _problem("clients", text + "Raise population.users or lower clients.")
    if asked.clients_per_round > asked.clients:
        text = f"expected at most the {asked.clients} clients; got {asked.clients_per_round}."
        yield _problem("clients_per_round", text)


def _method(asked: Learning) -> Iterator[Problem]:
    """Fields that only some methods have a use for."""
    if asked.proximal and asked.method != "fedprox":
        text = f"expected 0 for method {asked.method}; got {asked.proximal:g}. Use method: fedprox."
        yield _problem("proximal", text)
    if asked.base_classes and not asked.base_frac:
        text = f"expected 0 without a base model; got {asked.base_classes}. Give base_frac."
        yield _problem("base_classes", text)
    if asked.selection == "energy-aware" and not asked.charge_power_w:
        text = "expected power that clients are charged with, which energy-aware selection shares "
        yield _problem("charge_power", text + "out; got 0 W. Give charge_power.")
    if asked.reserve_frac >= 1.0 and asked.battery_j is not None:
        text = "expected a reserve below 100 %, or no client ever takes part; got 100 %."
        yield _problem("reserve", text)


def _model(asked: Learning) -> Iterator[Problem]:
    """What only pictures have, and what a transformer needs."""
    if asked.shift != "none" and not asked.base_frac:
        text = f"expected none without a base model; got {got(asked.shift)}. Give base_frac."
        yield _problem("shift", text)
    transformer = asked.model == "transformer"
    if asked.data != "digits" and (transformer or asked.shift != "none"):
        why = "a transformer takes" if transformer else "shift changes"
        text = f"expected pictures, which {why}; got {got(asked.data)}. Use data: digits."
        yield _problem("data", text)
    if transformer and not asked.hidden:
        text = "expected the width inside of each layer of the transformer; got none. Give hidden."
        yield _problem("hidden", text)
    if transformer and asked.width % asked.heads:
        text = f"expected a divisor of the width, {asked.width}; got {asked.heads}. "
        yield _problem("heads", text + "Heads share the width.")


def _problem(field: str, text: str) -> Problem:
    place: Place = ("learning", field)
    return Problem(place=place, text=text)
