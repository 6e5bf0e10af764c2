"""Energy of a client's round by hand, and choices of clients against exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tree6g.training.federated.energy import compute_j, compute_s, rate_bps, send_j, send_s
from tree6g.training.federated.selection import Candidates, energy_aware, worth_per_joule


def test_computing_a_round_takes_a_hundredth_of_a_second_and_a_millijoule() -> None:
    assert compute_s(1.0, 2e4, 500, 1e9) == pytest.approx(0.01, rel=1e-12)
    assert compute_j(1e-28, 1.0, 2e4, 500, 1e9) == pytest.approx(1e-3, rel=1e-12)


def test_sending_an_update_takes_28_milliseconds_and_281_microjoules() -> None:
    assert send_s(28.1e3, 1e6) == pytest.approx(28.1e-3, rel=1e-12)
    assert send_j(28.1e3, 1e6, 0.01) == pytest.approx(2.81e-4, rel=1e-12)


def test_a_channel_with_signal_as_strong_as_noise_carries_a_bit_per_second_and_hertz() -> None:
    assert rate_bps(20e6, 1e-9, 0.08, 4e-18) == pytest.approx(20e6, rel=1e-12)


def test_a_faster_clock_costs_its_square() -> None:
    slow, fast = compute_j(1e-28, 1.0, 2e4, 500, np.array([1e9, 2e9]))
    assert fast == pytest.approx(4.0 * slow, rel=1e-12)


def test_utility_per_joule_is_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        utility, energy_j = rng.gamma(2.0, size=9), rng.gamma(1.0, size=9) + 1e-3
        count, fixed_j = int(rng.integers(1, 6)), float(rng.gamma(1.0))

        def ratio(who: tuple[int, ...], fixed_j: float = fixed_j) -> float:
            at = list(who)
            return float(utility[at].sum() / (fixed_j + energy_j[at].sum()))  # noqa: B023

        chosen = worth_per_joule(utility, energy_j, count, fixed_j)
        best = max(ratio(who) for who in itertools.combinations(range(9), count))
        assert len(chosen) == count
        assert ratio(tuple(chosen.tolist())) == pytest.approx(best, rel=1e-12)


def test_energy_aware_choice_is_the_best_of_all_choices() -> None:
    rng = np.random.default_rng(6)
    for _ in range(8):
        clients, steps = 6, 2
        given = Candidates(
            utility=rng.gamma(2.0, size=clients),
            domain=rng.integers(0, 2, clients),
            batch_j=np.ones(clients),
            spare=rng.integers(1, 6, (clients, steps)).astype(float),
            least=np.full(clients, 3.0),
            most=np.full(clients, 6.0),
            excess_j=rng.integers(3, 9, (2, steps)).astype(float),
        )
        chosen, found = energy_aware(given, 3)
        assert len(chosen) <= 3
        assert found == pytest.approx(max(_best(given, who) for who in _choices(clients)), abs=1e-6)
        assert found == pytest.approx(_best(given, tuple(chosen.tolist())), abs=1e-6)


def test_energy_aware_choice_takes_nobody_without_energy() -> None:
    one = np.ones(3)
    given = Candidates(
        utility=one, domain=np.zeros(3, dtype=np.int64), batch_j=one, spare=np.ones((3, 2)),
        least=one, most=one, excess_j=np.zeros((1, 2)),
    )  # fmt: skip
    chosen, found = energy_aware(given, 2)
    assert (len(chosen), found) == (0, 0.0)


def _choices(clients: int) -> list[tuple[int, ...]]:
    sizes = range(4)
    return [who for size in sizes for who in itertools.combinations(range(clients), size)]


def _best(given: Candidates, who: tuple[int, ...]) -> float:
    """Best utility of a fixed choice, domain by domain; joules and batches are the same here.

    With whole numbers everywhere a best plan is whole too (flows), so it is found by trying all.
    """
    total = 0.0
    for domain in range(2):
        mine = [c for c in who if given.domain[c] == domain]
        best = -np.inf
        options = [
            [
                (a, b)
                for a in range(int(given.spare[c, 0]) + 1)
                for b in range(int(given.spare[c, 1]) + 1)
                if given.least[c] <= a + b <= given.most[c]
            ]
            for c in mine
        ]
        for plan in itertools.product(*options):
            used = np.sum(plan, axis=0) if plan else np.zeros(2)
            if (used <= given.excess_j[domain]).all():
                worth = sum(given.utility[c] * sum(m) for c, m in zip(mine, plan, strict=True))
                best = max(best, worth)
        total += best
    return total
