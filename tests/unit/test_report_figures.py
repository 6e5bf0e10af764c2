"""The figures of a report and their data."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting import HOSTILE, figure, header, sensors, service, small_ledger
from tree6g.metric.asymmetry import gini
from tree6g.metric.figure import Query
from tree6g.metric.histogram import percentile
from tree6g.metric.profile import from_meta
from tree6g.metric.windows import component_flows, window_length_s
from tree6g.report import canvas, palette
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence, gather
from tree6g.report.figures import flow, lorenz, power, shares
from tree6g.report.results import find
from tree6g.report.tables import Missing, to_csv


def evidence(**changes: object) -> Evidence:
    meta = header()
    usual = Evidence(figure=figure(), meta=meta, services=from_meta(meta), window_s=60.0)
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


FLOWS = [
    {"component": "gpu", "service": "assistant", "reason": None, "energy_j": 400.0},
    {"component": "radio_unit", "service": "sensors", "reason": None, "energy_j": 320.0},
    {"component": "radio_unit", "service": "assistant", "reason": None, "energy_j": 100.0},
    {"component": "radio_unit", "service": None, "reason": "standby", "energy_j": 80.0},
]


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return gather(small_ledger(tmp_path_factory.mktemp("ledger") / "l"), Query())


def test_all_figures_of_a_full_ledger_are_drawn(gathered: Evidence) -> None:
    names = [d.name for d in find(gathered).drawings()]
    assert names == ["shares", "power", "flow", "weight", "lorenz"]


def test_the_axis_of_a_network_of_many_kilowatts_is_not_cut() -> None:
    rows = [{"number": 0, "component": "radio_unit", "power_w": 12_000.0}]
    drawn = power.drawing(evidence(power=rows))
    assert isinstance(drawn, Drawing)
    assert b"10k" in drawn.svg
    assert b">10000<" not in drawn.svg


def test_power_adds_up_to_the_energy_of_the_figure(gathered: Evidence) -> None:
    drawn = power.drawing(gathered)
    assert isinstance(drawn, Drawing)
    watts = sum(np.array(drawn.table.numbers(c.key)) for c in drawn.table.columns[2:])
    assert float(np.sum(watts) * gathered.window_s) == pytest.approx(gathered.figure.energy_j)


def test_flows_add_up_to_the_energy_of_the_figure(gathered: Evidence) -> None:
    total_j = sum(r["energy_j"] for r in gathered.flows)
    assert total_j == pytest.approx(gathered.figure.energy_j)


def test_a_window_without_rows_is_unknown_and_not_zero() -> None:
    rows = [{"number": n, "component": "gpu", "power_w": 5.0} for n in (0, 2)]
    drawn = power.drawing(evidence(power=rows))
    assert isinstance(drawn, Drawing)
    assert drawn.table.column("gpu_w") == [
        5.0,
        Missing(reason="no energy rows in this window"),
        5.0,
    ]
    assert to_csv(drawn.table).splitlines()[2].endswith(",")


def test_small_components_are_drawn_as_one() -> None:
    rows = [{"number": 0, "component": f"c{n}", "power_w": 10.0 - n} for n in range(10)]
    drawn = power.drawing(evidence(power=rows))
    assert isinstance(drawn, Drawing)
    assert drawn.table.columns[-1].key == "other_w"
    assert drawn.table.numbers("other_w") == [3.0 + 2.0 + 1.0]


def test_the_csv_of_a_figure_is_what_is_drawn(gathered: Evidence) -> None:
    for drawing in find(gathered).drawings():
        rows = list(csv.DictReader(io.StringIO(to_csv(drawing.table))))
        for column in drawing.table.columns:
            if column.unit is not None:
                read = [float(r[column.key]) for r in rows if r[column.key]]
                assert read == drawing.table.numbers(column.key)


def test_the_break_even_points_are_in_the_data_of_the_weight_figure(gathered: Evidence) -> None:
    found = find(gathered)
    assert isinstance(found.weight, Drawing)
    assert not isinstance(found.curve, Missing)
    x = found.weight.table.numbers("alpha_bit_per_tok")
    shares_meet, ee_meets = found.curve.equal_shares(), found.curve.equal_ee()
    assert {1e4, shares_meet, ee_meets} <= set(x)
    row = found.weight.table.rows[x.index(shares_meet)]  # type: ignore[arg-type]
    assert row[3] == pytest.approx(row[4])
    row = found.weight.table.rows[x.index(ee_meets)]  # type: ignore[arg-type]
    assert row[1] == pytest.approx(row[2])
    stated = found.weight.table.rows[x.index(1e4)]
    assert stated[1] == pytest.approx(gathered.figure.tree_beq_per_j)


def test_the_lorenz_curve_is_the_one_of_the_gini_coefficient() -> None:
    drawn = lorenz.drawing(evidence())
    assert isinstance(drawn, Drawing)
    u = np.array(drawn.table.numbers("cumulative_utility_frac"))
    e = np.array(drawn.table.numbers("cumulative_energy_frac"))
    area = 1.0 - float(np.sum(np.diff(u) * (e[1:] + e[:-1])))
    assert area == pytest.approx(gini([(0.61, 0.74), (0.39, 0.26)]))
    assert (u[-1], e[-1]) == (1.0, 1.0)


def test_figures_without_data_say_why() -> None:
    empty = evidence(figure=figure(service(energy_share_frac=None), sensors()))
    found = find(empty)
    assert [d.name for d in found.drawings()] == ["shares", "weight"]
    assert found.power == Missing(reason="the ledger has no energy rows inside the boundary")
    assert found.flow == Missing(reason="no energy inside the boundary in the covered time")
    assert found.lorenz == Missing(reason="the services' shares are not all defined")


def test_every_form_of_a_figure_carries_the_stamp() -> None:
    e = evidence()
    drawn = shares.drawing(e)
    for text in (drawn.svg.decode(), drawn.inline):
        assert e.stamp in text
    assert drawn.png.startswith(b"\x89PNG")
    assert e.stamp.encode("latin-1") in drawn.png


def test_drawing_twice_gives_the_same_bytes() -> None:
    first, second = (flow.drawing(evidence(flows=FLOWS)) for _ in range(2))
    assert first == second


def test_the_inline_svg_is_accessible_and_follows_the_theme() -> None:
    drawn = flow.drawing(evidence(flows=FLOWS))
    assert isinstance(drawn, Drawing)
    root = ET.fromstring(drawn.inline)
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    texts = {e.get("id"): e.text for e in root if e.tag in {"title", "desc"}}
    assert set(labels) == set(texts)
    assert "standby" in (texts["flow-desc"] or "")
    assert " style=" not in drawn.inline
    fills = {e.get("fill") or "" for e in root.iter()} | {
        e.get("stroke") or "" for e in root.iter()
    }
    assert not [f for f in fills if f.startswith("#")]
    assert "var(--ink)" in fills


def test_ids_of_different_figures_never_meet() -> None:
    ids: list[str] = []
    for d in (shares.drawing(evidence()), flow.drawing(evidence(flows=FLOWS))):
        assert isinstance(d, Drawing)
        ids += [e.get("id") or "" for e in ET.fromstring(d.inline).iter() if e.get("id")]
    assert len(ids) == len(set(ids))


def test_hostile_and_foreign_names_are_drawn_as_text() -> None:
    for name in (HOSTILE, "\u4e2d\u6587", "$x^2$", "a" * 300):
        drawn = shares.drawing(evidence(figure=figure(service(name), sensors())))
        ET.fromstring(drawn.inline)
        assert "<script" not in drawn.inline


def test_no_fill_rests_on_colour_alone() -> None:
    pairs = list(zip(palette.SERIES, palette.HATCHES, strict=True))
    assert len(set(palette.HATCHES)) == len(pairs)
    assert len(set(palette.MARKERS)) == len(pairs)
    assert len({light for light, _ in palette.COLOURS.values()}) == len(palette.COLOURS)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_fills_reach_their_contrast(theme: int) -> None:
    paper = palette.COLOURS["paper"][theme]
    for role in ("ink", "muted", "accent"):
        for ground in ("paper", "panel"):
            pair = (palette.COLOURS[role][theme], palette.COLOURS[ground][theme])
            assert contrast(*pair) >= 4.5, (role, ground)
    for role in (*palette.SERIES, "bits", "energy", "value"):
        assert contrast(palette.COLOURS[role][theme], paper) >= 3.0, role


def contrast(a: str, b: str) -> float:
    """WCAG 2.1 contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(
    st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=12),
    st.floats(min_value=0.01, max_value=0.3),
)
def test_spread_labels_keep_order_distance_and_bounds(wanted: list[float], gap: float) -> None:
    placed = canvas.spread(wanted, gap, 0.0, 1.0)
    least = min(gap, 1.0 / max(len(wanted) - 1, 1))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    steps = np.diff([placed[i] for i in order])
    assert np.all(steps >= least - 1e-9)
    assert all(-1e-9 <= p <= 1 + 1e-9 for p in placed)


