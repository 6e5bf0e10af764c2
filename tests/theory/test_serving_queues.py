"""With one place a server is a queue with known waits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serving_pieces import REPLICAS
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.run import serve
from tree6g.compute.serving.settings import EngineSettings

ONE = EngineSettings(token_budget=64, max_sequences=1, graph_sizes=())
COUNT = 400_000


def _fixed(second):
    """A replica whose iterations all take the same time."""
    none = dict.fromkeys(("weight_s", "flop_s", "kv_s_per_tok", "prompt_s", "sequence_s"), 0.0)
    return dataclasses.replace(REPLICAS["dense"], fixed_s=second, token_s=0.0, limit_w=1e9, **none)


def _arrivals(rng, rate):
    return np.cumsum(rng.exponential(1.0 / rate, COUNT))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_waits_of_equal_answers_are_those_of_m_d_1(load):
    service_s = 0.04 * 5
    asked = requests(_arrivals(np.random.default_rng(3), load / service_s), 8, 5)
    done = serve(_fixed(0.04), ONE, asked)
    wait_s = done.scheduled_s - asked.arrival_s
    assert done.e2e_s - wait_s == pytest.approx(np.full(COUNT, service_s), rel=1e-6)
    assert wait_s.mean() == pytest.approx(load * service_s / (2.0 * (1.0 - load)), rel=0.03)
    assert done.busy_s / done.end_s == pytest.approx(load, rel=0.01)


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_waits_of_unequal_answers_are_those_of_pollaczek_and_khinchine(load):
    rng = np.random.default_rng(4)
    length = rng.geometric(1.0 / 20.0, COUNT)
    service_s = 0.01 * length
    rate = load / (0.01 * 20.0)
    asked = requests(_arrivals(rng, rate), 8, length)
    wait_s = serve(_fixed(0.01), ONE, asked).scheduled_s - asked.arrival_s
    second_moment = np.mean(service_s**2)
    expected_s = rate * second_moment / (2.0 * (1.0 - rate * service_s.mean()))
    assert wait_s.mean() == pytest.approx(expected_s, rel=0.04)


def test_little_s_law_holds_for_who_runs_and_who_waits():
    rng = np.random.default_rng(5)
    asked = requests(_arrivals(rng, 8.0)[:50_000], rng.integers(1, 2000, 50_000), 100)
    done = serve(REPLICAS["dense"], EngineSettings(), asked)
    assert done.preemptions.sum() == 0
    rate = len(asked) / done.end_s
    wait_s = done.scheduled_s - asked.arrival_s
    inside_s = done.finish_s - done.scheduled_s
    assert done.waiting_time_s / done.end_s == pytest.approx(rate * wait_s.mean(), rel=1e-9)
    assert done.running_time_s / done.end_s == pytest.approx(rate * inside_s.mean(), rel=1e-9)


def test_one_long_answer_alone_takes_the_sum_of_its_iterations():
    from tree6g.compute.roofline import decode_batch, iteration, prompt_batch

    replica = REPLICAS["window"]
    done = serve(replica, EngineSettings(), requests([0.0], 100, 200))
    first = iteration(replica, prompt_batch(100, window_tok=replica.window_tok))
    context = np.arange(101.0, 300.0)
    steps = iteration(replica, decode_batch(1.0, context, np.minimum(context, replica.window_tok)))
    assert done.finish_s[0] == pytest.approx(first.time_s + steps.time_s.sum(), rel=1e-12)
    assert done.prefill_j[0] == pytest.approx(first.energy_j, rel=1e-12)
    assert done.decode_j[0] == pytest.approx(steps.energy_j.sum(), rel=1e-12)
