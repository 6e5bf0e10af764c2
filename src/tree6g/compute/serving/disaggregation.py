"""Prompts on some replicas, answers on others, keys and values over a link between them.

A request is routed among the prefill replicas, which compute its prompt and sample its first token.
Keys, values and recurrent state then go over the link of that replica, one prompt after the other,
and arrive as blocks in the cache of a decode replica, chosen when they are there. The decode
replica computes the first token's own keys and the part of the prompt that fills no whole block
(as vLLM does, which transfers whole blocks) and goes on to the second token. If its cache has no
room, as much of the prompt is computed again as did not fit: vLLM would wait instead.

Transfers do not slow down iterations on either side. The first token reaches the user from the
prefill replica; requests with one token end there.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving.fleet import (
    Fleet,
    FleetServed,
    belongs,
    chooser,
    finished_s,
    serve_fleet,
)
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests, requests
from tree6g.compute.serving.result import Served
from tree6g.compute.serving.state import ServerState
from tree6g.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KvLink:
    """The link of a prefill replica to the decode replicas.

    Attributes:
        byte_per_s: Its rate.
        latency_s: Delay besides that of the bytes.
        j_per_byte: Energy of a byte, both ends.

    Raises:
        DataError: A rate or an energy cannot be.
    """

    byte_per_s: float
    latency_s: float = 0.0
    j_per_byte: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no link."""
        if not self.byte_per_s > 0.0 or self.latency_s < 0.0 or self.j_per_byte < 0.0:
            raise DataError(
                "expected a link with a rate above 0 byte/s, and latency and energy from 0; got "
                f"{self.byte_per_s:g} byte/s, {self.latency_s:g} s, {self.j_per_byte:g} J/byte."
            )


def kv_byte(replica: Replica, prompt_tok: IntArray) -> FloatArray:
    """Bytes of keys, values and state that a prompt leaves. [request]."""
    inside = np.minimum(prompt_tok, replica.window_tok) if replica.window_tok else prompt_tok
    return (
        replica.kv_byte_per_tok * prompt_tok
        + replica.window_kv_byte_per_tok * inside
        + replica.state_byte
    )


def serve_disaggregated(
    prefill: Fleet,
    decode: Fleet,
    link: KvLink,
    asked: Requests,
    *,
    session_id: IntArray | None = None,
    bin_s: float | None = None,
    gap_edges_s: FloatArray | None = None,
) -> FleetServed:
    """Serve all requests with prefill replicas and decode replicas.

    Replicas are numbered prefill first. `replica` of the result is who decoded, `prompt_replica`
    who computed the prompt; `cached_tok` counts the prefill replica's hits.

    Args:
        prefill: Replicas for prompts.
        decode: Replicas for answers; their settings must keep prefixes.
        link: Between them.
        asked: Requests.
        session_id: As for `serve_fleet`, for the prefill replicas.
        bin_s: Width of bins of energy.
        gap_edges_s: Edges of the histogram of gaps between tokens.

    Raises:
        DataError: The decode replicas keep no prefixes, so nothing could be handed over.
    """
    if not decode.settings.prefix_cache:
        raise DataError("expected decode replicas with a prefix cache, which receives prompts.")
    first = serve_fleet(
        prefill,
        dataclasses.replace(asked, output_tok=np.ones(len(asked), dtype=np.int64)),
        session_id=session_id,
        bin_s=bin_s,
        gap_edges_s=gap_edges_s,
    )
    further = np.flatnonzero(first.served & (asked.output_tok > 1))
    moved_byte = kv_byte(prefill.replica, asked.prompt_tok[further])
    there_s = _transferred_s(first, further, moved_byte, link)
    order = np.argsort(there_s, kind="stable")
    rows = further[order]
    servers, went = _decode(decode, asked, rows, there_s[order], bin_s, gap_edges_s)
    end_s = max(first.end_s, finished_s(servers))
    for server in servers:
        server.advance(end_s)
    transfer_j, on_the_way_s = np.zeros(len(asked)), np.zeros(len(asked))
    transfer_j[further] = link.j_per_byte * moved_byte
    on_the_way_s[further] = there_s - first.finish_s[further]
    idle_w = prefill.replica.idle_w
    waited = tuple(_idle_until(server, end_s, idle_w, bin_s) for server in first.servers)
    done = _merged(asked, first, waited, [s.served() for s in servers], rows, went, transfer_j)
    return dataclasses.replace(done, on_the_way_s=on_the_way_s)