def test_flows_of_nodes_are_added_up_by_component() -> None:
    rows = [{**FLOWS[0], "node": n} for n in ("a", "b")] + [{**FLOWS[3], "node": "a"}]
    assert component_flows(rows) == [
        {"component": "gpu", "service": "assistant", "reason": None, "energy_j": 800.0},
        {"component": "radio_unit", "service": None, "reason": "standby", "energy_j": 80.0},
    ]


def test_windows_are_round_and_no_finer_than_the_rows() -> None:
    assert window_length_s(3600.0, 60.0) == 60.0
    assert window_length_s(86_400.0, 60.0) == 1800.0
    assert window_length_s(600.0, 1.0) == 10.0
    assert window_length_s(0.5, 60.0) == 0.5
    assert window_length_s(0.0, 60.0) > 0


def test_a_percentile_of_a_histogram_is_the_upper_edge_of_its_bucket() -> None:
    buckets = [(0.1, 5.0), (0.5, 4.0), (float("inf"), 1.0)]
    assert percentile(buckets, 0.5) == 0.1
    assert percentile(buckets, 0.9) == 0.5
    assert percentile(buckets, 0.99) is None


def test_matplotlib_is_loaded_only_to_draw(repository: Path) -> None:
    for file in (repository / "src" / "tree6g" / "report").rglob("*.py"):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith(("import matplotlib", "from matplotlib")):
                pytest.fail(f"{file.name} loads matplotlib at its top")
