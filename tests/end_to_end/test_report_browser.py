"""The report in a browser: it fits a phone, keeps its own policy, and shows in both themes."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path

import pytest

from reporting import NAME, small_ledger
from tree6g.report.write import write_report

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
# Written into a copy of the page whose policy is taken out, to ask the browser what it laid out.
MEASURE = """<script>
const wide = [...document.querySelectorAll('body *')].filter(e =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll,pre,.skip'));
const text = [...document.querySelectorAll('figure svg text')].map(e =>
  parseFloat(e.getAttribute('font-size')) * e.closest('svg').clientWidth /
  e.closest('svg').viewBox.baseVal.width);
const out = {inner: innerWidth, scroll: document.documentElement.scrollWidth,
  wide: wide.map(e => e.tagName + ': ' + e.textContent.slice(0, 60)),
  text: text.filter(t => t > 0)};
parent.document.body.innerHTML = '<pre id=measured>' + JSON.stringify(out) + '</pre>';
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose AI service has a name that is long, hostile and unbreakable."""
    folder = tmp_path_factory.mktemp("browser")
    name = f"{'x' * 90} {NAME}"
    return write_report(small_ledger(folder / "l", name), folder / "out").page


def browse(chromium: Path, profile: Path, page: Path, *options: str) -> tuple[str, str]:
    done = subprocess.run(
        [chromium, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_out_of_the_page(
    chromium: Path, page: Path, tmp_path: Path, width: int
) -> None:
    text = re.sub(r'<meta http-equiv="[^>]*>', "", page.read_text("utf-8"))
    inner = html.escape(text.replace("</body>", MEASURE + "</body>"))
    # A window is never as narrow as a phone, a frame can be.
    frame = f'<body><iframe width="{width}" height="2000" frameborder="0" srcdoc="{inner}">'
    outer = tmp_path / "outer.html"
    outer.write_text(frame, "utf-8")
    dom, _ = browse(chromium, tmp_path / "profile", outer, "--dump-dom")
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom)
    assert found is not None
    measured = json.loads(found[1])
    assert measured["inner"] == width
    assert measured["scroll"] <= width
    assert measured["wide"] == []
    # The stamp is a mark of origin, repeated in full in the page's footer.
    legible = [t for t in measured["text"] if t > 7.5]
    assert len(legible) >= len(measured["text"]) - 5
    assert min(legible) >= 8.5


def test_the_page_breaks_its_own_policy_nowhere(chromium: Path, page: Path, tmp_path: Path) -> None:
    options = ("--dump-dom", "--enable-logging=stderr")
    dom, log = browse(chromium, tmp_path / "profile", page, *options)
    assert "</html>" in dom
    assert "Refused" not in log
    assert "Content Security Policy" not in log


def test_light_and_dark_are_both_drawn(chromium: Path, page: Path, tmp_path: Path) -> None:
    shots = []
    for name, options in (("light", ()), ("dark", ("--force-dark-mode",))):
        shot = tmp_path / f"{name}.png"
        size = "--window-size=360,3000"
        browse(chromium, tmp_path / name, page, size, f"--screenshot={shot}", *options)
        shots.append(corner(shot))
    assert shots == ["#ffffff", "#15171b"]


def corner(picture: Path) -> str:
    from matplotlib.image import imread

    red, green, blue = (round(255 * float(c)) for c in imread(picture)[2, 2][:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
