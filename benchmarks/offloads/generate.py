"""One network and one list of requests, for our engine and for the peer.

1,000 terminals, 20 at each of 50 sites with a server each, and a cloud behind them. Requests come
at random (Poisson), ten a second from each terminal: a prompt up, work, and an answer back that is
sent when it is whole, as the peer's request is a flow up and a flow down. Prompts and answers are
short: what is counted is how fast requests are carried, not how long a model takes. The rate is so
high that what a run costs once, and a step whatever comes, is shared by many requests; the peer's
cost is that of its requests at any rate.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import yaml

DEVICES, EDGES = 1_000, 50
RATE_HZ, LENGTH_S = 10_000.0, 20.0
PROMPT_TOK, ANSWER_TOK = 64, 16
HOLD_S = 0.5  # how long a request holds its server: about what our servers take for one
SEED = 11


def main(out: Path) -> None:
    out.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    count = rng.poisson(RATE_HZ * LENGTH_S)
    arrival_s = np.sort(rng.uniform(0.0, LENGTH_S, count))
    lines = [f"{t!r},{PROMPT_TOK},{ANSWER_TOK}" for t in arrival_s.tolist()]
    head = "arrival_s,input_tokens,output_tokens"
    (out / "trace.csv").write_text("\n".join([head, *lines]) + "\n")
    (out / "scenario.yaml").write_text(yaml.safe_dump(scenario(), sort_keys=False))
    peer = {
        "devices": DEVICES,
        "edges": EDGES,
        "arrival_s": arrival_s.tolist(),
        "device": rng.integers(0, DEVICES, count).tolist(),
        "hold_s": HOLD_S,
        "end_s": LENGTH_S,
    }
    (out / "peer.json").write_text(json.dumps(peer))


def scenario() -> dict[str, object]:
    """The network as a scenario; all else as it stands without a word."""
    server = {"name": "gpu", "accelerator": "l4", "model": "llama-3.2-1b"}
    cloud = {"name": "big", "accelerator": "h100-sxm", "model": "llama-3.1-8b"}
    site = {"environment": "umi", "radius": "150 m", "height": "10 m"}
    radio = {"model": "earth-micro", "frequency": "3.5 GHz", "bandwidth": "100 MHz"}
    return {
        "name": "offloads",
        "seed": SEED,
        "duration": f"{LENGTH_S:g} s",
        "drain": "10 s",
        "step": "1 s",
        "ledger_interval": f"{LENGTH_S + 10.0:g} s",
        "policy": "nearest",
        "population": {"users": DEVICES // EDGES},
        "sites": [
            {"name": f"edge-{n}", **site, "base_station": radio, "servers": [server]}
            for n in range(EDGES)
        ],
        "clouds": [{"name": "cloud", "servers": [cloud]}],
        "links": [{"to": "cloud", "latency": "10 ms", "rate": "10 Gbit/s", "energy": "20 nJ/bit"}],
        "services": [{"kind": "ai", "name": "offload", "token_class": "background-summary"}],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
