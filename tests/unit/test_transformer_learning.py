"""A transformer that learns: against torch's own layers, its counter of FLOP, and sums by hand."""

from __future__ import annotations

import dataclasses
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tree6g.compute.model import counts
from tree6g.compute.model.lora import adapter
from tree6g.engine.run import RunResult, run
from tree6g.errors import DataError
from tree6g.ledger.check import check
from tree6g.metric.learning import learnt
from tree6g.training.federated import aggregate
from tree6g.training.federated.federation import Plan, federation, train
from tree6g.training.federated.local import Descent
from tree6g.training.federated.models import Parameters, values
from tree6g.training.federated.transformer import (
    BEFORE,
    LAYER,
    QUERY,
    VALUE,
    AdaptedTransformer,
    Transformer,
)

WHOLE = Descent(epochs=1, batch=0, step_size=0.1)
SMALL = Transformer(side_px=8, width=8, heads=2, inner=(12, 16), classes=10, exact=True)
PLAN = Plan(
    model="transformer", hidden=(12, 16), width=8, heads=2, rank=2, clients=6, form="fp64",
    descent=WHOLE, base_frac=0.05, shift="turned",
)  # fmt: skip


@pytest.fixture(autouse=True)
def torch() -> Any:
    if find_spec("torch") is None:
        reason = "torch is not installed; `make .venv/.installed-torch` installs it, and CI has it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    import torch

    return torch


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def some_pictures(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.normal(size=(5, 64)), rng.integers(0, 10, 5)


def some_adapters(learner: AdaptedTransformer, rng: np.random.Generator) -> Parameters:
    begun = learner.start(rng)
    return tuple(part + rng.normal(0.0, 0.1, part.shape) for part in begun)


def as_layers(torch: Any, parts: Parameters) -> tuple[list[Any], list[Any]]:
    """The same transformer of torch's own layers, and all that it learns."""
    own = [torch.tensor(part, requires_grad=True) for part in parts]
    layers = []
    for n, inner in enumerate(SMALL.inner):
        layer = torch.nn.TransformerEncoderLayer(
            8, 2, inner, dropout=0.0, activation="gelu", batch_first=True, norm_first=True,
            dtype=torch.float64,
        )  # fmt: skip
        g1, b1, wq, bq, wk, bk, wv, bv, wo, bo, g2, b2, w1, c1, w2, c2 = own[
            BEFORE + n * LAYER : BEFORE + (n + 1) * LAYER
        ]
        given = {
            "norm1.weight": g1, "norm1.bias": b1, "norm2.weight": g2, "norm2.bias": b2,
            "self_attn.in_proj_weight": torch.cat([wq.T, wk.T, wv.T]),
            "self_attn.in_proj_bias": torch.cat([bq, bk, bv]),
            "self_attn.out_proj.weight": wo.T, "self_attn.out_proj.bias": bo,
            "linear1.weight": w1.T, "linear1.bias": c1, "linear2.weight": w2.T, "linear2.bias": c2,
        }  # fmt: skip
        layers.append((layer, given))
    return own, layers


def plain_loss(torch: Any, own: list[Any], layers: list[Any], x: Any, y: Any) -> Any:
    cut = x.reshape(len(x), 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(len(x), 16, 4)
    state = torch.tensor(cut) @ own[0] + own[1] + own[2]
    for layer, given in layers:
        state = torch.func.functional_call(layer, given, state)
    seen = torch.nn.functional.layer_norm(state, (8,), own[-4], own[-3]).mean(dim=1)
    return torch.nn.functional.cross_entropy(seen @ own[-2] + own[-1], torch.tensor(y))


def test_one_client_with_all_samples_is_plain_gradient_descent_of_torchs_own_layers(
    torch: Any,
) -> None:
    plan = dataclasses.replace(PLAN, clients=1, base_frac=0.0, shift="none")
    learning = federation(plan)
    learning.shard, weights = (learning.shard[0][:200],), learning.learnt
    x, y = learning.data.x[learning.shard[0]], learning.data.y[learning.shard[0]]
    for _ in range(5):
        learning.fold({0: learning.train(0)})
        own, layers = as_layers(torch, weights)
        plain_loss(torch, own, layers, x, y).backward()
        weights = tuple(part.detach().numpy() - 0.1 * part.grad.numpy() for part in own)
    for ours, plain in zip(learning.learnt, weights, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=0.0, atol=1e-9)


def test_full_batches_of_all_clients_average_to_one_step_on_all_samples() -> None:
    plan = dataclasses.replace(PLAN, concentration=0.5)
    shared, alone = federation(plan), federation(dataclasses.replace(plan, clients=1))
    shared.fold({client: shared.train(client) for client in range(6)})
    alone.fold({0: alone.train(0)})
    for ours, plain in zip(shared.learnt, alone.learnt, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=0.0, atol=1e-12)


def test_adapters_begin_as_the_base_and_fold_into_it(rng: np.random.Generator) -> None:
    x, _ = some_pictures(rng)
    base = SMALL.start(rng)
    learner = AdaptedTransformer(base=base, rank=3, model=SMALL)
    np.testing.assert_array_equal(learner.scores(learner.start(rng), x), SMALL.scores(base, x))
    moved = some_adapters(learner, rng)
    np.testing.assert_allclose(
        learner.scores(moved, x), SMALL.scores(learner.merged(moved), x), rtol=0.0, atol=1e-12
    )


def test_gradients_of_adapters_are_those_of_their_matrices_on_the_way_through_them(
    rng: np.random.Generator,
) -> None:
    x, y = some_pictures(rng)
    learner = AdaptedTransformer(base=SMALL.start(rng), rank=3, model=SMALL)
    moved = some_adapters(learner, rng)
    loss, slopes = learner.gradient(moved, x, y)
    whole_loss, whole = SMALL.gradient(learner.merged(moved), x, y)
    np.testing.assert_allclose(loss, whole_loss, rtol=0.0, atol=1e-12)
    places = [BEFORE + n * LAYER + at for n in range(2) for at in (QUERY, VALUE)]
    for n, place in enumerate(places):
        a, b = moved[2 * n : 2 * n + 2]
        np.testing.assert_allclose(slopes[2 * n], whole[place] @ b.T, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(slopes[2 * n + 1], a.T @ whole[place], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("method", ["fedit", "flora"])
def test_only_queries_and_values_change_by_adapters(method: str) -> None:
    learning = federation(dataclasses.replace(PLAN, method=method))
    base = learning.learner.base  # type: ignore[union-attr]
    for _ in range(2):
        learning.fold({client: learning.train(client) for client in range(3)})
    after = learning.learner.merged(learning.learnt)  # type: ignore[union-attr]
    changed = [n for n, (a, b) in enumerate(zip(base, after, strict=True)) if (a != b).any()]
    assert changed == [BEFORE + n * LAYER + at for n in range(2) for at in (QUERY, VALUE)]


def test_stacked_adapters_are_the_mean_of_updates_and_averaged_factors_are_not(
    rng: np.random.Generator,
) -> None:
    x, _ = some_pictures(rng)
    base = SMALL.start(rng)
    learner = AdaptedTransformer(base=base, rank=2, model=SMALL)
    clients, weight = [some_adapters(learner, rng) for _ in range(4)], np.array([1.0, 2, 3, 4])
    whole = [learner.merged(one) for one in clients]
    exact = SMALL.scores(aggregate.mean(whole, weight), x)
    joint = aggregate.stacked(clients, weight)
    np.testing.assert_allclose(learner.scores(joint, x), exact, rtol=0.0, atol=1e-12)
    assert np.abs(learner.scores(aggregate.mean(clients, weight), x) - exact).max() > 1e-4


def test_averaged_and_stacked_adapters_of_one_client_are_the_same_model() -> None:
    averaged, stacked = (
        federation(dataclasses.replace(PLAN, method=method)) for method in ("fedit", "flora")
    )
    for one in (averaged, stacked):
        one.fold({2: one.train(2)})
    assert averaged.score().loss == pytest.approx(stacked.score().loss, rel=1e-12)


SHAPES = [(8, 2, (12, 16), 2), (32, 4, (64, 64), 8), (16, 1, (8,), 16), (24, 8, (128,) * 3, 1)]


@pytest.mark.parametrize(("width", "heads", "inner", "rank"), SHAPES)
def test_parameters_adapters_and_flop_are_the_exact_counts(
    torch: Any, width: int, heads: int, inner: tuple[int, ...], rank: int
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    rng = np.random.default_rng(2)
    x, y = some_pictures(rng)
    model = Transformer(side_px=8, width=width, heads=heads, inner=inner, classes=10)
    base, record = model.start(rng), model.architecture()
    assert values(base) == counts.parameters(record).total
    adapted = AdaptedTransformer(base=base, rank=rank, model=model)
    thin = adapted.start(rng)
    assert values(thin) == adapter(record, rank).parameters == 4 * len(inner) * rank * width
    for learner, parts in ((model, base), (adapted, thin)):
        with FlopCounterMode(display=False) as counter:
            learner.gradient(parts, x, y)  # type: ignore[attr-defined]
        assert counter.get_total_flops() == len(y) * learner.flop_per_sample  # type: ignore[attr-defined]
    with FlopCounterMode(display=False) as counter:
        model.scores(base, x)
    assert counter.get_total_flops() == len(y) * counts.forward_flop(record, model.tokens)


def test_threads_and_random_numbers_of_torchs_user_stay_as_they_were(
    torch: Any, rng: np.random.Generator
) -> None:
    before, state = torch.get_num_threads(), torch.get_rng_state()
    x, y = some_pictures(rng)
    try:
        torch.set_num_threads(2)
        SMALL.gradient(SMALL.start(rng), x, y)
        assert torch.get_num_threads() == 2
        assert bool((torch.get_rng_state() == state).all())
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("method", ["fedavg", "fedprox", "fedit", "flora", "centralised"])
def test_every_method_learns_turned_digits_and_a_seed_gives_the_same_scores(method: str) -> None:
    proximal, step_size = 0.01 * (method == "fedprox"), 0.3 if method in ("fedit", "flora") else 0.1
    plan = dataclasses.replace(
        PLAN, method=method, form="fp32", rank=8, base_frac=0.1, width=16, heads=2,
        descent=Descent(epochs=2, batch=32, step_size=step_size, proximal=proximal),
    )  # fmt: skip
    before = federation(plan).score().accuracy_frac
    scores = list(train(plan, rounds=2, per_round=3))
    assert scores[-1].accuracy_frac > before + 0.05
    assert scores == list(train(plan, rounds=2, per_round=3))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"heads": 3}, "a width that 3 heads share; got 8"),
        ({"heads": 0}, "a width that 0 heads share; got 8"),
        ({"hidden": ()}, "at least one layer"),
        ({"data": "breast-cancer"}, "expected pictures"),
        ({"model": "transformers"}, "network, transformer"),
        ({"shift": "mirrored"}, "turned, inverted"),
    ],
    ids=["heads", "none", "layers", "data", "model", "shift"],
)
def test_a_plan_that_no_transformer_can_follow_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        federation(dataclasses.replace(PLAN, **changes))


def scenario(**changes: Any) -> dict[str, Any]:
    return {
        "name": "drawing-class",
        "duration": "20 s",
        "drain": "10 s",
        "ledger_interval": "10 s",
        "boundary": "full",
        "policy": "cloud-only",
        "population": {"users": 4, "ai_requests_per_user_hour": 60},
        "sites": [{"name": "east", "pue": 1.1, "base_station": {"model": "earth-micro"}}],
        "clouds": [
            {
                "name": "region",
                "servers": [{"name": "llm", "accelerator": "l4", "model": "llama-3.2-1b"}],
            }
        ],
        "links": [{"to": "region"}],
        "services": [{"kind": "ai", "name": "assistant"}],
        "learning": {
            "model": "transformer", "hidden": [12, 16], "width": 8, "heads": 2, "rank": 2,
            "rounds": 2, "clients": 4, "clients_per_round": 2, "at": "region.llm", "pause": "3 s",
            "base_frac": 0.1, "shift": "turned", "epochs": 1, "batch": 64, **changes,
        },
    }  # fmt: skip


@pytest.mark.parametrize("method", ["fedavg", "fedit", "flora"])
def test_a_run_has_its_bits_and_joules_in_the_ledger(method: str, tmp_path: Path) -> None:
    asked = scenario(method=method)
    result: RunResult = run(asked, out=tmp_path)
    checked, found = check(result.ledger), learnt(result.ledger)
    assert not checked.problems
    assert (checked.conservation_error_frac or 0.0) < 1e-9
    assert found is not None
    assert [one.arrived for one in found.rounds] == [2, 2]
    record = SMALL.architecture()
    sent = counts.parameters(record).total if method == "fedavg" else adapter(record, 2).parameters
    assert found.bit["bit_ul"] == pytest.approx(2 * 2 * (32 * sent + 8 * 700), rel=1e-12)
    assert set(found.energy_j) == {"device", "ran", "transport", "cloud"}


def test_a_run_that_was_killed_goes_on_with_the_same_transformer(tmp_path: Path) -> None:
    from tree6g.engine import learning

    asked = scenario(method="flora", compression="int8")
    whole = run(asked, out=tmp_path / "whole")
    calls, advance = [0], learning.advance

    def stops(*args: Any) -> None:
        calls[0] += 1
        if calls[0] == 15:
            raise KeyboardInterrupt
        advance(*args)

    learning.advance = stops
    try:
        with pytest.raises(KeyboardInterrupt):
            run(asked, out=tmp_path / "cut", checkpoint=1)
    finally:
        learning.advance = advance
    resumed = run(asked, out=tmp_path / "cut", checkpoint=1)
    assert resumed.ledger.meta.control == whole.ledger.meta.control
