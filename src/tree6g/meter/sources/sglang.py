"""SGLang. Prompt tokens hold the cached ones, which are told by source (device, host, storage).

Source: SGLang documentation, production metrics; names with `sglang_` in old releases.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick


def _names(*plain: str) -> tuple[str, ...]:
    return tuple(prefix + word for word in plain for prefix in ("sglang:", "sglang_"))


SGLANG: Final = Engine(
    name="sglang",
    marks=("sglang:", "sglang_"),
    picks=(
        Pick(kind="token_in", names=_names("prompt_tokens_total")),
        Pick(kind="token_in_cached", names=_names("cached_tokens_total")),
        Pick(kind="token_out", names=_names("generation_tokens_total")),
        Pick(kind="request", names=_names("num_requests_total")),
        Pick(kind="request_lost", names=_names("num_aborted_requests_total")),
        Pick(kind="running", names=_names("num_running_reqs"), read="gauge"),
        Pick(kind="waiting", names=_names("num_queue_reqs"), read="gauge"),
        Pick(kind="ttft", names=_names("time_to_first_token_seconds"), read="histogram"),
        Pick(
            kind="tpot",
            names=_names("inter_token_latency_seconds", "time_per_output_token_seconds"),
            read="histogram",
        ),
        Pick(kind="e2e", names=_names("e2e_request_latency_seconds"), read="histogram"),
        Pick(kind="queue", names=_names("queue_time_seconds"), read="histogram"),
    ),
)
