"""Steps of mobile-env's own scenarios, actions at random: `mobile_env_peer.py OUT STEPS`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import gymnasium
import mobile_env  # noqa: F401 - registers its environments

ACTIONS = 8  # drawn beforehand, taken in turn
SIZES = ("small", "medium", "large")


def main(out: Path, steps: int) -> None:
    """CPU seconds of a step of one user, by size."""
    found = {}
    for size in SIZES:
        env = gymnasium.make(f"mobile-{size}-central-v0")
        env.action_space.seed(0)
        env.reset(seed=0)
        actions = [env.action_space.sample() for _ in range(ACTIONS)]
        for action in actions:
            env.step(action)
        start = time.process_time()
        for step in range(steps):
            _, _, ended, over, _ = env.step(actions[step % ACTIONS])
            if ended or over:
                env.reset()
        spent = time.process_time() - start
        users = env.unwrapped.NUM_USERS
        found[size] = {"cpu_s": spent / (steps * users), "users": users}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
