"""Answers of the API: plain data, keys with their unit, null for what is not defined."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tree6g.metric import tree
from tree6g.metric.coverage import FloatArray
from tree6g.metric.figure import Figure
from tree6g.metric.profile import Service, reweighted
from tree6g.metric.result import figure_result
from tree6g.metric.reweigh import reweighed, scale
from tree6g.serve.ask import Ask
from tree6g.serve.follow import Follower, State
from tree6g.serve.view import QUANTITIES, Snapshot, ledger_for, take, window_of

Floors = Mapping[str, float]


def windows(follower: Follower, ask: Ask, floors: Floors) -> dict[str, Any]:
    """Figures over time and of the whole shown time, at the weights asked for.

    One snapshot serves all weights: TREE is linear in them.
    """
    snapshot: Snapshot = follower.made(("view", ask.view), lambda state: take(state, ask.view))
    now = dataclasses.replace(snapshot.state, problem=follower.state().problem)
    services = reweighted(snapshot.services, ask.weights, ask.alphas)
    figure = reweighed(snapshot.figure, services)
    return {
        "ledger": about(now),
        "window_s": float(np.diff(snapshot.edges_s).max()),
        "totals": _totals(figure),
        "windows": _over_time(snapshot, services),
        "services": [_service(snapshot, s, floors) for s in services.values()],
        "components": _components(snapshot),
        "flows": list(snapshot.flows),
        "gaps": list(snapshot.gaps),
        "uncovered": [list(span) for span in snapshot.uncovered],
    }


def totals(follower: Follower, ask: Ask) -> dict[str, Any]:
    """The figure of a window with its uncertainty, asked of the ledger at these weights."""

    def make(state: State) -> dict[str, Any]:
        """The figure of a state of the ledger."""
        t0_s, t1_s, _ = window_of(state, ask.view)
        plain = ask.view.query(t0_s, t1_s)
        query = dataclasses.replace(plain, weights=ask.weights, alphas=ask.alphas)
        return _totals(tree.figure(ledger_for(state, query, (t0_s, t1_s)), query))

    key = ("totals", ask.view, tuple(ask.weights.items()), tuple(ask.alphas.items()))
    return {"ledger": about(follower.state()), "totals": follower.made(key, make)}


def about(state: State) -> dict[str, Any]:
    """What a ledger says of itself."""
    meta = state.ledger.meta
    scenario = meta.scenario or {}
    first_s, last_s = state.extent or (None, None)
    return {
        "title": str(scenario.get("title") or scenario.get("name") or meta.producer),
        "producer": meta.producer,
        "simulated": meta.scenario is not None,
        "t_zero": meta.t_zero,
        "start_s": first_s,
        "end_s": last_s,
        "notes": list(meta.notes),
        "state": state.number,
        "problem": state.problem,
    }


def _totals(figure: Figure) -> dict[str, Any]:
    beside = {"t0_s": figure.t0_s, "t1_s": figure.t1_s, "covered_s": figure.covered_s}
    return beside | figure_result(figure)


def _over_time(snapshot: Snapshot, services: Mapping[str, Service]) -> dict[str, Any]:
    every = [
        {**snapshot.sums[name], "utility_beq": utility(snapshot, s)} for name, s in services.items()
    ]
    loose = snapshot.sums[None]["energy_j"]
    count = len(snapshot.covered_s)
    whole = {q: sum((one[q] for one in every), np.zeros(count)) for q in QUANTITIES}
    whole["energy_j"] = whole["energy_j"] + loose
    seen = snapshot.covered_s > 0
    length_s = np.diff(snapshot.edges_s)  # 0 in a ledger without rows
    share = snapshot.covered_s / np.where(length_s > 0, length_s, 1.0)
    return {
        "t0_s": snapshot.edges_s[:-1].tolist(),
        "t1_s": snapshot.edges_s[1:].tolist(),
        "coverage_frac": _plain(share, length_s > 0),
        "unattributed_j": _plain(loose, seen),
        **_figures(whole, seen),
    }


def _service(snapshot: Snapshot, service: Service, floors: Floors) -> dict[str, Any]:
    old = snapshot.services[service.name]
    ai = service.kind == "ai"
    sums = {**snapshot.sums[service.name], "utility_beq": utility(snapshot, service)}
    return {
        "name": service.name,
        "kind": service.kind,
        "weight": service.weight,
        "weight_stated": old.weight,
        "alpha_bit_per_tok": service.profile.curve.alpha_bit_per_tok if ai else None,
        "alpha_stated_bit_per_tok": old.profile.curve.alpha_bit_per_tok if ai else None,
        "floor_beq_per_j": floors.get(service.name),
        "windows": _figures(sums, snapshot.covered_s > 0),
    }


def utility(snapshot: Snapshot, service: Service) -> FloatArray:
    """Utility of a service over each window at its weight, nan where unknown."""
    return scale(service) * snapshot.sums[service.name]["utility_beq"]


def _figures(sums: Mapping[str, FloatArray], seen: np.ndarray) -> dict[str, list[float | None]]:
    energy = sums["energy_j"]
    defined = seen & (energy > 0)
    under = np.where(defined, energy, 1.0)
    return {
        "tree_beq_per_j": _plain(sums["utility_beq"] / under, defined),
        "ee_bit_per_j": _plain(sums["bits_bit"] / under, defined),
        **{q: _plain(sums[q], seen) for q in QUANTITIES},
    }


def _components(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Mean power over each window; null where nothing was metered."""
    found: dict[str, list[float | None]] = {}
    for row in snapshot.power:
        empty: list[float | None] = [None] * len(snapshot.covered_s)
        found.setdefault(str(row["component"]), empty)[int(row["number"])] = row["power_w"]
    return [{"name": name, "power_w": values} for name, values in found.items()]


def _plain(values: FloatArray, known: np.ndarray | None = None) -> list[float | None]:
    """Numbers for JSON, None where unknown."""
    kept = [True] * len(values) if known is None else known.tolist()
    pairs = zip(values.tolist(), kept, strict=True)
    return [v if ok and math.isfinite(v) else None for v, ok in pairs]
