"""Tables of the report as HTML, CSV and LaTeX."""

from __future__ import annotations

import csv
import io

from reporting import HOSTILE
from tree6g.report.tables import Column, Missing, Table, latex, to_csv, to_html, to_latex

COLUMNS = (
    Column(key="service", head="service"),
    Column(key="energy_j", head="energy", unit="j"),
    Column(key="share_frac", head="share", unit="frac"),
)


def table(*rows: tuple[object, ...]) -> Table:
    return Table(name="t", title="A table", columns=COLUMNS, rows=rows)  # type: ignore[arg-type]


def test_csv_holds_si_values_to_the_last_bit() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(table(("a", 0.1 + 0.2, 1 / 3))))))
    assert float(rows[0]["energy_j"]) == 0.1 + 0.2
    assert float(rows[0]["share_frac"]) == 1 / 3


def test_a_missing_value_is_an_empty_cell_and_a_dash_with_its_reason() -> None:
    gone = Missing(reason="no utility")
    t = table(("a", 1.0, gone), ("b", gone, 0.0))
    assert to_csv(t).splitlines()[1:] == ["a,1.0,", "b,,0.0"]
    page = to_html(t)
    assert page.count("\u2013<sup>a</sup>") == 2
    assert "<sup>a</sup> \u2013 no utility" in page
    assert "nan" not in page
    assert r"--\textsuperscript{a}" in to_latex(t, "stamp")
    assert r"\textsuperscript{a} no utility." in to_latex(t, "stamp")


def test_each_reason_has_a_letter_of_its_own() -> None:
    t = table(("a", Missing(reason="one"), Missing(reason="two")))
    assert "<sup>a</sup> \u2013 one; <sup>b</sup> \u2013 two." in to_html(t)


def test_hostile_names_are_inert_in_every_form() -> None:
    t = table((HOSTILE, 1.0, 1.0))
    assert "<script" not in to_html(t)
    written = to_latex(t, "stamp")
    assert r"\$\textbackslash{}frac\{\%\_\#\}" in written
    assert "\x00" not in to_csv(t)


def test_a_text_that_a_spreadsheet_would_run_is_quoted() -> None:
    assert "'=HYPERLINK(1)" in to_csv(table(("=HYPERLINK(1)", -1.0, 1.0)))
    assert ",-1.0," in to_csv(table(("=HYPERLINK(1)", -1.0, 1.0)))


def test_a_long_table_says_how_many_rows_stand_elsewhere() -> None:
    t = table(*((f"s{i}", 1.0, 0.1) for i in range(5)))
    page = to_html(t, limit=3)
    assert "s2" in page
    assert "s3" not in page
    assert "2 more rows stand in t.csv." in page


def test_latex_carries_the_stamp_and_escapes_it() -> None:
    written = to_latex(table(("a", 1.0, 0.5)), "hash_1 & more")
    assert written.endswith("\n{\\footnotesize\n\\noindent hash\\_1 \\& more\\par\n}\n")
    assert r"50~\%" in written
    assert latex("a_b") == r"a\_b"
