"""Where everything stands in the flat arrays of a server.

The kernel sees nine arrays, so that one source runs compiled on NumPy arrays and plain on lists:

    c  reals that stay: constants of the replica, tables by batch size, edges of the histogram
    x  reals that change: clock, sums, then histogram of gaps, then bins
    n  integers: settings, counters, then work space (heaps, stack of admissions, chunks, phases)
    f  reals of the requests, `F` each
    q  integers of the requests, `Q` each
    w  iterations of the requests (where decoding began), then the queue by priority
    g  groups of prefixes, `G` integers each
    runs, segments  the log of tokens, if kept
"""

from __future__ import annotations

from typing import Final

# c: constants, see `constants.py`.
(
    WEIGHT_S,
    EXPERT_S,
    EXPERT_RATE,
    EXPERT_FLOP,
    FLOP_S,
    PROMPT_FLOP,
    HEAD_FLOP,
    BODY_FLOP,
    AREA_FLOP,
    WINDOW_AREA_FLOP,
    KV_S,
    WINDOW_KV_S,
    STATE_S,
    FIXED_S,
    PROMPT_S,
    SEQUENCE_S,
    TOKEN_S,
    WEIGHT_J,
    EXPERT_J,
    KV_J,
    WINDOW_KV_J,
    STATE_J,
    FLOP_J,
    STATIC_W,
    IDLE_W,
    S_PER_J,  # 1 / (limit - static): time that the power limit grants per dynamic joule; 0 for none
    OWN_J,  # a decoded token's own joules, context apart
    CONTEXT_J,  # and per token of context
    WINDOW_J,  # and per token of context inside the sliding window
    TABLES,  # what follows: seconds and dynamic joules of a decode iteration by batch size
) = range(30)

# x: reals of the server.
(
    CLOCK_S,
    UNTIL_S,
    PAUSE_S,  # where the bins end: the caller makes more
    BUSY_S,
    ENERGY_J,
    PREFILL_J,
    DECODE_J,
    PREFILL_S,
    DECODE_S,
    SHARE_J,  # energy per decoding sequence that all share alike, since the last epoch
    RUNNING_TIME_S,
    WAITING_TIME_S,
    BEGAN_S,  # the last iteration: its start, duration and parts
    LAST_S,
    LAST_PREFILL_J,
    LAST_DECODE_J,
    LAST_PREFILL_FRAC,
    BIN_STEP_S,
    SUMS,  # what follows: histogram of gaps, bins
) = range(19)
EPOCH_J: Final = 1024.0  # `SHARE_J` starts again here, so that differences keep all digits

# n: integers of the server.
(
    BUDGET,
    PLACES,
    BLOCK_TOK,
    BLOCK_BITS,
    BLOCKS,
    BY_PRIORITY,
    PREFIXES,
    WINDOW_TOK,
    EDGES,
    EDGES_AT,
    BINS,
    BINS_AT,
    LOGGING,
    RUNS_ROOM,
    SEGMENTS_ROOM,
    SKIPPING,
    AHEAD,  # whether the next iteration is scheduled while one is under way
    ROOM,  # size of each heap or stack below
    ENDS_AT,
    CROSSINGS_AT,
    ORDER_AT,
    RETURNED_AT,
    CHUNK_AT,
    PHASE_AT,
    QUEUE_AT,
    TOTAL,
    NEXT,
    HEAD,
    WAITING,
    WAITING_TOK,
    RETURNED,
    QUEUED,
    CHUNKS,
    PARTIAL,
    DECODING,
    CONTEXT_TOK,
    WINDOW_CONTEXT_TOK,
    GROWING,
    ENDS,
    CROSSINGS,
    ORDER,
    FREE,
    LOOSE,
    OLDEST,
    NEWEST,
    ITERATIONS,
    PASSES,
    PREEMPTIONS,
    ANSWERED,
    ANSWERED_TOK,
    EPOCH,
    PHASE,  # whose turn it is for a block: (-iteration) modulo the size of a block
    GAP_AT,
    RUNS,
    SEGMENTS,
    COUNTERS,
) = range(56)

# f: reals of a request.
(
    ARRIVAL_S,
    DEADLINE_S,
    SCHEDULED_S,
    FIRST_S,
    FINISH_S,
    REQUEST_PREFILL_J,
    REQUEST_DECODE_J,
    RECOMPUTE_J,
    FROM_J,  # `SHARE_J` when decoding began
    F,
) = range(10)

# q: integers of a request.
(
    PROMPT_TOK,
    OUTPUT_TOK,
    PRIORITY,
    PREFIX_ID,
    PREFIX_TOK,
    STATUS,
    PRODUCED,  # tokens delivered when decoding began, or now if it does not decode
    DONE,  # tokens computed while its prompt is under way
    SHARED,  # blocks of its group's chain that it uses
    CACHED,
    PREEMPTED,
    FROM_EPOCH,
    Q,
) = range(13)

# g: a group's chain of cached blocks.
CHAIN, USERS, PINNED, PINNERS, OLDER, NEWER, LISTED, G = range(8)

# STATUS. The last three are the outcomes of `result`.
WAITS, RUNS_PROMPT, SERVED, REFUSED, GAVE_UP, DECODES = 0, 1, 2, 3, 4, 5

KEY_BITS: Final = 27  # a heap's key: iteration or priority above, request below
KEY_MASK: Final = (1 << KEY_BITS) - 1
LAST_PRIORITY: Final = (1 << 30) - 1
NOBODY: Final = -1
