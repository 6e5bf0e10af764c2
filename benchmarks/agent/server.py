"""A hundred servers in one process: each path answers with the newest text of a vLLM under load.

About 425 series; 60 requests end between two texts, so most counters move. Prints its port.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FIRST = 200  # answers before the load begins, so that all targets begin with the same text


def model():
    """The server under load that the benchmark of the parser draws as well."""
    spec = importlib.util.spec_from_file_location("scrapes", HERE.parent / "exposition/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Model("a", time.time() - 1000.0)


class Load:
    """The newest answer."""

    def __init__(self) -> None:
        self.random, self.model, self.answer = np.random.default_rng(1), model(), b""
        self.answered = 0
        self.work()

    def work(self) -> None:
        self.model.serve(self.random)
        # Prompt tokens hold the cached ones.
        counters = self.model.counters
        counters["prompt_tokens"] = 2.0 * counters["prompt_tokens_cached"]
        body = "".join(line + "\n" for line in self.model.lines(self.random)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self.answer = head.encode() + body


class Answers(asyncio.Protocol):
    """One connection that is kept open."""

    def __init__(self, load: Load) -> None:
        self.load, self.asked = load, b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.asked += data
        while b"\r\n\r\n" in self.asked:
            _, _, self.asked = self.asked.partition(b"\r\n\r\n")
            self.transport.write(self.load.answer)
            self.load.answered += 1


async def main(interval_s: float) -> None:
    load = Load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(load), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while True:
        # Between two edges, so that all targets of one edge see the same text.
        await asyncio.sleep(interval_s - (time.time() - 0.5 * interval_s) % interval_s)
        if load.answered >= FIRST:
            load.work()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
