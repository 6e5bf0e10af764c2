"""What must hold for every ledger, whatever is in it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pieces import amount, hand_made, joules
from random_ledgers import NODES, Small, linear, small_ledgers, statement, written
from tree6g.metric.figure import IDLE_RULES, RULES, Figure, Query
from tree6g.metric.tree import figure, flows, series

SUMS = ("utility_beq", "energy_j", "bits_bit", "tokens_out_tok")
rules = st.sampled_from(RULES)
idles = st.sampled_from(IDLE_RULES)


@given(small=small_ledgers(), at=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=3), rule=rules)
def test_windows_cut_anywhere_sum_to_the_whole(small: Small, at: list[float], rule: str) -> None:
    edges = [0.0, *sorted(small.end_s * x for x in at), small.end_s]
    with written(small) as ledger:
        whole = figure(ledger, Query(t0_s=0.0, t1_s=small.end_s, boundary="full", rule=rule))
        parts = [
            figure(ledger, Query(t0_s=a, t1_s=b, boundary="full", rule=rule))
            for a, b in itertools.pairwise(edges)
        ]
    for name in SUMS:
        _close(math.fsum(getattr(p, name) for p in parts), getattr(whole, name), name)
    for service in whole.services:
        for name in ("utility_beq", "offered_beq", "energy_j"):
            pieces = math.fsum(getattr(p.service(service.name), name) for p in parts)
            _close(pieces, getattr(service, name), f"{name} of {service.name}")
    _close(math.fsum(p.covered_s for p in parts), whole.covered_s, "covered time")


@given(
    small=small_ledgers(),
    by=st.lists(
        st.sampled_from(["window", "service", "node", "site", "tier", "slice"]), unique=True
    ),
    window=st.floats(0.3, 3.0),
)
def test_every_grouping_sums_to_the_whole(small: Small, by: list[str], window: float) -> None:
    with written(small) as ledger:
        query = Query(boundary="full", t0_s=0.0, t1_s=small.end_s)
        whole = figure(ledger, query)
        rows = series(ledger, query, by=by, window_s=window * small.grid_s).to_pylist()
    for name in SUMS:
        _close(math.fsum(r[name] or 0.0 for r in rows), getattr(whole, name), name)


@given(
    small=small_ledgers(gaps=False),
    rule=rules,
    idle=idles,
    boundary=st.sampled_from(["full", "ran"]),
)
def test_every_joule_is_attributed_or_says_why_not(
    small: Small, rule: str, idle: str, boundary: str
) -> None:
    with written(small) as ledger:
        query = Query(rule=rule, idle=idle, boundary=boundary)
        got = figure(ledger, query)
        flow = flows(ledger, query).to_pylist()
    inside = {n for n, (_, _, b, _) in NODES.items() if boundary in b.split()}
    metered = math.fsum(r["energy_j"] for r in small.tables["energy"] if r["node"] in inside)
    attributed = math.fsum(s.energy_j for s in got.services)
    _close(attributed + math.fsum(got.unattributed_j.values()), metered, "joules")
    _close(math.fsum(r["energy_j"] for r in flow), metered, "flows")
    assert got.conservation_error_frac <= 1e-9
    assert all(s.energy_j >= 0 for s in got.services)
    assert all((r["service"] is None) != (r["reason"] is None) for r in flow)


@given(small=small_ledgers(kinds=("upload", "rounds")), rule=rules)
def test_without_ai_services_tree_is_ee_to_the_last_bit(small: Small, rule: str) -> None:
    work = [r for r in small.tables["work"] if r["service"] == "upload"]
    small = small.with_rows(work=work)
    with written(small) as ledger:
        got = figure(ledger, Query(rule=rule, boundary="full", weights={"upload": 1.0}))
    assert got.tree_beq_per_j == got.ee_bit_per_j
    assert got.utility_beq == got.bits_bit


@given(
    bits=st.integers(0, 10**9), tokens=st.integers(0, 10**6), power=st.integers(1, 10**4),
    alpha=st.floats(0.0, 1e6), length=st.integers(1, 100),
)  # fmt: skip
def test_linear_tree_is_c_plus_alpha_t_over_p(
    bits: int, tokens: int, power: int, alpha: float, length: int
) -> None:
    small = hand_made(
        energy=[joules(0.0, float(length), "cell", float(power * length))],
        work=[
            amount(0.0, float(length), "cell", "upload", "bit_ul", float(bits * length)),
            amount(0.0, float(length), "cell", "chat", "token_out", float(tokens * length)),
        ],
    )
    with written(small) as ledger:
        got = figure(ledger, Query(alphas={"chat": alpha}))
    assert got.tree_beq_per_j == pytest.approx((bits + alpha * tokens) / power, rel=1e-12)


@given(small=small_ledgers(), rule=rules)
def test_time_has_no_scale_of_its_own(small: Small, rule: str) -> None:
    query = Query(boundary="full", rule=rule)
    with written(small) as one, written(_slower(small)) as two:
        _same_figure(figure(one, query), figure(two, query))


@given(small=small_ledgers(), rule=rules, seed=st.integers(0, 99), size=st.integers(1, 5))
def test_neither_the_order_of_rows_nor_of_parts_matters(
    small: Small, rule: str, seed: int, size: int
) -> None:
    mixed = {t: random.Random(seed).sample(rows, len(rows)) for t, rows in small.tables.items()}
    query = Query(boundary="full", rule=rule)
    with (
        written(small) as one,
        written(small.with_rows(**mixed), rows_per_part=size) as two,
    ):
        _same_figure(figure(one, query), figure(two, query))


@given(
    small=small_ledgers(gaps=False), extra=st.floats(0.0, 1e3), node=st.sampled_from(list(NODES))
)
def test_more_energy_never_raises_tree(small: Small, extra: float, node: str) -> None:
    state = statement(0.0, small.end_s, "heater", "energy")
    more = small.with_rows(
        energy=[
            *small.tables["energy"],
            joules(0.0, small.end_s, node, extra, source="heater", component="memory"),
        ],
        coverage=[*small.tables["coverage"], state],
    )
    query = Query(boundary="full", t0_s=0.0, t1_s=small.end_s)
    with written(small) as one, written(more) as two:
        before, after = figure(one, query), figure(two, query)
    if before.tree_beq_per_j is not None:
        assert after.tree_beq_per_j is not None
        assert after.tree_beq_per_j <= before.tree_beq_per_j * (1 + 1e-12)


@given(small=small_ledgers(), rule=rules, idle=idles, boundary=st.sampled_from(["full", "ran"]))
def test_what_is_undefined_is_none_with_a_reason_and_never_inf_or_nan(
    small: Small, rule: str, idle: str, boundary: str
) -> None:
    with written(small) as ledger:
        got = figure(ledger, Query(rule=rule, idle=idle, boundary=boundary))
        rows = series(ledger, Query(rule=rule, idle=idle, boundary=boundary)).to_pylist()
    _explained(got)
    for service in got.services:
        _explained(service)
    values = [v for row in rows for v in row.values() if isinstance(v, float)]
    assert all(math.isfinite(v) for v in values)


def test_the_same_work_twice_is_worth_twice_under_any_utility() -> None:
    curves = [("log", None), ("saturating", None), ("sigmoid", 4.0), ("power", 2.0)]
    for family, order in curves:
        body = linear(unit="session", interval_s=1.0)
        body["profile"]["curve"] |= {"family": family, "t0_tps": 10.0, "order": order}
        earned = []
        for users in (1.0, 2.0):
            rows = [amount(0.0, 1.0, "edge", "chat", "token_out", 15.0 * users, sessions=users)]
            small = hand_made(energy=[joules(0.0, 1.0, "edge", 1.0)], work=rows, chat=body)
            with written(small) as ledger:
                earned.append(figure(ledger).utility_beq)
        assert earned[1] == pytest.approx(2 * earned[0], rel=1e-12)


def _slower(small: Small) -> Small:
    """The same at half the speed: every time doubled, every rate scale halved."""
    times = ("t0_s", "t1_s")
    rows = {
        t: [r | {n: 2.0 * r[n] for n in times if n in r} for r in rows]
        for t, rows in small.tables.items()
    }
    services = {}
    for name, body in small.meta.services.items():
        profile = dict(body["profile"])
        curve = dict(profile["curve"])
        if curve["t0_tps"] is not None:
            curve["t0_tps"] /= 2.0
        profile |= {"interval_s": 2.0 * profile["interval_s"], "curve": curve}
        services[name] = {**body, "profile": profile}
    grid_s = 2.0 * small.grid_s
    meta = dataclasses.replace(small.meta, services=services, attribution_interval_s=grid_s)
    return Small(meta=meta, tables=rows, end_s=2.0 * small.end_s)


def _same_figure(one: Figure, two: Figure) -> None:
    for name in (*SUMS, "energy_ran_j"):
        _close(getattr(one, name), getattr(two, name), name)
    assert (one.tree_beq_per_j is None) == (two.tree_beq_per_j is None)
    assert one.marks == two.marks
    for a in one.services:
        b = two.service(a.name)
        for name in ("energy_j", "energy_marginal_j", "utility_beq", "offered_beq"):
            _close(getattr(a, name), getattr(b, name), f"{name} of {a.name}")


def _explained(record: Any) -> None:
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, float):
            assert math.isfinite(value), field.name
        if value is None and field.name not in {"k_in", "alpha_bit_per_tok", "worth_tok"}:
            assert record.reasons.get(field.name), f"{field.name} is None without a reason"


def _close(got: float, want: float, what: str) -> None:
    assert got == pytest.approx(want, rel=1e-9, abs=1e-9), what
