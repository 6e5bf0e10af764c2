"""Rounds of learning in reports: figure, tables, sections."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from reporting import HOSTILE, header, small_ledger
from tree6g.errors import LedgerError
from tree6g.metric.learning import Learnt, Round, learnt
from tree6g.report import learning
from tree6g.report.canvas import Drawing
from tree6g.report.figures.learning import drawing, table
from tree6g.report.tables import Missing, to_csv
from tree6g.report.write import write_report

ROUNDS = tuple(
    Round(
        number=n, t0_s=10.0 * n, t1_s=10.0 * n + 4.0, chosen=4, arrived=4 - (n == 2),
        accuracy_frac=0.5 + 0.1 * n, loss=1.0 / n, energy_j={"device": 2.0, "ran": 1.0 * n},
        bit={"bit_dl": 1e6, "bit_ul": 1e6 * n, "bit_carried": 1e6 + 1e6 * n},
    )
    for n in (1, 2, 3)
)  # fmt: skip
KNOWN = Learnt(service="learning", rounds=ROUNDS)
ROW = {
    "round": 1, "t0_s": 0.0, "t1_s": 60.0, "chosen": 3, "arrived": 2, "accuracy_frac": 0.5,
    "loss": 1.2,
}  # fmt: skip


def test_the_figure_tells_accuracy_joules_bits_and_clients_in_words_and_in_its_data() -> None:
    found = drawing(KNOWN, "stamp")
    assert isinstance(found, Drawing)
    for said in ("from 60 % to 80 %", "device 6 J, ran 6 J", "up 6 Mbit", "12 and 11"):
        assert said in found.description.replace("\xa0", " ")
    assert to_csv(found.table).splitlines()[0] == (
        "round,t0_s,t1_s,chosen,arrived,accuracy_frac,loss,device_j,ran_j,dl_bit,ul_bit,carried_bit"
    )
    assert found.table.numbers("ran_j") == [1.0, 2.0, 3.0]


def test_areas_have_hatches_and_lines_have_dashes_and_markers() -> None:
    found = drawing(KNOWN, "stamp")
    assert isinstance(found, Drawing)
    svg = found.svg.decode()
    assert "<pattern" in svg
    assert "stroke-dasharray" in svg
    assert "<script" not in found.inline
    assert found == drawing(KNOWN, "stamp")


@pytest.mark.parametrize("known", [None, Learnt(service="learning", rounds=())], ids=["no", "none"])
def test_without_a_round_there_is_no_figure(known: Learnt | None) -> None:
    found = drawing(known, "stamp")
    assert isinstance(found, Missing)
    sections = learning.sections(known, "fedavg", found)
    assert [s.id for s in sections] == ([] if known is None else ["learning"])


def test_a_method_has_its_energy_by_tier_and_designs_have_a_row_each() -> None:
    (own,) = learning.tables(KNOWN, "fedavg")
    assert own.rows[0][:4] == ("fedavg", 3, pytest.approx(0.8), pytest.approx(11 / 12))
    assert (own.numbers("energy_j"), own.numbers("round_j")) == ([12.0], [4.0])
    assert own.numbers("air_bit") == [9e6]
    other = dataclasses.replace(KNOWN, rounds=())
    both = learning.method_table({"a": (KNOWN, "fedavg"), "b": (other, "flora")})
    assert both.column("design") == ["a", "b"]
    assert both.column("device_j") == [6.0, 0.0]
    assert isinstance(both.column("round_j")[1], Missing)


def test_rounds_of_a_ledger_stand_in_its_report(tmp_path: Path) -> None:
    told = {"learning": {"service": "sensors", "rounds": [ROW, ROW | {"round": 2, "t0_s": 90.0}]}}
    scenario = {"learning": {"method": HOSTILE}}
    taught = small_ledger(tmp_path / "taught", control=told, scenario=scenario)
    files = write_report(taught, tmp_path / "report")
    page = files.page.read_text("utf-8").replace("\xa0", " ")
    assert 'href="#learning"' in page
    assert "2 rounds, accuracy 50 % after the last" in page
    assert "<script" not in page
    assert (tmp_path / "report" / "figures" / "learning.svg") in files.figures
    assert (tmp_path / "report" / "tables" / "learning_methods.csv") in files.tables
    plain = small_ledger(tmp_path / "plain")
    assert learning.compared({"a": taught, "b": plain}).column("design") == ["a"]
    assert learning.method_of(header()) == "learning"


@pytest.mark.parametrize(
    "told",
    [{"rate": 1}, {"service": "a", "rounds": 3}, {"service": "a", "rounds": ["first"]},
     {"service": "a", "rounds": [ROW | {"t0_s": None}]}],
    ids=["other", "number", "text", "no-time"],
)  # fmt: skip
def test_a_header_that_tells_rounds_in_another_way_is_no_traceback(
    told: dict[str, object], tmp_path: Path
) -> None:
    ledger = small_ledger(tmp_path / "run", control={"learning": told})
    with pytest.raises(LedgerError, match=r"expected `control\.learning`"):
        learnt(ledger)


def test_a_row_for_every_round_adds_up() -> None:
    assert sum(table(KNOWN).numbers("device_j")) == KNOWN.energy_j["device"]
