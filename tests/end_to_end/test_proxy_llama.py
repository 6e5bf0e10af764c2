"""A real llama.cpp server behind the proxy: counts equal its own and the clients', to the token."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from fake_llm import client
from llama_server import llama_server
from tree6g.meter.access import Access
from tree6g.meter.probe import probe
from tree6g.meter.proxy.server import Setting, running
from tree6g.meter.proxy.upstream import OneServer
from tree6g.meter.proxy.usage import Usage, usage_of

WORDS = ["red", "green", "blue", "black", "white", "grey", "pink", "brown"]


def _usages(raw: bytes) -> Usage:
    """What the client itself reads: of a stream the last event that says something."""
    lines = [line.removeprefix(b"data: ") for line in raw.splitlines() if line.strip()]
    found = [usage_of(json.loads(line)) for line in lines if line != b"[DONE]"]
    return [usage for usage in found if usage is not None][-1]


def _wishes(i: int) -> list[tuple[str, dict]]:
    prompt = f"{i} " + " ".join(WORDS[: 1 + i])
    chat = {
        "model": "m",
        "max_tokens": 2 + i % 3,
        "messages": [{"role": "user", "content": prompt}],
    }
    return [
        ("/v1/chat/completions", chat),
        ("/v1/chat/completions", {**chat, "stream": True}),
        (
            "/v1/chat/completions",
            {**chat, "stream": True, "stream_options": {"include_usage": True}},
        ),
        ("/completion", {"prompt": prompt, "n_predict": 2, "stream": i % 2 == 0}),
    ]


@pytest.fixture(scope="module")
def server():
    with llama_server() as url:
        yield url


def test_two_tenants_of_a_real_server_are_counted_to_the_token(server):
    mine: Counter[tuple[str, str]] = Counter()

    async def one(session, url, i):
        tenant = ("alice", "bob")[i % 2]
        for path, wish in _wishes(i):
            headers = {"X-Tenant": tenant}
            async with session.post(url + path, json=wish, headers=headers) as answer:
                raw = await answer.read()
                assert answer.status == 200, raw
            usage = _usages(raw)
            cached = usage.cached_tok or 0
            mine[tenant, "token_in"] += usage.prompt_tok - cached
            mine[tenant, "token_in_cached"] += cached
            mine[tenant, "token_out"] += usage.output_tok

    async def main():
        setting = Setting(access=Access(port=0), chooser=OneServer(server))
        async with running(setting) as url, client() as session:
            # The server names itself, so that the streams to come say their tokens unasked.
            async with session.get(f"{url}/health") as answer:
                assert answer.status == 200
            await asyncio.gather(*(one(session, url, i) for i in range(4)))
            return await asyncio.to_thread(probe, f"{url}/metrics")

    found = asyncio.run(main())
    counted: Counter[tuple[str, str]] = Counter()
    for r in found.readings:
        if r.kind.startswith("token"):
            counted[r.tenant, r.kind] += r.value_si
    assert counted == mine
    own = {r.kind: r.value_si for r in probe(f"{server}/metrics").readings}
    whole = {k: sum(n for (_, kind), n in counted.items() if kind == k) for k in own}
    assert whole["token_in"] == own["token_in"]
    assert whole["token_out"] == own["token_out"]
    assert sum(r.value_si for r in found.readings if r.kind == "request") == 16.0
    assert not any("not known" in problem for problem in found.problems)
