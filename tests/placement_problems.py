"""Small random placements and all that they could be, for tests."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from tree6g.optimise.placement.problem import RESOURCES, Problem, Services, Sites, Ways, usable


def problem(seed: int, *, services: int = 4, ways: int = 4, required: float = 0.3) -> Problem:
    """Services with some ways each at three sites and one behind them that is always on."""
    rng = np.random.default_rng(seed)
    count, sites = services * ways, 4
    near = rng.integers(-1, sites - 1, count)
    site = np.stack([near, np.where(rng.random(count) < 0.3, sites - 1, -1)], axis=1)

    def use(most: float) -> np.ndarray:
        return np.where(site >= 0, rng.uniform(0.0, most, site.shape), 0.0)

    return Problem(
        services=Services(
            latency_limit_s=np.full(services, 1.0), required=rng.random(services) < required
        ),
        sites=Sites(
            idle_power_w=rng.uniform(0.0, 60.0, sites),
            accelerators=rng.uniform(0.5, 2.0, sites),
            memory_byte=rng.uniform(0.5, 2.0, sites) * 1e10,
            uplink_bps=rng.uniform(0.5, 2.0, sites) * 1e8,
            always_on=np.arange(sites) == sites - 1,
        ),
        ways=Ways(
            service=rng.permutation(np.repeat(np.arange(services), ways)),
            data_bps=rng.uniform(0.0, 1e6, count),
            token_bps=rng.uniform(0.0, 3e7, count),
            power_w=rng.uniform(1.0, 60.0, count),
            latency_s=rng.uniform(0.0, 1.1, count),
            site=site,
            accelerators=use(1.0),
            memory_byte=use(1e10),
            uplink_bps=use(1e8),
        ),
        fixed_power_w=100.0,
        fixed_data_bps=2e7,
    )


def excess(problem_: Problem, chosen: np.ndarray) -> float:
    """By how much the fullest site is over what it has, as a share."""
    ways, sites, worst = problem_.ways, problem_.sites, -1.0
    for name in RESOURCES:
        load = np.zeros(sites.count)
        for way in chosen:
            at = ways.site[way]
            np.add.at(load, at[at >= 0], getattr(ways, name)[way][at >= 0])
        room = getattr(sites, name)
        full = np.divide(load, room, out=np.zeros(sites.count), where=room > 0.0)
        full[(room == 0.0) & (load > 0.0)] = np.inf
        worst = max(worst, float(full.max()) - 1.0)
    return worst


def twice_set_up(problem_: Problem, chosen: np.ndarray) -> bool:
    """Whether one place is to be two sites at once."""
    sites, used = problem_.sites, problem_.ways.site[chosen]
    on = sites.always_on.copy()
    on[used[used >= 0]] = True
    return bool((np.bincount(sites.place[on], minlength=1) > 1).any())


def grouped(problem_: Problem) -> Problem:
    """The same with the first two sites as one place."""
    group = np.maximum(np.arange(problem_.sites.count) - 1, 0)
    return dataclasses.replace(problem_, sites=dataclasses.replace(problem_.sites, group=group))


def totals(problem_: Problem, chosen: np.ndarray, objective: str) -> tuple[float, float]:
    """N and P of some ways."""
    ways, sites = problem_.ways, problem_.sites
    on = sites.always_on.copy()
    used = ways.site[chosen]
    on[used[used >= 0]] = True
    worth = ways.data_bps + (ways.token_bps if objective == "tree" else 0.0)
    power_w = float(ways.power_w[chosen].sum()) + float(sites.idle_power_w[on].sum())
    return problem_.fixed_data_bps + float(worth[chosen].sum()), problem_.fixed_power_w + power_w


def everything(problem_: Problem) -> Iterator[np.ndarray]:
    """All placements that keep all limits."""
    kept = set(usable(problem_).tolist())
    options = []
    for service in range(problem_.services.count):
        own = [w for w in np.flatnonzero(problem_.ways.service == service) if w in kept]
        options.append(own if problem_.services.required[service] else [*own, -1])
    for choice in itertools.product(*options):
        chosen = np.array([w for w in choice if w >= 0], dtype=np.int64)
        if excess(problem_, chosen) <= 0.0 and not twice_set_up(problem_, chosen):
            yield chosen


def coarse(problem_: Problem, seed: int) -> Problem:
    """The same with amounts that are often equal or 0, sites without room and without limits."""
    rng = np.random.default_rng(seed)
    ways, sites = problem_.ways, problem_.sites
    steps = {"data_bps": 5e5, "token_bps": 1e7, "power_w": 20.0}
    steps |= {"accelerators": 0.5, "memory_byte": 5e9, "uplink_bps": 5e7}
    rounded = {
        name: np.round(getattr(ways, name) / step) * step * (rng.random() < 0.8)
        for name, step in steps.items()
    }
    room = {
        "idle_power_w": sites.idle_power_w * rng.choice([0.0, 1.0, 100.0]),
        "accelerators": np.round(sites.accelerators * rng.choice([0.4, 1.0])),
        "memory_byte": np.full(sites.count, rng.choice([1e10, np.inf])),
    }
    return dataclasses.replace(
        problem_,
        ways=dataclasses.replace(ways, **rounded),
        sites=dataclasses.replace(sites, **room),
        fixed_power_w=float(rng.choice([1e-3, 100.0])),
        fixed_data_bps=float(rng.choice([0.0, 2e7])),
    )


def best(problem_: Problem, objective: str) -> float:
    """The greatest ratio of all; -1 if there is no placement."""
    found = (totals(problem_, chosen, objective) for chosen in everything(problem_))
    return max((utility / power_w for utility, power_w in found), default=-1.0)
