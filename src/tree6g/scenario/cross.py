"""What no single field can know: names that point elsewhere, rows of tables, sums.

Names are checked on the plain data, beside everything else that may be wrong with it; sums need the
numbers and come last.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, Final

from tree6g import data, units
from tree6g.compute.accelerator import clock_states
from tree6g.compute.model import catalogue
from tree6g.errors import nearest
from tree6g.scenario import (
    ground,
    learning_checks,
    model_config,
    policy_file,
    results,
    station,
    topology,
)
from tree6g.scenario.document import Place, Problem
from tree6g.scenario.faults import got
from tree6g.scenario.fields import WEIGHTS
from tree6g.scenario.model import AiService, Cloud, DataService, Scenario, Site
from tree6g.scenario.variants import variant_name
from tree6g.traffic.patterns import ALWAYS_ON, WITH_CURVE

POLICIES: Final = (
    "nearest", "edge-only", "cloud-only", "device-only", "least-loaded", "energy-greedy",
    "tree-greedy", "cheapest-on-time", "split-best", "adaptive-compression",
)  # fmt: skip
POLICY_GROUP: Final = "tree6g.policies"
SLEEP_POLICIES: Final = (
    "always-on", "idle-timer", "cell-switch-off", "carrier-muting", "antenna-muting",
)  # fmt: skip
SLEEP_POLICY_GROUP: Final = "tree6g.sleep_policies"
SCHEDULERS: Final = ("first-come", "round-robin", "proportional-fair", "ee-greedy", "tree")
CUT_POLICIES: Final = ("best", "dynamic")
CUT_POLICY_GROUP: Final = "tree6g.cut_policies"
ROWS: Final[Mapping[Place, str]] = {
    ("sites", "*", "base_station", "model"): "base_stations",
    ("sites", "*", "base_station", "baseband", "accelerator"): "accelerators",
    ("sites", "*", "servers", "*", "accelerator"): "accelerators",
    ("sites", "*", "servers", "*", "model"): "models",
    ("clouds", "*", "servers", "*", "accelerator"): "accelerators",
    ("clouds", "*", "servers", "*", "model"): "models",
    ("devices", "accelerator"): "accelerators",
    ("devices", "model"): "models",
    ("services", "*", "token_class"): "token_classes",
    ("services", "*", "lengths"): "request_lengths",
    ("services", "*", "pattern"): "traffic_models",
    ("services", "*", "day_curve"): "day_curves",
    ("sites", "*", "day_curve"): "day_curves",
    ("learning", "accelerator"): "accelerators",
    ("learning", "charge_curve"): "day_curves",
}
ANSWERS: Final[tuple[Place, ...]] = (
    ("sites", "*", "servers", "*", "services", "*"),
    ("clouds", "*", "servers", "*", "services", "*"),
    ("devices", "services", "*"),
)
UPLINK: Final[Place] = ("sites", "*", "base_station", "uplink_share")
ANSWERED: Final[tuple[Place, ...]] = (
    ("sites", "*", "servers", "*", "services", "*"),
    ("clouds", "*", "servers", "*", "services", "*"),
    ("devices", "services", "*"),
)
# A slip of a unit (1 ms for 1 min) must not become a run that never ends or that fills the memory.
MAX_STEPS: Final = 10_000_000
MAX_REQUESTS: Final = 100_000_000
MAX_MESSAGES: Final = 1_000_000_000
MAX_MESSAGES_PER_STEP: Final = 10_000_000
HOURS: Final = 24  # of a day curve
SHARE_SLACK: Final = 1e-3  # request shares are often written with three digits


def references(plain: Any) -> list[Problem]:
    """Names in a scenario's data that lead nowhere or occur twice."""
    problems = [
        problem
        for pattern, table in ROWS.items()
        for problem in _unknown(plain, pattern, f"a row of table '{table}'", _rows(table))
    ]
    services = _names(plain, ("services", "*", "name"))
    clouds = _names(plain, ("clouds", "*", "name"))
    problems += _unknown(plain, ("links", "*", "to"), "the name of a cloud", clouds)
    if not policy_file.is_file(plain.get("policy")):
        problems += _unknown(plain, ("policy",), "a dispatch policy", _policies())
    if not policy_file.is_file(_rule(plain)):
        problems += _unknown(plain, ("scheduling", "rule"), "a scheduler", SCHEDULERS)
    problems += _unknown(plain, ("sleep_policy",), "a sleep policy", _sleep_policies())
    for pattern in ANSWERS:
        problems += _unknown(plain, pattern, "the name of a service", services)
    learning = _names(plain, ("learning", "name")) or ["learning"]
    problems += _unknown_keys(plain, UPLINK, "the name of a service", [*services, *learning])
    for pattern in ANSWERED:
        problems += _unknown(plain, pattern, "the name of an AI service", _ai_services(plain))
    at: Place = ("layout", "day_curves_at")
    problems += _unknown_keys(plain, at, "a row of table 'day_curves'", data.table("day_curves"))
    quality: Place = ("services", "*", "quality")
    problems += _unknown_keys(plain, quality, "a row of table 'models'", _variants())
    return problems + _doubles(plain) + _unlinked(plain, clouds)


