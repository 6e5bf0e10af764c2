"""LiteLLM's proxy: tokens by key, team and user, before whatever server answers.

Source: LiteLLM documentation, Prometheus metrics; names before 1.50 lack `_metric`.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

LITELLM: Final = Engine(
    name="litellm",
    marks=("litellm_",),
    picks=(
        Pick(
            kind="token_in",
            names=("litellm_input_tokens_metric_total", "litellm_input_tokens_total"),
        ),
        Pick(kind="token_in_cached", names=("litellm_input_cached_tokens_metric_total",)),
        Pick(
            kind="token_out",
            names=("litellm_output_tokens_metric_total", "litellm_output_tokens_total"),
        ),
        Pick(
            kind="request",
            names=("litellm_proxy_total_requests_metric_total", "litellm_requests_metric_total"),
        ),
        Pick(kind="request_lost", names=("litellm_proxy_failed_requests_metric_total",)),
        Pick(kind="ttft", names=("litellm_llm_api_time_to_first_token_metric",), read="histogram"),
        Pick(kind="e2e", names=("litellm_request_total_latency_metric",), read="histogram"),
    ),
    notes=(
        "stands before a server: with the server's counters beside its own, tokens count twice.",
    ),
)
