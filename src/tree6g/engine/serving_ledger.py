"""The ledger of a served trace: the same tables as any run's, read by the same commands."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.compute.serving.measures import paced_on_time, tpot_s
from tree6g.compute.serving.requests import FloatArray
from tree6g.compute.serving.scaling import resting_s
from tree6g.engine.run import replacing
from tree6g.engine.serving import INTERVAL_S, ServeRun, on_s
from tree6g.errors import DataError
from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import class_profile, service_meta
from tree6g.version import __version__

SERVICE: Final = "llm"
KV_NODE: Final = "kv-link"
ROOFLINE, HOST, SITE, TRAFFIC, TRANSFER = (
    "roofline", "host-power", "site-overhead", "serve-sim", "kv-transfer",
)  # fmt: skip
SOURCES: Final = {
    ROOFLINE: (
        "roofline and power model of compute.roofline over the iterations of a simulated engine; "
        "prefill and decode are the whole energy of iterations, idle that of the time between them"
    ),
    HOST: "host power per accelerator, always on",
    SITE: "(PUE - 1) x joules of the equipment",
    TRANSFER: "energy per byte of keys, values and state that go from replica to replica",
    TRAFFIC: (
        "a trace through simulated replicas; tokens of an answer as evenly paced from first to last"
    ),
}


def write_ledger(run: ServeRun, folder: Path) -> Ledger:
    """Write the ledger of a run that was binned by `INTERVAL_S` into `folder`/ledger.

    Raises:
        LedgerError: Something else than a run of this kind is there.
        DataError: Nothing was served, so that no time passed.
    """
    if not run.done.end_s:
        raise DataError(
            f"expected a run with a request that is served, for a ledger; {run.trace.source} has "
            "none. Without --out its figures are printed."
        )
    meta = _meta(run)
    path = folder / "ledger"
    with replacing(path, meta) as writer:
        edges = _edges(run)
        for number in range(len(run.done.servers)):
            _write_energy(run, writer, number, edges)
            _write_work(run, writer, number, edges)
        _write_transfers(run, writer, edges)
        _write_requests(run, writer)
        _write_tables(run, writer)
    return open_ledger(path)


def node(number: int) -> str:
    """Name of a replica in the ledger."""
    return f"replica-{number:03d}"


def _edges(run: ServeRun) -> FloatArray:
    """Edges of the ledger's intervals, the last at the end of the run."""
    count = max(math.ceil(run.done.end_s / INTERVAL_S), 1)
    return np.append(INTERVAL_S * np.arange(count), run.done.end_s)


def _meta(run: ServeRun) -> Meta:
    options = dataclasses.asdict(run.options)
    if math.isinf(options["give_up_s"]):
        options["give_up_s"] = None
    plain: dict[str, Any] = {
        "name": "serve-sim",
        "trace": run.trace.source,
        "token_class": run.token_class,
        "options": options,
    }
    s = run.summary
    weights = (
        ("token_in", (s.prefill_j + s.recompute_j) / max(s.input_tok - s.cached_tok, 1.0)),
        ("token_out", s.decode_j / max(s.output_tok, 1.0)),
    )
    profile = class_profile(run.token_class)
    return Meta(
        services={SERVICE: service_meta("ai", profile, token_class=run.token_class)},
        attribution_interval_s=INTERVAL_S,
        phase_weights=tuple({"kind": k, "weight": w, "unit": "j"} for k, w in weights),
        control={
            "energy_j": _control(run),
            "requests": {"arrived": s.requests, "served": s.served, "lost": s.requests - s.served},
        },
        scenario=plain,
        scenario_hash=digest(plain),
        producer=f"tree6g {__version__}",
        sources=SOURCES,
        notes=(
            *(f"Assumed: {text}." for text in run.server.assumed),
            *run.trace.notes,
            f"Requests come from the trace {run.trace.source}.",
        ),
    )


def _control(run: ServeRun) -> dict[str, float]:
    """Joules of every node, counted besides the rows."""
    nodes = {node(n): _control_j(run, n) for n in range(len(run.done.servers))}
    moved_j = math.fsum(run.done.transfer_j)
    return nodes | ({KV_NODE: moved_j} if moved_j else {})


def _control_j(run: ServeRun, number: int) -> float:
    """A replica's joules by iterations and idle time, its host and its site."""
    host_j = _host_w(run) * on_s(run.done)[number]
    return run.options.pue * (run.done.servers[number].energy_j + host_j)


def _host_w(run: ServeRun) -> float:
    return run.options.host_w * run.options.count


