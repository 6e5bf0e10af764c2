"""A TREE-aware router against round robin, on real servers: `make demo-pilot`.

Two real llama.cpp servers with the same weights: as four-bit numbers (98 MB) and unpacked to 32 bit
(540 MB). Two services may be answered by either, one insists on 32 bit. Two pilots stand before the
servers, one follows TREE, one takes turns; blocks of the same arrivals go through one or the other
in the order A B B A. The agent meters every block into a ledger of its own, and the pilots learn
joules per token from another one. Energy is estimated from processor time, so the figures show what
routing changes, not what this model is worth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
METER = HERE.parent / "meter"
sys.path.insert(0, str(METER))

import blocks  # noqa: E402
import llama  # noqa: E402
import unpack  # noqa: E402
from clients import Load  # noqa: E402
from processes import Programs, free_port, programs  # noqa: E402

from tree6g.serve.live import metering  # noqa: E402

TREE6G = str(Path(sys.executable).with_name("tree6g"))
RULES = {"tree": "tree", "turn": "round-robin"}
MODELS = {"large": "smollm2-f32", "small": "smollm2-q4"}
RATES_HZ = {"write": 0.45, "summarise": 0.25, "exact": 0.1}
WARM_HZ = {"write": 0.3, "summarise": 0.3, "exact": 0.1}
WARM_S = 6.0
MOST_WARM = 20
JOULES = "tree_pilot_token_energy_joules{"
FIGURES = ("ours_tree_beq_per_j", "tree_beq_per_j", "servers_j", "ours_j", "energy_j")


def main() -> int:
    """Run the demonstration; 1 if a sum is wrong or a served share differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8, help="pairs of blocks")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a block")
    parser.add_argument("--out", type=Path, help="folder of ledgers; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    absent = llama.missing()
    if absent:
        raise SystemExit(f"expected {', '.join(absent)}; `make demo-pilot` installs them.")
    with _folder(arguments.out) as folder, programs(folder) as running:
        found = demonstrate(folder, running, arguments.pairs, arguments.seconds)
    print(json.dumps(found) if arguments.json else text(found))
    return 0 if found["equal"] and found["same_service"] else 1


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The folder of everything; a temporary one goes at the end, for it holds a large model."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
    else:
        with tempfile.TemporaryDirectory(prefix="tree6g-pilot-") as made:
            yield Path(made)


def demonstrate(folder: Path, running: Programs, pairs: int, seconds: float) -> dict[str, Any]:
    """Start everything, run the blocks, and read what came of them."""
    names = start(folder, running)
    done: list[dict[str, Any]] = []
    with metering(config(folder, "learning", names), blocks.complain) as learning:
        blocks.await_look(learning)
        warm_up(names)
        for pair in range(pairs):
            plan = blocks.arrivals(RATES_HZ, seconds, pair)
            order = ("tree", "turn") if pair % 2 == 0 else ("turn", "tree")
            found = {}
            for rule in order:
                say(f"pair {pair + 1} of {pairs}: {len(plan)} requests by {RULES[rule]}")
                meter = config(folder, f"block-{pair}-{rule}", names)
                loads = services(names[rule])
                found[rule] = blocks.block(meter, plan, loads, rule, f"{pair} {rule}")
            done.append({rule: found[rule] for rule in RULES})
    return summed(done, learned(running, folder))


def start(folder: Path, running: Programs) -> dict[str, Any]:
    """Servers and pilots, each when the one before answers; their ports and processes."""
    port = {name: free_port() for name in (*MODELS, *RULES)}
    model = folder / "f32.gguf"
    say("unpacking the weights to 32 bit")
    unpack.unpack(llama.model_file(), model)
    files = {"large": model, "small": llama.model_file()}
    for name, alias in MODELS.items():
        say(f"llama.cpp serves {alias} on port {port[name]}")
        command = [sys.executable, str(METER / "llama.py"), str(port[name]), "--slots", "2"]
        running.start(name, [*command, "--model", str(files[name]), "--name", alias])
    for name in MODELS:
        running.await_answer(name, f"http://127.0.0.1:{port[name]}/health")
    (folder / "tenants.yaml").write_text("alice: sk-alice\nbob: sk-bob\ncarol: sk-carol\n")
    for name, rule in RULES.items():
        path = folder / f"pilot-{name}.yaml"
        path.write_text((HERE / "pilot.yaml").read_text().format(folder=folder, rule=rule, **port))
        command = ["optimise", "pilot", str(path), "--port", str(port[name]), "--json"]
        running.start(name, [TREE6G, *command])
    for name, rule in RULES.items():
        running.await_answer(name, f"http://127.0.0.1:{port[name]}/metrics")
        say(f"pilot by {rule} on port {port[name]}")
    return {**port, **{f"{name}_pid": p.pid for name, p in running.running.items()}}


def config(folder: Path, ledger: str, names: Mapping[str, Any]) -> Path:
    """The config of an agent with a ledger."""
    path = folder / f"{ledger}.yaml"
    path.write_text(
        (METER.parent / "pilot/meter.yaml")
        .read_text()
        .format(folder=folder, ledger=ledger, **names)
    )
    return path


def warm_up(names: Mapping[str, Any]) -> None:
    """Requests by turns, until the pilot has learned from the meter what a token costs where."""
    say("warming up: the pilot learns joules per token from the meter")
    before = learned_joules(names["tree"])
    for turn in range(MOST_WARM):
        plan = blocks.arrivals(WARM_HZ, WARM_S, -1 - turn)
        blocks.send(plan, services(names["turn"]), f"warm {turn}")
        if all(joules != before[name] for name, joules in learned_joules(names["tree"]).items()):
            return
    raise SystemExit("the pilot has learned nothing from the meter.")


def learned_joules(port: int) -> dict[str, str]:
    """Joules per token by server and phase, as a pilot tells Prometheus."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10.0) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(JOULES))
    return {series: value for series, value in pairs}  # noqa: C416  # pairs are lists


def services(port: int) -> dict[str, Load]:
    """Three services; answers have a fixed length, so that both rules serve the same tokens."""
    common: dict[str, Any] = {"port": port, "clients": 1, "pause_s": 1.0}
    more = {"ignore_eos": True, "temperature": 0.0}
    return {
        "write": Load(service="write", key="sk-alice", sentences=0, answer_tok=32, more=more,
                      **common),
        "summarise": Load(service="summarise", key="sk-bob", sentences=1, answer_tok=16, more=more,
                          **common),
        "exact": Load(service="exact", key="sk-carol", sentences=0, answer_tok=16, more=more,
                      **common),
    }  # fmt: skip


def learned(running: Programs, folder: Path) -> dict[str, Any]:
    """What each pilot says at its end."""
    found = {}
    for name in RULES:
        running.end(name)
        found[name] = json.loads((folder / f"{name}.out").read_text())
    return found


def summed(done: list[dict[str, Any]], pilots: dict[str, Any]) -> dict[str, Any]:
    """All blocks together."""
    parts = [block for pair in done for block in pair.values()]
    shares = [
        {rule: sorted(pair[rule]["served_share_frac"].items()) for rule in RULES} for pair in done
    ]
    return {
        "pairs": done,
        "compared": {name: blocks.compared(done, name) for name in FIGURES},
        "pilots": pilots,
        "equal": all(part["equal"] for part in parts),
        "same_service": all(share["tree"] == share["turn"] for share in shares),
        "problems": [problem for part in parts for problem in part["problems"]],
        "conservation_error_frac": max(part["conservation_error_frac"] for part in parts),
    }


def text(found: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [f"{'':<34}{'TREE-aware':>22}{'in turn':>22}{'difference':>20}"]
    titles = (
        "TREE of servers and router, beq/J",
        "TREE of the whole machine, beq/J",
        "energy of the servers, J",
        "energy of servers and router, J",
        "energy of the whole machine, J",
    )
    for name, title in zip(FIGURES, titles, strict=True):
        row = found["compared"][name]
        cells = (number(row["tree"], 1.0, ".4g"), number(row["turn"], 1.0, ".4g"))
        gain = number(row["gain_frac"], 100.0, "+.1f") + " %"
        lines.append(f"{title:<34}{cells[0]:>22}{cells[1]:>22}{gain:>20}")
    share = {
        rule: sum(p[rule]["node_tok"].get("small", 0.0) for p in found["pairs"])
        / sum(sum(p[rule]["node_tok"].values()) for p in found["pairs"])
        for rule in RULES
    }
    cells = (f"{share['tree']:.0%}", f"{share['turn']:.0%}")
    lines.append(f"{'output tokens of the small server':<34}{cells[0]:>22}{cells[1]:>22}")
    joules = found["pilots"]["tree"]["j_per_tok"]
    for server, (e_in, e_out) in joules.items():
        lines.append(
            f"learned of {server}: {e_in:.3g} J per prompt token, {e_out:.3g} J per output token"
        )
    same = "the same under both rules" if found["same_service"] else "NOT THE SAME"
    equal = "equal to the token" if found["equal"] else "NOT EQUAL"
    lines.append(f"served share of every service: {same}")
    lines.append(f"counts of the ledgers and sums of the clients' usage: {equal}")
    lines.append(
        f"{len(found['pairs'])} pairs of blocks; +- is the 95 % interval of the mean (Student); all"
        " energy is estimated from processor time"
    )
    return "\n".join(lines)


def number(found: dict[str, Any], scale: float, form: str) -> str:
    """A mean with its interval."""
    if found["mean"] is None:
        return "-"
    half = found["half_width"]
    beside = "" if half is None else f" +- {scale * half:.2g}"
    return f"{scale * found['mean']:{form}}{beside}"


def say(line: str) -> None:
    """Tell the person who waits."""
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
