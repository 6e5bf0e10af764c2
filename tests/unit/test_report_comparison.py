"""The pages that compare designs and studies."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from reporting import HOSTILE, NAME, figure, sensors, service, small_ledger
from tree6g.errors import LedgerError
from tree6g.metric.compare import Comparison, compare
from tree6g.metric.figure import Figure
from tree6g.metric.robustness import break_even, win_shares
from tree6g.report.cases import ai_cases, statements, takeaway
from tree6g.report.comparison import (
    design_table,
    energy_sentences,
    served_table,
    share_sentences,
    weight_sentences,
    write_comparison,
)
from tree6g.report.comparison import takeaway as comparison_takeaway
from tree6g.report.study import write_study
from tree6g.report.tables import Missing, shown


def designs() -> dict[str, Figure]:
    """A moves more bits per joule, B earns more where a token is worth more than 4,300 bit."""
    a, b = service(), sensors()
    more = {"utility_beq": 8e6, "offered_beq": 8e6 / 0.75, "worth_tok": 800.0}
    fewer = dataclasses.replace(b, utility_beq=1.5e6, offered_beq=1.5e6)
    other = figure(
        dataclasses.replace(a, **more), fewer,  # type: ignore[arg-type]
        energy_j=950.0, utility_beq=9.5e6, tree_beq_per_j=1e4, ee_bit_per_j=12_000.0,
    )  # fmt: skip
    return {"spectrum": figure(), "compute": other}


def comparison(**changes: object) -> Comparison:
    figures = designs()
    found = break_even(*figures.values(), "assistant", names=("spectrum", "compute"))
    usual = Comparison(
        figures=figures, same_service=True, reasons=(), ee_order=("spectrum", "compute"),
        tree_order=("compute", "spectrum"), break_even=(found,),
        opposite=(("spectrum", "compute", "assistant", found.alpha_bit_per_tok or 0.0, None),),
        weight_share=tuple(win_shares(figures, "assistant")),
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_opposite_orders_are_the_takeaway() -> None:
    assert comparison_takeaway(comparison()) == (
        "By bits per joule spectrum is best; by what a joule brings, compute is."
    )
    agreed = comparison(ee_order=("compute", "spectrum"))
    assert comparison_takeaway(agreed).startswith("compute is best both")


def test_designs_that_do_not_serve_the_same_are_not_ranked() -> None:
    unlike = comparison(same_service=False, ee_order=None, tree_order=None)
    assert comparison_takeaway(unlike) == "Not the same service, so the designs are not ranked."


def test_the_break_even_and_the_opposite_range_are_told() -> None:
    assert weight_sentences(comparison()) == [
        (
            "Of spectrum and compute, compute has the higher TREE if a token of assistant is "
            "worth more than 4,300 bit, the other below."
        ),
        (
            "TREE and EE rank spectrum and compute in opposite order where a token of assistant "
            "is worth more than 4,300 bit."
        ),
    ]


def test_joules_are_told_against_the_first_design() -> None:
    told = energy_sentences(comparison())
    assert told == ["compute takes 50\N{NO-BREAK SPACE}J (5.6%) more than spectrum."]


def test_what_holds_whatever_a_token_is_worth_is_told_once_per_pair() -> None:
    always = dataclasses.replace(comparison().break_even[0], alpha_bit_per_tok=None)
    other = dataclasses.replace(always, service="vision")
    told = weight_sentences(comparison(break_even=(always, other), opposite=()))
    winner = always.winner_above
    assert told == [
        f"Of spectrum and compute, {winner} has the higher TREE whatever a token is worth."
    ]


def test_a_design_that_never_wins_is_not_said_to_win() -> None:
    shares = comparison().weight_share
    none = tuple(dataclasses.replace(w, frac=0.0) for w in shares)
    assert len(share_sentences(comparison())) == len(shares)
    assert share_sentences(comparison(weight_share=none)) == []


def test_designs_that_are_ranked_apart_also_look_apart() -> None:
    near = dataclasses.replace(figure(), ee_bit_per_j=figure().ee_bit_per_j * 1.001)
    table = design_table(comparison(figures={"spectrum": figure(), "compute": near}))
    column = next(c for c in table.columns if c.key == "ee_bit_per_j")
    cells = table.column("ee_bit_per_j")
    assert shown(cells[0], column) != shown(cells[1], column)
    same = next(c for c in table.columns if c.key == "energy_j")
    assert same.digits == 3


def test_served_shares_that_differ_are_named() -> None:
    figures = designs()
    less = dataclasses.replace(figures["compute"].services[0], served_share_frac=0.5)
    other = dataclasses.replace(figures["compute"], services=(less, figures["compute"].services[1]))
    table = served_table(comparison(figures={**figures, "compute": other}))
    assert table.column("apart_frac")[0] == pytest.approx(0.25)
    assert table.column("same") == ["no", "yes"]


def test_a_service_that_a_design_lacks_is_missing_there() -> None:
    figures = {**designs(), "compute": figure(sensors())}
    table = served_table(comparison(figures=figures))
    assert table.rows[0][2] == Missing(reason="the design has no such service")


def test_the_comparison_page_is_written_offline_and_alike_twice(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l")
    ledgers = {"spectrum": ledger, "compute": ledger}
    first = write_comparison(ledgers, comparison(), tmp_path / "a")
    second = write_comparison(ledgers, comparison(), tmp_path / "b")
    page = first.page.read_bytes()
    assert page == second.page.read_bytes()
    assert b"http://" not in page
    assert [p.name for p in first.figures] == ["designs-1.svg", "designs-1.png", "designs-1.csv"]
    assert {p.stem for p in first.tables} == {
        "designs", "waits", "served", "break_even", "weight_share",
    }  # fmt: skip


def test_tree_has_labels_at_its_axis_where_designs_lie_close(tmp_path: Path) -> None:
    figures = {
        name: dataclasses.replace(f, energy_j=f.energy_j / 35.0) for name, f in designs().items()
    }
    ledgers = {name: small_ledger(tmp_path / name) for name in figures}
    page = write_comparison(ledgers, comparison(figures=figures), tmp_path / "page")
    drawings = sorted(page.page.parent.glob("figures/*.svg"))
    labels = re.findall(r">(\d+k)<", drawings[0].read_text())
    assert len([at for at in labels if at not in {"1k", "10k", "100k"}]) >= 2


def test_a_note_of_one_design_says_whose_it_is(tmp_path: Path) -> None:
    quiet = small_ledger(tmp_path / "a")
    loud = small_ledger(tmp_path / "b")
    loud_meta = dataclasses.replace(loud.meta, notes=(*loud.meta.notes, "a cell slept"))
    loud = dataclasses.replace(loud, meta=loud_meta)
    page = write_comparison({"one": quiet, "two": loud}, comparison(), tmp_path / "page").page
    assert "two: a cell slept" in page.read_text()


def test_real_ledgers_with_hostile_names_compare_without_harm(tmp_path: Path) -> None:
    one = small_ledger(tmp_path / "a", NAME)
    two = small_ledger(tmp_path / "b", NAME)
    ledgers = {HOSTILE: one, "b": two}
    page = write_comparison(ledgers, compare(ledgers), tmp_path / "o").page.read_text("utf-8")
    assert "<script" not in page


def cell(
    load: float, rule: str, service_: str, kind: str, bits: float | None, energy: float
) -> dict[str, object]:
    return {
        "requests_per_user_hour": load, "rule": rule, "idle": "unattributed", "service": service_,
        "kind": kind, "bit_share_frac": bits, "energy_share_frac": energy,
        "utility_share_frac": 0.5, "asymmetry": None,
    }  # fmt: skip


CELLS = [
    cell(1, "proportional", "chat", "ai", 0.001, 0.1),
    cell(1, "proportional", "iot", "data", 0.999, 0.9),
    cell(20, "proportional", "chat", "ai", 0.005, 0.2),
    cell(20, "proportional", "video", "ai", 0.005, 0.2),
    cell(20, "proportional", "iot", "data", 0.99, 0.6),
    cell(60, "proportional", "chat", "ai", 0.03, 0.6),
    cell(20, "shapley", "chat", "ai", None, 0.4),
]


def test_ai_services_of_a_cell_are_taken_together() -> None:
    cases = ai_cases(CELLS)
    assert [c.holds for c in cases] == [False, True, False, None]
    assert cases[1].energy_share_frac == pytest.approx(0.4)


def test_the_study_says_in_which_cells_it_holds() -> None:
    cases = ai_cases(CELLS)
    assert takeaway(cases).endswith("holds for AI in 1 of 3 cells studied.")
    assert statements(cases) == [
        (
            "Under proportional (idle unattributed): holds at 20 requests per user and hour and "
            "does not hold at 1 and 60 requests per user and hour."
        ),
        "Under shapley (idle unattributed): is not known at 20 requests per user and hour.",
    ]


def test_rules_with_one_outcome_are_told_together() -> None:
    alike = [{**c, "rule": rule} for rule in ("equal", "shapley", "marginal") for c in CELLS[:2]]
    assert statements(ai_cases(alike)) == [
        "Under every rule studied: does not hold at 1 requests per user and hour."
    ]
    assert statements(ai_cases([*alike, {**CELLS[5], "rule": "x"}]))[0].startswith(
        "Under equal (idle unattributed), shapley (idle unattributed) and marginal"
    )


@pytest.mark.parametrize(("count", "end"), [(1, "none of the 1 cells studied."), (0, "")])
def test_a_study_without_cells_or_with_none_that_hold(count: int, end: str) -> None:
    if count == 0:
        with pytest.raises(LedgerError, match="at least one cell"):
            ai_cases([])
    else:
        assert takeaway(ai_cases(CELLS[:1])).endswith(end)


def test_a_cell_without_a_key_is_a_clear_error() -> None:
    with pytest.raises(LedgerError, match="cell 1 of a study has no 'rule'"):
        ai_cases([CELLS[0], {k: v for k, v in CELLS[1].items() if k != "rule"}])


def test_the_study_page_is_written_with_figure_and_tables(tmp_path: Path) -> None:
    hostile = {**CELLS[0], "service": HOSTILE, "rule": HOSTILE}
    about = "one-corner, boundary ran"
    files = write_study([*CELLS, hostile], tmp_path, about=about, notes=["a note to read"])
    page = files.page.read_text("utf-8")
    assert "<script" not in page
    assert "in opposite" not in page
    written = next(path for path in files.tables if path.suffix == ".tex")
    for text in (page, written.read_text("utf-8")):
        assert "one-corner, boundary ran" in text
    assert "a note to read" in page
    assert "not known" in page
    assert {p.stem for p in files.tables} == {"study", "cells"}
    assert [p.name for p in files.figures] == ["cells.svg", "cells.png", "cells.csv"]
