"""Shares of two services on a real batching server: the benchmark's experiment, a short one.

The figure with its interval is the benchmark's (`make bench ONLY=attribution`); this asks for the
right order of the rules, on a machine that may be busy.
"""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from llama_server import model_file
from tree6g.calibrate.phase_load import Mix, measure
from tree6g.calibrate.phase_weights import fitted

pytestmark = pytest.mark.slow
MIXES = (
    Mix(name="long prompt", prompt_tok=40, output_tok=1),
    Mix(name="long answer", prompt_tok=6, output_tok=16),
    Mix(name="mixed together", prompt_tok=8, output_tok=10, together=True),
)


@pytest.fixture(scope="module")
def experiment(repository):
    file = repository / "benchmarks" / "attribution" / "experiment.py"
    spec = importlib.util.spec_from_file_location("attribution_experiment", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def outcome(experiment):
    model_file()
    services = (
        experiment.Service(name="summarise", prompt_tok=48, output_tok=2, requests=2),
        experiment.Service(name="chat", prompt_tok=4, output_tok=20, requests=2),
    )
    plan = experiment.Plan(services=services, over_s=0.3, rounds=2)
    with experiment.server() as (endpoint, cpu):
        load = measure(endpoint, cpu, minutes=0.01, together=2, seed=1, mixes=MIXES)
        return load, experiment.measured(endpoint, cpu, plan)


def test_an_output_token_costs_more_than_a_prompt_token_and_less_than_three(outcome):
    load, _ = outcome
    weights = fitted(load).per_token(2.0)
    assert weights["token_in"] > 0.0
    assert 0.7 < weights["token_out"] / weights["token_in"] < 3.0


def test_phase_weights_are_nearer_to_the_shapley_share_than_output_tokens(experiment, outcome):
    load, runs = outcome
    weights = fitted(load).per_token(experiment.batch(runs))
    true, low, high = experiment.truth(runs, "chat", even=True)
    by_phase, by_output = (
        experiment.told(runs, w)["chat"] for w in (weights, experiment.RULES["output tokens"])
    )
    assert low <= true <= high
    assert abs(by_phase / true - 1.0) < 0.35
    assert by_output / true - 1.0 > 1.0


def test_the_ledger_gives_away_every_second_that_was_counted(experiment, outcome):
    _, runs = outcome
    shares = experiment.told(runs, {"token_in": 0.01, "token_out": 0.015, "request": 0.0})
    assert np.isclose(sum(shares.values()), 1.0, rtol=1e-9)
    both = [run for run in runs if len(run.who) == 2]
    assert [len(run.answers["chat"]) for run in both] == [2, 2]
    assert all(a.output_tok == 20 for run in both for a in run.answers["chat"])
