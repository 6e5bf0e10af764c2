"""Sums by tenant and model, and the text that Prometheus reads: `tree6g_proxy_*`.

Tokens are told apart by the kinds of the ledger, each token once: cached ones are not in
`token_in`, those of reasoning not in `token_out`. What a server does not say is counted as requests
of which it is not known, never as tokens. Bits are those of bodies as they went over the proxy,
without headers.

The number of series is bounded: pairs of tenant and model beyond `MOST_PAIRS` count under `other`.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal

from tree6g.meter.exposition_writer import CREATED, Family, Sample
from tree6g.meter.proxy.usage import Usage

Ended = Literal["done", "refused", "failed", "unreachable", "timeout", "cut", "aborted"]

MOST_PAIRS: Final = 200
OTHER: Final = "other"
# Upper edges in seconds: below a tenth steps of 1.6, then of 1.25 to 2, up to ten minutes.
EDGES_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.016, 0.025, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0,
    1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
_EDGE_TEXTS: Final = (*(f"{edge:g}" for edge in EDGES_S), "+Inf")
_BIT_PER_BYTE: Final = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request.

    Attributes:
        ended: `done`; `refused` by the server (4xx); `failed` (5xx, or an error in the stream);
            `unreachable`; `timeout`; `cut` off by the server; `aborted` by the client.
        start_s: When it came, UNIX time.
        e2e_s: From its first byte to the last of the answer.
        reached: Whether the server had it, and may have computed.
        generates: Whether output tokens are to be expected.
        usage: Tokens by the server's answer.
        chunks: Events of a stream.
        ttft_s: To the first event with output.
        stream_s: From there to the last event.
        up_byte: Body of the request.
        down_byte: Body of the answer, as the client got it.
    """

    ended: Ended
    start_s: float
    e2e_s: float
    reached: bool = True
    generates: bool = True
    usage: Usage | None = None
    chunks: int = 0
    ttft_s: float | None = None
    stream_s: float | None = None
    up_byte: int = 0
    down_byte: int = 0


@dataclasses.dataclass(slots=True)
class _Histogram:
    counts: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(EDGES_S) + 1))
    total_s: float = 0.0

    def add(self, value_s: float) -> None:
        """Count one waiting time."""
        self.counts[bisect.bisect_left(EDGES_S, value_s)] += 1
        self.total_s += value_s


@dataclasses.dataclass(slots=True)
class _Sums:
    """Sums of one tenant and model; `amounts` by name of the family and label."""

    start_s: float
    amounts: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    times: dict[str, _Histogram] = dataclasses.field(default_factory=dict)


class Counts:
    """Sums of all requests so far."""

    def __init__(self, start_s: float, most_pairs: int = MOST_PAIRS) -> None:
        """Begin at 0 at a UNIX time."""
        self._start_s, self._most = start_s, most_pairs
        self._sums: dict[tuple[str, str], _Sums] = {}

    def add(self, tenant: str, model: str, outcome: Outcome) -> None:
        """Count a request."""
        sums = self._of(tenant, model, outcome)
        amounts = sums.amounts
        if outcome.ended == "done":
            amounts[_REQUESTS, ""] += 1
            for name, value_s in _times(outcome):
                sums.times.setdefault(name, _Histogram()).add(value_s)
        else:
            amounts[_LOST, outcome.ended] += 1
        amounts[_UP, ""] += _BIT_PER_BYTE * outcome.up_byte
        amounts[_DOWN, ""] += _BIT_PER_BYTE * outcome.down_byte
        _add_tokens(amounts, outcome)

    def _of(self, tenant: str, model: str, outcome: Outcome) -> _Sums:
        """The sums to add to; a refused request of nobody known makes no series of its own."""
        found = self._sums.get((tenant, model))
        if found is None and (len(self._sums) >= self._most or outcome.ended == "refused"):
            tenant = model = OTHER
            found = self._sums.get((tenant, model))
        if found is None:
            found = self._sums[tenant, model] = _Sums(outcome.start_s)
        return found

    def families(self) -> Iterator[Family]:
        """All metrics; what never happened has no series."""
        yield Family(
            name="tree6g_proxy_start_seconds",
            kind="gauge",
            help="UNIX time at which the proxy began to count.",
            samples=[({}, self._start_s)],
        )
        for name, text in _COUNTERS.items():
            yield Family(name=name, kind="counter", help=text, parts=list(self._counted(name)))
        for name, text in _TIMES.items():
            yield Family(name=name, kind="histogram", help=text, parts=list(self._timed(name)))

    def _counted(self, name: str) -> Iterator[tuple[str, Sample]]:
        label = _LABELS.get(name)
        for (tenant, model), sums in self._sums.items():
            for (family, value), amount in list(sums.amounts.items()):
                if family == name:
                    labels = {"tenant": tenant, "model": model}
                    labels |= {label: value} if label else {}
                    yield "_total", (labels, float(amount))
                    yield CREATED, (labels, sums.start_s)

    def _timed(self, name: str) -> Iterator[tuple[str, Sample]]:
        for (tenant, model), sums in self._sums.items():
            times = sums.times.get(name)
            if times is not None:
                labels = {"tenant": tenant, "model": model}
                count = 0
                for edge, alone in zip(_EDGE_TEXTS, times.counts, strict=True):
                    count += alone
                    yield "_bucket", ({**labels, "le": edge}, float(count))
                yield "_count", (labels, float(count))
                yield "_sum", (labels, times.total_s)
                yield CREATED, (labels, sums.start_s)


