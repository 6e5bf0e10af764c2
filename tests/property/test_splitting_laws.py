"""Laws that every split obeys, over random models, places, hops and requests."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from split_by_hand import random_case
from tree6g.compute.splitting.chain import best_chain
from tree6g.compute.splitting.choice import Objective, Worth, best, on_time_tok, score
from tree6g.compute.splitting.costs import costs
from tree6g.compute.splitting.migration import moves
from tree6g.compute.splitting.tables import tables

cases = st.builds(random_case, st.integers(0, 2**32), places=st.sampled_from([2, 3]))
roomy = settings(max_examples=60, deadline=None)


def table_of(case, **changes):
    model, stages, hops, work, packing = case
    wide = [dataclasses.replace(s, memory_byte=np.inf) for s in stages]
    faster = [dataclasses.replace(h, **{k: f(h) for k, f in changes.items()}) for h in hops]
    return tables(model, wide, faster, work, packing=packing)


@roomy
@given(cases, st.floats(1.0, 100.0), st.sampled_from(["energy", "latency", "weighted"]))
def test_more_bandwidth_never_makes_the_best_worse(case, factor, aim):
    objective = Objective(aim=aim, j_per_s=2.0)
    slow, fast = costs(table_of(case)), costs(table_of(case, up_bps=lambda h: factor * h.up_bps))
    before, after = (score(c, objective)[best(c, objective)] for c in (slow, fast))
    assert after <= before * (1 + 1e-12)


@roomy
@given(cases)
def test_the_last_cut_uses_no_link(case):
    table = table_of(case)
    whole = costs(table, [[table.layers]] * len(table.hops))
    used = (whole.up_byte, whole.down_byte, whole.up_s, whole.rtt_s, whole.radio_j, whole.network_j)
    assert all((part == 0.0).all() for part in used)
    assert (whole.compute_s[:, 1:] == 0.0).all()


@roomy
@given(cases)
def test_latency_and_energy_are_the_sums_of_their_parts(case):
    c = costs(table_of(case))
    time = c.compute_s.sum(axis=(0, 1)) + (c.up_s + c.down_s + c.rtt_s).sum(axis=(0, 1))
    np.testing.assert_allclose(c.latency_s, time, rtol=1e-12)
    joules = c.compute_j.sum(axis=(0, 1)) + c.wait_j.sum(axis=0)
    joules = joules + (c.radio_j + c.network_j).sum(axis=(0, 1))
    np.testing.assert_allclose(c.energy_j, joules, rtol=1e-12)
    decoded = c.tpot_s * max(c.work.output_tok - 1, 1)
    np.testing.assert_allclose(c.ttft_s + decoded, c.latency_s, rtol=1e-12)
    assert (c.compute_j >= 0.0).all()
    assert (c.wait_j >= -1e-9).all()


@roomy
@given(cases)
def test_dynamic_programming_and_enumeration_agree(case):
    table = table_of(case)
    c = costs(table)
    value = score(c, Objective(aim="weighted", j_per_s=5.0))
    chosen = costs(table, best_chain(table, j_per_s=5.0)[:, None])
    own = score(chosen, Objective(aim="weighted", j_per_s=5.0))[0]
    np.testing.assert_allclose(own, value.min(), rtol=1e-9)


@given(
    st.floats(0.0, 5.0), st.floats(0.0, 0.5), st.integers(1, 60), st.floats(0.01, 5.0),
    st.floats(0.001, 0.5),
)  # fmt: skip
def test_tokens_on_time_are_counted_as_one_by_one(ttft_s, tpot_s, count, budget_s, gap_s):
    worth = Worth(alpha_bit_per_tok=1.0, input_weight_frac=0.0, ttft_s=budget_s, tpot_s=gap_s)
    behind = np.array([ttft_s - budget_s + i * (tpot_s - gap_s) for i in range(count)])
    if (np.abs(behind) < 1e-9).any():  # on the line itself rounding decides
        return
    found = on_time_tok(np.array(ttft_s), np.array(tpot_s), count, worth)
    assert found == (behind <= 0.0).sum()


@roomy
@given(st.integers(0, 2**32), st.floats(1.0, 3000.0))
def test_moving_costs_grow_with_the_layers_that_move(seed, context_tok):
    model, stages, hops, _, _ = random_case(seed, layers=8)
    found = moves(model, *stages, hops[0], cut=4, context_tok=context_tok)
    for costs_ in (found.send_s, found.send_j):
        assert (np.diff(costs_[4:]) >= -1e-12).all()
        assert (np.diff(costs_[:5]) <= 1e-12).all()
