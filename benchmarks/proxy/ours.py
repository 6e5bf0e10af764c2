"""What the counting proxy costs: `python ours.py [REQUESTS]`, as JSON.

The same requests go to a server directly and through `tree6g meter proxy`, in turns, over a
connection that stays open. Added latency is the difference of the medians; CPU is that of the
proxy's process, as the system counts it, per request and per event of a stream.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PATH = "/v1/chat/completions"
EVENTS = 33
KINDS = {
    "whole": {"model": "m", "messages": [{"role": "user", "content": "word " * 40}]},
    # An event every 2 ms: 500 tokens a second, faster than most servers.
    "stream": {"model": "m", "stream": True, "messages": [], "pause_s": 0.002},
}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def cpu_s(pid: int) -> float:
    """CPU time of a process, in nanoseconds' steps where the kernel offers it."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def peak_rss_byte(pid: int) -> int:
    """Peak memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def connect(port: int) -> http.client.HTTPConnection:
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.connect()
        except OSError:
            time.sleep(0.05)
        else:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise SystemExit(f"nothing answers on port {port}")


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[float, float]:
    """Seconds to the first byte of the answer's body, and to its last."""
    began = time.perf_counter()
    connection.request("POST", PATH, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read(1)
    first = time.perf_counter() - began
    answer.read()
    return first, time.perf_counter() - began


def measured(count: int) -> dict[str, object]:
    server_port, port = free_port(), free_port()
    command = [sys.executable, "-c", "from tree6g.cli import main; main()", "meter", "proxy"]
    to = f"http://127.0.0.1:{server_port}"
    with (
        subprocess.Popen([sys.executable, HERE / "server.py", str(server_port)]) as server,
        subprocess.Popen(
            [*command, "--to", to, "--port", str(port), "--json"], stdout=subprocess.DEVNULL
        ) as proxy,
    ):
        try:
            ways = {"direct": connect(server_port), "proxy": connect(port)}
            counts = {"whole": count, "stream": count // 5}
            pids = (proxy.pid, server.pid)
            return {kind: one(kind, counts[kind], ways, pids) for kind in KINDS}
        finally:
            proxy.send_signal(signal.SIGINT)
            server.kill()


def one(
    kind: str,
    count: int,
    ways: dict[str, http.client.HTTPConnection],
    pids: tuple[int, int],
) -> dict[str, float]:
    """Costs of one kind of request."""
    body = json.dumps(KINDS[kind]).encode()
    for connection in ways.values():
        for _ in range(50):
            ask(connection, body)
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    before = [cpu_s(pid) for pid in pids]
    for _ in range(count):
        for way, connection in ways.items():
            times[way].append(ask(connection, body))
    proxy_s, server_s = (cpu_s(pid) - was for pid, was in zip(pids, before, strict=True))
    first, last = (
        {way: statistics.median(t[i] for t in times[way]) for way in ways} for i in (0, 1)
    )
    return {
        "direct_first_s": first["direct"],
        "direct_last_s": last["direct"],
        "added_first_s": first["proxy"] - first["direct"],
        "added_last_s": last["proxy"] - last["direct"],
        "cpu_s": proxy_s / count,
        "server_cpu_s": server_s / count / 2,
        "peak_rss_byte": peak_rss_byte(pids[0]),
        "events": EVENTS if kind == "stream" else 0,
        "requests": count,
    }


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)))
