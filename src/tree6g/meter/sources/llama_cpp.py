"""llama.cpp's server (`--metrics`). Prompt tokens are those computed; cached ones are apart.

No model, no histograms. Old releases write no `prompt_tokens_cached_total`: prompt tokens without
cached ones are right all the same. Rejected draft tokens are those drafted without those accepted.

Source: llama.cpp, tools/server documentation; names seen on a running server.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

LLAMA_CPP: Final = Engine(
    name="llama.cpp",
    marks=("llamacpp:",),
    cached_inside=False,
    picks=(
        Pick(kind="token_in", names=("llamacpp:prompt_tokens_total",)),
        Pick(kind="token_in_cached", names=("llamacpp:prompt_tokens_cached_total",)),
        Pick(kind="token_out", names=("llamacpp:tokens_predicted_total",)),
        Pick(kind="running", names=("llamacpp:requests_processing",), read="gauge"),
        Pick(kind="waiting", names=("llamacpp:requests_deferred",), read="gauge"),
        Pick(kind="prefill", names=("llamacpp:prompt_seconds_total",)),
        Pick(kind="decode", names=("llamacpp:tokens_predicted_seconds_total",)),
    ),
    notes=("counts no requests and no latencies, and does not say which model it serves.",),
)
