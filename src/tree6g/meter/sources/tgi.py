"""Text Generation Inference. Tokens are the sums of histograms; they move when a request ends.

Source: TGI documentation, metrics.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

TGI: Final = Engine(
    name="tgi",
    marks=("tgi_",),
    picks=(
        Pick(kind="token_in", names=("tgi_request_input_length_sum",)),
        Pick(kind="token_out", names=("tgi_request_generated_tokens_sum",)),
        Pick(kind="request", names=("tgi_request_success", "tgi_request_generated_tokens_count")),
        Pick(kind="request_lost", names=("tgi_request_failure",)),
        Pick(kind="running", names=("tgi_batch_current_size",), read="gauge"),
        Pick(kind="waiting", names=("tgi_queue_size",), read="gauge"),
        Pick(kind="tpot", names=("tgi_request_mean_time_per_token_duration",), read="histogram"),
        Pick(kind="e2e", names=("tgi_request_duration",), read="histogram"),
        Pick(kind="queue", names=("tgi_request_queue_duration",), read="histogram"),
    ),
    notes=("tokens are counted when a request ends, so they are late by up to its duration.",),
)