_TOKENS: Final = "tree6g_proxy_tokens_total"
_UNDIVIDED: Final = "tree6g_proxy_undivided_prompt_tokens_total"
_UNKNOWN: Final = "tree6g_proxy_unknown_token_requests_total"
_CHUNKS: Final = "tree6g_proxy_unknown_token_chunks_total"
_REQUESTS: Final = "tree6g_proxy_requests_total"
_LOST: Final = "tree6g_proxy_lost_requests_total"
_UP: Final = "tree6g_proxy_up_bits_total"
_DOWN: Final = "tree6g_proxy_down_bits_total"
_COUNTERS: Final = {
    _TOKENS: "Tokens as the server's answers say, by kind; each token is of one kind.",
    _UNDIVIDED: "Part of token_in of which no answer says how many came from a cache.",
    _UNKNOWN: "Requests that a server had and of which no answer says the tokens of this kind.",
    _CHUNKS: "Events of the streams of such requests.",
    _REQUESTS: "Requests that were answered to the end.",
    _LOST: "Requests that were not, by how they ended.",
    _UP: "Bodies of requests.",
    _DOWN: "Bodies of answers, as clients got them.",
}
_LABELS: Final = {_TOKENS: "kind", _UNKNOWN: "kind", _LOST: "ended"}
_TTFT: Final = "tree6g_proxy_time_to_first_token_seconds"
_TPOT: Final = "tree6g_proxy_time_per_output_token_seconds"
_E2E: Final = "tree6g_proxy_request_duration_seconds"
_TIMES: Final = {
    _TTFT: "From a request to the first event of its stream that holds output.",
    _TPOT: "Mean time between output tokens of a stream, from its first event to its last.",
    _E2E: "From a request to the end of its answer.",
}


def _times(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Latencies of a request that was answered; those of no stream have an end alone."""
    yield _E2E, outcome.e2e_s
    if outcome.ttft_s is not None:
        yield _TTFT, outcome.ttft_s
    output_tok = outcome.usage.output_tok if outcome.usage else None
    if outcome.stream_s is not None and output_tok is not None and output_tok > 1:
        yield _TPOT, outcome.stream_s / (output_tok - 1)


def _add_tokens(amounts: Counter[tuple[str, str]], outcome: Outcome) -> None:
    """Tokens that are known, and requests of which they are not."""
    usage = outcome.usage or Usage()
    prompt, output = usage.prompt_tok, usage.output_tok
    output = 0 if output is None and not outcome.generates else output
    if prompt is not None:
        amounts[_TOKENS, "token_in"] += prompt - (usage.cached_tok or 0)
        if usage.cached_tok is None:
            amounts[_UNDIVIDED, ""] += prompt
        else:
            amounts[_TOKENS, "token_in_cached"] += usage.cached_tok
    if output is not None:
        amounts[_TOKENS, "token_out"] += output - (usage.reasoning_tok or 0)
        if usage.reasoning_tok is not None:
            amounts[_TOKENS, "token_reasoning"] += usage.reasoning_tok
    if not outcome.reached or outcome.ended in {"refused", "unreachable"}:
        return  # nothing was computed for it
    for kind, value in (("token_in", prompt), ("token_out", output)):
        if value is None:
            amounts[_UNKNOWN, kind] += 1
    if prompt is None or output is None:
        amounts[_CHUNKS, ""] += outcome.chunks
