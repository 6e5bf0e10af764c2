"""Steps of the vectorised environment, actions at random: `ours.py OUT STEPS`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tree6g.optimise.environment.slots import Settings
from tree6g.optimise.environment.vector import TreeVectorEnv

EPISODES = 256  # side by side
ACTIONS = 8  # drawn beforehand, taken in turn
# Cells, and users of each with an assistant and with files: at least as many as mobile-env has.
SIZES = {"small": (3, 1, 1), "medium": (7, 2, 1), "large": (13, 2, 1)}
SPACING_M = 200


def scenario(cells: int, talkers: int, files: int) -> dict[str, object]:
    """Cells in a row that disturb one another, each with a server."""
    server = {"name": "gpu", "accelerator": "l4", "model": "llama-3.2-3b", "weights": "fp8"}
    site = {
        "base_station": {"model": "earth-micro", "bandwidth": "20 MHz", "sleep": "micro"},
        "servers": [server],
    }
    file = {"kind": "data", "name": "files", "message": "3 MB", "period": "10 s", "sources": files}
    return {
        "name": "row-of-cells",
        "interference": "load",
        "population": {"users": talkers, "ai_requests_per_user_hour": 60},
        "sites": [
            site | {"name": f"s{n}", "position": {"x": f"{SPACING_M * n} m", "y": "0 m"}}
            for n in range(cells)
        ],
        "services": [{"kind": "ai", "name": "chat"}, file],
    }


def main(out: Path, steps: int) -> None:
    """CPU seconds of a step of one user, by size."""
    found = {}
    for size, counts in SIZES.items():
        env = TreeVectorEnv.from_scenario(
            scenario(*counts), EPISODES, Settings(), price_beq_per_j=1e4
        )
        env.action_space.seed(0)
        env.reset(seed=0)
        actions = [env.action_space.sample() for _ in range(ACTIONS)]
        for action in actions:
            env.step(action)
        start = time.process_time()
        for step in range(steps):
            env.step(actions[step % ACTIONS])
        spent = time.process_time() - start
        users = env.network.population
        found[size] = {"cpu_s": spent / (steps * EPISODES * users), "users": users}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
