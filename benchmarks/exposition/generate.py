"""Scrapes of a server under load: 300 texts of about 430 series, ten seconds apart.

Names, labels and bucket edges are those of vLLM; the values are of requests drawn here. Between two
scrapes 60 requests end, so most counters move, buckets that hold no request stay, and `_created`
never changes. After 100 scrapes a second model is loaded, after 200 the process starts anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SCRAPES = 300
REQUESTS = 60
STARTS = {"a": 0, "b": 100}
RESTART = 200
SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0, float("inf"),
)  # fmt: skip
TOKENS = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0,
    20000.0, 50000.0, float("inf"),
)  # fmt: skip
# name -> (edges, median, spread of the logarithm)
HISTOGRAMS = {
    "time_to_first_token_seconds": (SECONDS, 0.3, 0.8),
    "inter_token_latency_seconds": (SECONDS, 0.03, 0.5),
    "request_time_per_output_token_seconds": (SECONDS, 0.03, 0.3),
    "e2e_request_latency_seconds": (SECONDS, 6.0, 0.9),
    "request_queue_time_seconds": (SECONDS, 0.01, 1.5),
    "request_prefill_time_seconds": (SECONDS, 0.2, 0.8),
    "request_decode_time_seconds": (SECONDS, 5.0, 0.9),
    "request_prompt_tokens": (TOKENS, 900.0, 1.2),
    "request_generation_tokens": (TOKENS, 180.0, 0.9),
    "iteration_tokens_total": (TOKENS, 64.0, 1.0),
}
COUNTERS = (
    "prompt_tokens", "prompt_tokens_cached", "generation_tokens", "prefix_cache_queries",
    "prefix_cache_hits", "num_preemptions", "estimated_flops_per_gpu",
    "estimated_read_bytes_per_gpu", "estimated_write_bytes_per_gpu",
)  # fmt: skip
GAUGES = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
REASONS = ("stop", "length", "abort", "error")


def main(out: Path) -> None:
    random = np.random.default_rng(20_260_301)
    out.mkdir(parents=True)
    models: dict[str, Model] = {}
    for scrape in range(SCRAPES):
        if scrape == RESTART:
            models = {name: Model(name, 1.7e9 + 10.0 * scrape) for name in models}
        for name, start in STARTS.items():
            if scrape == start:
                models[name] = Model(name, 1.7e9 + 10.0 * scrape)
        for model in models.values():
            model.serve(random)
        text = "".join(line + "\n" for model in models.values() for line in model.lines(random))
        (out / f"{scrape:04d}.prom").write_text(text)


class Model:
    """Counters of one model."""

    def __init__(self, name: str, created_s: float) -> None:
        self.labels = f'engine="0",model_name="{name}"'
        self.created_s = created_s
        self.counts = {name: np.zeros(len(HISTOGRAMS[name][0])) for name in HISTOGRAMS}
        self.sums = dict.fromkeys(HISTOGRAMS, 0.0)
        self.counters = dict.fromkeys(COUNTERS, 0.0)
        self.reasons = dict.fromkeys(REASONS, 0.0)

    def serve(self, random: np.random.Generator) -> None:
        for name, (edges, median, spread) in HISTOGRAMS.items():
            drawn = median * np.exp(spread * random.standard_normal(REQUESTS))
            drawn = np.ceil(drawn) if edges is TOKENS else drawn
            self.counts[name] += np.searchsorted(np.sort(drawn), edges, side="right")
            self.sums[name] += float(drawn.sum())
        for name in COUNTERS:
            self.counters[name] += float(random.poisson(1000.0 * len(name)))
        for reason in REASONS:
            self.reasons[reason] += float(random.poisson(12.0 if reason in "stop length" else 0.2))

    def lines(self, random: np.random.Generator) -> list[str]:
        found = []
        for name in GAUGES:
            found += head(name, "gauge")
            found.append(f"vllm:{name}{{{self.labels}}} {float(random.integers(0, 40))}")
        for name, value in self.counters.items():
            found += head(f"{name}_total", "counter")
            found.append(f"vllm:{name}_total{{{self.labels}}} {value}")
            found += self.created(name)
        found += head("request_success_total", "counter")
        for reason, value in self.reasons.items():
            labels = f'engine="0",finished_reason="{reason}",{self.labels[11:]}'
            found.append(f"vllm:request_success_total{{{labels}}} {value}")
        for name in HISTOGRAMS:
            found += head(name, "histogram") + self.histogram(name) + self.created(name)
        return found

    def histogram(self, name: str) -> list[str]:
        edges, counts = HISTOGRAMS[name][0], self.counts[name]
        found = []
        for edge, count in zip(edges, counts, strict=True):
            le = "+Inf" if edge == float("inf") else repr(edge)
            labels = f'engine="0",le="{le}",{self.labels[11:]}'
            found.append(f"vllm:{name}_bucket{{{labels}}} {float(count)}")
        found.append(f"vllm:{name}_count{{{self.labels}}} {float(counts[-1])}")
        found.append(f"vllm:{name}_sum{{{self.labels}}} {self.sums[name]}")
        return found

    def created(self, name: str) -> list[str]:
        lines = head(f"{name}_created", "gauge")
        return [*lines, f"vllm:{name}_created{{{self.labels}}} {self.created_s!r}"]


def head(name: str, kind: str) -> list[str]:
    return [f"# HELP vllm:{name} What the server says of {name}.", f"# TYPE vllm:{name} {kind}"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
