"""vLLM: names of the V0 and V1 engines, and those that Ray Serve's prefix makes of them.

Prompt tokens hold the cached ones. Series carry `model_name` and, since V1, `engine`. Counters
move while a request runs (generation) and at prefill (prompt). Older releases count cached tokens
only as hits of the prefix cache, in tokens; those of an external cache come on top.

Source: vLLM documentation, production metrics; names of 0.32 seen on a running server.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

_CACHED: Final = (
    "prompt_tokens_cached_total",
    "prefix_cache_hits_total",
    "gpu_prefix_cache_hits_total",
)


def _engine(name: str, prefix: str) -> Engine:
    def names(*plain: str) -> tuple[str, ...]:
        """Names with the prefix of the engine."""
        return tuple(prefix + word for word in plain)

    return Engine(
        name=name,
        marks=(prefix,),
        picks=(
            Pick(kind="token_in", names=names("prompt_tokens_total", "prompt_tokens")),
            Pick(kind="token_in_cached", names=names(*_CACHED)),
            Pick(kind="token_out", names=names("generation_tokens_total", "generation_tokens")),
            Pick(
                kind="request",
                names=names("request_success_total", "request_success"),
                without={"finished_reason": ("abort", "error")},
            ),
            Pick(
                kind="request_lost",
                names=names("request_success_total", "request_success"),
                labels={"finished_reason": ("abort", "error")},
            ),
            Pick(kind="request_lost", names=names("admission_rejections_total")),
            Pick(kind="running", names=names("num_requests_running"), read="gauge"),
            Pick(kind="waiting", names=names("num_requests_waiting"), read="gauge"),
            Pick(kind="ttft", names=names("time_to_first_token_seconds"), read="histogram"),
            Pick(
                kind="tpot",
                names=names(
                    "request_time_per_output_token_seconds", "time_per_output_token_seconds"
                ),
                read="histogram",
            ),
            Pick(kind="e2e", names=names("e2e_request_latency_seconds"), read="histogram"),
            Pick(kind="queue", names=names("request_queue_time_seconds"), read="histogram"),
            Pick(kind="prefill", names=names("request_prefill_time_seconds"), read="histogram"),
            Pick(kind="decode", names=names("request_decode_time_seconds"), read="histogram"),
            Pick(kind="flop", names=names("estimated_flops_per_gpu_total")),
            Pick(kind="memory_read", names=names("estimated_read_bytes_per_gpu_total")),
            Pick(kind="memory_written", names=names("estimated_write_bytes_per_gpu_total")),
        ),
    )


VLLM: Final = _engine("vllm", "vllm:")
VLLM_ON_RAY: Final = _engine("vllm on ray", "ray_vllm_")
