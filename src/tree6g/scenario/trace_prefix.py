"""Which part of a prompt came before: from the ids of its blocks to what a cache can save.

Traces such as Mooncake's give every prompt as a list of block ids, where an id stands for the block
and all before it. Prompts that share a beginning then form a tree. The server's cache knows chains
only (`compute.serving`: a prefix group is one chain of blocks), so the tree is cut into chains: a
prompt goes on with the chain of its longest known beginning, or starts a chain of its own where
what it adds is used again more than the beginning is long. What a cache without limit saves with
these chains is at most what it saves with the tree; a note of the trace says both.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

Blocks = Sequence[Sequence[int]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefixes:
    """Prefix groups of requests; arrays are [request].

    Attributes:
        group: Number of the group, -1 for none.
        length_tok: How many tokens of the prompt are the group's.
        saved_tok: What a cache without limit saves of them.
    """

    group: np.ndarray
    length_tok: np.ndarray
    saved_tok: np.ndarray


def seen_before(
    blocks: Blocks, input_tok: np.ndarray, order: np.ndarray, block_tok: int
) -> np.ndarray:
    """Tokens of the leading blocks that an earlier request already had [request].

    Args:
        blocks: Ids of each prompt's blocks.
        input_tok: Prompt tokens [request]; the last block may be cut short.
        order: Requests in order of arrival.
        block_tok: Tokens of a block.
    """
    seen: set[int] = set()
    saved = np.zeros(len(input_tok))
    for row in order:
        mine = blocks[row]
        hit = next((i for i, block in enumerate(mine) if block not in seen), len(mine))
        saved[row] = min(hit * block_tok, input_tok[row])
        seen.update(mine)
    return saved


def chains(blocks: Blocks, input_tok: np.ndarray, order: np.ndarray, block_tok: int) -> Prefixes:
    """Prefix groups from block ids; arguments as for `seen_before`. Whole blocks only."""
    whole = [mine[: int(n) // block_tok] for mine, n in zip(blocks, input_tok, strict=True)]
    left = Counter(block for mine in whole for block in mine)
    count = len(whole)
    group, length, saved = np.full(count, -1), np.zeros(count), np.zeros(count)
    chain_of: dict[int, int] = {}
    lengths: list[int] = []
    for row in order:
        mine = whole[row]
        left.subtract(mine)
        known = next((i for i, b in enumerate(mine) if b not in chain_of), len(mine))
        again = [left[b] for b in mine[known:] if left[b] > 0]
        chain = chain_of[mine[known - 1]] if known else -1
        ends = known > 0 and lengths[chain] == known
        if again and not ends and sum(again) > known:
            chain = len(lengths)
            lengths.append(0)
            ends, start = True, 0
        else:
            start = known
        if again and ends:
            reach = known + len(again)
            chain_of.update(dict.fromkeys(mine[known:reach], chain))
            lengths[chain] = reach
        else:
            reach = known
        if reach:
            group[row], length[row], saved[row] = chain, reach * block_tok, start * block_tok
    return Prefixes(group=group, length_tok=length, saved_tok=saved)
