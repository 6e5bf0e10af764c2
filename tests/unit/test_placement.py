"""Placements that can be worked out by hand, refusals, and a middle-sized one."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from placement_problems import excess, problem
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import replica
from tree6g.compute.roofline import decode_batch, iteration
from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.optimise.placement import catalogue
from tree6g.optimise.placement.problem import Problem, Services, Sites, Ways
from tree6g.optimise.placement.solve import place
from tree6g.optimise.placement.ways import CLOUD, TERMINAL, Demand, Variants, enumerated
from tree6g.optimise.placement.ways import Path as Transport


def two_at_one(room: float = 1.5, *, required: bool = False, idle_w: float = 0.0) -> Problem:
    """Two services, 10 bit/s each for a whole accelerator of the one site; 2 W whatever is done."""
    nothing = np.zeros(2)
    return Problem(
        services=Services(
            latency_limit_s=np.full(2, np.inf), required=np.array(required), names=("chat", "code")
        ),
        sites=Sites(
            idle_power_w=np.array([idle_w]),
            accelerators=np.array([room]),
            memory_byte=np.array([np.inf]),
            uplink_bps=np.array([np.inf]),
            always_on=np.array(False),
        ),
        ways=Ways(
            service=np.arange(2),
            data_bps=nothing,
            token_bps=nothing + 10.0,
            power_w=nothing,
            latency_s=nothing,
            site=np.zeros(2, dtype=np.int64),
            accelerators=np.ones(2),
            memory_byte=nothing,
            uplink_bps=nothing,
        ),
        fixed_power_w=2.0,
    )


def scene(seed: int, services: int, sites: int, near: int) -> tuple[Problem, Variants]:
    """Three models, cut after any of ten layers, at the nearest sites or in the cloud."""
    rng = np.random.default_rng(seed)
    weights = np.array([1.5e9, 3e9, 8e9])
    s_per_tok = weights[:, None] / np.array([60e9, 300e9, 2e12])
    variants = Variants(
        names=("small", "middle", "large"),
        worth_bit_per_tok=np.array([4e5, 6e5, 8e5]),
        memory_byte=weights,
        handed_on_bit_per_tok=np.array([12e3, 16e3, 32e3]),
        s_per_tok=s_per_tok,
        j_per_tok=s_per_tok * np.array([8.0, 8.0, 12.0]),
        accelerators=np.outer([0.2, 0.3, 0.5], [0.0, 1.0, 0.25]),
    )
    air_bps = rng.uniform(1e7, 1e8, (services, near))
    demand = Demand(
        rate_tps=rng.uniform(50.0, 400.0, services),
        weight=rng.uniform(0.5, 2.0, services),
        latency_limit_s=rng.uniform(0.05, 0.15, services),
        terminal_memory_byte=rng.choice([2e9, 4e9], services),
        near=np.stack([rng.permutation(sites)[:near] for _ in range(services)]),
        air_bps=air_bps,
        air_j_per_bit=20.0 / air_bps,
    )
    path = Transport(cloud=sites, cloud_s=0.01, cloud_j_per_bit=2e-7, text_bit_per_tok=800.0)
    ways, _ = enumerated(variants, demand, path, np.arange(10) / 10)
    case = Problem(
        services=Services(latency_limit_s=demand.latency_limit_s, required=np.array(True)),
        sites=Sites(
            idle_power_w=np.append(np.full(sites, 40.0), 0.0),
            accelerators=np.append(rng.choice([1.0, 2.0], sites), 1.0),
            memory_byte=np.append(np.full(sites, 24e9), 40e9),
            uplink_bps=np.append(np.full(sites, 5e6), np.inf),
            always_on=np.arange(sites + 1) == sites,
        ),
        ways=ways,
        fixed_power_w=100.0,
    )
    return case, variants


def test_prices_say_what_another_accelerator_would_be_worth() -> None:
    pytest.importorskip("highspy")
    solution = place(two_at_one(), gap_frac=0.0)
    assert solution.value == pytest.approx(10.0 / 2.0)
    assert solution.relaxed_bound == pytest.approx(15.0 / 2.0)
    assert solution.upper_bound == pytest.approx(10.0 / 2.0)
    assert solution.bound_by == "branch and bound"
    assert solution.prices.per_accelerator == pytest.approx([10.0 / 2.0])
    assert solution.prices.per_memory_byte == pytest.approx([0.0])


def test_a_site_goes_on_if_what_it_serves_is_worth_its_idle_power() -> None:
    pytest.importorskip("highspy")
    case = two_at_one(2.0, idle_w=3.0)
    solution = place(dataclasses.replace(case, fixed_data_bps=9.0))
    assert solution.open.all()
    assert solution.value == pytest.approx(29.0 / 5.0)
    solution = place(dataclasses.replace(case, fixed_data_bps=20.0))
    assert not solution.open.any()
    assert solution.value == pytest.approx(20.0 / 2.0)
    assert solution.upper_bound == pytest.approx(20.0 / 2.0)


def test_what_has_to_be_served_and_cannot_be_is_named() -> None:
    pytest.importorskip("highspy")
    with pytest.raises(InfeasibleError, match=r"cut in parts: .*(chat|code) \(0\.2 of it\)"):
        place(two_at_one(1.8, required=True))
    case = two_at_one(required=True)
    late = dataclasses.replace(case.ways, latency_s=np.array([0.1, 0.3]))
    limits = dataclasses.replace(case.services, latency_limit_s=np.array([0.2, 0.2]))
    with pytest.raises(InfeasibleError, match=r"^code has to be served .*the fastest takes 0\.3 s"):
        place(dataclasses.replace(case, ways=late, services=limits))


def test_what_fits_only_in_parts_is_refused_in_words() -> None:
    pytest.importorskip("highspy")
    case = two_at_one(1.5, required=True)
    sites = dataclasses.replace(
        case.sites,
        idle_power_w=np.zeros(3),
        accelerators=np.ones(3),
        memory_byte=np.ones(3),
        uplink_bps=np.ones(3),
        always_on=np.zeros(3, dtype=bool),
    )
    nothing = np.zeros(6)
    ways = Ways(  # three services of two thirds, three sites of one, but only two of them reached
        service=np.repeat(np.arange(3), 2),
        data_bps=nothing,
        token_bps=nothing + 1.0,
        power_w=nothing,
        latency_s=nothing,
        site=np.tile([0, 1], 3),
        accelerators=nothing + 2.0 / 3.0,
        memory_byte=nothing,
        uplink_bps=nothing,
    )
    services = Services(latency_limit_s=np.full(3, np.inf), required=np.array(True))
    parted = Problem(services=services, sites=sites, ways=ways, fixed_power_w=1.0)
    with pytest.raises(InfeasibleError, match="parts of their work would fit"):
        place(parted)


def test_nothing_to_choose_from_is_a_placement_too() -> None:
    pytest.importorskip("highspy")
    case = two_at_one()
    none = case.ways.taken(np.empty(0, dtype=np.int64))
    solution = place(dataclasses.replace(case, ways=none, fixed_data_bps=4.0))
    assert solution.value == pytest.approx(2.0)
    assert solution.gap_frac == pytest.approx(0.0)
    assert (solution.chosen == -1).all()
    assert place(dataclasses.replace(case, ways=none)).gap_frac == 0.0


def test_a_placement_of_twenty_services_is_proven_to_one_percent() -> None:
    pytest.importorskip("highspy")
    case, _ = scene(3, services=20, sites=15, near=3)
    solution = place(case, gap_frac=0.01)
    assert solution.gap_frac <= 0.01
    assert excess(case, solution.chosen) <= 1e-9
    assert solution.priced < 0.5 * solution.usable


def test_no_placement_at_some_of_the_sites_is_above_the_bound_of_all() -> None:
    pytest.importorskip("highspy")
    case, _ = scene(3, services=12, sites=10, near=10)
    all_sites = place(case, gap_frac=0.001)
    first = case.ways.site[:, 0]
    few = case.ways.taken(np.flatnonzero(first < 5))
    assert all_sites.upper_bound >= place(dataclasses.replace(case, ways=few)).value


def test_each_way_has_the_fewest_replicas_that_keep_its_latency() -> None:
    variants = scene(3, services=1, sites=1, near=1)[1]
    demand = Demand(
        rate_tps=np.array([120.0]),
        weight=np.array([2.0]),
        latency_limit_s=np.array([0.06]),
        terminal_memory_byte=np.array([4e9]),
        near=np.array([[0]]),
        air_bps=np.array([[1e7]]),
        air_j_per_bit=np.array([[1e-6]]),
    )
    path = Transport(cloud=1, cloud_s=0.01, cloud_j_per_bit=2e-7, text_bit_per_tok=800.0)
    ways, choices = enumerated(variants, demand, path, np.array([0.0, 0.5]))
    v, f, served = choices.variant, choices.terminal_frac, choices.tier != TERMINAL
    bits = np.where(f > 0.0, variants.handed_on_bit_per_tok[v], 800.0) * served
    before_s = f * variants.s_per_tok[v, TERMINAL] + bits / 1e7 + 0.01 * (choices.tier == CLOUD)
    work_s = (1.0 - f) * variants.s_per_tok[v, choices.tier]

    def late(replicas: np.ndarray) -> np.ndarray:
        spare = 1.0 / work_s[served] - 120.0 / np.maximum(replicas, 1e-9)
        return (spare <= 0.0) | (before_s[served] + 1.0 / spare > 0.06 + 1e-12)

    assert not late(choices.replicas[served].astype(float)).any()
    more = choices.replicas[served] > 1
    assert more.any()
    assert late(choices.replicas[served] - 1.0)[more].all()
    assert ways.latency_s[served] == pytest.approx(
        before_s[served] + 1.0 / (1.0 / work_s[served] - 120.0 / choices.replicas[served])
    )
    assert (f * variants.memory_byte[v] <= 4e9).all()
    energy_j = f * variants.j_per_tok[v, TERMINAL] + (1.0 - f) * variants.j_per_tok[v, choices.tier]
    air_j = bits * (1e-6 + 2e-7 * (choices.tier == CLOUD))
    assert ways.power_w == pytest.approx(120.0 * (energy_j + air_j))
    assert ways.token_bps == pytest.approx(240.0 * variants.worth_bit_per_tok[v])


def test_a_cut_after_the_last_layer_is_no_cut() -> None:
    none = np.empty(0)
    variants = Variants(
        names=(),
        worth_bit_per_tok=none,
        memory_byte=none,
        handed_on_bit_per_tok=none,
        s_per_tok=none,
        j_per_tok=none,
        accelerators=none,
    )
    demand = Demand(
        rate_tps=none,
        weight=none,
        latency_limit_s=none,
        terminal_memory_byte=none,
        near=np.empty((0, 0), dtype=np.int64),
        air_bps=none,
        air_j_per_bit=none,
    )
    path = Transport(cloud=0, cloud_s=0.0, cloud_j_per_bit=0.0, text_bit_per_tok=1.0)
    with pytest.raises(ScenarioError, match=r"0 <= f < 1; got 0\.5 to 1"):
        enumerated(variants, demand, path, np.array([0.5, 1.0]))


def test_faults_of_a_problem_come_all_at_once() -> None:
    case = problem(1)
    ways = {f.name: getattr(case.ways, f.name) for f in dataclasses.fields(Ways)}
    with pytest.raises(ScenarioError) as caught:
        Ways(**{**ways, "power_w": -1.0, "data_bps": np.nan})
    assert "power_w of ways must be >= 0; got -1." in str(caught.value)
    assert "data_bps of ways must be finite" in str(caught.value)
    with pytest.raises(ScenarioError, match="uses one site at two of its hops"):
        Ways(**{**ways, "site": np.zeros((case.ways.count, 2), dtype=np.int64)})
    with pytest.raises(ScenarioError, match=r"fixed_power_w must be > 0 W; got 0 W"):
        dataclasses.replace(case, fixed_power_w=0.0)
    with pytest.raises(ScenarioError, match="expected 4 names of sites; got 1"):
        dataclasses.replace(case.sites, names=("one",))
    site = np.where(case.ways.site == 3, 9, case.ways.site)
    with pytest.raises(ScenarioError, match="site of a way must be -1 or one of 4"):
        dataclasses.replace(case, ways=dataclasses.replace(case.ways, site=site))
    with pytest.raises(ScenarioError, match="shape"):
        Ways(**{**ways, "power_w": np.ones(3)})
    with pytest.raises(ScenarioError, match="expected gap_frac >= 0"):
        place(case, gap_frac=-1.0)


def test_without_highs_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(ScenarioError, match=r"pip install 'tree6g\[optimise\]'"):
        place(two_at_one())


def test_the_solver_writes_nothing() -> None:
    pytest.importorskip("highspy")
    script = (
        "from placement_problems import problem\n"
        "from tree6g.optimise.placement.solve import place\n"
        "place(problem(1, required=0.0), gap_frac=0.0)\n"
    )
    folder = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {folder!r})\n{script}"],
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_variants_of_the_catalogue_take_the_time_and_energy_of_a_full_batch() -> None:
    models = (
        catalogue.Model(name="llama-3.2-1b", weights="int4", worth_bit_per_tok=7e5),
        catalogue.Model(name="llama-3.1-8b", weights="fp16", worth_bit_per_tok=1e6),
    )
    places = (
        catalogue.Place(accelerator="snapdragon-8-gen3"),
        catalogue.Place(accelerator="jetson-agx-orin", batch=8),
        catalogue.Place(accelerator="h100-sxm", batch=32, share_frac=0.5),
    )
    found = catalogue.variants(models, places, context_tok=500.0)
    made = replica(
        accelerator("h100-sxm"),
        footprint(architecture("llama-3.1-8b")),
        weights="fp16",
        share_frac=0.5,
    )
    step = iteration(made, decode_batch(32, 32 * 500.0))
    assert found.s_per_tok[1, CLOUD] == pytest.approx(step.time_s)
    assert found.j_per_tok[1, CLOUD] == pytest.approx(
        (step.energy_j - made.idle_w * step.time_s) / 32
    )
    assert np.isinf(found.s_per_tok[1, TERMINAL])  # 16 GB on a phone
    assert np.isfinite(found.s_per_tok[0]).all()
    assert found.memory_byte[1, CLOUD] == pytest.approx(
        made.weight_byte + 32 * 500.0 * made.kv_byte_per_tok, rel=0.1
    )
    demand = Demand(
        rate_tps=np.array([100.0]),
        weight=np.array([1.0]),
        latency_limit_s=np.array([0.3]),
        terminal_memory_byte=np.array([3e9]),
        near=np.array([[0]]),
        air_bps=np.array([[2e7]]),
        air_j_per_bit=np.array([[1e-6]]),
    )
    path = Transport(cloud=1, cloud_s=0.02, cloud_j_per_bit=2e-8, text_bit_per_tok=800.0)
    ways, choices = enumerated(found, demand, path, np.array([0.0, 0.25, 0.5]))
    assert (ways.latency_s <= 0.3).all()
    assert (choices.terminal_frac[choices.variant == 1] == 0.0).all()
    cloud = (choices.variant == 1) & (choices.tier == CLOUD)
    wait_s = step.time_s / 32 * 31 + 1.0 / (32 / step.time_s - 100.0)
    assert ways.latency_s[cloud] == pytest.approx([0.02 + 800.0 / 2e7 + wait_s])


def test_the_price_of_an_accelerator_is_what_a_little_more_of_it_brings() -> None:
    pytest.importorskip("highspy")
    case = two_at_one(1.5, idle_w=1.0)
    solution = place(case, gap_frac=0.0)
    more = np.array([1.5 + 1e-6])
    sites = dataclasses.replace(case.sites, accelerators=more)
    risen = place(dataclasses.replace(case, sites=sites)).relaxed_bound - solution.relaxed_bound
    assert solution.prices.per_accelerator[0] == pytest.approx(risen / 1e-6, rel=1e-3)
