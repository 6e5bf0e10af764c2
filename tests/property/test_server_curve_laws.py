"""Servers over load: laws of their curves, and of the settings that are left to choose from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.optimise.servers.choice import combinations
from tree6g.optimise.servers.curve import FitError, ServerCurve, fit_error, fitted
from tree6g.optimise.servers.pool import Option, Pool, Setting
from tree6g.optimise.servers.trial import Point
from tree6g.scenario.model import Server

CURVES = st.builds(
    ServerCurve,
    places=st.integers(1, 512),
    step_s=st.floats(1e-3, 0.1),
    sequence_s=st.floats(1e-5, 0.01),
    step_j=st.floats(0.1, 20.0),
    token_j=st.floats(0.01, 2.0),
    burst=st.floats(0.5, 1.5),
    first_s=st.floats(0.01, 1.0),
    wait_s=st.floats(0.0, 1.0),
)
CURVE = ServerCurve(
    places=64, step_s=0.013, sequence_s=6e-4, step_j=1.7, token_j=0.16, burst=1.05, first_s=0.08,
    wait_s=0.01,
)  # fmt: skip


def point(curve: ServerCurve, rate_tps: float, on_time_frac: float = 1.0) -> Point:
    """What a server does that is its curve."""
    return Point(
        rate_tps=rate_tps,
        batch_tok=float(curve.batch_tok(rate_tps)),
        step_s=float(curve.tpot_s(rate_tps)),
        running=float(curve.running(rate_tps)),
        active_w=float(curve.active_w(rate_tps)),
        ttft_s=float(curve.ttft_s(rate_tps)),
        on_time_frac=on_time_frac,
    )


def option(token_j: float, idle_w: float, servers: int = 1) -> Option:
    """A setting whose tokens and idle time take so much."""
    return Option(
        setting=Setting(servers=servers, count=1, clock=None, max_batch=64),
        curve=dataclasses.replace(CURVE, token_j=token_j),
        points=(),
        error=FitError(power_frac=0.0, pace_frac=0.0, wait_frac=0.0),
        idle_w=idle_w,
        on_time_frac=1.0,
    )


def pool(*options: Option) -> Pool:
    """Servers with some settings, today's first, that answer two services."""
    return Pool(
        place="site",
        names=("gpu",),
        spec=Server(name="gpu", accelerator="l40s", model="llama-3.1-8b"),
        demand_tps=100.0,
        work_frac={"chat": 0.75, "code": 0.25},
        idle_w=options[0].idle_w,
        active_w=float(options[0].active_w(100.0)),
        expected_scale=1.0,
        today=options[0],
        options=options,
    )


@given(curve=CURVES, load_frac=st.floats(0.0, 2.0))
def test_as_many_run_as_littles_law_says(curve: ServerCurve, load_frac: float) -> None:
    rate = load_frac * curve.full_tps
    worked = float(curve.worked_tps(rate))
    running = float(curve.running(rate))
    assert worked <= curve.full_tps
    assert running == pytest.approx(worked * float(curve.tpot_s(rate)), rel=1e-6, abs=1e-12)


@given(curve=CURVES)
def test_power_above_idle_is_concave_in_the_load(curve: ServerCurve) -> None:
    smooth = dataclasses.replace(curve, burst=min(curve.burst, 1.0))
    power = smooth.active_w(np.linspace(0.0, smooth.full_tps, 40))
    assert power[0] == 0.0
    assert (np.diff(power, 2) <= 1e-6 * power.max()).all()


@given(curve=CURVES)
def test_a_curve_is_found_again_from_what_it_does(curve: ServerCurve) -> None:
    rates = curve.full_tps * np.array([0.1, 0.3, 0.5, 0.7])
    points = [point(curve, float(rate)) for rate in rates]
    if min(p.active_w for p in points) <= 0.0:
        return
    error = fit_error(fitted(points, curve.places), points)
    assert max(error.power_frac, error.pace_frac, error.wait_frac) < 1e-4


def test_a_light_load_decodes_alone_and_a_token_then_takes_a_step_of_its_own() -> None:
    assert float(CURVE.batch_tok(1e-9)) == pytest.approx(1.0)
    assert float(CURVE.active_w(1e-3)) == pytest.approx(1e-3 * (1.7 + 0.16), rel=1e-4)


@given(
    least=st.floats(0.0, 1.0),
    share=st.floats(0.0, 1.0),
    curve=CURVES,
    load_frac=st.floats(0.1, 2.0),
)
def test_the_chord_of_a_setting_is_never_above_its_curve(
    least: float, share: float, curve: ServerCurve, load_frac: float
) -> None:
    only = dataclasses.replace(option(0.16, 250.0), curve=curve)
    asked = dataclasses.replace(
        pool(only), demand_tps=load_frac * curve.full_tps,
        active_w=float(only.active_w(load_frac * curve.full_tps)),
    )  # fmt: skip
    (running,), *_ = combinations([asked], frozenset({"chat", "code"}), least)
    shares = dict.fromkeys(("chat", "code"), least + share * (1.0 - least))
    exact = running.idle_w + running.active_w(shares)
    assert running.chord_w(shares["chat"]) <= exact * (1.0 + 1e-6)


def test_at_todays_rates_the_chord_is_the_curve() -> None:
    ((running,),) = combinations([pool(option(0.16, 250.0))], frozenset({"chat", "code"}), 1.0)
    exact = running.idle_w + running.active_w({"chat": 1.0, "code": 1.0})
    assert running.chord_w(1.0) == pytest.approx(exact, rel=1e-12)


def test_what_draws_more_at_both_ends_is_left_out() -> None:
    some = pool(option(0.16, 250.0), option(0.2, 260.0), option(5.0, 100.0))
    left = [only for (only,) in combinations([some], frozenset({"chat"}), 0.0)]
    assert [each.option for each in left] == [some.options[0], some.options[2]]


def test_a_pool_whose_services_are_all_refused_is_off() -> None:
    ((off,),) = combinations([pool(option(0.16, 250.0))], frozenset({"other"}), 0.5)
    assert (off.option, off.idle_w, off.active_w({"chat": 0.0})) == (None, 0.0, 0.0)
