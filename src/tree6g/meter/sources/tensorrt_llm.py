"""TensorRT-LLM's own server (`/prometheus/metrics`). Counters move when a request ends.

Source: TensorRT-LLM, metric collector of the serving front end.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

TENSORRT_LLM: Final = Engine(
    name="tensorrt-llm",
    marks=("trtllm_", "trtllm:"),
    picks=(
        Pick(kind="token_in", names=("trtllm_prompt_tokens_total",)),
        Pick(kind="token_in_cached", names=("trtllm_prompt_cached_tokens_total",)),
        Pick(kind="token_out", names=("trtllm_generation_tokens_total",)),
        Pick(
            kind="request",
            names=("trtllm_request_success_total",),
            without={"finished_reason": ("cancelled", "error", "timeout")},
        ),
        Pick(
            kind="request_lost",
            names=("trtllm_request_success_total",),
            labels={"finished_reason": ("cancelled", "error", "timeout")},
        ),
        Pick(kind="running", names=("trtllm_num_requests_running",), read="gauge"),
        Pick(kind="waiting", names=("trtllm_num_requests_waiting",), read="gauge"),
        Pick(kind="ttft", names=("trtllm_time_to_first_token_seconds",), read="histogram"),
        Pick(kind="tpot", names=("trtllm_time_per_output_token_seconds",), read="histogram"),
        Pick(kind="e2e", names=("trtllm_e2e_request_latency_seconds",), read="histogram"),
        Pick(kind="queue", names=("trtllm_request_queue_time_seconds",), read="histogram"),
    ),
    notes=("tokens are counted when a request ends, so they are late by up to its duration.",),
)
