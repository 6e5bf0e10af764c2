"""Hardware that a service holds beside its servers: transport, core, baseband and terminals."""

from __future__ import annotations

import dataclasses

import pytest

from life_pieces import chat
from tree6g.lifecycle.hardware import PHONE_USE_FRAC, ROUTER_W, embodied, in_use
from tree6g.metric.figure import Query
from tree6g.report.life import making, tell
from tree6g.report.life_use import Assumptions, gather

FULL = Query(boundary="full")


def _node(node, tier, what, boundaries, record=None):
    return {"node": node, "tier": tier, "site": "s", "what": what, "record": record,
            "boundaries": boundaries}  # fmt: skip


def _spent(node, tier, component, joules, service):
    return {"node": node, "tier": tier, "component": component, "energy_j": joules,
            "service": service, "t1_s": 10.0}  # fmt: skip


EXTRA = {
    "entity": [
        _node("link", "transport", "link", "network operator full", "cloud"),
        _node("upf", "core", "function", "network operator full"),
        _node("phones", "device", "terminals", "full"),
        _node("du", "ran", "baseband", "ran network operator full", "2 x l4"),
    ],
    "energy": [
        _spent("link", "transport", "link", 90.0, "chat"),
        _spent("link", "transport", "link", 270.0, "video"),
        _spent("upf", "core", "host", 450.0, "chat"),
        _spent("phones", "device", "terminal", 4.0, "chat"),
        _spent("phones", "device", "terminal", 4.0, "video"),
        _spent("du", "ran", "baseband", 10.0, "chat"),
        _spent("du", "ran", "baseband", 30.0, "video"),
    ],
}


def _found(path, query=FULL, **changes):
    (found,) = gather(chat(path, **{"sessions": 0.5, "extra": EXTRA, **changes}), Assumptions(),
                      query)  # fmt: skip
    return found, {one.node: one for one in found.use.held if one.node not in ("gpu", "cell")}


def test_links_and_the_core_are_as_many_routers_as_their_power_would_feed(tmp_path):
    _, held = _found(tmp_path / "l")
    link, core = held["link"], held["upf"]
    assert {link.made.item, core.made.item} == {"router"}
    assert link.count == pytest.approx(36.0 / ROUTER_W)
    assert link.share_frac == pytest.approx(0.25)
    assert core.count * core.share_frac == pytest.approx(0.5)
    # Half a router for ten seconds of its five years.
    made = embodied("router")
    kg = core.kgco2e(10.0)
    assert kg.value == pytest.approx(0.5 * 403.0 * 10.0 / (5 * 365 * 86400))
    assert kg.high / kg.low == pytest.approx(made.kgco2e.high / made.kgco2e.low)


def test_terminals_are_phones_for_as_long_as_answers_are_in_progress(tmp_path):
    found, held = _found(tmp_path / "l")
    phones = held["terminals"]
    assert (phones.count, phones.share_frac) == (0.5, 1.0)
    assert phones.made.lifetime_s == pytest.approx(
        PHONE_USE_FRAC * embodied("smartphone").lifetime_s
    )
    assert phones.made == in_use()
    table = making(tell(found, Assumptions()))
    assert table.column("item")[-1] == "smartphone"
    assert table.numbers("held")[-1] == pytest.approx(0.5)


def test_baseband_is_the_server_of_its_record(tmp_path):
    found, _ = _found(tmp_path / "l")
    held = {one.made.item: one for one in found.use.held if one.node == "du"}
    assert held["l4"].count == 2.0
    assert held["server"].share_frac == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("query", "changes", "why"),
    [
        (Query(boundary="operator"), {}, "--boundary full has them"),
        (FULL, {"sessions": None}, "no sessions are counted"),
        (FULL, {"extra": {}}, "the ledger has none"),
    ],
)
def test_terminals_that_are_not_known_are_left_out_with_the_reason(tmp_path, query, changes, why):
    found, held = _found(tmp_path / "l", query, **changes)
    assert "terminals" not in held
    (told,) = [problem for problem in found.problems if "terminals" in problem]
    assert why in told


def test_hardware_without_a_figure_is_left_out_and_where_none_has_one_there_is_no_table(tmp_path):
    (found,) = gather(chat(tmp_path / "l", gpu="jetson-agx-orin"), Assumptions())
    assert [one.made.item for one in found.use.held] == ["base-station"]
    assert any("embodied carbon of gpu" in problem for problem in found.problems)
    bare = dataclasses.replace(found, use=dataclasses.replace(found.use, held=()))
    assert making(tell(found, Assumptions())) is not None
    assert making(tell(bare, Assumptions())) is None
