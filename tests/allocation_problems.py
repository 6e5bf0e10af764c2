"""Random cells with their users, for tests of allocations."""

from __future__ import annotations

import numpy as np

from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.problem import (
    Accelerators,
    AiUsers,
    Cell,
    Clock,
    DataUsers,
    Problem,
)

CURVES = (
    Curve(family="log", alpha_bit_per_tok=4e5, t0_tps=20.0),
    Curve(family="linear", alpha_bit_per_tok=1.5e5),
    Curve(family="alpha_fair", alpha_bit_per_tok=4e5, t0_tps=20.0, order=2.0),
    Curve(family="saturating", alpha_bit_per_tok=4e5, t0_tps=30.0),
    Curve(family="power", alpha_bit_per_tok=3e5, t0_tps=20.0, order=0.5),
    Curve(
        family="piecewise", alpha_bit_per_tok=4e5, knots=((5.0, 5.0), (20.0, 12.0), (90.0, 20.0))
    ),
)
CLOCKS = (
    Clock(name="full", speed_frac=1.0, idle_power_w=60.0, energy_frac=1.0),
    Clock(name="half", speed_frac=0.6, idle_power_w=45.0, energy_frac=0.7),
)


def gains(rng: np.random.Generator, count: int, loss_db: tuple[float, float]) -> np.ndarray:
    """Gains over thermal noise with a noise figure of 9 dB, Hz/W."""
    return 10.0 ** ((30.0 - rng.uniform(*loss_db, count) + 165.0) / 10.0)


def problem(
    count: int,
    seed: int,
    *,
    loss_db: tuple[float, float] = (80.0, 125.0),
    power_w_per_user: float = 0.4,
    curves: tuple[Curve, ...] = CURVES[:1],
    cards: tuple[int, ...] | None = None,
    clocks: tuple[Clock, ...] = CLOCKS[:1],
) -> Problem:
    """Half of the users ask a model, half move data, in a cell that grows with them."""
    rng = np.random.default_rng(seed)
    ai, data = count // 2, count - count // 2
    gain = gains(rng, count, loss_db)
    return Problem(
        cell=Cell(
            bandwidth_hz=2e5 * count,
            power_limit_w=power_w_per_user * count,
            amplifier_frac=0.3,
            fixed_power_w=3.0 * count,
            power_w_per_hz=1e-7,
            transport_j_per_bit=1e-8,
        ),
        data=DataUsers(
            gain_hz_per_w=gain[:data],
            weight=rng.uniform(0.5, 2.0, data),
            rate_min_bps=1e4,
            rate_max_bps=rng.uniform(2e6, 2e7, data),
        ),
        ai=AiUsers(
            gain_hz_per_w=gain[data:],
            weight=rng.uniform(0.5, 2.0, ai),
            curves=curves,
            curve=rng.integers(0, len(curves), ai),
            bit_per_tok=rng.uniform(1e3, 4e3, ai),
            delay_s=0.2,
            gpu_s_per_tok=1.0 / 2000.0,
            energy_j_per_tok=0.1,
            rate_min_tps=1.0,
            rate_max_tps=200.0,
        ),
        accelerators=Accelerators(
            counts=cards if cards is not None else (max(1, (3 * count) // 100),), clocks=clocks
        ),
    )
