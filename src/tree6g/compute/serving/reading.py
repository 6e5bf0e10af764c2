"""From the arrays of a server to what it did."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving import layout as at
from tree6g.compute.serving.requests import FloatArray, IntArray, Requests
from tree6g.compute.serving.result import RUNNING, Bins, Served


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrays:
    """The arrays of a server, see `layout`; f and q as [request, field]."""

    c: Any
    x: Any
    n: Any
    f: FloatArray
    q: IntArray
    w: Any


def read_served(replica: Replica, asked: list[Requests], a: Arrays) -> Served:
    """Results of a server, as its arrays stand."""
    n, x, f, q = a.n, a.x, a.f, a.q
    status = q[:, at.STATUS]
    decodes = np.flatnonzero(status == at.DECODES)
    decode_j, produced = f[:, at.REQUEST_DECODE_J], q[:, at.PRODUCED]
    if len(decodes):
        decode_j, produced = _under_way(a, decodes)
    end_s = float(x[at.CLOCK_S])
    idle_j = float(replica.idle_w) * max(end_s - float(x[at.BUSY_S]), 0.0)
    left = (status >= at.SERVED) & (status <= at.GAVE_UP)
    return Served(
        requests=_together(asked),
        outcome=np.where(status == at.DECODES, RUNNING, status).astype(np.int64),
        scheduled_s=f[:, at.SCHEDULED_S],
        first_token_s=f[:, at.FIRST_S],
        finish_s=f[:, at.FINISH_S] if left.all() else np.where(left, f[:, at.FINISH_S], np.nan),
        produced_tok=produced,
        cached_tok=np.maximum(q[:, at.CACHED], 0),
        preemptions=q[:, at.PREEMPTED],
        prefill_j=f[:, at.REQUEST_PREFILL_J],
        decode_j=decode_j,
        recompute_j=f[:, at.RECOMPUTE_J],
        iterations=int(n[at.ITERATIONS]),
        passes=int(n[at.PASSES]),
        end_s=end_s,
        busy_s=float(x[at.BUSY_S]),
        energy_j=float(x[at.ENERGY_J]) + idle_j,
        idle_j=idle_j,
        running_time_s=float(x[at.RUNNING_TIME_S]),
        waiting_time_s=float(x[at.WAITING_TIME_S]) + _unseen_s(a),
        token_gap_edges_s=np.asarray(a.c[n[at.EDGES_AT] :]),
        token_gaps=np.asarray(x[at.SUMS : n[at.BINS_AT]]),
        bins=_bins(replica, a, end_s) if n[at.BINS] else None,
    )


def _under_way(a: Arrays, decodes: IntArray) -> tuple[FloatArray, IntArray]:
    """Joules and tokens so far, of those who decode too."""
    c, x, n, f, q = a.c, a.x, a.n, a.f, a.q
    begin = np.asarray(a.w)[decodes]
    steps = n[at.ITERATIONS] - begin
    first = (q[decodes, at.PROMPT_TOK] + q[decodes, at.PRODUCED]).astype(np.int64)
    rising = np.clip(n[at.WINDOW_TOK] - first, 0, steps)
    inside = rising * first + rising * (rising - 1) / 2 + (steps - rising) * n[at.WINDOW_TOK]
    own_j = steps * c[at.OWN_J] + c[at.CONTEXT_J] * (steps * first + steps * (steps - 1) / 2)
    own_j += c[at.WINDOW_J] * inside
    epochs = n[at.EPOCH] - q[decodes, at.FROM_EPOCH]
    decode_j, produced = f[:, at.REQUEST_DECODE_J].copy(), q[:, at.PRODUCED].copy()
    decode_j[decodes] += own_j + x[at.SHARE_J] - f[decodes, at.FROM_J] + at.EPOCH_J * epochs
    produced[decodes] += steps.astype(produced.dtype)
    return decode_j, produced


def _unseen_s(a: Arrays) -> float:
    """Time that requests have waited which came during the last run: it did not look at them."""
    n, f, q = a.n, a.f, a.q
    coming = slice(int(n[at.NEXT]), None)
    whole = q[coming, at.PROMPT_TOK] + q[coming, at.OUTPUT_TOK] - 1
    fits = whole <= n[at.BLOCKS] * n[at.BLOCK_TOK]
    waited_s = np.maximum(a.x[at.CLOCK_S] - f[coming, at.ARRIVAL_S], 0.0)
    return float(waited_s[fits].sum())


def _bins(replica: Replica, a: Arrays, end_s: float) -> Bins:
    n, x = a.n, a.x
    step = float(x[at.BIN_STEP_S])
    count = min(int(n[at.BINS]), math.ceil(end_s / step))
    table = np.asarray(x[n[at.BINS_AT] : n[at.BINS_AT] + 3 * count]).reshape(count, 3)
    length = np.minimum(step, end_s - step * np.arange(count))
    return Bins(
        step_s=step,
        prefill_j=table[:, 0],
        decode_j=table[:, 1],
        idle_j=replica.idle_w * np.maximum(length - table[:, 2], 0.0),
        busy_s=table[:, 2],
    )


def _together(parts: list[Requests]) -> Requests:
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in dataclasses.fields(Requests)]
    whole = {"arrival_s": np.float64, "give_up_s": np.float64}
    return Requests(
        **{
            name: np.concatenate(
                [np.empty(0, dtype=whole.get(name, np.int64)), *(getattr(p, name) for p in parts)]
            )
            for name in names
        }
    )
