"""Clients of the demonstration: each knows what it was told in `usage`, and adds it up.

Odd requests are streams, whose last event carries `usage`; the others are answered as a whole.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

SENTENCES = (
    "The cell in the harbour serves forty users and sleeps after midnight.",
    "A prompt of two hundred tokens takes more joules than its short answer.",
    "Engineers ask which service earns its energy and which one burns it.",
    "The edge server answers quickly, yet it idles for most of the day.",
    "Video fills the air with bits while a chat fills a card with work.",
    "A token that comes too late has cost as much as one in time.",
)
PATIENCE_S = 120.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one service.

    Attributes:
        service: Its name.
        port: Where its requests go.
        key: API key it calls with; empty: none.
        sentences: Sentences of a prompt.
        answer_tok: Longest answer.
        clients: Clients at the same time.
        pause_s: Mean pause of a client between two requests.
        more: Further fields of its requests.
    """

    service: str
    port: int
    key: str = ""
    sentences: int
    answer_tok: int
    clients: int
    pause_s: float
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Told:
    """What the clients of a service were told."""

    requests: int = 0
    token_in: int = 0
    token_in_cached: int = 0
    token_out: int = 0

    def add(self, usage: dict[str, Any]) -> None:
        """One answer's `usage`; the ledger keeps cached prompt tokens apart, and so does this."""
        cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
        self.requests += 1
        self.token_in += int(usage["prompt_tokens"]) - cached
        self.token_in_cached += cached
        self.token_out += int(usage["completion_tokens"])


def run(loads: list[Load], length_s: float, seed: int = 0) -> dict[str, Told]:
    """Send requests for a while; the last ones are awaited. Sums by service.

    Raises:
        RuntimeError: A server refused a request, with its words.
    """
    end_s = time.monotonic() + length_s
    told = {load.service: Told() for load in loads}
    faults: list[str] = []
    lock = threading.Lock()

    def client(load: Load, number: int) -> None:
        """One client: ask, add up, pause."""
        draw = random.Random(f"{seed} {load.service} {number}")
        count = number
        while time.monotonic() < end_s and not faults:
            try:
                usage = ask(load, prompt(load, draw), stream=bool(count % 2))
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                faults.append(f"{load.service}: {error}")
                return
            with lock:
                told[load.service].add(usage)
            count += 1
            time.sleep(draw.expovariate(1.0 / load.pause_s))

    threads = [
        threading.Thread(target=client, args=(load, number))
        for load in loads
        for number in range(load.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(faults[0])
    return told


def prompt(load: Load, draw: random.Random) -> str:
    """A prompt of the service's length; no two are alike."""
    body = " ".join(draw.choice(SENTENCES) for _ in range(load.sentences))
    return f"Note {draw.randrange(10**6)}. {body} In one sentence: what matters most?"


def ask(load: Load, text: str, *, stream: bool) -> dict[str, Any]:
    """One request; the `usage` of its answer."""
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": load.answer_tok,
        "stream": stream,
        **load.more,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    headers = {"Content-Type": "application/json"}
    if load.key:
        headers["Authorization"] = f"Bearer {load.key}"
    connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {raw[:200]!r}")
    found = list(_usages(raw)) if stream else [json.loads(raw)["usage"]]
    if not found:
        raise RuntimeError("an answer without usage")
    return found[-1]


def _usages(raw: bytes) -> Iterator[dict[str, Any]]:
    for line in raw.splitlines():
        if line.startswith(b"data: ") and line != b"data: [DONE]":
            usage = json.loads(line[6:]).get("usage")
            if usage:
                yield usage
