"""Ollama with its proposed `/metrics`; not in a release. Without it, use a proxy or its responses.

Source: ollama pull request 16998, open.
"""

from __future__ import annotations

from typing import Final

from tree6g.meter.sources.engine import Engine, Pick

OLLAMA: Final = Engine(
    name="ollama",
    marks=("ollama_",),
    cached_inside=False,
    picks=(
        Pick(kind="token_in", names=("ollama_prompt_eval_total",)),
        Pick(kind="token_out", names=("ollama_eval_total",)),
    ),
    notes=("these names are of a proposal that is in no release.",),
)
