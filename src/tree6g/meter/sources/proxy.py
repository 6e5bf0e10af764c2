"""tree6g's own counting proxy: tokens, requests, latencies and bits by tenant and model.

Its kinds are those of the ledger, each token once. It stands before a server: with that server's
own counters beside it, tokens count twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from tree6g.meter.exposition import Scrape
from tree6g.meter.reading import Found
from tree6g.meter.sources.engine import Engine, Pick, read_engine

_TOKENS: Final = ("tree6g_proxy_tokens_total",)
_KINDS: Final = ("token_in", "token_in_cached", "token_out", "token_reasoning")
PROXY: Final = Engine(
    name="tree6g proxy",
    marks=("tree6g_proxy_",),
    cached_inside=False,
    picks=(
        *(Pick(kind=kind, names=_TOKENS, labels={"kind": (kind,)}) for kind in _KINDS),
        Pick(kind="request", names=("tree6g_proxy_requests_total",)),
        Pick(kind="request_lost", names=("tree6g_proxy_lost_requests_total",)),
        Pick(kind="bit_ul", names=("tree6g_proxy_up_bits_total",)),
        Pick(kind="bit_dl", names=("tree6g_proxy_down_bits_total",)),
        Pick(kind="ttft", names=("tree6g_proxy_time_to_first_token_seconds",), read="histogram"),
        Pick(
            kind="tpot",
            names=("tree6g_proxy_time_per_output_token_seconds",),
            read="histogram",
        ),
        Pick(kind="e2e", names=("tree6g_proxy_request_duration_seconds",), read="histogram"),
    ),
    notes=(
        "stands before a server: with the server's counters beside its own, tokens count twice.",
    ),
)


def read_proxy(scrape: Scrape) -> Found:
    """What the proxy says, and of how many requests it does not know the tokens."""
    found = read_engine(PROXY, scrape)
    if not found.format:
        return found
    return dataclasses.replace(found, problems=(*found.problems, *_unknown(scrape)))


def _unknown(scrape: Scrape) -> Iterator[str]:
    """Work that the counters do not hold, in words."""
    for series, value in scrape.named("tree6g_proxy_unknown_token_requests_total"):
        if value > 0.0:
            whose = f"{series.label('tenant')}, {series.label('model')}"
            yield (
                f"{series.label('kind')} of {value:g} requests is not known ({whose}): their "
                "streams were cut off, or the server says no usage."
            )
    undivided = scrape.named("tree6g_proxy_undivided_prompt_tokens_total")
    tokens = sum(value for _, value in undivided if value > 0.0)
    if tokens:
        yield (
            f"of {tokens:g} prompt tokens the server does not say how many came from a cache; all "
            "are in token_in (vLLM says it with --enable-prompt-tokens-details)."
        )
