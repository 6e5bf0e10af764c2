"""The same replay by AISimulate: `aisimulate_peer.py SOURCE OUT`.

Its Python interface in place of its command, whose worker process hides what the replay alone
takes: `replay_cpu_s` is the call into its compiled core, with the trace as a file as it wants it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the model's configuration is in the package

from aisimulate import _runtime
from aisimulate.config.cli import CorePredictionConfig
from aisimulate.predict import run_prediction
from aisimulate.stack import resolve_runner_factory


def main(source: Path, out: Path) -> None:
    """Replay once and write what it took and what it found."""
    config = json.loads((source / "peer.json").read_text())
    config["traffic"]["source"]["paths"] = [str(source / "trace.jsonl")]
    spent: list[float] = []
    replay = _runtime.run_replay_json

    def timed(text: str) -> str:
        start = time.process_time()
        report = replay(text)
        spent.append(time.process_time() - start)
        return report

    _runtime.run_replay_json = timed
    result = run_prediction(
        CorePredictionConfig.model_validate(config),
        adapter_configs={},
        stack="engine",
        runner_factory=resolve_runner_factory("engine"),
    )
    names = {"ttft_s": "ttft", "tpot_s": "tpot", "e2e_s": "e2e_latency"}
    found = {ours: result.native[f"mean_{theirs}_ms"] / 1e3 for ours, theirs in names.items()}
    found |= {"replay_cpu_s": sum(spent), "requests": result.native["completed_requests"]}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
