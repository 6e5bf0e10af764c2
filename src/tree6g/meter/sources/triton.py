"""Triton Inference Server: requests, and the energy of its GPUs, no tokens of its own.

`nv_inference_request_success` counts requests, `nv_inference_count` inferences (of which a batched
request has several). Energy of a GPU is in J since the server started, power in W. A histogram of
first responses is time to the first chunk, which is the whole answer where a model does not stream.

Source: Triton documentation, metrics.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

TRITON: Final = Engine(
    name="triton",
    marks=("nv_inference_", "nv_trt_llm_"),
    picks=(
        Pick(kind="request", names=("nv_inference_request_success",)),
        Pick(kind="request_lost", names=("nv_inference_request_failure",)),
        Pick(kind="waiting", names=("nv_inference_pending_request_count",), read="gauge"),
        Pick(
            kind="ttft",
            names=("nv_inference_first_response_histogram_ms",),
            read="histogram",
            scale=1e-3,
        ),
    ),
    notes=("counts requests, not tokens: take those from the engine or a proxy.",),
)
