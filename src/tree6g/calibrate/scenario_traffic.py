"""The services of a scenario as a ledger shows them; what it cannot show stays the template's."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g import data
from tree6g.calibrate.scenario_loads import HOUR_S, Load
from tree6g.errors import ScenarioError
from tree6g.scenario.load import dump, load
from tree6g.scenario.model import Scenario
from tree6g.traffic.lengths import mean_lengths, request_pattern, with_means

MESSAGE_BYTE: Final = 1e6  # of a data service that the template does not know (typical)
_OTHER_WAY_FRAC: Final = 0.01  # of the bits that go the other way, from which it is told


def with_loads(
    base: Scenario,
    found: Mapping[str, Load],
    kinds: Mapping[str, str],
    services: Mapping[str, Mapping[str, Any]],
    said: list[str],
) -> Scenario:
    """The template with the load of a ledger.

    Args:
        base: The template.
        found: Load of each service.
        kinds: Kind of each service.
        services: Services of the ledger's header.
        said: Gets what came from where.

    Raises:
        ScenarioError: The ledger has no work of an AI or data service.
    """
    plain = dump(base)
    known = {entry["name"]: entry for entry in plain["services"]}
    rates = {
        n: r for n, own in found.items() if kinds[n] == "ai" and (r := _rate(own, n, base, said))
    }
    whole = sum(rates.values())
    made = [
        _ai(n, found[n], known, plain["services"], services[n], (rates[n], whole), said)
        for n in rates
    ]
    sites = len(plain["sites"])
    for name, own in found.items():
        if kinds[name] == "data" and own.bits_up_bit + own.bits_down_bit > 0.0:
            made.append(_data(name, own, known, sites, said))
        elif name not in rates:
            said.append(
                f"{name} ({kinds[name]}) has no work that a scenario could ask for: left out."
            )
    if not made:
        raise ScenarioError("expected work of an AI or data service in the ledger; it has none.")
    _balance(made)
    users = plain["population"]["users"] * sites
    plain["services"] = made
    plain["population"]["ai_requests_per_user_hour"] = whole / users
    _keep(plain, {entry["name"] for entry in made}, said)
    return load(plain)


def _rate(own: Load, name: str, base: Scenario, said: list[str]) -> float:
    """Requests per hour; without a count of them from answers as long as the template's."""
    if own.requests:
        return own.requests / own.length_s * HOUR_S
    if not own.output_tok > 0.0:
        return 0.0
    like = next((s for s in base.services if s.name == name and s.kind == "ai"), None)
    like = like or next((s for s in base.services if s.kind == "ai"), None)
    pattern = request_pattern(like.lengths if like else "azure-conv-2023")
    if like is not None:
        pattern = with_means(pattern, like.mean_prompt_tok, like.mean_answer_tok)
    _, answer = mean_lengths(pattern)
    said.append(
        f"{name}: the ledger counts no requests; answers of {answer:.0f} tokens are the template's."
    )
    return own.output_tok / answer / own.length_s * HOUR_S


def _ai(
    name: str,
    own: Load,
    known: Mapping[str, dict[str, Any]],
    entries: Sequence[dict[str, Any]],
    told: Mapping[str, Any],
    rates: tuple[float, float],
    said: list[str],
) -> dict[str, Any]:
    like = known.get(name)
    if like is None or like["kind"] != "ai":
        like = next((e for e in entries if e["kind"] == "ai"), None)
        source = f"{like['name']!r} of the template" if like else "a scenario's defaults"
        said.append(f"{name}: bytes per token, patience and chunks are those of {source}.")
    entry: dict[str, Any] = copy.deepcopy(like) if like else {"kind": "ai"}
    requests = rates[0] * own.length_s / HOUR_S
    entry |= {
        "name": name,
        "request_share_frac": rates[0] / rates[1],
        "mean_answer_tok": max(own.output_tok / requests, 1.0),
        "day_curve": list(own.curve),
        "growth": 1.0,
        "split": None,
        "weight": float(told.get("weight", 1.0)),
    }
    if own.input_tok > 0.0:
        entry["mean_prompt_tok"] = max(own.input_tok / requests, 1.0)
    else:
        said.append(f"{name}: the ledger has no prompt tokens; their lengths are the template's.")
    token_class = told.get("token_class") or dict(told.get("profile", {})).get("id")
    if token_class in data.table("token_classes"):
        entry["token_class"] = token_class
    else:
        said.append(
            f"{name}: its token class {entry.get('token_class', 'assistant')!r} is assumed."
        )
    said.append(_lengths_said(name, own, entry))
    return entry


