"""Each rule of the server on a case worked by hand: every iteration takes a second."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tree6g.compute.replica import Replica
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.result import GAVE_UP, REFUSED, SERVED
from tree6g.compute.serving.run import gap_edges_s, serve
from tree6g.compute.serving.settings import EngineSettings, captured_sizes, default_settings
from tree6g.compute.serving.state import ServerState
from tree6g.errors import DataError, InfeasibleError

SECOND = Replica(
    weight_s=0.0,
    weight_byte=0.0,
    flop_s=0.0,
    prompt_flop_per_tok=0.0,
    body_flop_per_tok=0.0,
    head_flop=0.0,
    attention_flop=0.0,
    decode_attention_flop=0.0,
    kv_s_per_tok=0.0,
    kv_byte_per_tok=0.0,
    fixed_s=1.0,
    sequence_s=0.0,
    token_s=0.0,
    idle_w=5.0,
    static_w=10.0,
    limit_w=np.inf,
    j_per_byte=1.0,
    j_per_kv_byte=1.0,
    j_per_flop=1.0,
    kv_capacity_tok=1e6,
    u95_frac=0.0,
)


def engine(**given):
    return EngineSettings(
        **{"token_budget": 100, "max_sequences": 8, "block_tok": 4, "graph_sizes": ()} | given
    )


@pytest.fixture(params=["skipping", "step by step"])
def served(request):
    def go(asked, replica=SECOND, settings=None, **given):
        skip = request.param == "skipping"
        return serve(replica, settings or engine(), asked, skip=skip, **given)

    return go


def test_a_long_prompt_is_computed_in_chunks(served):
    done = served(requests([2.0], 10, 3), settings=engine(token_budget=8))
    assert done.scheduled_s == pytest.approx([2.0])
    assert done.first_token_s == pytest.approx([4.0])
    assert done.finish_s == pytest.approx([6.0])
    assert done.iterations == 4


def test_an_engine_that_schedules_ahead_lets_who_comes_wait_for_an_iteration_more(served):
    # 0 runs for ten seconds; 1 comes in the second of them, 2 to an idle engine
    asked = requests([0.0, 1.5, 20.0], 4, [10, 2, 1])
    plain = served(asked)
    ahead = served(asked, settings=engine(async_scheduling=True))
    assert plain.scheduled_s == pytest.approx([0.0, 2.0, 20.0])
    assert ahead.scheduled_s == pytest.approx([0.0, 3.0, 20.0])
    assert ahead.finish_s == pytest.approx([10.0, 5.0, 21.0])


def test_decoding_comes_first_and_prompts_get_what_is_left_of_the_budget(served):
    asked = requests([0.0, 0.5], [1, 6], [10, 1])
    done = served(asked, settings=engine(token_budget=3, max_sequences=3))
    assert done.first_token_s == pytest.approx([1.0, 4.0])  # 2 of its 6 tokens each second
    assert done.finish_s == pytest.approx([10.0, 4.0])


def test_who_finds_no_place_waits_until_one_has_left(served):
    done = served(requests([0.0, 0.0, 0.1], 1, 4), settings=engine(max_sequences=2))
    assert done.scheduled_s == pytest.approx([0.0, 0.0, 4.0])
    assert done.waiting_time_s == pytest.approx(3.9)
    assert done.running_time_s == pytest.approx(12.0)


def test_the_last_admitted_is_preempted_and_computed_again(served):
    # Four blocks of 4 tokens. Both prompts take two; the second token of each needs a third.
    asked = requests([0.0, 0.0], 8, 9)
    edges = np.array([0.5, 1.5, 8.5, 9.5])
    done = served(asked, settings=engine(kv_capacity_tok=16), gap_edges_s=edges)
    assert done.preemptions.tolist() == [0, 1]
    assert done.first_token_s == pytest.approx([1.0, 1.0])
    assert done.finish_s == pytest.approx([9.0, 17.0])  # 9 tokens again from 9 s on, then 7 more
    assert done.recompute_j == pytest.approx([0.0, 10.0])
    assert done.iterations == 17
    assert done.token_gaps.tolist() == [0, 15, 0, 1, 0]  # one token came 9 s after the one before


def test_nobody_is_admitted_while_a_preempted_request_waits(served):
    asked = requests([0.0, 0.0, 0.5], [8, 8, 1], [9, 9, 1])
    done = served(asked, settings=engine(kv_capacity_tok=16))
    assert done.scheduled_s[2] >= 9.0


def test_the_least_important_is_preempted_where_classes_count(served):
    asked = requests([0.0, 0.0], 8, 9, priority=[1, 0])
    done = served(asked, settings=engine(kv_capacity_tok=16, priorities=True))
    assert done.preemptions.tolist() == [1, 0]


@pytest.mark.parametrize(("priorities", "order"), [(False, [0, 1, 2]), (True, [0, 2, 1])])
def test_classes_are_served_in_order_only_where_they_count(served, priorities, order):
    asked = requests([0.0, 0.1, 0.2], 1, 3, priority=[1, 2, 0])
    done = served(asked, settings=engine(max_sequences=1, priorities=priorities))
    assert np.argsort(done.scheduled_s).tolist() == order


@pytest.mark.parametrize(("prompt", "cached"), [(10, 8), (8, 4), (3, 0)])
def test_full_blocks_of_a_prefix_are_not_computed_again_but_one_token_is(served, prompt, cached):
    asked = requests([0.0, 5.0], prompt, 1, prefix_id=0, prefix_tok=prompt)
    done = served(asked)
    assert done.cached_tok.tolist() == [0, cached]
    assert served(asked, settings=engine(prefix_cache=False)).cached_tok.tolist() == [0, 0]


def test_a_prefix_in_use_is_shared_not_copied(served):
    # 8 of 9 tokens shared: 3 blocks and 1 more fit into 4, two copies would not.
    asked = requests([0.0, 1.0], 9, 4, prefix_id=0, prefix_tok=8)
    done = served(asked, settings=engine(kv_capacity_tok=16))
    assert done.preemptions.sum() == 0
    assert done.scheduled_s == pytest.approx([0.0, 1.0])


def test_the_prefix_used_longest_ago_is_evicted(served):
    # Chains of two blocks each fill the cache; the third request takes those of group 0.
    asked = requests(
        [0.0, 2.0, 4.0, 6.0, 8.0], [8, 8, 5, 8, 8], 1, prefix_id=[0, 1, -1, 1, 0], prefix_tok=5
    )
    done = served(asked, settings=engine(kv_capacity_tok=16))
    assert done.cached_tok.tolist() == [0, 0, 0, 4, 4]
    asked = dataclasses.replace(asked, prompt_tok=np.array([8, 8, 13, 8, 8]))
    done = served(asked, settings=engine(kv_capacity_tok=16))
    assert done.cached_tok.tolist() == [0, 0, 0, 0, 0]


def test_who_waits_too_long_leaves_the_queue_at_that_instant(served):
    done = served(requests([0.0, 0.0], 1, 9, give_up_s=[np.inf, 2.25]), settings=engine(
        max_sequences=1))  # fmt: skip
    assert done.outcome.tolist() == [SERVED, GAVE_UP]
    assert done.finish_s == pytest.approx([9.0, 2.25])
    assert done.waiting_time_s == pytest.approx(2.25)


def test_who_waits_too_long_in_the_batch_leaves_after_the_iteration(served):
    done = served(requests([0.0], 10, 3, give_up_s=1.5), settings=engine(token_budget=8))
    assert done.outcome.tolist() == [GAVE_UP]
    assert done.finish_s == pytest.approx([2.0])
    assert done.produced_tok.tolist() == [0]
    assert done.prefill_j == pytest.approx([20.0])


def test_what_can_never_fit_is_refused_on_arrival(served):
    done = served(requests([0.5, 1.0], [12, 13], 5), settings=engine(kv_capacity_tok=16))
    assert done.outcome.tolist() == [SERVED, REFUSED]
    assert done.finish_s[1] == 1.0


def test_decode_batches_are_padded_to_the_next_graph_and_prompts_are_not(served):
    replica = dataclasses.replace(SECOND, token_s=1.0)
    asked = requests([0.0, 0.0, 0.0], 1, 2)
    done = served(asked, replica, engine(graph_sizes=(1, 4)))
    assert done.first_token_s == pytest.approx([4.0] * 3)  # 1 s and 3 tokens
    assert done.finish_s == pytest.approx([9.0] * 3)  # 1 s and 4 padded tokens
    done = served(asked, replica, engine(graph_sizes=(1, 2)))
    assert done.finish_s == pytest.approx([8.0] * 3)


def test_what_all_cause_is_shared_by_tokens(served):
    done = served(requests([0.0, 0.0], [3, 1], [1, 2]))
    assert done.prefill_j == pytest.approx([7.5, 2.5])
    assert done.decode_j == pytest.approx([0.0, 10.0])


def test_what_one_causes_is_its_own(served):
    replica = dataclasses.replace(SECOND, static_w=0.0, kv_byte_per_tok=1.0)
    done = served(requests([0.0, 0.0], [10, 20], 3), replica)
    # Written once each, and read again with every further token: 11 and 12, 21 and 22 and its own.
    assert done.prefill_j == pytest.approx([10.0, 20.0])
    assert done.decode_j == pytest.approx([25.0, 45.0])


def test_time_without_work_is_idle(served):
    done = served(requests([3.0], 1, 2), until_s=10.0, bin_s=4.0)
    assert (done.busy_s, done.idle_j, done.energy_j) == pytest.approx((2.0, 40.0, 60.0))
    assert done.bins.busy_s == pytest.approx([1.0, 1.0, 0.0])
    assert done.bins.prefill_j == pytest.approx([10.0, 0.0, 0.0])
    assert done.bins.decode_j == pytest.approx([0.0, 10.0, 0.0])
    assert done.bins.idle_j == pytest.approx([15.0, 15.0, 10.0])


def test_at_its_power_limit_a_device_slows_down(served):
    # 90 J of FLOP in an iteration of 10 W static: at 40 W it takes 3 s, not 1 s.
    replica = dataclasses.replace(SECOND, prompt_flop_per_tok=9.0, limit_w=40.0)
    done = served(requests([0.0], 10, 1), replica)
    assert done.finish_s == pytest.approx([3.0])
    assert done.energy_j == pytest.approx(120.0)


def test_contexts_count_inside_the_window_at_most(served):
    replica = dataclasses.replace(SECOND, window_kv_s_per_tok=1.0, window_tok=4.0)
    done = served(requests([0.0], 2, 5), replica)
    assert done.finish_s == pytest.approx([1.0 + 4.0 + 5.0 + 5.0 + 5.0])  # 3, 4, 4, 4 read


def test_an_iteration_that_has_begun_is_finished():
    server = ServerState(SECOND, engine())
    assert server.submit(requests([0.0, 0.2], 2, 3)) == range(2)
    server.advance(0.1)
    assert (server.clock_s, server.running, server.waiting) == (1.0, 1, 1)
    assert server.waiting_tok == 2
    server.advance(1.5)
    assert (server.clock_s, server.running, server.waiting) == (2.0, 2, 0)
    with pytest.raises(DataError, match="order of arrival"):
        server.submit(requests([0.1], 1, 1))


def test_all_faults_of_requests_are_told_at_once():
    with pytest.raises(DataError) as told:
        requests([1.0, 0.5], [0, 3], [1, 0], prefix_id=[0, 0], prefix_tok=[0, 4], priority=-1)
    lines = str(told.value).splitlines()
    assert len(lines) == 5
    assert "got 0.5 for request 1" in lines[0]
    with pytest.raises(DataError, match="number groups from 0"):
        requests([0.0], 2**31, 1, prefix_id=2**24)
    with pytest.raises(DataError, match="one value or 2"):
        requests([0.0, 1.0], [1, 2, 3], 1)
    with pytest.raises(DataError, match="whole numbers"):
        requests([0.0], 1.5, 1)


@pytest.mark.parametrize(
    "given",
    [
        {"token_budget": 4, "max_sequences": 8},
        {"block_tok": 0},
        {"block_tok": 12},
        {"graph_sizes": (4, 2)},
        {"kv_capacity_tok": 3.0},
    ],
)
def test_settings_that_cannot_be_are_refused(given):
    with pytest.raises(DataError, match="expected"):
        engine(**given)


def test_a_replica_without_power_or_memory_to_work_is_refused():
    with pytest.raises(InfeasibleError, match="power limit"):
        ServerState(dataclasses.replace(SECOND, limit_w=10.0), engine())
    with pytest.raises(DataError, match="block of 4"):
        ServerState(dataclasses.replace(SECOND, kv_capacity_tok=3.0), engine())
    with pytest.raises(DataError, match="rising edges"):
        ServerState(SECOND, engine(), gap_edges_s=np.array([2.0, 1.0]))


def test_defaults_are_those_of_vllm():
    assert default_settings(80e9, "h100-sxm") == EngineSettings(async_scheduling=True)
    assert (EngineSettings().token_budget, EngineSettings().max_sequences) == (8192, 1024)
    small = default_settings(80e9, "a100-80g")
    assert (small.token_budget, small.max_sequences) == (2048, 256)
    assert default_settings(24e9) == small
    assert captured_sizes(1024)[:6] == (1, 2, 4, 8, 16, 24)
    assert captured_sizes(1024)[-3:] == (480, 496, 512)
    assert captured_sizes(3) == (1, 2, 4)
    assert len(gap_edges_s()) == 7 * 40 + 1


def test_without_a_compiler_the_same_comes_out():
    asked = requests(np.arange(40) * 0.3, 7, 9)
    script = """
import sys
sys.modules["numba"] = None
from test_serving_rules import *
done = serve(SECOND, engine(kv_capacity_tok=64), requests(np.arange(40) * 0.3, 7, 9))
print(repr((done.finish_s.tolist(), done.request_j.tolist(), done.preemptions.sum())))
"""
    here = str(Path(__file__).parent)
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n" + script],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    done = serve(SECOND, engine(kv_capacity_tok=64), asked)
    assert done.preemptions.sum() > 0
    expected = (done.finish_s.tolist(), done.request_j.tolist(), done.preemptions.sum())
    assert ran.stdout.strip() == repr(expected)
