"""The best cut against exhaustive search by plain loops, on many random models, links and loads."""

from __future__ import annotations

import numpy as np
import pytest

from split_by_hand import by_hand, every_split, random_case
from tree6g.compute.splitting.chain import best_chain
from tree6g.compute.splitting.choice import Objective, Worth, best
from tree6g.compute.splitting.costs import costs
from tree6g.compute.splitting.tables import tables
from tree6g.errors import InfeasibleError

BLOCKS = 20


def objective_of(rng, exact):
    """A random aim with limits that some splits keep."""
    aim = str(rng.choice(["energy", "latency", "weighted", "tree"]))
    worth = Worth(
        alpha_bit_per_tok=1e4,
        input_weight_frac=0.2,
        ttft_s=float(rng.uniform(0.1, 5.0)),
        tpot_s=float(rng.uniform(0.01, 0.3)),
    )
    limits = {}
    if rng.random() < 0.5:
        limits["latency_limit_s"] = float(np.quantile([e["latency"] for e in exact], rng.random()))
    if rng.random() < 0.3:
        limits["ttft_limit_s"] = float(np.quantile([e["ttft"] for e in exact], rng.random()))
    network = float(10.0 ** rng.uniform(3, 6)) if rng.random() < 0.5 else None
    return Objective(aim=aim, j_per_s=3.0, worth=worth, tree_beq_per_j=network, **limits)


def goodness(e, objective, work):
    """What is to be least, of one split, token by token."""
    if objective.aim == "energy":
        return e["energy"]
    if objective.aim == "latency":
        return e["latency"]
    if objective.aim == "weighted":
        return e["energy"] + objective.j_per_s * e["latency"]
    gap = (e["latency"] - e["ttft"]) / max(work.output_tok - 1, 1)
    w = objective.worth
    due = [w.ttft_s + i * w.tpot_s for i in range(work.output_tok)]
    on_time = sum(e["ttft"] + i * gap <= due[i] for i in range(work.output_tok))
    tokens = on_time + w.input_weight_frac * work.prompt_tok * (e["ttft"] <= w.ttft_s)
    utility = e["quality"] * w.alpha_bit_per_tok * tokens
    if objective.tree_beq_per_j is None:
        return -utility / e["energy"]
    return objective.tree_beq_per_j * e["energy"] - utility


def keeps(e, objective):
    return (
        e["fits"]
        and e["latency"] <= objective.latency_limit_s * (1 + 1e-12)
        and e["ttft"] <= objective.ttft_limit_s * (1 + 1e-12)
    )


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_best_of_two_or_three_places_is_that_of_exhaustive_search(block):
    found = 0
    for seed in range(50 * block, 50 * block + 50):
        places = 2 if seed % 5 else 3
        model, stages, hops, work, packing = random_case(
            seed, places=places, layers=None if places == 2 else 6
        )
        table = tables(model, stages, hops, work, packing=packing)
        splits = every_split(model.layers, places - 1)
        exact = [by_hand(model, stages, hops, work, packing, cut) for cut in splits]
        ours = costs(table)
        assert ours.cuts.T.tolist() == [list(cut) for cut in splits]
        for name, values in (
            ("latency", ours.latency_s),
            ("ttft", ours.ttft_s),
            ("energy", ours.energy_j),
            ("quality", ours.quality_frac),
        ):
            np.testing.assert_allclose(values, [e[name] for e in exact], rtol=1e-9, err_msg=name)
        assert ours.fits.tolist() == [e["fits"] for e in exact]
        objective = objective_of(np.random.default_rng(seed), exact)
        feasible = [e for e in exact if keeps(e, objective)]
        loose = Objective(
            aim=objective.aim, j_per_s=objective.j_per_s, worth=objective.worth,
            tree_beq_per_j=objective.tree_beq_per_j,
            latency_limit_s=objective.latency_limit_s * (1 + 1e-12),
            ttft_limit_s=objective.ttft_limit_s * (1 + 1e-12),
        )  # fmt: skip
        if not feasible:
            with pytest.raises(InfeasibleError):
                best(ours, loose)
            continue
        found += 1
        least = min(goodness(e, objective, work) for e in feasible)
        chosen = exact[best(ours, loose)]
        assert keeps(chosen, objective)
        assert goodness(chosen, objective, work) == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert found >= 10


@pytest.mark.parametrize("seed", range(60))
def test_dynamic_programming_finds_what_exhaustive_search_finds_for_three_and_four_places(seed):
    places = 3 + seed % 2
    model, stages, hops, work, packing = random_case(seed, places=places, layers=5 + seed % 4)
    rng = np.random.default_rng(seed)
    energy_weight, j_per_s = (1.0, float(rng.choice([0.0, 1.0, 50.0]))) if seed % 4 else (0.0, 1.0)
    table = tables(model, stages, hops, work, packing=packing)
    exact = {
        cut: by_hand(model, stages, hops, work, packing, cut)
        for cut in every_split(model.layers, places - 1)
    }
    value = {
        cut: energy_weight * e["energy"] + j_per_s * e["latency"]
        for cut, e in exact.items()
        if e["fits"]
    }
    if not value:
        with pytest.raises(InfeasibleError, match="fit into the memory"):
            best_chain(table, energy_weight=energy_weight, j_per_s=j_per_s)
        return
    found = tuple(best_chain(table, energy_weight=energy_weight, j_per_s=j_per_s).tolist())
    assert value[found] == pytest.approx(min(value.values()), rel=1e-9)
