"""Ray Serve: requests and latencies of deployments; tokens come from the engine behind it.

Deployments call one another, so requests of inner ones are part of those at the door (HTTP, gRPC).

Source: Ray documentation, Serve monitoring.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick


def _names(*plain: str) -> tuple[str, ...]:
    """With the prefix of Ray's exporter and without, with `_total` and without."""
    return tuple(p + w + s for w in plain for p in ("ray_", "") for s in ("_total", ""))


RAY_SERVE: Final = Engine(
    name="ray serve",
    marks=("ray_serve_", "serve_num_", "serve_deployment_"),
    picks=(
        Pick(
            kind="request",
            names=_names("serve_num_http_requests", "serve_deployment_request_counter"),
        ),
        Pick(
            kind="request_lost",
            names=_names("serve_num_http_error_requests", "serve_deployment_error_counter"),
        ),
        Pick(
            kind="running",
            names=("ray_serve_num_ongoing_http_requests", "ray_serve_replica_processing_queries"),
            read="gauge",
        ),
        Pick(kind="waiting", names=("ray_serve_deployment_queued_queries",), read="gauge"),
        Pick(
            kind="e2e",
            names=(
                "ray_serve_http_request_latency_ms",
                "ray_serve_deployment_processing_latency_ms",
            ),
            read="histogram",
            scale=1e-3,
        ),
    ),
    notes=(
        "counts requests, not tokens: take those from the engine or a proxy.",
        "with the counters of an engine behind it, every request counts twice.",
    ),
)
