"""Baseband on accelerators: joules by the blocks in use, idle once, shared with a model or not."""

from __future__ import annotations

import pytest

from engine_worlds import small
from tree6g.compute.accelerator import accelerator
from tree6g.engine.run import run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure
from tree6g.scenario.load import load

OWN = {"accelerator": "l4", "cells": 3, "host_power": "20 W"}
SHARED = {"server": "gpu", "cells": 3}


def _net(baseband, share="60 %", **changes):
    plain = small(**changes)
    plain["sites"][0]["base_station"]["baseband"] = baseband
    plain["sites"][0]["servers"][0]["share_frac"] = share
    return plain


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return run(_net(OWN), out=tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return run(_net(SHARED), out=tmp_path_factory.mktemp("shared"))


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _joules(result, where):
    return _rows(result, f"select sum(energy_j) j from energy where {where}")[0]["j"]


def test_energy_is_blocks_in_use_over_cells_times_the_power_above_idle(own):
    chip = accelerator("l4")
    sql = "select sum(used_s) s from prb"
    used_s = _rows(own, sql)[0]["s"] * 20e6 / 100e6 / 3
    expected_j = used_s * (chip.tdp_w - chip.idle_context_w)
    assert _joules(own, "component = 'baseband' and state = 'active'") == pytest.approx(expected_j)


def test_an_accelerator_of_its_own_waits_all_the_time_and_a_shared_one_only_once(own, shared):
    idle_w = accelerator("l4").idle_context_w
    times = _rows(own, "select min(t0_s) a, max(t1_s) b from energy")[0]
    idle_j = idle_w * (times["b"] - times["a"])
    idle = "state = 'idle' and component in ('gpu', 'baseband')"
    assert _joules(own, idle) == pytest.approx(2 * idle_j)
    assert _joules(shared, idle) == pytest.approx(idle_j)
    assert _joules(own, "state = 'idle' and node = 'a.baseband' and component = 'host'") > 0


@pytest.mark.parametrize("kind", ["own", "shared"])
def test_every_joule_is_booked_once(kind, request):
    assert not check(request.getfixturevalue(kind).ledger).problems


def test_the_data_services_that_use_the_shared_gpu_pay_for_it_and_idle_follows_the_rule(shared):
    node = "a.gpu"
    for rule in ("proportional", "shapley"):
        f = figure(shared.ledger, Query(rule=rule))
        shares = {s.name: s.energy_share_frac for s in f.services}
        assert shares["files"] > 0
    demands = _rows(
        shared,
        f"select service, demand_unit, sum(demand) d from work where node = '{node}' group by all",
    )
    units = {(row["service"], row["demand_unit"]) for row in demands if row["d"]}
    assert {("files", "s"), ("meters", "s"), ("chat", "tok")} <= units


def test_own_baseband_is_of_the_radio_access_network(own):
    sql = "select tier, boundaries from entity where node = 'a.baseband'"
    assert _rows(own, sql) == [{"tier": "ran", "boundaries": "ran network operator full"}]


def test_cells_fail_with_the_server_that_does_their_baseband(tmp_path):
    outage = [{"node": "a.gpu", "from": "30 s", "to": "60 s"}]
    result = run(_net(SHARED, outages=outage), out=tmp_path)
    during = "t0_s >= 30 and t1_s <= 60"
    sql = f"select coalesce(sum(amount), 0) n from work where kind like 'bit%l' and {during}"
    assert _rows(result, sql)[0]["n"] == 0.0
    assert _rows(result, sql.replace(during, "t1_s <= 30"))[0]["n"] > 0.0
    assert not check(result.ledger).problems


def test_a_server_without_room_for_the_peak_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match=r"0\.0667 of an accelerator; got 0 beside"):
        run(_net(SHARED, share="100 %"), out=tmp_path)


@pytest.mark.parametrize(
    ("baseband", "text"),
    [
        ({"cells": 3}, "either a server or an accelerator; got neither"),
        ({**OWN, "server": "gpu"}, "either a server or an accelerator; got both"),
        ({"cells": 3, "server": "gqu"}, "name of a server of the site"),
        ({"cells": 3, "accelerator": "l44"}, "a row of table 'accelerators'"),
    ],
)
def test_a_baseband_that_leads_nowhere_is_told(baseband, text):
    with pytest.raises(ScenarioError, match=text):
        load(_net(baseband))
