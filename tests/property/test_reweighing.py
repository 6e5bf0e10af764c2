"""A figure at other weights in closed form is the figure that the ledger gives at them."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_pieces import amount, hand_made, joules
from random_ledgers import small_ledgers, written
from tree6g.metric.figure import Query
from tree6g.metric.profile import from_meta, reweighted
from tree6g.metric.reweigh import plain, reweighed
from tree6g.metric.tree import figure

LEFT_OUT = {"u95_frac"}


def close(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-9, abs=1e-12)
    return one == other


def differences(one: object, other: object, skip: set[str]) -> list[str]:
    names = [f.name for f in dataclasses.fields(one)]  # type: ignore[arg-type]
    pairs = [(n, getattr(one, n), getattr(other, n)) for n in names if n not in skip]
    return [f"{n}: {a!r} / {b!r}" for n, a, b in pairs if not close(a, b)]


@given(
    small_ledgers(), st.sampled_from([0.0, 0.5, 1.0, 7.0]), st.sampled_from([0.0, 1.0, 275.0, 9e5])
)
def test_closed_form_is_the_figure_at_these_weights(small, weight, alpha):
    with written(small) as ledger:
        services = from_meta(ledger.meta)
        weights = {next(iter(services)): weight}
        alphas = {name: alpha for name, s in services.items() if s.kind == "ai"}
        asked = reweighted(services, weights, alphas)
        base = figure(ledger, plain(Query(), services))
        ours, theirs = reweighed(base, asked), figure(ledger, Query(weights=weights, alphas=alphas))
        reasons = {**theirs.reasons, "u95_frac": ours.reasons["u95_frac"]}
        assert dict(ours.reasons) == reasons
        assert differences(ours, theirs, LEFT_OUT | {"services", "reasons"}) == []
        for one, other in zip(ours.services, theirs.services, strict=True):
            assert differences(one, other, set()) == []


def test_a_weight_of_nothing_in_the_header_hides_no_worth():
    tokens = [amount(0, 1, "edge", "chat", "token_out", 3.0)]
    small = hand_made(energy=[joules(0, 1, "edge", 6.0)], work=tokens)
    free = {n: {**body, "weight": 0.0} for n, body in small.meta.services.items()}
    small = dataclasses.replace(small, meta=dataclasses.replace(small.meta, services=free))
    with written(small) as ledger:
        services = from_meta(ledger.meta)
        base = figure(ledger, plain(Query(), services))
        assert reweighed(base, services).tree_beq_per_j == 0.0
        dear = reweighted(services, {"chat": 2.0}, {"chat": 1e4})
        assert reweighed(base, dear).tree_beq_per_j == pytest.approx(2e4 * 3.0 / 6.0)
