"""Episodes of the environment beside a run of the engine with the same scenario."""

from __future__ import annotations

import numpy as np
import pytest

import tree6g
from engine_worlds import small
from environment_worlds import STILL
from tree6g.optimise.environment.agents import round_robin
from tree6g.optimise.environment.setup import network_of
from tree6g.optimise.environment.single import TreeEnv
from tree6g.optimise.environment.slots import Settings

LENGTH_S = 120.0
STEP_S = 0.25


def plain():
    """A cell and a server that are not full: beyond, see docs/how-to/train-a-scheduler.md."""
    file = {"kind": "data", "name": "files", "sources": 8, "message": "500 kB", "period": "2 s"}
    return small(
        services=[{"kind": "ai", "name": "chat"}, file],
        population={"users": 30, "ai_requests_per_user_hour": 60},
        duration=f"{LENGTH_S} s",
        drain="0 s",
    )


def joules(ledger):
    """Joules of the equipment by component, and per output token above idle."""
    sql = "SELECT component, state, sum(energy_j) FROM energy GROUP BY ALL"
    rows = [tuple(row.values()) for row in ledger.query(sql).to_pylist()]
    tokens = ledger.query("SELECT sum(amount) AS n FROM work WHERE kind = 'token_out'")
    decode_j = sum(j for _, state, j in rows if state == "decode")
    return {
        "station": sum(j for component, _, j in rows if component == "radio_unit"),
        "token": decode_j / tokens["n"].to_pylist()[0],
    }


def test_an_episode_draws_what_a_run_draws(tmp_path):
    run = tree6g.run(plain(), out=tmp_path / "run")
    expected = joules(run.ledger)
    settings = Settings(step_s=STEP_S, steps=round(LENGTH_S / STEP_S), shadowing=STILL)
    env = TreeEnv(network_of(plain()), settings, price_beq_per_j=1.0, record=True)
    found = []
    for seed in range(2):
        observation, _ = env.reset(seed=seed)
        for _ in range(settings.steps):
            observation, _, _, _, info = env.step(round_robin(observation))
        found.append(joules(env.write_ledger(tmp_path / f"episode-{seed}")) | info)
    mean = {key: np.mean([episode[key] for episode in found]) for key in (*expected, "energy_j")}
    assert mean["station"] == pytest.approx(expected["station"], rel=0.05)
    assert mean["token"] == pytest.approx(expected["token"], rel=0.15)
    assert mean["energy_j"] == pytest.approx(run.tree().energy_j, rel=0.05)
