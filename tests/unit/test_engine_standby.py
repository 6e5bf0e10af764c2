"""Servers that a policy switches: what they draw, who is answered, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine_worlds import small, three_tiers
from tree6g.engine.policies import first_to_answer
from tree6g.engine.policies.servers import FleetReport
from tree6g.engine.run import RunResult, run
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check

START_S = 12.0


class Switching:
    """Answers wherever it is soonest; servers are on as a function of time says."""

    def __init__(self, on):
        self.on, self.reports = on, []

    def __call__(self, query, options):
        return first_to_answer(options)

    def servers(self, report: FleetReport):
        self.reports.append(report)
        return self.on(report.t_s)


def switched(tmp_path: Path, on, **changes) -> tuple[RunResult, Switching]:
    plain = small(server_period="10 s", step="2 s", **changes)
    plain["sites"][0]["servers"][0]["start"] = f"{START_S} s"
    policy = Switching(on)
    return run(plain, out=tmp_path, policy=policy), policy


def joules(result: RunResult, state: str) -> float:
    rows = result.ledger.query(
        "select sum(energy_j) j from energy where node = 'a.gpu' "
        f"and component in ('gpu', 'host') and state = '{state}'"
    ).to_pylist()
    return float(rows[0]["j"] or 0.0)


def test_a_server_that_is_off_draws_nothing_and_a_start_its_idle_power(tmp_path: Path) -> None:
    result, policy = switched(
        tmp_path, lambda t_s: ["a.gpu"] if t_s >= 20.0 else [], duration="60 s"
    )
    always = run(small(duration="60 s", step="2 s"), out=tmp_path / "always")
    idle_w = joules(always, "idle") / 90.0
    assert joules(result, "transition") == pytest.approx(START_S * idle_w, rel=1e-9)
    assert joules(result, "idle") == pytest.approx((90.0 - 20.0 - START_S) * idle_w, rel=1e-9)
    state = {report.t_s: report.servers[0].state for report in policy.reports}
    assert (state[0.0], state[20.0], state[30.0], state[40.0]) == ("on", "off", "starting", "on")
    first = result.ledger.query("select min(arrival_s) a from request").to_pylist()[0]["a"]
    assert first >= 20.0 + START_S
    assert policy.reports[1].servers[0].start_j == pytest.approx(1.2 * START_S * idle_w, rel=1e-9)


def test_who_is_there_when_a_server_stops_has_the_whole_answer(tmp_path: Path) -> None:
    result, policy = switched(tmp_path, lambda t_s: ["a.gpu"] if t_s < 30.0 else [])
    served = result.ledger.query("select max(arrival_s) a, max(arrival_s + e2e_s) e from request")
    row = served.to_pylist()[0]
    assert row["a"] < 30.0 < row["e"]
    begun = result.ledger.query("select count(*) n from request where arrival_s < 29.5")
    asked = sum(report.asked_rps["chat", 0] * report.since_s for report in policy.reports[:4])
    assert begun.to_pylist()[0]["n"] == pytest.approx(asked, abs=1.0)
    assert {report.servers[0].state for report in policy.reports[4:6]} <= {"stopping", "off"}


def test_joules_of_switched_servers_balance(tmp_path: Path) -> None:
    result, _ = switched(tmp_path, lambda t_s: ["a.gpu"] if t_s % 40.0 < 20.0 else [])
    report = check(result.ledger)
    assert not report.problems
    assert report.conservation_error_frac <= 1e-9


def test_another_server_takes_over_and_links_are_reported(tmp_path: Path) -> None:
    plain = three_tiers(server_period="10 s")
    del plain["devices"]
    policy = Switching(lambda t_s: ["cloud.big"] if t_s >= 20.0 else ["a.gpu", "cloud.big"])
    result = run(plain, out=tmp_path, policy=policy)
    after = result.ledger.query("select distinct node from request where arrival_s > 20.5")
    assert {row["node"] for row in after.to_pylist()} == {"cloud.big"}
    report = policy.reports[-1]
    assert report.up_bps.keys() == report.down_bps.keys() == {("chat", 0), ("chat", 1)}
    assert all(
        0.0 < rate < math.inf for rate in (*report.up_bps.values(), *report.down_bps.values())
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("a.gpu", "as a set or a list"), (["a.gpx"], "did you mean 'a.gpu'"), (None, "got None")],
)
def test_what_are_no_servers_is_told(tmp_path: Path, wanted, said: str) -> None:
    with pytest.raises(ScenarioError, match="(?i)" + said):
        switched(tmp_path, lambda t_s: wanted)


def test_a_file_may_switch_servers(tmp_path: Path) -> None:
    file = tmp_path / "night.py"
    file.write_text(
        "def choose(query, options):\n    return 0 if options else None\n\n"
        "def servers(report):\n    return [] if report.t_s else ['a.gpu']\n"
    )
    result = run(small(policy=str(file), server_period="10 s"), out=tmp_path / "run")
    assert any("server-hours off" in note for note in result.ledger.meta.notes)
    file.write_text(
        "def choose(query, options):\n    return 0\n\ndef servers(report):\n    return 1 / 0\n"
    )
    with pytest.raises(ScenarioError, match=r"servers at 0 s.*line 5: ZeroDivisionError"):
        run(small(policy=str(file)), out=tmp_path / "other")
