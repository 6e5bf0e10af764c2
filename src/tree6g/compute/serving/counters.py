"""The counters and the work space of a server that has done nothing yet."""

from __future__ import annotations

import numpy as np

from tree6g.compute.replica import Replica
from tree6g.compute.serving import layout as at
from tree6g.compute.serving.requests import IntArray
from tree6g.compute.serving.settings import EngineSettings
from tree6g.errors import DataError


def counters(replica: Replica, settings: EngineSettings, constants: int, edges: int) -> IntArray:
    """Array `n` of `layout`.

    Args:
        replica: Constants of an iteration.
        settings: Settings of the engine.
        constants: Length of the table of constants, behind which the edges stand.
        edges: Edges of the histogram of gaps.

    Raises:
        DataError: The cache holds no block.
    """
    room = 2 * settings.max_sequences + 64
    work = at.COUNTERS + np.arange(5) * room
    n = np.zeros(work[-1] + 2 * settings.max_sequences + settings.block_tok, dtype=np.int64)
    n[at.BUDGET], n[at.PLACES] = settings.token_budget, settings.max_sequences
    n[at.BLOCK_TOK] = settings.block_tok
    n[at.BLOCK_BITS] = settings.block_tok.bit_length() - 1
    n[at.BLOCKS] = n[at.FREE] = settings.blocks(replica.kv_capacity_tok)
    if n[at.BLOCKS] < 1:
        raise DataError(
            f"expected a KV cache of at least a block of {settings.block_tok} tokens; got "
            f"{replica.kv_capacity_tok:g} tokens."
        )
    n[at.BY_PRIORITY], n[at.PREFIXES] = settings.priorities, settings.prefix_cache
    n[at.WINDOW_TOK] = int(replica.window_tok)
    n[at.EDGES], n[at.EDGES_AT] = edges, constants
    n[at.BINS_AT] = at.SUMS + edges + 1
    n[at.ROOM] = room
    n[at.ENDS_AT], n[at.CROSSINGS_AT], n[at.ORDER_AT], n[at.RETURNED_AT], n[at.CHUNK_AT] = work
    n[at.PHASE_AT] = work[-1] + 2 * settings.max_sequences
    n[at.PARTIAL] = n[at.OLDEST] = n[at.NEWEST] = at.NOBODY
    return n
