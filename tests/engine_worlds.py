"""Small networks for tests of the engine: seconds of simulated time, all phases used."""

from __future__ import annotations

import copy

CORNER = {
    "name": "small",
    "seed": 3,
    "duration": "60 s",
    "drain": "30 s",
    "ledger_interval": "30 s",
    "step": "0.5 s",
    "policy": "nearest",
    "population": {"users": 30, "ai_requests_per_user_hour": 60},
    "sites": [
        {
            "name": "a",
            "pue": 1.2,
            "base_station": {"model": "earth-micro", "bandwidth": "20 MHz", "sleep": "micro"},
            "servers": [
                {
                    "name": "gpu",
                    "accelerator": "l4",
                    "model": "llama-3.2-3b",
                    "weights": "fp8",
                    "max_batch": 8,
                    "token_budget": 1024,
                }
            ],
        }
    ],
    "services": [
        {"kind": "ai", "name": "chat"},
        {
            "kind": "data",
            "name": "meters",
            "direction": "up",
            "sources": 50,
            "message": "2 kB",
            "period": "5 s",
            "delay_budget": "50 ms",
        },
        {"kind": "data", "name": "files", "sources": 5, "message": "3 MB", "period": "10 s"},
    ],
}

CLOUD = {
    "name": "cloud",
    "pue": 1.1,
    "rented": True,
    "servers": [{"name": "big", "accelerator": "h100-sxm", "model": "llama-3.1-8b"}],
}


def small(**changes):
    """The street corner in small; keywords replace top-level fields."""
    return copy.deepcopy(CORNER) | changes


def brief(**changes):
    """A busy corner with answers so short that even paced ones end in the drain."""
    plain = small(**{"duration": "10 s", "drain": "40 s", "ledger_interval": "50 s", **changes})
    plain["population"]["ai_requests_per_user_hour"] = 300
    plain["sites"][0]["servers"][0]["max_batch"] = 64
    plain["services"][0]["mean_answer"] = "40 tok"
    return plain


def three_tiers(**changes):
    """With terminals, two sites and a cloud behind a link."""
    plain = small()
    plain["sites"].append(copy.deepcopy(plain["sites"][0]) | {"name": "b", "servers": []})
    plain["clouds"] = [copy.deepcopy(CLOUD)]
    plain["links"] = [{"to": "cloud", "latency": "10 ms"}]
    plain["devices"] = {
        "accelerator": "snapdragon-8-gen3",
        "model": "llama-3.2-1b",
        "capable_frac": 0.5,
    }
    return plain | changes


def hexagon(**changes):
    """Seven sites with three sectors each, which disturb one another, and a cloud."""
    plain = small(ledger_interval="10 s", duration="20 s", drain="10 s")
    base = {
        "model": "earth-macro",
        "bandwidth": "20 MHz",
        "antenna_gain": "18 dBi",
        "sleep": "micro",
    }
    plain["sites"] = [
        {
            "name": "mast",
            "environment": "uma",
            "sectors": 3,
            "height": "25 m",
            "indoor_frac": 0.5,
            "base_station": base,
        }
    ]
    plain["layout"] = {"sites": 7, "spacing": "500 m"}
    plain["interference"] = "load"
    plain["clouds"] = [copy.deepcopy(CLOUD)]
    plain["links"] = [{"to": "cloud", "latency": "10 ms"}]
    return plain | changes
