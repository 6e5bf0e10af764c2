"""How an inference engine is set up: budgets, places, blocks, graphs, caching, classes."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from tree6g.errors import DataError

# vLLM's defaults for its API server (engine/arg_utils.py, get_batch_defaults, 2026): large values
# for devices of 70 GiB and more except the A100, where they cost throughput.
_LARGE_BYTE: Final = 70 * 2**30
_LARGE: Final = (8192, 1024)
_SMALL: Final = (2048, 256)
_MOST_BLOCKS: Final = 2**40


def captured_sizes(max_sequences: int) -> tuple[int, ...]:
    """Batch sizes with a captured graph, as vLLM chooses them (config/vllm.py, 2026).

    1, 2, 4, then every 8 up to 256 and every 16 up to min(2 `max_sequences`, 512). A decode batch
    is padded to the next of them; a larger batch runs as it is.
    """
    most = min(2 * max_sequences, 512)
    sizes = [1, 2, 4, *range(8, 256, 8), *range(256, most + 1, 16)]
    return tuple(size for size in sizes if size <= most)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of an engine; those that nobody gave are vLLM's for a large device.

    Attributes:
        token_budget: Tokens of an iteration at most.
        max_sequences: Sequences that run at once at most, not above the budget.
        block_tok: Tokens of a block of the KV cache, a power of two as in all engines.
        graph_sizes: Decode batches with a captured graph, rising; None for `captured_sizes`
            of `max_sequences`, empty for no padding.
        prefix_cache: Whether computed blocks of shared prefixes are kept and used again.
        priorities: Whether classes are served in order of priority; else first come first served.
        kv_capacity_tok: Tokens that the KV cache holds; None for what the replica has.
        async_scheduling: Whether an iteration is scheduled while the one before it is under way,
            as vLLM does by default since 0.14: who arrives meanwhile waits an iteration more. That
            places and blocks are given back an iteration later as well is not modelled.

    Raises:
        DataError: A value is out of range.
    """

    token_budget: int = _LARGE[0]
    max_sequences: int = _LARGE[1]
    block_tok: int = 16
    graph_sizes: tuple[int, ...] | None = None
    prefix_cache: bool = True
    priorities: bool = False
    kv_capacity_tok: float | None = None
    async_scheduling: bool = False

    def __post_init__(self) -> None:
        for name in ("token_budget", "max_sequences", "block_tok"):
            if getattr(self, name) < 1:
                raise DataError(f"expected {name} of at least 1; got {getattr(self, name)}.")
        if self.block_tok & (self.block_tok - 1):
            raise DataError(f"expected block_tok of 1, 2, 4, 8, 16, ...; got {self.block_tok}.")
        if self.token_budget < self.max_sequences:
            raise DataError(
                f"expected a token_budget of at least max_sequences ({self.max_sequences}), one "
                f"token for each; got {self.token_budget}. Raise the one or lower the other."
            )
        if self.kv_capacity_tok is not None and not self.kv_capacity_tok >= self.block_tok:
            raise DataError(
                f"expected kv_capacity_tok to hold a block of {self.block_tok} tokens; got "
                f"{self.kv_capacity_tok}."
            )
        sizes = self.graph_sizes or ()
        if any(b <= a for a, b in zip((0, *sizes), sizes, strict=False)):
            raise DataError(f"expected rising graph_sizes from 1 on; got {sizes}.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Captured sizes, spelled out."""
        if self.graph_sizes is None:
            return captured_sizes(self.max_sequences)
        return self.graph_sizes

    def blocks(self, replica_capacity_tok: float) -> int:
        """Blocks of the KV cache: whole ones of the settings' capacity, or of the replica's."""
        given = self.kv_capacity_tok
        capacity = replica_capacity_tok if given is None else given
        return min(math.floor(min(capacity / self.block_tok, 2.0**41)), _MOST_BLOCKS)


def default_settings(memory_byte: float, name: str = "") -> EngineSettings:
    """Defaults of vLLM for an API server on a device.

    Args:
        memory_byte: Memory of one device. 80 GB cards count as large, as in vLLM: what it compares
            with 70 GiB is the total of the driver.
        name: Name of the device; A100s get the small values.
    """
    large = memory_byte >= _LARGE_BYTE and "a100" not in name.lower()
    budget, places = _LARGE if large else _SMALL
    return EngineSettings(token_budget=budget, max_sequences=places, async_scheduling=True)
