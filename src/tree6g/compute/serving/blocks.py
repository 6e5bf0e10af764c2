"""Blocks of the KV cache: who holds how many, chains of shared prefixes, what is evicted.

A group of requests with a common prefix has one chain of cached blocks. A request uses the first
`SHARED` blocks of it; the longest use of those who run now is pinned, what lies behind is loose: it
stays cached until blocks are needed, from the end of the chain whose blocks were given back longest
ago. `FREE` counts blocks that nobody holds, the `LOOSE` ones included.
"""

from __future__ import annotations

from tree6g.compute.serving.layout import (
    BLOCK_BITS,
    BLOCK_TOK,
    CHAIN,
    DECODES,
    FREE,
    KEY_MASK,
    LISTED,
    LOOSE,
    NEWER,
    NEWEST,
    NOBODY,
    OLDER,
    OLDEST,
    ORDER,
    ORDER_AT,
    PHASE,
    PHASE_AT,
    PINNED,
    PINNERS,
    PREFIX_ID,
    PREFIX_TOK,
    PREFIXES,
    RUNS_PROMPT,
    SHARED,
    STATUS,
    USERS,
    G,
    Q,
)
from tree6g.compute.serving.requests import IntArray


def cached_blocks(n: IntArray, q: IntArray, g: IntArray, i: int, whole_tok: int) -> int:
    """Blocks of request i that are cached; at least one of its tokens is always computed."""
    group = q[i * Q + PREFIX_ID]
    if n[PREFIXES] == 0 or group < 0:
        return 0
    most = min(q[i * Q + PREFIX_TOK], whole_tok - 1) >> n[BLOCK_BITS]
    return min(g[group * G + CHAIN], most)


def newly_pinned(q: IntArray, g: IntArray, i: int, blocks: int) -> int:
    """Loose blocks that using `blocks` of its chain would take out of the free ones."""
    if blocks == 0:
        return 0
    return max(0, blocks - g[q[i * Q + PREFIX_ID] * G + PINNED])


def use_chain(n: IntArray, q: IntArray, g: IntArray, i: int, blocks: int) -> None:
    """Request i begins to use the first `blocks` of its group's chain, if it is in a group."""
    group = q[i * Q + PREFIX_ID]
    q[i * Q + SHARED] = blocks
    if n[PREFIXES] == 0 or group < 0:
        return
    at = group * G
    g[at + USERS] += 1
    more = blocks - g[at + PINNED]
    if more > 0:
        n[LOOSE] -= more
        n[FREE] -= more
        g[at + PINNED] = blocks
        g[at + PINNERS] = 1
    elif more == 0:
        g[at + PINNERS] += 1


def extend_chain(n: IntArray, q: IntArray, g: IntArray, i: int, covered_tok: int) -> None:
    """Full blocks of the prefix that request i computes now become part of the chain.

    Not if the chain is already longer than what it uses: then its blocks are copies of its own.
    """
    group = q[i * Q + PREFIX_ID]
    if n[PREFIXES] == 0 or group < 0:
        return
    at = group * G
    full = min(covered_tok, q[i * Q + PREFIX_TOK]) >> n[BLOCK_BITS]
    shared = q[i * Q + SHARED]
    if full > shared and g[at + CHAIN] == shared:
        g[at + CHAIN] = full
        g[at + PINNED] = full
        g[at + PINNERS] = 1
        q[i * Q + SHARED] = full


def take_blocks(n: IntArray, g: IntArray, count: int) -> None:
    """Take free blocks; loose ones are evicted when no others are left."""
    n[FREE] -= count
    missing = n[LOOSE] - n[FREE]
    while missing > 0:
        group = n[OLDEST]
        at = group * G
        loose = g[at + CHAIN] - g[at + PINNED]
        gone = min(loose, missing)
        g[at + CHAIN] -= gone
        n[LOOSE] -= gone
        missing -= gone
        if gone == loose:
            unlist(n, g, group)


def give_back(n: IntArray, q: IntArray, g: IntArray, i: int, held_tok: int) -> None:
    """Request i, whose status is no longer a running one, leaves the cache."""
    shared = q[i * Q + SHARED]
    n[FREE] += ((held_tok + n[BLOCK_TOK] - 1) >> n[BLOCK_BITS]) - shared
    group = q[i * Q + PREFIX_ID]
    if n[PREFIXES] == 0 or group < 0:
        return
    at = group * G
    q[i * Q + SHARED] = 0
    g[at + USERS] -= 1
    if shared == g[at + PINNED]:
        g[at + PINNERS] -= 1
        if g[at + PINNERS] == 0:
            unpin(n, q, g, group)
    if g[at + CHAIN] > g[at + PINNED]:
        unlist(n, g, group)
        enlist(n, g, group)


def unpin(n: IntArray, q: IntArray, g: IntArray, group: int) -> None:
    """Find the longest use of a chain anew; rare: those with one length share one count."""
    at = group * G
    longest = 0
    count = 0
    if g[at + USERS] > 0:
        for k in range(n[ORDER]):
            i = KEY_MASK - (n[n[ORDER_AT] + k] & KEY_MASK)
            status = q[i * Q + STATUS]
            if q[i * Q + PREFIX_ID] == group and status in (DECODES, RUNS_PROMPT):
                shared = q[i * Q + SHARED]
                if shared > longest:
                    longest = shared
                    count = 0
                if shared == longest:
                    count += 1
    loosened = g[at + PINNED] - longest
    n[LOOSE] += loosened
    n[FREE] += loosened
    g[at + PINNED] = longest
    g[at + PINNERS] = count


def enlist(n: IntArray, g: IntArray, group: int) -> None:
    """Put a group at the new end of the list of those with loose blocks."""
    newest = n[NEWEST]
    g[group * G + OLDER] = newest
    g[group * G + NEWER] = NOBODY
    g[group * G + LISTED] = 1
    if newest == NOBODY:
        n[OLDEST] = group
    else:
        g[newest * G + NEWER] = group
    n[NEWEST] = group


def unlist(n: IntArray, g: IntArray, group: int) -> None:
    """Take a group out of that list, if it is in it."""
    if g[group * G + LISTED] == 0:
        return
    g[group * G + LISTED] = 0
    older = g[group * G + OLDER]
    newer = g[group * G + NEWER]
    if older == NOBODY:
        n[OLDEST] = newer
    else:
        g[older * G + NEWER] = newer
    if newer == NOBODY:
        n[NEWEST] = older
    else:
        g[newer * G + OLDER] = older


def blocks_of_run(n: IntArray, count: int, decoding: int) -> int:
    """Blocks that `count` further tokens of every decoding sequence take."""
    size = n[BLOCK_TOK]
    blocks = (count >> n[BLOCK_BITS]) * decoding
    turn = n[PHASE]
    for _ in range(count & (size - 1)):
        blocks += n[n[PHASE_AT] + turn]
        turn -= 1
        if turn < 0:
            turn = size - 1
    return blocks


def longest_run(n: IntArray, decoding: int) -> int:
    """Iterations for which the free blocks last; those of the first one are taken already."""
    size = n[BLOCK_TOK]
    free = n[FREE] + n[n[PHASE_AT] + n[PHASE]]
    rounds = free // decoding
    left = free - rounds * decoding
    turn = n[PHASE]
    steps = 0
    while steps < size:
        left -= n[n[PHASE_AT] + turn]
        if left < 0:
            break
        steps += 1
        turn -= 1
        if turn < 0:
            turn = size - 1
    return rounds * size + steps