def _transferred_s(
    first: FleetServed, rows: IntArray, moved_byte: FloatArray, link: KvLink
) -> FloatArray:
    """When each prompt has arrived; each prefill replica sends one after the other. [row]."""
    ready_s, sender = first.finish_s[rows], first.replica[rows]
    sent_s = moved_byte / link.byte_per_s
    arrived_s = np.empty(len(rows))
    free_s: dict[int, float] = {}
    for k in np.argsort(ready_s, kind="stable").tolist():
        start_s = max(float(ready_s[k]), free_s.get(int(sender[k]), 0.0))
        free_s[int(sender[k])] = start_s + float(sent_s[k])
        arrived_s[k] = free_s[int(sender[k])] + link.latency_s
    return arrived_s


def _decode(
    decode: Fleet,
    asked: Requests,
    rows: IntArray,
    there_s: FloatArray,
    bin_s: float | None,
    gap_edges_s: FloatArray | None,
) -> tuple[list[ServerState], IntArray]:
    """Hand every prompt to a decode replica as it arrives; returns them and who got which."""
    servers = [
        ServerState(decode.replica, decode.settings, bin_s=bin_s, gap_edges_s=gap_edges_s)
        for _ in range(decode.count)
    ]
    prompt = asked.prompt_tok[rows]
    handed = requests(
        there_s,
        prompt + 1,
        asked.output_tok[rows] - 1,
        priority=asked.priority[rows],
        prefix_id=np.arange(len(rows)),
        prefix_tok=prompt,
    )
    choose = chooser(decode, servers, belongs(handed, None))
    went = np.empty(len(rows), dtype=np.int64)
    for row, arrival_s in enumerate(there_s.tolist()):
        went[row] = choose(row, arrival_s, range(decode.count))
        server = servers[went[row]]
        server.advance(arrival_s)
        server.receive(row, int(prompt[row]))
        server.submit(handed.where(slice(row, row + 1)))
    return servers, went


def _idle_until(server: Served, end_s: float, idle_w: float, bin_s: float | None) -> Served:
    """A replica that has finished, idle until the end."""
    idle_j = idle_w * max(end_s - server.end_s, 0.0)
    bins = server.bins
    if bins is not None and bin_s:
        count = max(math.ceil(end_s / bin_s), len(bins.busy_s))
        padded: dict[str, Any] = {
            name: np.pad(getattr(bins, name), (0, count - len(bins.busy_s)))
            for name in ("prefill_j", "decode_j", "idle_j", "busy_s")
        }
        edges = np.minimum(bin_s * np.arange(count + 1), end_s)
        padded["idle_j"] = padded["idle_j"] + idle_w * np.diff(np.maximum(edges, server.end_s))
        bins = dataclasses.replace(bins, **padded)
    return dataclasses.replace(
        server,
        end_s=max(end_s, server.end_s),
        energy_j=server.energy_j + idle_j,
        idle_j=server.idle_j + idle_j,
        bins=bins,
    )


def _merged(
    asked: Requests,
    first: FleetServed,
    prefills: tuple[Served, ...],
    decodes: list[Served],
    rows: IntArray,
    went: IntArray,
    transfer_j: FloatArray,
) -> FleetServed:
    """Both halves of every request as one."""
    columns: dict[str, Any] = {
        name: np.array(getattr(first, name), dtype=np.float64 if name.endswith("_j") else None)
        for name in ("outcome", "finish_s", "preemptions", "decode_j", "recompute_j")
    }
    replica, gaps_s = np.array(first.replica), []
    handover_s = np.full(len(asked), np.nan)
    for number, server in enumerate(decodes):
        mine = rows[went == number]
        replica[mine] = len(prefills) + number
        handover_s[mine] = server.scheduled_s - first.first_token_s[mine]
        columns["outcome"][mine] = server.outcome
        columns["finish_s"][mine] = server.finish_s
        columns["preemptions"][mine] += server.preemptions
        columns["decode_j"][mine] += server.prefill_j + server.decode_j
        columns["recompute_j"][mine] += server.recompute_j
        gaps_s.append(server.first_token_s - first.first_token_s[mine])
    servers = [*prefills, *decodes]
    servers[0] = _with_gaps(servers[0], np.concatenate(gaps_s))
    return FleetServed(
        requests=asked,
        replica=replica,
        servers=tuple(servers),
        scheduled_s=first.scheduled_s,
        first_token_s=first.first_token_s,
        cached_tok=first.cached_tok,
        prefill_j=first.prefill_j,
        end_s=max(server.end_s for server in servers),
        energy_j=math.fsum(server.energy_j for server in servers) + math.fsum(transfer_j),
        idle_j=math.fsum(server.idle_j for server in servers),
        prompt_replica=first.replica,
        transfer_j=transfer_j,
        handover_s=handover_s,
        **columns,
    )


def _with_gaps(server: Served, gaps_s: FloatArray) -> Served:
    """A server with the gaps from first to second token, which no server sees alone."""
    edges = server.token_gap_edges_s
    known = gaps_s[np.isfinite(gaps_s)]
    if not len(edges) or not len(known):
        return server
    counted = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return dataclasses.replace(server, token_gaps=server.token_gaps + counted)