def _energy(run: ServeRun, number: int, edges: FloatArray) -> dict[tuple[str | None, ...], Any]:
    """Joules of a replica by component, state, source and service. [interval]."""
    bins = run.done.servers[number].bins
    length_s = np.diff(edges)
    found: dict[tuple[str | None, ...], Any] = {}
    if bins is not None:
        for state, joules in (("prefill", bins.prefill_j), ("decode", bins.decode_j)):
            found["gpu", state, ROOFLINE, SERVICE] = _fitted(joules, len(length_s))
        found["gpu", "idle", ROOFLINE, None] = _fitted(bins.idle_j, len(length_s))
        scaling = run.options.scaling
        if scaling is not None and run.done.rests:
            rest = run.done.rests[number]
            for state, watts, intervals_s in (
                ("sleep", scaling.off_w, rest.off_s),
                ("transition", scaling.start_w, rest.starting_s),
            ):
                joules = _fitted(watts * resting_s(intervals_s, bins), len(length_s))
                found["gpu", state, ROOFLINE, None] = joules
    off_s = np.zeros(len(length_s))
    if bins is not None and run.done.rests:
        off_s = _fitted(resting_s(run.done.rests[number].off_s, bins), len(length_s))
    found["host", "idle", HOST, None] = _host_w(run) * (length_s - off_s)
    if run.options.pue > 1.0:
        beyond = run.options.pue - 1.0
        for key, joules in list(found.items()):
            site = ("cooling", key[1], SITE, key[3])
            found[site] = found.get(site, 0.0) + beyond * joules
    return found


def _write_transfers(run: ServeRun, writer: LedgerWriter, edges: FloatArray) -> None:
    """Keys and values on their way from prefill to decode replicas, when the prompt is done."""
    sent = run.done.transfer_j > 0.0
    joules = _at(run.done.first_token_s[sent], run.done.transfer_j[sent], edges)
    there = joules > 0.0
    if not there.any():
        return
    writer.append(
        "energy",
        {
            "t0_s": edges[:-1][there],
            "t1_s": edges[1:][there],
            "node": KV_NODE,
            "tier": "cloud",
            "component": "link",
            "state": "active",
            "energy_j": joules[there],
            "origin": "modelled",
            "source": TRANSFER,
            "service": SERVICE,
        },
    )


def _fitted(joules: FloatArray, count: int) -> FloatArray:
    """Bins as many as intervals; what lies beyond the last edge by rounding goes to the last."""
    whole = np.zeros(count)
    whole[: len(joules)] = joules[:count]
    whole[-1] += joules[count:].sum()
    return whole


def _write_energy(run: ServeRun, writer: LedgerWriter, number: int, edges: FloatArray) -> None:
    for key, joules in _energy(run, number, edges).items():
        component, state, source, service = key
        there = joules > 0.0
        if not there.any():
            continue
        writer.append(
            "energy",
            {
                "t0_s": edges[:-1][there],
                "t1_s": edges[1:][there],
                "node": node(number),
                "tier": "cloud",
                "component": component,
                "state": state,
                "energy_j": joules[there],
                "origin": "modelled",
                "source": source,
                "service": service,
                "u95_frac": run.server.device.u95_frac if source == ROOFLINE else None,
            },
        )


def _work(run: ServeRun, number: int, edges: FloatArray) -> dict[str, FloatArray]:
    """Work of one replica by kind; what was lost counts when it was. [interval]."""
    done, asked = run.done, run.done.requests
    mine = done.replica == number
    served, lost = mine & done.served, mine & ~done.served
    read = (done.prompt_replica == number) & done.served
    first_s, last_s = done.first_token_s[served], done.finish_s[served]
    read_s = done.first_token_s[read]
    prompt = asked.prompt_tok[read].astype(np.float64)
    cached = done.cached_tok[read].astype(np.float64)
    further = asked.output_tok[served] - 1.0
    late_tok, late_first = _late(run)
    gone_s = np.nan_to_num(done.finish_s[lost], nan=done.end_s)
    tokens = _at(first_s, np.ones(len(first_s)), edges)
    return {
        "token_in": _at(read_s, prompt - cached, edges),
        "token_in_cached": _at(read_s, cached, edges),
        "token_out": tokens + _during(first_s, last_s, further, edges),
        "token_late": _during(first_s, last_s, late_tok[served], edges),
        "token_in_late": _at(read_s, prompt * late_first[read], edges),
        "request": _at(last_s, np.ones(len(last_s)), edges),
        "request_lost": _at(gone_s, np.ones(len(gone_s)), edges),
        "token_lost": _at(gone_s, asked.output_tok[lost].astype(np.float64), edges),
        "token_in_lost": _at(gone_s, asked.prompt_tok[lost].astype(np.float64), edges),
    }


def _sessions(run: ServeRun, number: int, edges: FloatArray) -> FloatArray:
    """Answers of a replica in progress on average. [interval]."""
    mine = (run.done.replica == number) & run.done.served
    start_s, end_s = run.done.scheduled_s[mine], run.done.finish_s[mine]
    return _during(start_s, end_s, end_s - start_s, edges) / np.diff(edges)


