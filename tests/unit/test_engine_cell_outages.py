"""Cells that fail in a run: who goes to other cells, who is cut off, and what joules go on."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import hexagon, small, three_tiers
from tree6g.engine.build import build
from tree6g.engine.policies.sleep import Order
from tree6g.engine.run import advance, run
from tree6g.engine.world import Tick
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load

FROM_S, TO_S = 6.0, 14.0


def _outage(node, what="cells", from_s=FROM_S, to_s=TO_S):
    return [{"node": node, "what": what, "from": f"{from_s} s", "to": f"{to_s} s"}]


def _hexagon(**changes):
    plain = hexagon(ledger_interval="2 s", **changes)
    plain["population"]["ai_requests_per_user_hour"] = 60
    plain["sites"][0]["servers"] = small()["sites"][0]["servers"]
    return plain


def _rows(result, sql):
    return result.ledger.query(sql).to_pylist()


def _sum(result, what, where, table="work"):
    return _rows(result, f"select coalesce(sum({what}), 0) n from {table} where {where}")[0]["n"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    outages = {"none": [], "cells": _outage("mast-1"), "all": _outage("mast-1", "all")}
    return {
        name: run(_hexagon(outages=told), out=folder / name, workers=1 + (name == "cells"))
        for name, told in outages.items()
    }


OUT = "node like 'mast-1.cell-%' and t0_s >= 6 and t1_s <= 14"


def test_a_site_that_is_out_sends_and_hears_nothing(runs):
    for name in ("cells", "all"):
        bits = f"{OUT} and kind in ('bit_dl', 'bit_ul')"
        assert _sum(runs["none"], "amount", bits) > 0.0 == _sum(runs[name], "amount", bits)
        later = "node like 'mast-1.cell-%' and t0_s >= 16 and kind = 'bit_ul'"
        assert _sum(runs[name], "amount", later) > 0.0


def test_its_terminals_go_to_other_sites_and_nothing_of_theirs_is_lost(runs):
    for kind in ("bit_ul", "bit_dl"):
        where = f"kind = '{kind}' and service in ('meters', 'files')"
        offered = where.replace(f"= '{kind}'", f"in ('{kind}', 'bit_lost')")
        known = _sum(runs["none"], "amount", offered)
        assert _sum(runs["cells"], "amount", offered) == pytest.approx(known, rel=1e-9)
    assert runs["cells"].requests.lost == runs["none"].requests.lost  # unfinished at the end
    assert not any("cut off" in note for note in runs["cells"].ledger.meta.notes)


def test_what_is_off_draws_what_a_cell_that_is_off_draws(runs):
    joules = {name: _sum(result, "energy_j", OUT, "energy") for name, result in runs.items()}
    assert 0.0 < joules["cells"] == pytest.approx(joules["all"], rel=1e-9)
    assert joules["cells"] < joules["none"]
    states = _rows(runs["all"], f"select distinct state from energy where {OUT} and energy_j > 0")
    assert {row["state"] for row in states} <= {"sleep", "transition"}


def test_every_joule_is_booked_and_every_request_has_one_end(runs):
    for result in runs.values():
        assert check(result.ledger).problems == ()
        assert check(result.ledger).conservation_error_frac <= 1e-9
        count = result.requests
        assert count.arrived == count.served + count.lost > 0


def test_its_servers_go_on_or_fail_as_the_scenario_says(runs):
    busy = "node = 'mast-1.gpu' and state = 'decode' and t0_s >= 8 and t1_s <= 14"
    assert _sum(runs["all"], "energy_j", busy, "energy") == 0.0
    during = "arrival_s between 6.5 and 13.5 and node = 'mast-1.gpu'"
    for name in ("cells", "all"):  # who is served by another site is offered that one's servers
        assert not _rows(runs[name], f"select * from request where {during}")
    assert _rows(runs["none"], f"select * from request where {during}")
    idle = "node = 'mast-1.gpu' and state = 'idle' and component = 'gpu'"
    found, known = (_sum(runs[name], "energy_j", idle, "energy") for name in ("all", "none"))
    assert found == pytest.approx(known, rel=1e-12)


def test_where_no_other_cell_is_heard_everybody_is_cut_off(tmp_path):
    result = run(small(outages=_outage("a", from_s=20.0, to_s=40.0)), out=tmp_path)
    count = result.requests
    assert count.arrived == count.served + count.lost
    assert count.lost > 0
    assert not _rows(result, "select * from request where arrival_s between 20.5 and 39.5")
    assert _rows(result, "select * from request where arrival_s > 41")
    offered = "kind in ('bit_ul', 'bit_lost') and service = 'meters'"
    whole = run(small(), out=tmp_path / "whole")
    found = _sum(result, "amount", offered)
    assert found == pytest.approx(_sum(whole, "amount", offered), rel=1e-9)
    lost_bit = _sum(result, "amount", "kind = 'bit_lost' and service = 'meters'")
    assert lost_bit == pytest.approx(found / 3.0, rel=0.2)
    tokens = "kind in ('token_out', 'token_lost')"
    assert _sum(result, "amount", tokens) == _sum(whole, "amount", tokens)
    assert check(result.ledger).problems == ()
    assert check(result.ledger).conservation_error_frac <= 1e-9
    assert any(note.startswith("Outages of cells: ") for note in result.ledger.meta.notes)


def test_a_server_finishes_an_answer_that_nobody_can_be_given(tmp_path):
    trace = tmp_path / "one.csv"
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,100,400\n", "utf-8")
    plain = small(duration="30 s")
    plain["services"] = plain["services"][:1]
    whole = run(plain, out=tmp_path / "whole", trace=trace)
    cut = run(plain | {"outages": _outage("a", from_s=2.0)}, out=tmp_path / "cut", trace=trace)
    decode = "state = 'decode'"
    assert _sum(cut, "energy_j", decode, "energy") == _sum(whole, "energy_j", decode, "energy")
    assert (whole.requests.served, cut.requests.lost) == (1, 1)
    done, lost = (_sum(cut, "amount", f"kind = '{k}'") for k in ("token_out", "token_lost"))
    assert done > 0 < lost
    assert done + lost == 400


def test_who_is_cut_off_may_still_ask_its_own_model(tmp_path):
    plain = three_tiers(outages=[*_outage("a", to_s=1e4), *_outage("b", to_s=1e4)])
    plain["policy"] = "least-loaded"
    result = run(plain, out=tmp_path)
    nodes = _rows(result, "select distinct node from request where arrival_s > 7")
    assert {row["node"] for row in nodes} == {"a.devices", "b.devices"}
    assert result.requests.lost > 0


@pytest.mark.parametrize("dispatch", ["always", "policy"])
def test_answers_of_a_shared_model_end_where_the_link_does(tmp_path, dispatch):
    plain = three_tiers(outages=_outage("a", from_s=15.0, to_s=40.0), drain="60 s")
    plain["policy"] = "split-best"
    split = {"server": "gpu", "cut": 4, "dispatch": dispatch}
    plain["services"][0]["split"] = split
    result = run(plain, out=tmp_path)
    shared = _rows(result, "select arrival_s from request where cut_layer is not null")
    assert any(row["arrival_s"] < 15.0 for row in shared)
    assert any("terminals cut off were lost" in note for note in result.ledger.meta.notes)
    count = result.requests
    assert count.arrived == count.served + count.lost
    assert check(result.ledger).problems == ()
    assert check(result.ledger).conservation_error_frac <= 1e-9


def test_one_sector_may_fail_alone_and_comes_back_after_its_wake_up():
    plain = _hexagon(outages=_outage("mast-2.cell-3", from_s=1.0, to_s=3.0))
    world = build(load(plain), {})
    on = []
    for n in range(20):
        advance(world, Tick(t0_s=0.5 * n, t1_s=0.5 * n + 0.5))
        on.append({cell.node for cell in world.cells if not cell.on})
        if on[-1]:
            (off,) = [cell.index for cell in world.cells if not cell.on]
            assert not any((crowd.serving == off).any() for crowd in world.radio.crowds())
    assert on[2:6] == [{"mast-2.cell-3"}] * 4
    assert on[:2] == [set()] * 2
    assert on[-1] == set()
    assert any((crowd.serving == off).any() for crowd in world.radio.crowds())


def test_a_sleep_policy_cannot_rely_on_a_cell_that_is_out():
    plain = _hexagon(outages=_outage("mast-1", to_s=1e4, from_s=0.0), sleep_period="1 s")
    seen = []

    def watch(t_s, cells):
        seen.append(cells)
        return [Order() for _ in cells]

    world = build(load(plain), {}, None, watch)
    advance(world, Tick(t0_s=0.0, t1_s=0.5))
    out = {cell.index for cell in world.cells if cell.out}
    (reports,) = seen
    assert len(out) == 3
    assert all(not cover & out for report in reports for cover in report.covering)
    assert all(not reports[n].covering for n in out)
    assert np.all([world.cells[n].rest.up_from_s == np.inf for n in out])


def test_the_same_comes_out_of_a_run_that_went_on_from_a_checkpoint(runs, tmp_path):
    plain = _hexagon(outages=_outage("mast-1", "all"))

    def stop(share, _):
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plain, out=tmp_path, checkpoint=1, progress=stop)
    again = run(plain, out=tmp_path, checkpoint=1)
    for table in ("energy", "work", "request"):
        assert again.ledger.table(table).equals(runs["all"].ledger.table(table)), table


@pytest.mark.parametrize(
    ("outage", "said"),
    [
        ({"node": "b", "what": "servers"}, "got 'b'. Its cells fail with 'what: cells'"),
        ({"node": "c", "what": "cells"}, "expected a server, a cell, or a site; got 'c'"),
        ({"node": "cloud", "what": "cells"}, "expected a server, a cell, or a site; got 'cloud'"),
        ({"node": "a.cel", "what": "cells"}, "Did you mean 'a.cell'?"),
        ({"node": "a", "what": "cell"}, "outages.0.what"),
    ],
)
def test_an_outage_of_cells_names_some_there_are(outage, said):
    with pytest.raises(ScenarioError) as caught:
        load(three_tiers(outages=[_outage("a")[0] | outage]))
    assert said in str(caught.value)
