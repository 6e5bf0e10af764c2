"""The live page in a browser: it draws, follows sliders and keys, fits a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from browser import browser
from random_ledgers import columns, statement
from reporting import NAME, small_ledger
from serving_pages import serving
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter

DRAWN = "typeof state !== 'undefined' && document.querySelector('#f-asym svg') !== null"
WIDE = """[...document.querySelectorAll('body *')].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll,.skip,svg')
).map(e => e.tagName + ': ' + e.textContent.slice(0, 60))"""
TREE = "document.querySelector('#worth').textContent"
LONG = f"{'x' * 60} {NAME}"


@pytest.fixture(scope="module")
def live(chromium: Path, tmp_path_factory: pytest.TempPathFactory):
    """A page of a ledger with a gap and a service of a long and hostile name."""
    folder = tmp_path_factory.mktemp("live")
    path = small_ledger(folder / "ledger", LONG).path
    gap = [statement(240.0, 360.0, "meter", "energy", status="gap", reason="<b>unplugged</b>")]
    with LedgerWriter(path, open_ledger(path).meta) as writer:
        writer.append("coverage", columns("coverage", gap))
    with serving(path, floors={LONG: 1e9}) as server, browser(chromium, folder / "profile") as page:
        page.size(1280, 900)
        page.call("Page.navigate", url=server.url)
        page.wait(DRAWN)
        yield page


def test_a_hostile_name_is_shown_and_not_run(live):
    assert live.ask("document.querySelector('#services tbody th').textContent") == LONG
    assert live.ask("document.querySelectorAll('main script, main b > script').length") == 0
    assert live.ask("document.querySelector('#gaps').textContent").count("<b>unplugged</b>") == 1


def test_gaps_are_drawn_as_gaps(live):
    assert "no data" in live.ask("document.querySelector('#f-tree svg[role=img]').textContent")
    path = live.ask("document.querySelector('#f-tree svg[role=img] path.line').getAttribute('d')")
    assert path.count("M") == 2
    told = live.ask("document.querySelector('#gaps-text').textContent")
    assert told.startswith("2 min of the time shown lack a source")


def test_a_slider_moved_by_key_moves_tree_and_reset_takes_it_back(live):
    before = live.ask(TREE)
    live.ask("document.querySelector('#sliders input[type=range]').focus()")
    live.press("End")
    live.wait(f"{TREE} !== {before!r}")
    assert live.ask("document.querySelector('#sliders input[type=number]').value") == "10000000"
    live.ask("document.querySelector('#reset').click()")
    live.wait(f"{TREE} === {before!r}")


def test_arrow_keys_read_single_windows(live):
    read = "document.querySelector('#f-tree output').textContent"
    live.ask("document.querySelector('#f-tree svg[role=img]').focus()")
    live.press("Home")
    assert live.ask(read).startswith("00:00:00 to")
    live.press("ArrowRight")
    assert live.ask(read).startswith("00:01:00 to")
    assert (
        live.ask("document.querySelector('#f-tree output').getAttribute('aria-live')") == "polite"
    )


def test_a_service_below_its_floor_is_said_in_words(live):
    assert "below" in live.ask("document.querySelector('#services td.below').textContent")


def test_every_figure_has_a_table_and_a_description(live):
    figures = "[...document.querySelectorAll('figure')]"
    assert live.ask(f"{figures}.every(f => f.querySelector('details table tbody tr'))")
    described = "f.querySelector('svg[role=img]').getAttribute('aria-label').length > 10"
    assert live.ask(f"{figures}.every(f => {described})")
    inputs = "[...document.querySelectorAll('input,select,button')]"
    unnamed = f"{inputs}.filter(e => !e.labels?.length && !e.ariaLabel && !e.textContent)"
    assert live.ask(f"{unnamed}.length") == 0


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_runs_out_of_the_page_in_either_theme(live, tmp_path, width, dark):
    live.size(width, 900)
    live.dark(on=dark)
    live.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert live.ask("document.documentElement.scrollWidth") <= width
    assert live.ask(WIDE) == []
    paper = live.ask("getComputedStyle(document.body).backgroundColor")
    assert [int(n) for n in re.findall(r"\d+", paper)] == ([21, 23, 27] if dark else [255] * 3)
    live.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_the_browser_complains_of_nothing(live):
    live.ask("1")
    assert live.complaints == []
