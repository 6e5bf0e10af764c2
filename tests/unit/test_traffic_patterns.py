"""Traffic models of data services: their rates, sizes and shapes, in whatever windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine_worlds import small, three_tiers
from tree6g import data
from tree6g.engine.build import build
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import dump, load
from tree6g.traffic.patterns import Asked, mean_segments, traffic
from tree6g.traffic.sizes import capped_pareto, sizes, truncated_gauss

ROWS = data.table("traffic_models")
SOURCES = {"iot-periodic": 4000, "iot-bursty": 50, "streaming": 200, "voip": 40}


def _asked(name, **changes):
    row = ROWS[name]
    about = {
        "arrival": row["arrival"], "pattern": name, "sites": 2, "sources": SOURCES.get(name, 10),
        "message_byte": row["message_byte"], "period_s": row["period_s"],
    }  # fmt: skip
    return Asked(**(about | changes))


def _sent(asked, edges, seed=1):
    found = traffic(asked, np.random.SeedSequence(seed))
    parts = [found.window(a, b) for a, b in itertools.pairwise(edges)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


@pytest.mark.parametrize("name", ROWS)
def test_where_windows_are_cut_changes_nothing(name):
    asked = _asked(name)
    end_s = min(100.0 * asked.period_s, 4000.0)
    whole = _sent(asked, [0.0, end_s])
    assert len(whole[0]) > 0
    cuts = np.sort(np.random.default_rng(0).random(7)) * end_s
    for one, other in zip(whole, _sent(asked, [0.0, *cuts, end_s]), strict=True):
        assert one.tolist() == other.tolist()
    assert _sent(asked, [0.0, end_s], seed=2)[0].tolist() != whole[0].tolist()


@pytest.mark.parametrize("name", ROWS)
def test_messages_come_in_order_from_all_sources_at_their_mean_rate_and_size(name):
    asked = _asked(name)
    many = {"iot-bursty": 300, "iot-periodic": 12, "streaming": 100, "voip": 2000}
    end_s = many.get(name, 400) * asked.period_s
    time_s, source, byte = _sent(asked, [0.0, end_s])
    assert (np.diff(time_s) >= 0.0).all()
    assert time_s[0] >= 0.0
    assert time_s[-1] < end_s
    assert set(source.tolist()) <= set(range(asked.sites * asked.sources))
    expected = asked.sites * asked.sources * end_s / asked.period_s
    loose = {"iot-bursty": 0.15, "streaming": 0.15, "voip": 0.05}
    assert len(time_s) == pytest.approx(expected, rel=loose.get(name, 0.03))
    assert byte.mean() == pytest.approx(asked.message_byte, rel=0.02)


def test_frames_jitter_by_four_milliseconds_at_most_and_scatter_in_size():
    asked = _asked("xr-vr")
    time_s, source, byte = _sent(asked, [0.0, 60.0])
    for who in range(3):
        grid_s = time_s[source == who]
        late_s = grid_s - asked.period_s * np.arange(len(grid_s))
        assert late_s.max() - late_s.min() <= 0.008 + 1e-9
        # A Gaussian of 2 ms cut off at two deviations has 1.76 ms.
        assert late_s.std() == pytest.approx(0.00176, rel=0.05)
    assert byte.std() / byte.mean() == pytest.approx(0.105, rel=0.03)
    assert byte.min() >= 0.5 * asked.message_byte
    assert byte.max() <= 1.5 * asked.message_byte
    assert asked.message_byte * 8.0 / asked.period_s == pytest.approx(30e6)


def test_a_call_talks_half_of_the_time_in_spurts_of_two_seconds():
    asked = _asked("voip", sources=100, sites=1)
    time_s, source, byte = _sent(asked, [0.0, 200.0])
    talking = byte > 20.0
    assert set(byte.tolist()) == {15.0, 40.0}
    assert np.count_nonzero(talking) * 0.02 / (100 * 200.0) == pytest.approx(0.5, abs=0.03)
    mine, spoken = time_s[source == 0], talking[source == 0]
    gaps_s = np.diff(mine)
    assert gaps_s[spoken[:-1] & spoken[1:]].min() == pytest.approx(0.02)
    assert gaps_s[~spoken[:-1] & ~spoken[1:]].max() == pytest.approx(0.16)
    states = [talking[source == who].astype(int) for who in range(100)]
    starts = sum(np.count_nonzero(np.diff(state) == 1) for state in states)
    assert starts * 4.0 / (100 * 200.0) == pytest.approx(1.0, rel=0.1)  # a turn takes 4 s


def test_an_alarm_is_one_message_of_every_source_of_a_site_within_ten_seconds():
    asked = _asked("iot-bursty", sources=500, period_s=3e4)
    time_s, source, _ = _sent(asked, [0.0, 4e5])
    first = np.flatnonzero(np.diff(time_s, prepend=-1e9) > 20.0)
    alone = [
        slice(a, b) for a, b in itertools.pairwise([*first.tolist(), len(time_s)]) if b - a == 500
    ]
    assert len(alone) > 5
    late_s = np.concatenate([time_s[one] - time_s[one][0] for one in alone])
    assert late_s.max() <= 10.0
    deviations_s = np.concatenate([time_s[one] - time_s[one].mean() for one in alone])
    assert deviations_s.std() == pytest.approx(10.0 * np.sqrt(12.0 / (49.0 * 8.0)), rel=0.05)
    for one in alone:
        assert len(set(source[one].tolist())) == 500
        assert len({number // 500 for number in source[one].tolist()}) == 1


def test_devices_report_by_the_shares_of_their_periods():
    asked = _asked("iot-periodic", sites=1)
    _, source, byte = _sent(asked, [0.0, 86400.0])
    counts = np.bincount(source, minlength=4000)
    share = [np.mean(counts == many) for many in (1, 12, 24, 48)]
    assert share == pytest.approx([0.4, 0.4, 0.15, 0.05], abs=0.03)
    assert byte.min() >= 85.0
    assert byte.max() == pytest.approx(265.0)
    assert np.mean(byte > 264.9) == pytest.approx(0.1**2.5, rel=0.3)


def test_a_session_sends_its_segments_one_after_the_other():
    asked = _asked("streaming", sources=1, sites=1, period_s=1000.0)
    time_s, _, _ = _sent(asked, [0.0, 4e6])
    gaps_s = np.diff(time_s)
    within = np.isclose(gaps_s, 4.0)
    assert np.mean(within) == pytest.approx(1.0 - 1.0 / mean_segments(4.0, 300.0), abs=0.03)


def test_alarms_and_sessions_follow_the_hours_of_a_day():
    curve = tuple(float(hour == 2) for hour in range(24))
    for name in ("iot-bursty", "streaming"):
        time_s, _, _ = _sent(_asked(name, period_s=60.0, curve=curve), [0.0, 6 * 3600.0])
        assert len(time_s)
        assert time_s[0] >= 7200.0
        assert np.quantile(time_s, 0.9) < 10800.0 + 300.0


def test_sites_do_not_report_one_after_the_other():
    asked = _asked("xr-pose", sources=100, sites=10, period_s=100.0)
    time_s, source, _ = _sent(asked, [0.0, 100.0])
    assert abs(np.corrcoef(time_s, source // 100)[0, 1]) < 0.15


def test_distributions_have_the_mean_one_and_keep_their_bounds():
    rng = np.random.default_rng(4)
    for level, part in (truncated_gauss(1.0, 0.105, 0.5, 1.5), capped_pareto(2.5, 20, 200, 65)):
        assert (np.diff(level) >= 0.0).all()
        assert (level[0], level[-1]) == (0.0, 1.0)
        drawn = np.interp(rng.random(400_000), level, part)
        assert drawn.mean() == pytest.approx(1.0, abs=2e-3)
    assert sizes(rng, 7.0).draw(3).tolist() == [7.0] * 3


def _service(**said):
    plain = small()
    plain["services"][1] = {"kind": "data", "name": "meters", **said}
    return plain


def test_a_pattern_gives_what_is_not_said_and_keeps_what_is():
    spec = load(_service(pattern="ftp-3")).services[1]
    assert (spec.direction, spec.arrival, spec.message_byte, spec.period_s) == (
        "down", "poisson", 5e5, 0.2,
    )  # fmt: skip
    spec = load(_service(pattern="xr-vr", message="93.75 kB", delay_budget="15 ms")).services[1]
    assert (spec.message_byte, spec.delay_budget_s, spec.arrival) == (93750.0, 0.015, "frames")
    spec = load(_service(pattern="voip", direction="down")).services[1]
    assert (spec.direction, spec.arrival) == ("down", "talk")


def test_a_scenario_with_patterns_reads_back_as_it_was():
    for name in ROWS:
        once = load(_service(pattern=name, sources=3))
        assert load(dump(once)) == once


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"pattern": "ftp3"}, "expected a row of table 'traffic_models'; got 'ftp3'"),
        ({"pattern": "voip", "growth": 2.0}, "expected 1 for talk, which a codec paces; got 2"),
        ({"message": "1 kB", "period": "1 s", "arrival": "talk"}, "Give a pattern: voip."),
        ({"pattern": "voip", "day_curve": "city-users"}, "expected none for talk arrivals"),
        ({"pattern": "ftp-3", "day_curve": "city"}, "expected a row of table 'day_curves'"),
    ],
)
def test_what_does_not_go_together_is_told(said, words):
    with pytest.raises(ScenarioError) as caught:
        load(_service(**said))
    assert words in str(caught.value)


def test_a_named_curve_is_that_of_its_row():
    plain = _service(pattern="ftp-3", day_curve="city-bytes")
    plain["services"][0]["day_curve"] = "ai-servegen-small"
    services = load(plain).services
    assert services[1].day_curve[0] == data.table("day_curves")["city-bytes"]["h00_frac"]
    for name, row in data.table("day_curves").items():
        values = [row[f"h{hour:02d}_frac"] for hour in range(24)]
        assert np.mean(values) == pytest.approx(1.0, abs=5e-3), name
    assert max(services[0].day_curve) == services[0].day_curve[20]


def test_requests_to_ai_grow_as_well():
    plain = small()
    plain["population"]["ai_requests_per_user_hour"] = 200
    once = len(build(load(plain), {}).requests)
    plain["services"][0]["growth"] = 3.0
    assert len(build(load(plain), {}).requests) == pytest.approx(3 * once, rel=0.25)


def _hybrid():
    plain = three_tiers(duration="20 s", drain="10 s", ledger_interval="5 s")
    plain["services"] = plain["services"][:1]
    for n, name in enumerate(ROWS):
        plain["services"].append({"kind": "data", "name": f"s{n}", "pattern": name, "sources": 3})
    for service in plain["services"][-2:]:
        service |= {"period": "10 s", "sources": 20}
    return plain


def test_a_run_with_all_patterns_conserves_energy_and_goes_on_from_a_checkpoint(tmp_path):
    whole = run(_hybrid(), out=tmp_path / "whole")
    assert check(whole.ledger).problems == ()
    assert check(whole.ledger).conservation_error_frac <= 1e-9
    names = whole.ledger.query("select distinct service from work where amount > 0").to_pylist()
    assert len(names) >= len(ROWS)

    def stop(share, _):
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(_hybrid(), out=tmp_path / "cut", checkpoint=1, progress=stop)
    again = run(_hybrid(), out=tmp_path / "cut", checkpoint=1)
    for table in ("energy", "work", "request"):
        assert again.ledger.table(table).equals(whole.ledger.table(table)), table