def _write_work(run: ServeRun, writer: LedgerWriter, number: int, edges: FloatArray) -> None:
    for kind, amount in _work(run, number, edges).items():
        there = amount > 0.0
        if not there.any():
            continue
        demanded = kind in {"token_in", "token_out"}
        running = _sessions(run, number, edges)[there] if kind == "token_out" else None
        writer.append(
            "work",
            {
                "t0_s": edges[:-1][there],
                "t1_s": edges[1:][there],
                "node": node(number),
                "tier": "cloud",
                "service": SERVICE,
                "model": run.server.model,
                "kind": kind,
                "amount": amount[there],
                "sessions": running,
                "demand": amount[there] if demanded else None,
                "demand_unit": "tok" if demanded else None,
                "origin": "modelled",
                "source": TRAFFIC,
            },
        )


def _late(run: ServeRun) -> tuple[FloatArray, FloatArray]:
    """Late tokens of each answer, and 1 where the first token is late. [request]."""
    done, asked = run.done, run.done.requests
    first_s = done.first_token_s - asked.arrival_s
    pace_s = np.nan_to_num(tpot_s(done.first_token_s, done.finish_s, asked.output_tok))
    output = asked.output_tok.astype(np.float64)
    known = np.where(done.served, first_s, 0.0)
    late = output - paced_on_time(known, pace_s, output, run.budgets)
    return np.where(done.served, late, 0.0), (known > run.budgets.ttft_s).astype(np.float64)


def _at(when_s: FloatArray, amount: FloatArray, edges: FloatArray) -> FloatArray:
    """Amounts that come at an instant, by interval. [interval]."""
    place = np.clip(np.searchsorted(edges, when_s, side="right") - 1, 0, len(edges) - 2)
    sums = np.bincount(place, weights=amount, minlength=len(edges) - 1)
    return sums.astype(np.float64)


def _during(
    start_s: FloatArray, end_s: FloatArray, amount: FloatArray, edges: FloatArray
) -> FloatArray:
    """Amounts that come evenly from a start to an end, by interval. [interval].

    By sums over the sorted starts and ends, so in time of their number, not times intervals.
    """
    length_s = end_s - start_s
    flat = length_s <= 0.0
    rate = np.where(flat, 0.0, amount / np.where(flat, 1.0, length_s))
    since = np.zeros(len(edges))
    for instants, sign in ((start_s, 1.0), (end_s, -1.0)):
        order = np.argsort(instants)
        rates = np.append(0.0, np.cumsum(rate[order]))
        moments = np.append(0.0, np.cumsum(rate[order] * instants[order]))
        place = np.searchsorted(instants[order], edges)
        since += sign * (rates[place] * edges - moments[place])
    since[0], since[-1] = 0.0, float(amount[~flat].sum())
    return np.maximum(np.diff(since), 0.0) + _at(start_s[flat], amount[flat], edges)


def _write_requests(run: ServeRun, writer: LedgerWriter) -> None:
    """A row for every request that was served."""
    done, asked = run.done, run.done.requests
    rows = np.flatnonzero(done.served)
    if not len(rows):
        return
    late_tok, late_first = _late(run)
    output = asked.output_tok[rows].astype(np.float64)
    pace = tpot_s(done.first_token_s[rows], done.finish_s[rows], output)
    names = np.array([node(n) for n in range(len(done.servers))])
    writer.append(
        "request",
        {
            "id": rows,
            "service": SERVICE,
            "arrival_s": asked.arrival_s[rows],
            "node": names[done.replica[rows]],
            "token_in": asked.prompt_tok[rows].astype(np.float64),
            "token_out": output,
            "token_late": late_tok[rows],
            "model": run.server.model,
            "token_in_late": asked.prompt_tok[rows] * late_first[rows],
            "ttft_s": done.first_token_s[rows] - asked.arrival_s[rows],
            "tpot_s": [None if math.isnan(value) else value for value in pace.tolist()],
            "e2e_s": done.finish_s[rows] - asked.arrival_s[rows],
            "energy_j": done.request_j[rows],
        },
    )


def _write_tables(run: ServeRun, writer: LedgerWriter) -> None:
    options, profile = run.options, class_profile(run.token_class)
    nodes = list(_control(run))
    record = f"{options.count} x {options.accelerator}, {run.server.model} in {options.weights}"
    writer.append(
        "entity",
        {
            "node": nodes,
            "tier": "cloud",
            "boundaries": "operator full",
            "site": "fleet",
            "what": ["link" if name == KV_NODE else "server" for name in nodes],
            "record": [None if name == KV_NODE else record for name in nodes],
        },
    )
    body: dict[str, Any] = {
        "service": [SERVICE],
        "kind": ["ai"],
        "token_class": [run.token_class],
        "profile": [profile.id],
        "profile_hash": [digest(dataclasses.asdict(profile))],
    }
    writer.append("service", body)
    for source in SOURCES:
        quantity = "work" if source == TRAFFIC else "energy"
        writer.append(
            "coverage",
            {
                "t0_s": [0.0],
                "t1_s": run.done.end_s,
                "source": source,
                "quantity": quantity,
                "status": "ok",
            },
        )
