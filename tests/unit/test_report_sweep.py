"""The page of a sweep."""

from __future__ import annotations

import pytest

from tree6g.report.figures import heat_map, pareto
from tree6g.report.sweep import design_table, designs_of, takeaway, words, write_sweep
from tree6g.report.tables import Missing

MEASURES = [
    {"key": "tree_beq_per_j", "head": "TREE", "unit": "beq_per_j", "larger": True},
    {"key": "ee_bit_per_j", "head": "EE", "unit": "bit_per_j", "larger": True},
    {"key": "ttft_p90_s", "head": "TTFT p90", "unit": "s", "larger": False},
]
HOSTILE = "<script>alert(1)</script>"


def estimate(mean, half=0.1):
    reason = None if mean is not None and half is not None else "because of a test"
    return {"count": 3, "mean": mean, "half_width": half, "reason": reason}


def point(a, b, tree, ee, ttft):
    figures = (estimate(tree, 100.0), estimate(ee, 5.0), estimate(ttft))
    keys = [measure["key"] for measure in MEASURES]
    return {"overrides": {"users": a, "model": b}, "infeasible": None} | dict(
        zip(keys, figures, strict=True)
    )


def found(**changes):
    points = [
        point("10", "small", 900.0, 50.0, 0.4), point("10", HOSTILE, 1500.0, 40.0, 0.9),
        point("20", "small", 1700.0, 60.0, 0.5), point("20", HOSTILE, 2500.0, 55.0, None),
    ]  # fmt: skip
    usual = {
        "scenario": "corner",
        "axes": [
            {"path": "users", "values": ["10", "20"]},
            {"path": "model", "values": ["small", HOSTILE]},
        ],
        "seeds": [1, 2, 3],
        "measures": MEASURES,
        "points": points,
        "differences": points[1:],
        "pareto": {
            "figures": ["tree_beq_per_j", "ttft_p90_s"],
            "points": [points[2]["overrides"], points[0]["overrides"]],
            "left_out": {"users=20, model=x": "not defined in 3 of 3 runs"},
        },
    }
    return usual | changes


def test_the_page_loads_nothing_and_escapes_what_it_is_told(tmp_path):
    rows = [{"users": "10", "seed": 1, "energy_j": 3.0, "gini": None, "overrides": ["a=1", "b=2"]}]
    files = write_sweep(found(), rows, tmp_path)
    text = files.page.read_text("utf-8")
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert HOSTILE not in text
    assert "not defined in 3 of 3 runs" in text
    names = {path.name for path in (*files.figures, *files.tables)}
    assert names >= {f"{n}.{e}" for n in ("pareto", "heat_map") for e in ("svg", "png", "csv")}
    assert names >= {"designs.csv", "differences.csv", "runs.csv", "designs.tex"}
    runs = (tmp_path / "tables" / "runs.csv").read_text().splitlines()
    assert runs == ["users,seed,energy_j,gini,overrides", "10,1,3.0,,a=1; b=2"]


def test_the_same_sweep_gives_the_same_bytes(tmp_path):
    pages = [write_sweep(found(), [], tmp_path / name).page.read_bytes() for name in ("a", "b")]
    assert pages[0] == pages[1]


def test_the_takeaway_tells_both_orders():
    assert takeaway(found()) == (
        "By bits per joule users=20, model=small is best; by what a joule brings, "
        f"users=20, model={HOSTILE} is."
    )
    one = found(points=[point("1", "x", 5.0, 5.0, 1.0), point("2", "x", 9.0, 5.0, 1.0)])
    assert takeaway(one).startswith("users=2, model=x is best both by bits per joule")
    assert takeaway(found(points=[point("1", "x", None, 5.0, 1.0)])) == "No design has a TREE."
    assert takeaway(found(points=[point("1", "x", 5.0, None, 1.0)])) == "users=1, model=x is best."
    assert words({}) == "as it is"


def test_the_table_of_designs_has_a_mean_and_an_interval_per_figure():
    table = design_table(found())
    keys = [column.key for column in table.columns]
    assert keys[:5] == ["number", "users", "model", "tree_beq_per_j", "half_width_tree_beq_per_j"]
    assert table.rows[0][:5] == ("1", "10", "small", 900.0, 100.0)
    assert isinstance(table.rows[3][-2], Missing)


def test_the_pareto_figure_marks_the_unbeaten_and_leaves_out_the_undefined():
    drawn = pareto.drawing(designs_of(found()), MEASURES[0], MEASURES[2], "stamp")
    assert [row[2] for row in drawn.table.rows] == ["yes", "no", "yes"]
    assert "No other beats design 1 and 3 in both" in drawn.description
    nothing = [d | {"figures": {m["key"]: estimate(None) for m in MEASURES}}
               for d in designs_of(found())]  # fmt: skip
    assert isinstance(pareto.drawing(nothing, MEASURES[0], MEASURES[2], "s"), Missing)


def test_the_heat_map_writes_every_cell_so_that_no_colour_is_needed():
    drawn = heat_map.drawing(found()["axes"], designs_of(found()), MEASURES[2], "stamp")
    text = drawn.svg.decode()
    cells = text.partition('id="axes_1"')[2]
    for written in ("400\u00a0ms", "900\u00a0ms", "500\u00a0ms", "\u2013"):
        assert cells.count(written) == 1
    assert "least 400\u00a0ms at 10 and small" in drawn.description
    assert isinstance(drawn.table.rows[3][2], Missing)


def test_a_wide_heat_map_is_drawn_without_crowding():
    values = [str(n) for n in range(12)]
    axes = [{"path": "users", "values": ["1", "2"]}, {"path": "model", "values": values}]
    designs = [
        {"overrides": {"users": a, "model": b}, "figures": point(a, b, 1.0 + int(b), 1.0, 1.0)}
        for a in ("1", "2")
        for b in values
    ]
    drawn = heat_map.drawing(axes, designs, MEASURES[0], "stamp")
    assert "bit-eq" not in drawn.svg.decode().partition('id="axes_1"')[2]
    assert len(drawn.table.rows) == 24


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_heat_map_needs_two_values_that_vary(count):
    axes = [{"path": str(n), "values": ["1", "2"]} for n in range(count)]
    drawn = heat_map.drawing(axes, [], MEASURES[0], "stamp")
    assert isinstance(drawn, Missing)
    assert drawn.reason == f"it needs two values that vary; here it is {count}"
