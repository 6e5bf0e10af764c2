"""`tree6g meter proxy` as a user starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from typer.testing import CliRunner

from tree6g.cli import app

MAIN = [sys.executable, "-c", "from tree6g.cli import main; main()"]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_answers_and_ends_when_told(told):
    command = [*MAIN, "meter", "proxy", "--to", "http://127.0.0.1:9/v1", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        said = ""
        while not said.endswith("}\n"):
            line = running.stdout.readline()
            assert line
            said += line
        where = json.loads(said)
        with urllib.request.urlopen(where["metrics"], timeout=60) as answer:
            assert b"tree6g_proxy_start_seconds" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="502") as refused:
            urllib.request.urlopen(where["url"] + "/v1/models", timeout=60)
        refused.value.close()
        running.send_signal(told)
        rest, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert rest == ""
    assert where["token"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "127.0.0.1:8000"], "--to http://HOST:PORT"),
        (["--to", "http://x", "--host", "0.0.0.0"], "--token"),
        (["--to", "http://x", "--host", "0.0.0.0", "--token", "x" * 20], "--certificate"),
        (["--to", "http://x", "--tenants", "absent.yaml"], "absent.yaml"),
        (["--to", "http://x", "--timeout", "5"], "--timeout"),
        (
            ["--to", "http://x", "--host", "192.0.2.1", "--token", 20 * "x", "--plain-http"],
            "listen",
        ),
    ],
)
def test_a_wrong_start_is_refused_in_plain_words(words, says):
    done = CliRunner().invoke(app, ["meter", "proxy", *words])
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output


def test_without_its_extra_it_names_it(monkeypatch):
    for name in [n for n in sys.modules if n.startswith(("tree6g.meter.proxy.", "aiohttp"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    done = CliRunner().invoke(app, ["meter", "proxy", "--to", "http://127.0.0.1:9"])
    assert done.exit_code == 2
    assert "tree6g[proxy]" in done.output
