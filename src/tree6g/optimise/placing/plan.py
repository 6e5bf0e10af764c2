"""A placement as a scenario that can be run: models on servers, cuts, and a policy that follows it.

The policy is a file beside the scenario, Python that anybody can read and change: who answers whom,
and which servers are on. Servers that the placement does not use stay in the scenario and are off.
"""

from __future__ import annotations

from pathlib import Path
from pprint import pformat
from typing import Any, Final

import yaml

from tree6g.optimise.placing.decide import Plan
from tree6g.optimise.placing.first import SPLIT
from tree6g.optimise.placing.setups import Setup
from tree6g.scenario.load import dump

POLICY: Final = '''"""Who answers whom, as `tree6g optimise place` decided it for {name}.

A group is a service, the number of the site that serves the user, whether the terminal runs a
model, and whether the prompt is longer than LIMIT_TOK of the service. What terminals take first is
theirs if it is expected in time; the servers named have the rest, the one that answers first.
"""

from tree6g.engine.policies import first_to_answer, on_time

ON = {on}
LIMIT_TOK = {limits}
PLAN = {plan}


def servers(report):
    """Servers that are on, always the same."""
    return ON


def choose(query, options):
    """What the plan says; if nobody it names is there, the one that answers first."""
    able = any(option.tier in ("device", "split") for option in options)
    long = query.prompt_tok > LIMIT_TOK.get(query.service, float("inf"))
    first, nodes = PLAN.get((query.service, query.site, able, long), (None, ()))
    for number, option in enumerate(options):
        if option.tier == first and on_time(query, option):
            return number
    named = [n for n, o in enumerate(options) if o.node in nodes and o.tier != "split"]
    found = first_to_answer([options[n] for n in named])
    return first_to_answer(options) if found is None else named[found]
'''


def write(plan: Plan, folder: Path) -> Path:
    """Write the scenario of a plan and its policy; returns the scenario's file."""
    name = f"{plan.start.scenario.name}-{plan.objective}"
    policy = folder / f"{name}.py"
    folder.mkdir(parents=True, exist_ok=True)
    policy.write_text(policy_text(plan), encoding="utf-8")
    plain = scenario_of(plan) | {"name": name, "policy": policy.name, "policy_sha256": None}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return file


def policy_text(plan: Plan) -> str:
    """The dispatch policy of a plan."""
    table = {}
    for way in plan.ways:
        nodes = sorted(plan.start.options.setups[s].node for s in way.setups)
        tier = None if way.first is None else way.first.tier
        table[plan.start.options.groups[way.group].key] = (tier, nodes)
    limits = {name: tok for name, tok in plan.start.limit_tok.items() if tok < float("inf")}
    return POLICY.format(
        name=plan.start.scenario.name,
        on=pformat(sorted(setup.node for setup in plan.on)),
        limits=pformat(limits),
        plan=pformat(table, width=96),
    )


def scenario_of(plan: Plan) -> dict[str, Any]:
    """The scenario of a plan as plain data, with its models and cuts."""
    plain = dump(plan.start.scenario)
    changed = {setup.node: setup for setup in plan.on if not setup.as_today}
    answering = _answering(plan)
    for places in (plain["sites"], plain["clouds"]):
        for place in places:
            for server in place["servers"]:
                node = f"{place['name']}.{server['name']}"
                _set_up(server, changed.get(node))
                if server["services"]:
                    server["services"] = sorted({*server["services"], *answering.get(node, ())})
    cuts = _cuts(plan)
    for service in plain["services"]:
        if service.get("split"):
            used = service["name"] in cuts
            service["split"] = (
                {**service["split"], "cut": cuts[service["name"]], "dispatch": "policy"}
                if used
                else None
            )
    return plain


def _set_up(server: dict[str, Any], setup: Setup | None) -> None:
    """Another model on a server."""
    if setup is not None:
        server["model"], server["weights"] = setup.variant.model, setup.variant.weights


def _answering(plan: Plan) -> dict[str, set[str]]:
    """Services that servers answer, by node."""
    found: dict[str, set[str]] = {}
    for way in plan.ways:
        for number in way.setups:
            node = plan.start.options.setups[number].node
            found.setdefault(node, set()).add(plan.start.options.groups[way.group].name)
    return found


def _cuts(plan: Plan) -> dict[str, int]:
    """Layers on terminals of services whose model is shared."""
    return {
        plan.start.options.groups[way.group].name: way.first.cut
        for way in plan.ways
        if way.first is not None and way.first.tier == SPLIT and way.first.cut is not None
    }
