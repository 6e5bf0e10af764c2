"""Small networks for tests of the environment."""

from __future__ import annotations

from functools import lru_cache

from engine_worlds import small
from tree6g.optimise.environment.draws import Shadowing
from tree6g.optimise.environment.setup import network_of
from tree6g.optimise.environment.slots import Settings

STEPS = 40
STILL = Shadowing(std_db=0.0)


def settings(**changes):
    """Short episodes."""
    return Settings(**({"steps": STEPS} | changes))


@lru_cache
def corner():
    """One cell with people who chat often, and files."""
    people = {"users": 12, "ai_requests_per_user_hour": 600}
    return network_of(small(population=people))


@lru_cache
def street():
    """Three cells that disturb one another; the last two share a server in a cloud."""
    base = small()["sites"][0]
    sites = [
        base | {"name": f"s{n}", "position": {"x": f"{200 * n} m", "y": "0 m"}} for n in range(3)
    ]
    sites[1:] = [site | {"servers": []} for site in sites[1:]]
    cloud = {
        "name": "metro",
        "pue": 1.1,
        "servers": [base["servers"][0] | {"name": "metro-gpu"}],
    }
    return network_of(
        small(
            sites=sites,
            clouds=[cloud],
            links=[{"to": "metro"}],
            interference="load",
            population={"users": 6, "ai_requests_per_user_hour": 600},
        )
    )
