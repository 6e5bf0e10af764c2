"""Benchmarks against peers: `python benchmarks/run.py [--only NAME]`.

Every program is a process of its own; a peer has a virtual environment of its own, made from its
pinned requirements. CPU seconds and peak memory are those of the whole process, as the system
counts them, start of the interpreter and imports included; where steps are compared (`steps`), CPU
seconds are those of a step. Programs that are compared closely take turns and the median counts.
Results must agree before anything is compared. The ratio is our CPU over the peer's.
"""

from __future__ import annotations

import argparse
import compileall
import dataclasses
import importlib.util
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import agents
import allocations
import environments
import federations
import forwarding
import optima
import placements
import replay
import scrapes
import shares
import steps
from process import DATA, HERE, Cost, environment, generated, run

TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another way to the same result.

    Attributes:
        name: Its name; its requirements are in `requirements-<name>.txt`.
        script: Program in the benchmark's folder.
        limit: Our CPU over its own must not be more.
        repeats: Runs, of which the median counts.
    """

    name: str
    script: str
    limit: float
    repeats: int = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One task that we and peers do.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peers' programs.
        arguments: What every program gets after its input and its output.
        keys: Columns that name a row of the result.
        peak_limit_byte: Our peak memory must not be more.
        peers: Those we compare with.
    """

    name: str
    arguments: tuple[str, ...]
    keys: tuple[str, ...]
    peak_limit_byte: float
    peers: tuple[Peer, ...]


# One thread and the same memory limit for everybody who can be limited.
BENCHES = (
    Bench(
        name="ledger_query",
        arguments=("1", "700MB"),
        keys=("service", "t0_s"),
        peak_limit_byte=1e9,
        peers=(
            Peer(name="hand", script="hand.py", limit=1.3),
            Peer(name="pandas", script="pandas_peer.py", limit=1.0, repeats=2),
        ),
    ),
)


def main() -> int:
    """Run the benchmarks, print a table and write `results.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    others = (
        steps,
        replay,
        placements,
        scrapes,
        forwarding,
        agents,
        shares,
        allocations,
        optima,
        environments,
        federations,
    )
    names = [b.name for b in (*BENCHES, *(b for other in others for b in other.BENCHES))]
    parser.add_argument("--only", choices=names, help="run one benchmark")
    only = parser.parse_args().only
    compile_ours()
    results = [row for b in BENCHES if only in {None, b.name} for row in compared(b)]
    for other in others:
        results += [
            row for b in other.BENCHES if only in {None, b.name} for row in other.compared(b)
        ]
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    columns = f"{'ours, CPU s':>12}{'peer, CPU s':>12}{'ratio':>8}{'peak MB':>9}"
    print(f"{'benchmark':<24}{'peer':<10}{columns}  note")
    for r in results:
        print(
            f"{r['name']:<24}{r['peer']:<10}{r['ours_cpu_s']:>12.4g}{r['peer_cpu_s']:>12.4g}"
            f"{r['ratio']:>8.3g}{r['peak_rss_byte'] / 1e6:>9.0f}  {r['note']}"
        )
    return int(any("over" in r["note"] for r in results))


def compile_ours() -> None:
    """Bytecode of what we import; pip has made it in the peers' environments."""
    for name in ("tree6g", "numpy", "pyarrow", "duckdb", "numba", "llvmlite", "typer", "click"):
        module = importlib.util.find_spec(name)
        for folder in (module and module.submodule_search_locations) or ():
            compileall.compile_dir(folder, quiet=2)


def compared(bench: Bench) -> Iterator[dict[str, object]]:
    """Our cost beside each peer's, one row per peer."""
    source = generated(bench.name)
    ours = (Path(sys.executable), HERE / bench.name / "ours.py")
    for peer in bench.peers:
        theirs = (environment(bench.name, peer.name), HERE / bench.name / peer.script)
        costs = {}
        for turn in range(peer.repeats):
            for who, (python, script) in (("ours", ours), (peer.name, theirs)):
                out = DATA / f"{bench.name}-{who}.parquet"
                command = [str(python), str(script), str(source), str(out), *bench.arguments]
                costs.setdefault(who, []).append(run(command))
                print(
                    f"  {bench.name} {who} {turn + 1}: {costs[who][-1].cpu_s:.2f} s",
                    file=sys.stderr,
                )
        difference = disagreement(bench, peer)
        yield row(bench, peer, costs["ours"], costs[peer.name], difference)


def row(
    bench: Bench, peer: Peer, ours: list[Cost], theirs: list[Cost], worst: float
) -> dict[str, object]:
    """One entry of results.json."""
    cpu_s, peer_s = (statistics.median(c.cpu_s for c in costs) for costs in (ours, theirs))
    peak = max(c.peak_rss_byte for c in ours)
    over = cpu_s > peer.limit * peer_s or peak > bench.peak_limit_byte
    return {
        "name": bench.name,
        "ours_cpu_s": round(cpu_s, 3),
        "peer": peer.name,
        "peer_cpu_s": round(peer_s, 3),
        "ratio": round(cpu_s / peer_s, 3),
        "peak_rss_byte": peak,
        "note": f"{'over' if over else 'within'} the bar: ratio {peer.limit}, peak "
        f"{bench.peak_limit_byte / 1e6:.0f} MB; results agree to {worst:.1e}",
    }


def disagreement(bench: Bench, peer: Peer) -> float:
    """Largest relative difference of any number; an end if it is above the tolerance."""
    tables = [indexed(bench, DATA / f"{bench.name}-{who}.parquet") for who in ("ours", peer.name)]
    if tables[0].keys() != tables[1].keys():
        raise SystemExit(f"{bench.name}: {peer.name} finds other rows than we do")
    worst = 0.0
    for key, mine in tables[0].items():
        for a, b in zip(mine, tables[1][key], strict=True):
            if (a is None) != (b is None):
                raise SystemExit(f"{bench.name}: at {key} {peer.name} says {b}, we say {a}")
            if a is not None and a != b:
                worst = max(worst, abs(a - b) / max(abs(a), abs(b)))
    if worst > TOLERANCE:
        raise SystemExit(f"{bench.name}: {peer.name} differs by {worst:.1e}")
    return worst


def indexed(bench: Bench, path: Path) -> dict[tuple[object, ...], tuple[float | None, ...]]:
    """Numbers of a result by its keys."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = sorted(set(table.column_names) - set(bench.keys))
    keys = zip(*(table[k].to_pylist() for k in bench.keys), strict=True)
    return dict(zip(keys, zip(*(table[n].to_pylist() for n in names), strict=True), strict=True))


if __name__ == "__main__":
    sys.exit(main())
