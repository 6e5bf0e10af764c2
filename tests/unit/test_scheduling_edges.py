"""Users that cannot be served, slots of the other direction, cells at the brink of overload."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio import drx, fluid, numerology, scheduling
from tree6g.radio.link import slots
from tree6g.radio.scheduling import SCHEDULERS, Scheduler


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("run", [scheduling.run, slots.run])
def test_equal_users_get_equal_blocks_beside_one_that_hears_nothing(
    scheduler: Scheduler, run: object
) -> None:
    rate = np.ones((999, 7))
    rate[:, 3] = 0.0
    prbs = run(scheduler, rate, subband_prbs=5.0).prbs.sum(axis=0)  # type: ignore[operator]
    assert prbs[3] == 0.0
    assert np.ptp(np.delete(prbs, 3)) <= 10.0


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("run", [scheduling.run, slots.run])
def test_slots_of_the_other_direction_favour_nobody(scheduler: Scheduler, run: object) -> None:
    down = numerology.slot_pattern("DU").share_frac("downlink", 0, 1000)
    sent = run(  # type: ignore[operator]
        scheduler, np.ones((1000, 2)), subband_prbs=10.0, share_frac=down
    ).sent_bit
    assert sent.sum(axis=0) == pytest.approx([2500.0, 2500.0], abs=20.0)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_cell_without_users_sends_nothing(scheduler: Scheduler) -> None:
    assert scheduling.run(scheduler, np.ones((5, 0)), subband_prbs=10.0).sent_bit.shape == (5, 0)
    assert slots.run(scheduler, np.ones((5, 0)), subband_prbs=10.0).sent_bit.shape == (5, 0)
    assert fluid.long_run(scheduler, np.ones((5, 0))).rate_bps.shape == (0,)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_long_run_leaves_out_who_cannot_be_served_as_the_slots_do(
    scheduler: Scheduler,
) -> None:
    rng = np.random.default_rng(5)
    sample = rng.exponential(1.0, (20_000, 4)) * (rng.random((20_000, 4)) < 0.7)
    sample[:, 1] = 0.0
    drawn = slots.run(scheduler, sample, subband_prbs=60.0)
    limit = fluid.long_run(scheduler, sample)
    assert limit.rate_bps[1] == limit.time_frac[1] == 0.0
    assert limit.rate_bps == pytest.approx(drawn.sent_bit.mean(axis=0) / 60.0, rel=0.03)
    assert limit.time_frac == pytest.approx(drawn.prbs.mean(axis=0) / 60.0, abs=0.01)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_airtime_goes_to_nobody_without_a_rate(scheduler: Scheduler) -> None:
    share = fluid.airtime_frac(scheduler, [np.inf, np.inf, 0.2], [0.0, 1.0, 2.0])
    assert share == pytest.approx([0.0, 0.8, 0.2])


@pytest.mark.parametrize("load", [0.5, 0.999, 0.99999, 1.0 - 1e-9])
def test_mean_delay_near_overload_is_the_closed_form(load: float) -> None:
    assert fluid.mean_delay_s(2.0, load) == pytest.approx(2.0 / (1.0 - load), rel=1e-6)


def test_mean_delay_with_a_gain_near_overload_is_the_sum() -> None:
    gain = np.array([1.0, 1.4, 1.6])
    chance = fluid.number_frac(1.5, gain)
    drawn = chance @ np.arange(len(chance)) * 2.0 / 1.5
    assert fluid.mean_delay_s(2.0, 1.5, gain) == pytest.approx(drawn, rel=1e-9)


def test_drx_without_rates_and_with_a_negative_short_timer() -> None:
    assert drx.expected(drx.FILE_TRANSFER, []).delay_s.shape == (0,)
    with pytest.raises(DataError, match="short"):
        drx.Drx(cycle_s=0.16, on_s=0.008, inactivity_s=0.1, short_cycle_s=0.02, short_for_s=-1.0)


def test_a_bandwidth_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="bandwidth"):
        numerology.prb_count(float("nan"), 30e3, strict=False)