def _rows(table: str) -> Collection[str]:
    """Names that a scenario may give for a row; of models also added ones."""
    if table != "models":
        return data.table(table)
    return (*catalogue.names(), *catalogue.image_names(), *model_config.added())


def _variants() -> list[str]:
    """Models, and models in each format of weights that a server may have."""
    names = list(_rows("models"))
    return names + [variant_name(name, kind) for name in names for kind in WEIGHTS]


def sums(scenario: Scenario) -> list[Problem]:
    """Numbers of a valid scenario that do not fit together."""
    found = [*_shares(scenario), *_times(scenario), *_answers(scenario), *_sizes(scenario)]
    found += [*_curves(scenario), *_patterns(scenario), *_basebands(scenario)]
    found += [*results.problems(scenario), *_clocks(scenario), *_splits(scenario)]
    found += learning_checks.problems(scenario)
    return [*found, *ground.problems(scenario)]


def _clocks(scenario: Scenario) -> Iterator[Problem]:
    """Clock states that the accelerator of a server does not have."""
    kinds: tuple[tuple[str, Sequence[Site | Cloud]], ...] = (
        ("sites", scenario.sites),
        ("clouds", scenario.clouds),
    )
    for kind, places in kinds:
        servers = ((i, k, s) for i, place in enumerate(places) for k, s in enumerate(place.servers))
        for i, k, server in servers:
            states = [state.name for state in clock_states(server.accelerator)]
            if server.clock is not None and server.clock not in states:
                text = f"expected a clock of '{server.accelerator}' ({', '.join(states)}); got "
                text += f"{got(server.clock)}."
                yield Problem(place=(kind, i, "servers", k, "clock"), text=text)


def _curves(scenario: Scenario) -> Iterator[Problem]:
    """Day curves that are no day, or that nobody follows."""
    own = [(("sites", i, "day_curve"), site) for i, site in enumerate(scenario.sites)]
    said = [(("services", i, "day_curve"), service) for i, service in enumerate(scenario.services)]
    for place, service in (*own, *said):
        curve = service.day_curve
        if not curve:
            continue
        if len(curve) != HOURS or not sum(curve) > 0.0:
            text = f"expected {HOURS} values, one of them above 0; got {len(curve)} values"
            text += "." if sum(curve) > 0.0 else ", none above 0."
            yield Problem(place=place, text=text)
        if isinstance(service, DataService) and service.arrival not in WITH_CURVE:
            text = f"expected none for {service.arrival} arrivals; got a day curve. "
            yield Problem(place=place, text=text + "Use arrival: poisson.")


def _patterns(scenario: Scenario) -> Iterator[Problem]:
    """Arrivals without the figures that they need, and codecs whose rate would grow."""
    for i, service in enumerate(scenario.services):
        if not isinstance(service, DataService):
            continue
        row = data.table("traffic_models").get(str(service.pattern), {})
        if service.arrival not in ("poisson", "periodic", row.get("arrival")):
            text = f"expected poisson, periodic or that of a pattern; got {got(service.arrival)}. "
            known = [n for n, r in data.table("traffic_models").items()
                     if r["arrival"] == service.arrival]  # fmt: skip
            text += f"Give a pattern: {', '.join(known)}."
            yield Problem(place=("services", i, "arrival"), text=text)
        if service.arrival in ALWAYS_ON and service.growth != 1.0:
            text = f"expected 1 for {service.arrival}, which a codec paces; got "
            text += f"{service.growth:g}. Give more 'sources' instead."
            yield Problem(place=("services", i, "growth"), text=text)


