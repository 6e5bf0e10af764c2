"""The meter at work on this machine: `make demo-meter`, or `python demos/meter/run.py [--stay]`.

Two real llama.cpp servers with a real small model. Two services share the first one and are told
apart by API key in the counting proxy; the third has the second server for itself. The agent meters
servers, proxy and processor time into a ledger; the dashboard shows it, and a real Prometheus
scrapes it. Every client adds up what it was told in `usage`; the ledger must have the same sums, to
the token. Energy is estimated from processor time, for few machines let a guest read their sensors:
the figures show what the meter does, not what this model is worth.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import clients
import llama
import prometheus
import table
from clients import Load, Told
from processes import Programs, free_port, programs

from tree6g.ledger.reading import open_ledger

HERE = Path(__file__).parent
TREE6G = (str(Path(sys.executable).with_name("tree6g")),)
PLACES = ("shared", "single", "proxy", "serve", "prometheus")
KINDS = ("token_in", "token_in_cached", "token_out")
SETTLE_S = 30.0
POLL_S = 0.5


def main() -> int:
    """Run the demonstration; 1 if a sum is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="time that clients ask for")
    parser.add_argument(
        "--out", type=Path, help="folder of ledger and logs; default: a temporary one"
    )
    parser.add_argument("--stay", action="store_true", help="keep everything running until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    absent = llama.missing()
    if absent:
        raise SystemExit(
            f"expected the packages {', '.join(absent)}; `make demo-meter` installs them."
        )
    folder = arguments.out or Path(tempfile.mkdtemp(prefix="tree6g-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    with programs(folder) as running:
        found = demonstrate(folder, running, arguments.seconds)
        print(json.dumps(found) if arguments.json else table.text(found))
        sys.stdout.flush()
        if arguments.stay:
            say(f"dashboard {found['dashboard']}  Prometheus {found['prometheus']}  Ctrl-C ends")
            signal.signal(signal.SIGINT, lambda *_: None)
            signal.pause()
    return 0 if found["equal"] else 1


def demonstrate(folder: Path, running: Programs, seconds: float) -> dict[str, Any]:
    """Start everything, let the clients ask, and read what came of it."""
    port = {name: free_port() for name in PLACES}
    start(folder, running, port)
    say(f"clients ask for {seconds:g} s")
    loads = services(port)
    told = clients.run(loads, seconds)
    counted = settled(folder / "ledger", told)
    scraped = prometheus_sums(port["prometheus"], told) if "prometheus" in running.running else None
    # The dashboard goes on showing the ledger that the agent has closed.
    code = running.end("agent")
    if code:
        raise SystemExit(f"the agent ended with {code}:\n{running.said('agent')}")
    counted = sums(folder / "ledger")
    figure = answer(running, "report", str(folder / "ledger"), "--out", str(folder / "report"))
    checked = answer(running, "check", str(folder / "ledger"))
    return {
        "services": [row(load, told, counted, scraped, figure) for load in loads],
        "tenants": {"shared": ["alice", "bob"]},
        "equal": all(as_counts(told[load.service]) == counted.get(load.service) for load in loads),
        "unassigned": counted.get("unassigned", {}),
        "tree_beq_per_j": figure["tree_beq_per_j"],
        "ee_bit_per_j": figure["ee_bit_per_j"],
        "energy_j": figure["energy_j"],
        "coverage_frac": figure["coverage_frac"],
        "estimated_frac": estimated(folder / "ledger"),
        "conservation_error_frac": checked["conservation_error_frac"],
        "problems": checked["problems"],
        "ledger": str(folder / "ledger"),
        "report": str(folder / "report" / "report.html"),
        "dashboard": f"http://127.0.0.1:{port['serve']}/",
        "prometheus": None if scraped is None else f"http://127.0.0.1:{port['prometheus']}/",
    }


def start(folder: Path, running: Programs, port: dict[str, int]) -> None:
    """Servers, proxy, agent, dashboard and Prometheus, each when the one before answers."""
    for name, slots in (("shared", 4), ("single", 2)):
        say(f"llama.cpp serves {llama.NAME} ({name}) on port {port[name]}")
        program = str(HERE / "llama.py")
        running.start(name, [sys.executable, program, str(port[name]), "--slots", str(slots)])
    for name in ("shared", "single"):
        running.await_answer(name, f"http://127.0.0.1:{port[name]}/health")
    (folder / "tenants.yaml").write_text("alice: sk-alice\nbob: sk-bob\n")
    proxy = ["meter", "proxy", "--to", f"http://127.0.0.1:{port['shared']}"]
    proxy += ["--port", str(port["proxy"]), "--tenants", str(folder / "tenants.yaml")]
    running.start("proxy", [*TREE6G, *proxy])
    running.await_answer("proxy", f"http://127.0.0.1:{port['proxy']}/metrics")
    say(f"counting proxy before it on port {port['proxy']}")
    names = {"folder": folder, **{f"{name}_port": number for name, number in port.items()}}
    pids = {f"{name}_pid": running.running[name].pid for name in ("shared", "single")}
    config = folder / "meter.yaml"
    config.write_text((HERE / "meter.yaml").read_text().format(**names, **pids))
    running.start("agent", [*TREE6G, "meter", "run", str(config)])
    await_rows(folder / "ledger", running)
    serve = ["serve", str(folder / "ledger"), "--port", str(port["serve"]), "--over", "1 min"]
    running.start("serve", [*TREE6G, *serve])
    running.await_answer("serve", f"http://127.0.0.1:{port['serve']}/metrics")
    say(f"dashboard http://127.0.0.1:{port['serve']}/")
    if prometheus.missing():
        say("no Prometheus on this machine (Debian's package prometheus): left out")
        return
    rules = folder / "alerts.yml"
    answer(running, "serve", "--alerts", str(rules))
    running.start(
        "prometheus", prometheus.command(folder, port["prometheus"], port["serve"], rules)
    )
    running.await_answer("prometheus", f"http://127.0.0.1:{port['prometheus']}/-/ready")
    say(f"Prometheus http://127.0.0.1:{port['prometheus']}/")


def services(port: dict[str, int]) -> list[Load]:
    """Three services: short questions with long answers, long texts with short ones, in between."""
    return [
        Load(service="chat", port=port["proxy"], key="sk-alice", sentences=1, answer_tok=32,
             clients=2, pause_s=1.0),
        Load(service="summarise", port=port["proxy"], key="sk-bob", sentences=8, answer_tok=8,
             clients=2, pause_s=2.0),
        Load(service="complete", port=port["single"], sentences=2, answer_tok=12,
             clients=1, pause_s=1.0),
    ]  # fmt: skip


def await_rows(ledger: Path, running: Programs) -> None:
    """Wait until the agent has looked at everything: what comes later is counted from there."""
    end_s = time.monotonic() + SETTLE_S
    while time.monotonic() < end_s and running.running["agent"].poll() is None:
        if (ledger / "meta.json").exists() and open_ledger(ledger).rows()["coverage"]:
            return
        time.sleep(POLL_S)
    raise SystemExit(f"the agent wrote nothing to {ledger}:\n{running.said('agent')}")


def settled(ledger: Path, told: dict[str, Told]) -> dict[str, dict[str, int]]:
    """Sums of the ledger, once they are those of the clients or the time for it is over."""
    end_s = time.monotonic() + SETTLE_S
    while True:
        found = sums(ledger)
        if all(as_counts(told[name]) == found.get(name) for name in told):
            return found
        if time.monotonic() > end_s:
            return found
        time.sleep(POLL_S)


def sums(ledger: Path) -> dict[str, dict[str, int]]:
    """Work of each service in the ledger, by kind."""
    rows = open_ledger(ledger).query(
        "SELECT service, kind, sum(amount) AS amount FROM work GROUP BY ALL ORDER BY ALL"
    )
    found: dict[str, dict[str, int]] = {}
    for entry in rows.to_pylist():
        if entry["kind"] in KINDS and entry["amount"]:
            found.setdefault(entry["service"], {})[entry["kind"]] = round(entry["amount"])
    return found


def as_counts(told: Told) -> dict[str, int]:
    """What clients were told, in words of the ledger; what is none has no entry."""
    counts = dataclasses.asdict(told)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def estimated(ledger: Path) -> float | None:
    """Share of the joules that are estimated."""
    rows = open_ledger(ledger).query(
        "SELECT sum(energy_j) FILTER (WHERE origin = 'estimated') / sum(energy_j) AS part"
        " FROM energy"
    )
    return rows.to_pylist()[0]["part"]


def prometheus_sums(port: int, told: dict[str, Told]) -> dict[str, dict[str, float]]:
    """Tokens by service as Prometheus has them, once they have stopped to rise."""
    end_s = time.monotonic() + SETTLE_S
    while True:
        found = {
            kind: prometheus.by_label(
                port, f'sum by (service) (tree_tokens_total{{kind="{kind}"}})', "service"
            )
            for kind in KINDS
        }
        out = found["token_out"]
        if all(out.get(name, 0.0) >= told[name].token_out for name in told):
            return found
        if time.monotonic() > end_s:
            return found
        time.sleep(POLL_S)


def row(
    load: Load,
    told: dict[str, Told],
    counted: dict[str, dict[str, int]],
    scraped: dict[str, dict[str, float]] | None,
    figure: dict[str, Any],
) -> dict[str, Any]:
    """A service: what its clients were told, what was counted, what it is worth."""
    name = load.service
    of = next((s for s in figure["services"] if s["name"] == name), {})
    return {
        "service": name,
        "requests": told[name].requests,
        "told": as_counts(told[name]),
        "counted": counted.get(name, {}),
        "scraped_token_out": None if scraped is None else scraped["token_out"].get(name),
        "tree_beq_per_j": of.get("tree_beq_per_j"),
        "j_per_tok": of.get("j_per_tok"),
        "energy_share_frac": of.get("energy_share_frac"),
        "utility_share_frac": of.get("utility_share_frac"),
    }


def answer(running: Programs, *arguments: str) -> dict[str, Any]:
    """What a command of tree6g says with `--json`."""
    name = arguments[0]
    process = running.start(name if name != "serve" else "files", [*TREE6G, *arguments, "--json"])
    code = process.wait()
    running.running.pop(name if name != "serve" else "files")
    text = (running.folder / f"{name if name != 'serve' else 'files'}.out").read_text()
    if code not in {0, 1} or not text:
        raise SystemExit(f"tree6g {' '.join(arguments)} ended with {code}.")
    return json.loads(text)


def say(line: str) -> None:
    """Tell the person who waits."""
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
