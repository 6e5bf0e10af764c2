"""The Azure conversation trace of 2023 as our CSV and as the peer's Mooncake lines.

Read from the reference data (TREE6G_REFERENCE_DATA, default ../shared/data beside the repository);
it is not part of the repository.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tree6g.scenario.trace import read_trace, write_trace

HERE = Path(__file__).parent
DEFAULT = HERE.parents[2] / "shared" / "data"
TRACE = Path(os.environ.get("TREE6G_REFERENCE_DATA", DEFAULT)) / "traces/azure_llm_2023_conv.csv"
# Defaults of the peer where we have the same: budget 8,192, prefix cache, blocks of 64 tokens.
PEER = {
    "traffic": {
        "source": {"type": "trace", "paths": [""], "format": "mooncake", "block_size": 512},
        "load": {"type": "trace_timestamps"},
    },
    "engine": {
        "mode": "aggregated",
        "model": "Qwen/Qwen3-8B",
        "hardware": "h100_sxm",
        "backend": "vllm",
        "workers": {"aggregated": {}},
    },
}


def main(out: Path) -> None:
    out.mkdir(parents=True)
    trace = read_trace(TRACE)
    write_trace(trace, out / "trace.csv")
    write_trace(trace, out / "trace.jsonl")
    (out / "peer.json").write_text(json.dumps(PEER, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