def _basebands(scenario: Scenario) -> Iterator[Problem]:
    for i, site in enumerate(scenario.sites):
        spec, servers = site.base_station.baseband, tuple(server.name for server in site.servers)
        if spec is not None:
            yield from station.problems(spec, ("sites", i, "base_station", "baseband"), servers)


def _find(value: Any, pattern: Place, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """All values at places that a pattern with `*` for any item leads to."""
    if not pattern:
        yield place, value
    elif pattern[0] == "*" and isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _find(inner, pattern[1:], (*place, i))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _find(value[pattern[0]], pattern[1:], (*place, pattern[0]))


def _names(plain: Any, pattern: Place) -> list[str]:
    return [value for _, value in _find(plain, pattern) if isinstance(value, str)]


def _unknown(plain: Any, pattern: Place, what: str, known: Collection[str]) -> Iterator[Problem]:
    for place, name in _find(plain, pattern):
        if isinstance(name, str) and name not in known:
            text = f"expected {what}; got {got(name)}. {nearest(name, known)}"
            yield Problem(place=place, text=text)


def _unknown_keys(
    plain: Any, pattern: Place, what: str, known: Collection[str]
) -> Iterator[Problem]:
    for place, mapping in _find(plain, pattern):
        for name in mapping if isinstance(mapping, dict) else ():
            if name not in known:
                text = f"expected {what}; got {got(name)}. {nearest(name, known)}"
                yield Problem(place=(*place, name), text=text)


def _ai_services(plain: Any) -> list[str]:
    services = (service for _, service in _find(plain, ("services", "*")))
    ai = [s for s in services if isinstance(s, dict) and s.get("kind") == "ai"]
    return [s["name"] for s in ai if isinstance(s.get("name"), str)]


def _rule(plain: Any) -> Any:
    """The scheduler that is named, if one is."""
    said = plain.get("scheduling")
    return said.get("rule") if isinstance(said, dict) else None


def _policies() -> list[str]:
    return [*POLICIES, *_others(POLICY_GROUP)]


def _sleep_policies() -> list[str]:
    return [*SLEEP_POLICIES, *_others(SLEEP_POLICY_GROUP)]


@functools.cache  # a look at every installed package, and none comes while we run
def _others(group: str) -> tuple[str, ...]:
    """Names of a group of entry points."""
    return tuple(point.name for point in metadata.entry_points(group=group))


def _doubles(plain: Any) -> list[Problem]:
    """Names that must be unique: services; all places; servers within their place."""
    groups: list[list[Place]] = [[("services", "*")], [("sites", "*"), ("clouds", "*")]]
    for kind in ("sites", "clouds"):
        groups += [[(*place, "servers", "*")] for place, _ in _find(plain, (kind, "*"))]
    problems = []
    for group in groups:
        first: dict[str, Place] = {}
        for pattern in group:
            for place, name in _find(plain, (*pattern, "name")):
                if isinstance(name, str) and first.setdefault(name, place) != place:
                    text = f"expected a name of its own; got {got(name)} a second time."
                    problems.append(Problem(place=place, text=text))
    return problems


def _unlinked(plain: Any, clouds: list[str]) -> list[Problem]:
    """Clouds without a link, and with more than one; a place in a topology is one."""
    problems = []
    placed = topology.placed(plain)
    linked: dict[str, Place] = {}
    for place, name in _find(plain, ("links", "*", "to")):
        if isinstance(name, str) and (linked.setdefault(name, place) != place or name in placed):
            where = " among the places of 'topology'" if name in placed else ""
            text = f"expected one link per cloud; got a second one to {got(name)}{where}."
            problems.append(Problem(place=place, text=text))
    for place, name in _find(plain, ("clouds", "*", "name")):
        if not isinstance(name, str) or name in placed:
            continue
        if name in clouds and name not in linked and not set(linked) - set(clouds):
            text = f"expected a link to {got(name)}; got none. Add '- to: {name}' under 'links'."
            problems.append(Problem(place=place, text=text))
    return problems


def _shares(scenario: Scenario) -> Iterator[Problem]:
    ai = [s for s in scenario.services if isinstance(s, AiService)]
    total = math.fsum(s.request_share_frac for s in ai)
    if ai and abs(total - 1.0) > SHARE_SLACK:
        listed = ", ".join(f"{s.name} {s.request_share_frac:g}" for s in ai)
        text = (
            f"expected request shares of all AI services that sum to 1; got {total:g} ({listed})."
        )
        yield Problem(place=("services",), text=text)
    for i, site in enumerate(scenario.sites):
        total = math.fsum(site.base_station.uplink_share.values())
        if total > 1.0 + 1e-9:
            text = f"expected shares that sum to at most 1; got {total:g}."
            yield Problem(place=("sites", i, "base_station", "uplink_share"), text=text)


def _times(scenario: Scenario) -> Iterator[Problem]:
    steps = scenario.ledger_interval_s / scenario.step_s
    if steps < 1.0 - 1e-9 or abs(steps - round(steps)) > 1e-6 * steps:
        text = (
            f"expected a whole number of steps of {units.show(scenario.step_s, 's')}; "
            f"got {units.show(scenario.ledger_interval_s, 's')}."
        )
        yield Problem(place=("ledger_interval",), text=text)


def _answers(scenario: Scenario) -> Iterator[Problem]:
    """Each AI service needs someone who answers it; an empty list of services means all."""
    places: tuple[Site | Cloud, ...] = (*scenario.sites, *scenario.clouds)
    answered = [server.services for place in places for server in place.servers]
    answered += [scenario.devices.services] if scenario.devices is not None else []
    for i, service in enumerate(scenario.services):
        known = any(not names or service.name in names for names in answered)
        if isinstance(service, AiService) and not known:
            text = f"expected a server or devices that answer {got(service.name)}; got none."
            yield Problem(place=("services", i), text=text)


def _splits(scenario: Scenario) -> Iterator[Problem]:
    """A shared model needs terminals that hold a part of it, and one server with the rest."""
    places: tuple[Site | Cloud, ...] = (*scenario.sites, *scenario.clouds)
    servers = [server.name for place in places for server in place.servers]
    policies = [*CUT_POLICIES, *_others(CUT_POLICY_GROUP)]
    for i, service in enumerate(scenario.services):
        split = service.split if isinstance(service, AiService) else None
        if split is None:
            continue
        place: Place = ("services", i, "split")
        if servers.count(split.server) != 1:
            many = "several of that name" if split.server in servers else "none"
            text = f"expected one server {got(split.server)}; got {many}. "
            yield Problem(place=(*place, "server"), text=text + nearest(split.server, servers))
        if scenario.devices is None:
            text = "expected 'devices' that hold the lower layers of a shared model; got none."
            yield Problem(place=place, text=text)
        if isinstance(split.cut, str) and split.cut not in policies:
            text = f"expected a cut policy or a number; got {got(split.cut)}. "
            yield Problem(place=(*place, "cut"), text=text + nearest(split.cut, policies))
        elif isinstance(split.cut, int) and split.cut < split.keep_layers:
            text = f"expected at least the {split.keep_layers} layers to keep; got {split.cut}."
            yield Problem(place=(*place, "cut"), text=text)


def _sizes(scenario: Scenario) -> Iterator[Problem]:
    """Runs that are larger than anybody can have meant."""
    population, sites = scenario.population, ground.site_count(scenario)
    hours = scenario.duration_s / 3600.0
    users = len(population.places) or population.users * sites
    ai = [s for s in scenario.services if isinstance(s, AiService)]
    grown = max((service.growth for service in ai), default=1.0)
    requests = users * population.ai_requests_per_user_hour * hours * grown
    steps = (scenario.duration_s + scenario.drain_s) / scenario.step_s
    sizes: list[tuple[Place, str, float, int]] = [
        (("step",), "steps", steps, MAX_STEPS),
        (("population",), "AI requests", requests, MAX_REQUESTS),
    ]
    for i, service in enumerate(scenario.services):
        if isinstance(service, DataService):
            rate_hz = service.sources * sites * service.growth / service.period_s
            place: Place = ("services", i, "period")
            sizes.append((place, "messages", rate_hz * scenario.duration_s, MAX_MESSAGES))
            step_s = scenario.step_s
            sizes.append((place, "messages a step", rate_hz * step_s, MAX_MESSAGES_PER_STEP))
    for place, what, size, limit in sizes:
        if size > limit:
            text = f"expected at most {limit:,} {what}; got {size:.3g}. Check the units."
            yield Problem(place=place, text=text)
