"""The written report: offline, inert, the same twice, complete."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reporting import HOSTILE, NAME, header, small_ledger
from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure
from tree6g.report.summary import terminal_summary
from tree6g.report.write import ReportFiles, write_report

SCENARIO = {
    "name": "corner",
    "title": "A corner",
    "seed": 7,
    "prices": {
        "electricity_eur_per_j": 0.25 / 3.6e6,
        "data_eur_per_bit": 1 / 8e9,
        "source": "list prices, 2026, https://example.org/prices",
    },
}


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.found if t == tag]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    folder = tmp_path_factory.mktemp("ledger") / "l"
    return small_ledger(folder, scenario=SCENARIO, scenario_hash="feedface00112233")


@pytest.fixture(scope="module")
def written(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return write_report(ledger, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(written: ReportFiles) -> str:
    return written.page.read_text("utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    folder = tmp_path_factory.mktemp("hostile")
    changes = {
        "producer": HOSTILE,
        "notes": (HOSTILE, 'javascript:alert(1) "><img src=x onerror=alert(2)>'),
        "sources": {"meter": f"{HOSTILE} https://example.org/\"onmouseover='x'"},
        "scenario": {"name": HOSTILE, "title": HOSTILE, "seed": HOSTILE},
    }
    return write_report(small_ledger(folder / "l", NAME, **changes), folder / "out")


def test_the_page_loads_nothing(page: str) -> None:
    elements = Elements(page)
    assert not {t for t, _ in elements.found} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "base",
    }
    for tag, attributes in elements.found:
        for name in ("src", "srcset", "background", "action", "xlink:href"):
            assert name not in attributes, (tag, name)
        if tag != "a":
            assert not (attributes.get("href") or "#").startswith(("http", "//", "data:"))
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", page)
    assert "@import" not in page


def test_web_addresses_stand_only_in_links_that_name_them(page: str) -> None:
    text = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    text = re.sub(r'<a href="https?://[^"]*" rel="[^"]*">https?://[^<]*</a>', "", text)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert page.count('<a href="https://example.org/prices"') == 1


def test_the_policy_allows_the_style_sheet_of_the_page_and_nothing_else(page: str) -> None:
    policies = [m for m in Elements(page).of("meta") if "http-equiv" in m]
    assert len(policies) == 1
    policy = policies[0]["content"] or ""
    sheet = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not [a for _, a in Elements(page).found if "style" in a]


def test_hostile_names_run_nothing(hostile: ReportFiles) -> None:
    text = hostile.page.read_text("utf-8")
    elements = Elements(text)
    assert not elements.of("script")
    assert not elements.of("img")
    for _, attributes in elements.found:
        assert not [a for a in attributes if a.startswith("on")]
        assert not (attributes.get("href") or "").startswith("javascript")
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_every_file_of_a_hostile_report_is_text_or_picture(hostile: ReportFiles) -> None:
    for path in (*hostile.figures, *hostile.tables):
        content = path.read_bytes()
        if path.suffix != ".png":
            assert "\x00" not in content.decode("utf-8")
            assert b"<script" not in content or path.suffix == ".csv"


def test_the_same_ledger_gives_the_same_bytes_wherever_it_lies(
    written: ReportFiles, tmp_path: Path
) -> None:
    again = small_ledger(tmp_path / "l", scenario=SCENARIO, scenario_hash="feedface00112233")
    second = write_report(again, tmp_path / "out")
    for a, b in zip(
        (written.page, *written.figures, *written.tables),
        (second.page, *second.figures, *second.tables),
        strict=True,
    ):
        assert a.name == b.name
        assert a.read_bytes() == b.read_bytes(), a.name


def test_every_figure_is_written_as_svg_png_and_csv(written: ReportFiles) -> None:
    stems = ["shares", "power", "flow", "weight", "lorenz"]
    assert [p.name for p in written.figures] == [
        f"{s}.{x}" for s in stems for x in ("svg", "png", "csv")
    ]
    assert all(p.stat().st_size for p in written.figures)
    assert {p.suffix for p in written.tables} == {".csv", ".tex"}


def test_every_written_file_but_data_carries_the_configuration(written: ReportFiles) -> None:
    for path in (written.page, *written.figures, *written.tables):
        if path.suffix != ".csv":
            assert b"feedface0011" in path.read_bytes(), path.name


def test_the_figures_data_can_be_taken_out_of_the_page(page: str, written: ReportFiles) -> None:
    links = [
        a
        for a in Elements(page).of("a")
        if "download" in a and (a["download"] or "").endswith("csv")
    ]
    assert len(links) == 5
    for link in links:
        body = base64.b64decode((link["href"] or "").partition("base64,")[2])
        assert body == (written.page.parent / "figures" / str(link["download"])).read_bytes()


def test_the_page_says_all_that_a_figure_must_come_with(page: str, ledger: Ledger) -> None:
    f = figure(ledger)
    for said in (
        "Boundary", f.profile_set, "proportional", "unattributed", "a.phone", "outside",
        "asymmetry", "marginal TREE", "This is a stress test.", "feedface00112233",
        "Served shares", "k_in", "does not mean TREE would rise without it", "EUR/kWh",
        "uncertainty is unknown", "https://example.org/meter", "arXiv:2509.02250", "--seed 7",
    ):  # fmt: skip
        assert said in page, said


def test_money_is_tree_times_the_price_of_a_bit(written: ReportFiles, ledger: Ledger) -> None:
    text = (written.page.parent / "tables" / "money.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    tree = figure(ledger).tree_beq_per_j
    assert tree is not None
    assert float(rows[0]["eur_per_kwh"]) == pytest.approx(tree / 8e9 * 3.6e6)
    assert float(rows[2]["eur_per_kwh"]) == pytest.approx(0.25)


def test_a_ledger_without_a_scenario_is_reported_alike(tmp_path: Path) -> None:
    text = write_report(small_ledger(tmp_path / "l"), tmp_path / "out").page.read_text("utf-8")
    assert "no scenario: this ledger was not simulated by tree6g" in text
    assert "No money is shown: no prices are stated." in text


def test_the_query_changes_the_figures_and_the_stamp(ledger: Ledger, tmp_path: Path) -> None:
    query = Query(boundary="full", rule="shapley", alphas={"assistant": 1e5})
    text = write_report(ledger, tmp_path, query).page.read_text("utf-8")
    assert "full, shapley, unattributed" in text
    assert "a token is worth 100,000 bit" in text
    assert "Every node of the ledger is inside it." in text


def test_a_ledger_without_rows_gives_reasons_and_no_numbers(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path / "l", header()):
        pass
    empty = open_ledger(tmp_path / "l")
    text = write_report(empty, tmp_path / "out").page.read_text("utf-8")
    assert "is not defined" in text
    assert not re.search(r">\s*(nan|inf|None)\b", text)
    assert "not defined" in terminal_summary(empty, figure(empty))


def test_no_undefined_value_is_printed_as_a_number(page: str) -> None:
    shown = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert not re.search(r">\s*-?(nan|inf|None|null)\b", shown)


def test_a_folder_that_cannot_be_written_is_a_clear_error(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(LedgerError, match="cannot write the report"):
        write_report(ledger, tmp_path / "file")


def test_waiting_times_come_from_histograms_where_there_are_no_requests(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l")
    with LedgerWriter(tmp_path / "l", ledger.meta) as more:
        more.append(
            "latency",
            {"t0_s": 0.0, "t1_s": 600.0, "node": "a.gpu", "service": "sensors", "kind": "e2e",
             "le_s": [0.1, 1.0], "count": [9.0, 1.0]},
        )  # fmt: skip
    files = write_report(open_ledger(tmp_path / "l"), tmp_path / "out")
    rows = list(
        csv.DictReader(io.StringIO((tmp_path / "out/tables/latency.csv").read_text("utf-8")))
    )
    own = next(r for r in rows if r["service"] == "sensors")
    assert (own["p50_s"], own["p90_s"], own["p99_s"]) == ("0.1", "0.1", "1.0")
    assert own["from"] == "histogram, upper edges"
    assert "histogram, upper edges" in files.page.read_text("utf-8")


def test_gaps_in_the_coverage_are_listed(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l")
    with LedgerWriter(tmp_path / "l", ledger.meta) as more:
        more.append(
            "coverage",
            {"t0_s": 120.0, "t1_s": 180.0, "source": "meter", "quantity": "energy",
             "status": "gap", "reason": "meter restarted"},
        )  # fmt: skip
    files = write_report(open_ledger(tmp_path / "l"), tmp_path / "out")
    assert "meter restarted" in files.page.read_text("utf-8")


def test_the_summary_is_short_plain_ascii(ledger: Ledger) -> None:
    text = terminal_summary(ledger, figure(ledger), Path("out/report.html"))
    assert text.isascii()
    lines = text.splitlines()
    assert len(lines) <= 30
    assert all(len(line) <= 79 for line in lines)
    assert lines[0].startswith('The AI service "assistant" moves')
    assert lines[-1] == "report       out/report.html"
    assert any(line.startswith("TREE ") and "kbit-eq/J" in line for line in lines)


def test_the_summary_survives_hostile_names(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l", NAME, notes=(HOSTILE,) * 5)
    text = terminal_summary(ledger, figure(ledger))
    assert text.isascii()
    assert "\x00" not in text
    assert len(text.splitlines()) <= 30


def test_sources_of_the_page_are_those_that_wrote_rows(tmp_path: Path) -> None:
    sources = {"meter": "a meter at the rack", "link-power": "of links that are not there"}
    written = write_report(small_ledger(tmp_path / "l", sources=sources), tmp_path / "out")
    page = written.page.read_text("utf-8")
    assert "a meter at the rack" in page
    assert "links that are not there" not in page
