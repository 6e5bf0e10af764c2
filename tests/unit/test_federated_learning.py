"""Federated learning against plain gradient descent, sums by hand and what its authors state."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.errors import DataError, InfeasibleError
from tree6g.training.federated import aggregate
from tree6g.training.federated import samples as where
from tree6g.training.federated.compression import pack, packed_bit
from tree6g.training.federated.device import work
from tree6g.training.federated.federation import Plan, federation, train
from tree6g.training.federated.local import Descent, descend
from tree6g.training.federated.models import Adapted, Learner, Network, Parameters, merged, values
from tree6g.training.federated.samples import samples, shards, shifted

RNG = np.random.default_rng(3)
NETWORK = Network(widths=(6, 5, 3))
WHOLE = Descent(epochs=1, batch=0, step_size=0.1)


def some_adapters(base: Parameters) -> Parameters:
    learnt = Adapted(base=base, rank=2).start(RNG)
    return tuple(part + RNG.normal(0.0, 0.1, part.shape) for part in learnt)


def learners() -> list[tuple[Learner, Parameters]]:
    base = NETWORK.start(RNG)
    regression = Network(widths=(6, 3))
    return [
        (NETWORK, base),
        (regression, regression.start(RNG)),
        (Adapted(base=base, rank=2), some_adapters(base)),
    ]


@pytest.mark.parametrize("which", range(3), ids=["network", "regression", "adapters"])
def test_gradients_are_those_of_finite_differences(which: int) -> None:
    learner, learnt = learners()[which]
    x, y = RNG.normal(size=(7, 6)), RNG.integers(0, 3, 7)
    _, slope = learner.gradient(learnt, x, y)
    for n, part in enumerate(learnt):
        at = tuple(int(RNG.integers(0, size)) for size in part.shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = part.copy()
            moved[at] += step
            loss, _ = learner.gradient((*learnt[:n], moved, *learnt[n + 1 :]), x, y)
            sides.append(float(loss.mean()))
        assert slope[n][at] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("hidden", [(), (12,)], ids=["regression", "network"])
def test_fedavg_of_one_client_with_all_samples_is_plain_gradient_descent(
    hidden: tuple[int, ...],
) -> None:
    plan = Plan(hidden=hidden, clients=1, form="fp64", descent=WHOLE)
    learning = federation(plan)
    weights = [part.copy() for part in learning.learnt]
    x, y = learning.data.x[learning.shard[0]], learning.data.y[learning.shard[0]]
    for _ in range(12):
        learning.fold({0: learning.train(0)})
        passed = [x]
        for layer in range(0, len(weights), 2):
            out = passed[-1] @ weights[layer] + weights[layer + 1]
            passed.append(np.maximum(out, 0.0) if layer + 2 < len(weights) else out)
        odds = np.exp(passed[-1])
        back = (odds / odds.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(y)
        slopes: list[np.ndarray] = []
        for layer in reversed(range(0, len(weights), 2)):
            slopes = [passed[layer // 2].T @ back, back.sum(axis=0), *slopes]
            back = (back @ weights[layer].T) * (passed[layer // 2] > 0.0)
        weights = [w - 0.1 * slope for w, slope in zip(weights, slopes, strict=True)]
    for ours, plain in zip(learning.learnt, weights, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=0.0, atol=1e-12)


def test_full_batches_of_all_clients_average_to_one_step_on_all_samples() -> None:
    plan = Plan(clients=7, form="fp64", descent=WHOLE, concentration=0.5)
    shared, alone = federation(plan), federation(dataclasses.replace(plan, clients=1))
    shared.fold({client: shared.train(client) for client in range(7)})
    alone.fold({0: alone.train(0)})
    for ours, plain in zip(shared.learnt, alone.learnt, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=0.0, atol=1e-12)


def test_stacked_adapters_are_the_mean_of_products_and_averaged_factors_are_not() -> None:
    base = NETWORK.start(RNG)
    clients, weight = [some_adapters(base) for _ in range(4)], np.array([1.0, 2.0, 3.0, 4.0])
    mean_a, mean_b = aggregate.mean(clients, weight)[:2]
    stack_a, stack_b = aggregate.stacked(clients, weight)[:2]
    products = [p * (one[0] @ one[1]) for p, one in zip(weight / 10.0, clients, strict=True)]
    exact = np.sum(products, axis=0)
    np.testing.assert_allclose(stack_a @ stack_b, exact, rtol=0.0, atol=1e-14)
    assert np.abs(mean_a @ mean_b - exact).max() > 1e-3
    assert stack_a.shape[1] == 4 * clients[0][0].shape[1]


def test_adapters_begin_as_the_frozen_network_and_fold_into_it() -> None:
    base = NETWORK.start(RNG)
    adapted, x = Adapted(base=base, rank=2), RNG.normal(size=(4, 6))
    np.testing.assert_array_equal(adapted.scores(adapted.start(RNG), x), NETWORK.scores(base, x))
    learnt = some_adapters(base)
    np.testing.assert_allclose(
        adapted.scores(learnt, x), NETWORK.scores(merged(base, learnt), x), atol=1e-12
    )
    assert values(learnt) == 2 * (6 + 5) + 2 * (5 + 3)


def test_the_stack_that_a_client_downloads_grows_with_clients_and_with_rounds_missed() -> None:
    plan = Plan(method="flora", hidden=(64,), rank=2, clients=6, descent=WHOLE, base_frac=0.2)
    learning = federation(plan)
    one = values(learning.learnt)
    learning.fold({client: learning.train(client) for client in (0, 1)})
    assert learning.download_bit(0) == 32 * 2 * one
    learning.seen[0] = learning.round
    learning.fold({client: learning.train(client) for client in (2, 3, 4)})
    assert learning.download_bit(0) == 32 * 3 * one
    assert learning.download_bit(5) == 32 * 5 * one
    whole = values(federation(dataclasses.replace(plan, method="fedavg")).learnt)
    for _ in range(9):
        learning.fold({client: learning.train(client) for client in range(6)})
    assert learning.download_bit(5) == 32 * whole


def test_a_proximal_term_keeps_clients_near_the_global_model() -> None:
    data, network = samples("digits"), Network(widths=(64, 10))
    start = network.start(RNG)

    def moved(proximal: float) -> float:
        how = Descent(epochs=5, batch=20, step_size=0.1, proximal=proximal)
        learnt, _ = descend(
            network, start, data.x[:200], data.y[:200], how, np.random.default_rng(1)
        )
        return float(np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(learnt, start, strict=True))))

    assert moved(1.0) < 0.8 * moved(0.1) < 0.8 * moved(0.0) + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.sampled_from([0.1, 1.0, float("inf")]), st.integers(0, 9))
def test_every_sample_is_with_one_client_and_every_client_has_one(
    clients: int, concentration: float, seed: int
) -> None:
    y = np.random.default_rng(seed).integers(0, 4, 60)
    parts = shards(y, clients, concentration, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    assert min(len(part) for part in parts) >= 1


def test_more_clients_than_samples_are_refused() -> None:
    with pytest.raises(DataError, match="at most 5 clients"):
        shards(np.zeros(5, dtype=np.int64), 6, 1.0, RNG)


@pytest.mark.parametrize(
    ("form", "bit"),
    [("fp64", 6400), ("fp32", 3200), ("fp16", 1600), ("int8", 832), ("int4", 432), ("topk", 390)],
)
def test_packed_updates_have_the_bits_of_their_format(form: str, bit: int) -> None:
    assert packed_bit((np.zeros(100),), form, keep_frac=0.1) == bit


@pytest.mark.parametrize("form", ["int8", "int4", "topk"])
def test_what_packing_loses_is_sent_later(form: str) -> None:
    wanted, left, sent = RNG.normal(size=(5, 8)), np.zeros((5, 8)), np.zeros((5, 8))
    for _ in range(400):
        packed = pack((wanted + left,), form, keep_frac=0.05)[0]
        left = wanted + left - packed
        sent += packed
    np.testing.assert_allclose(sent / 400, wanted, atol=0.12)
    np.testing.assert_allclose(sent + left, 400 * wanted, rtol=1e-9, atol=1e-4)


def test_rounding_to_whole_multiples_is_off_by_half_a_step_at_most() -> None:
    part = RNG.normal(size=1000)
    for form, top in (("int8", 127), ("int4", 7)):
        error = np.abs(pack((part,), form)[0] - part).max()
        assert error <= 0.5 * np.abs(part).max() / top + 1e-15


@pytest.mark.parametrize("method", ["fedavg", "fedprox", "fedit", "flora", "centralised"])
def test_every_method_learns_and_a_seed_gives_the_same_scores(method: str) -> None:
    how = Descent(epochs=3, batch=16, step_size=0.1, proximal=0.01 * (method == "fedprox"))
    plan = Plan(
        method=method, hidden=(24,), rank=6, clients=8, descent=how, base_frac=0.2, base_classes=5,
        concentration=1.0,
    )  # fmt: skip
    before = federation(plan).score().accuracy_frac
    scores = list(train(plan, rounds=6, per_round=4))
    assert scores[-1].accuracy_frac > before + 0.15
    assert scores == list(train(plan, rounds=6, per_round=4))


def test_a_step_that_is_too_large_is_told_not_returned() -> None:
    plan = Plan(hidden=(24,), clients=4, descent=Descent(epochs=9, batch=8, step_size=90.0))
    with pytest.raises(InfeasibleError, match="smaller step_size"):
        list(train(plan, rounds=3, per_round=4))


def test_data_sets_are_scaled_by_their_training_part_alone() -> None:
    for name, size, classes in (("digits", 1797, 10), ("breast-cancer", 569, 2)):
        data = samples(name, seed=4)
        assert len(data.y) + len(data.test_y) == size
        assert data.classes == classes
        assert np.abs(data.x.mean(axis=0)).max() < 1e-12
        assert data.x.std(axis=0).max() == pytest.approx(1.0)
    with pytest.raises(DataError, match="digits"):
        samples("digit")


def test_pictures_are_turned_and_inverted_as_others_take_them() -> None:
    data = samples("digits")
    turned, inverted = shifted(data, "turned", 8), shifted(data, "inverted", 8)
    corner = np.arange(64.0).reshape(1, 64)
    one = dataclasses.replace(data, x=corner, test_x=corner)
    assert shifted(one, "turned", 8).x[0, :8].tolist() == [7, 15, 23, 31, 39, 47, 55, 63]
    for _ in range(3):
        turned = shifted(turned, "turned", 8)
    np.testing.assert_array_equal(turned.test_x, data.test_x)
    np.testing.assert_array_equal(shifted(inverted, "inverted", 8).x, data.x)
    np.testing.assert_array_equal(shifted(data, "none", 8).x, data.x)


def test_a_base_model_that_saw_other_pictures_is_adapted_to_those_of_the_clients() -> None:
    how = Descent(epochs=3, batch=16, step_size=0.1)
    plan = Plan(
        method="fedit", hidden=(24,), rank=6, clients=8, descent=how, base_frac=0.2, shift="turned"
    )
    upright = federation(dataclasses.replace(plan, shift="none")).score().accuracy_frac
    assert upright > 0.8
    assert federation(plan).score().accuracy_frac < 0.3
    assert list(train(plan, rounds=6, per_round=4))[-1].accuracy_frac > 0.6


def test_a_transformer_without_torch_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    plan = Plan(model="transformer", hidden=(16,), clients=2, descent=WHOLE)
    with pytest.raises(InfeasibleError, match=r"pip install 'tree6g\[torch\]'"):
        federation(plan)


@pytest.mark.parametrize("name", ["digits", "breast-cancer"])
def test_files_of_data_sets_say_what_scikit_learn_returns(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = samples(name)
    monkeypatch.setitem(where.FILES, name, ("moved.csv", 0))
    returned = samples(name)
    for mine, theirs in (
        (read.x, returned.x),
        (read.y, returned.y),
        (read.test_y, returned.test_y),
    ):
        assert mine.dtype == theirs.dtype
        assert (mine == theirs).all()


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "find_spec", lambda _: None)
    with pytest.raises(InfeasibleError, match=r"pip install 'tree6g\[learning\]'"):
        samples("digits")


def test_training_on_an_accelerator_is_additive_and_never_above_its_limit() -> None:
    from tree6g.compute.accelerator import accelerator

    device = accelerator("snapdragon-8-gen3")
    small = work(device, flop=1e9, steps=10, values=1000, layers=3)
    assert work(device, flop=2e9, steps=20, values=1000, layers=3).energy_j == pytest.approx(
        2.0 * small.energy_j
    )
    heavy = work(device, flop=1e15, steps=1, values=1000, layers=3)
    assert heavy.power_w <= device.tdp_w - device.idle_context_w + 1e-9
    assert work(device, flop=0.0, steps=0, values=10, layers=1).power_w == 0.0