def _lengths_said(name: str, own: Load, entry: dict[str, Any]) -> str:
    if own.lengths is None:
        shape = entry.get("lengths", "azure-conv-2023")
        return (
            f"{name}: the ledger gives mean lengths only; their spread and the burstiness of "
            f"arrivals are those of '{shape}'."
        )
    entry["lengths"] = own.lengths
    return (
        f"{name}: of the packaged distributions '{own.lengths}' is most like its {own.listed:,} "
        "listed requests, scaled to their means; burstiness is that of it."
    )


def _data(
    name: str, own: Load, known: Mapping[str, dict[str, Any]], sites: int, said: list[str]
) -> dict[str, Any]:
    like = known.get(name)
    entry = copy.deepcopy(like) if like and like["kind"] == "data" else None
    down = own.bits_down_bit >= own.bits_up_bit
    if entry is None:
        entry = {"kind": "data", "name": name, "message_byte": MESSAGE_BYTE, "sources": 1}
        said.append(f"{name}: messages of {MESSAGE_BYTE / 1e6:g} MB from one source are assumed.")
    else:
        said.append(f"{name}: sources, sizes of messages and delay budget are the template's.")
    if entry.get("arrival", "poisson") not in ("poisson", "periodic"):
        said.append(
            f"{name}: its arrivals are random, for those of its pattern set their own rate."
        )
        entry |= {"pattern": None, "arrival": "poisson"}
    main, other = sorted((own.bits_down_bit, own.bits_up_bit), reverse=True)
    if other > _OTHER_WAY_FRAC * main:
        said.append(f"{name}: {other / (main + other):.1%} of its bits go the other way: left out.")
    curve = list(own.curve) if entry.get("arrival", "poisson") == "poisson" else []
    if own.curve and not curve:
        said.append(f"{name}: it sends at fixed periods, so its rate is the same at all hours.")
    messages_hz = main / own.length_s / (8.0 * entry["message_byte"])
    entry |= {
        "direction": "down" if down else "up",
        "period_s": entry["sources"] * sites / messages_hz,
        "day_curve": curve,
        "growth": 1.0,
    }
    return entry


def _balance(entries: Sequence[dict[str, Any]]) -> None:
    """Shares of AI services that sum to 1 to the last bit or two."""
    shares = [entry for entry in entries if entry["kind"] == "ai"]
    if shares:
        rest = 1.0 - sum(entry["request_share_frac"] for entry in shares[:-1])
        shares[-1]["request_share_frac"] = min(max(rest, 0.0), 1.0)


def _keep(plain: dict[str, Any], names: set[str], said: list[str]) -> None:
    """Take out what the template says of services that the ledger does not have."""
    for place in (*plain["sites"], *plain["clouds"]):
        kept = []
        for server in place["servers"]:
            own = [name for name in server["services"] if name in names]
            if server["services"] and not own:
                said.append(
                    f"Server {place['name']}.{server['name']} has no service here: left out."
                )
                continue
            kept.append({**server, "services": own})
        place["servers"] = kept
    for site in plain["sites"]:
        site["day_curve"] = []
        shares = site["base_station"]["uplink_share"]
        site["base_station"]["uplink_share"] = {n: s for n, s in shares.items() if n in names}
    if plain["devices"]:
        own = plain["devices"]["services"]
        plain["devices"]["services"] = [name for name in own if name in names]
    if plain["outages"]:
        plain["outages"] = []
        said.append("Outages of the template are left out.")
