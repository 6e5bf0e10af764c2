"""A fake inference server with the answers of OpenAI's API, llama.cpp and Ollama, and its faults.

What a request wants stands in its body: `n` output tokens, `prompt_tok`, `cached_tok`,
`reasoning_tok`, and `fault`, the way in which it shall go wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tree6g.meter.access import Access
from tree6g.meter.proxy.server import Setting, running
from tree6g.meter.proxy.upstream import OneServer


@dataclasses.dataclass
class Seen:
    """What the fake has seen: requests as they came, and those that clients left."""

    requests: list[tuple[str, str, dict[str, str], bytes]] = dataclasses.field(default_factory=list)
    left: int = 0


def usage(asked: dict[str, Any]) -> dict[str, Any]:
    prompt, out = asked.get("prompt_tok", 7), asked.get("n", 3)
    found: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
    }
    if "cached_tok" in asked:
        found["prompt_tokens_details"] = {"cached_tokens": asked["cached_tok"]}
    if "reasoning_tok" in asked:
        found["completion_tokens_details"] = {"reasoning_tokens": asked["reasoning_tok"]}
    return found


def _sse(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chat_events(asked: dict[str, Any]) -> list[bytes]:
    """Events of a chat stream as vLLM sends them."""
    head = {"id": "c", "object": "chat.completion.chunk", "model": asked.get("model", "m")}
    wanted = (asked.get("stream_options") or {}).get("include_usage")
    events = [_sse({**head, "choices": [{"delta": {"role": "assistant", "content": ""}}]})]
    texts = [f'"usage": {i}\u00e9' for i in range(asked.get("n", 3))]
    events += [_sse({**head, "choices": [{"delta": {"content": text}}]}) for text in texts]
    events.append(_sse({**head, "choices": [{"delta": {}, "finish_reason": "stop"}]}))
    if wanted:
        events.append(_sse({**head, "choices": [], "usage": usage(asked)}))
    return [*events, b"data: [DONE]\n\n"]


def ollama_lines(asked: dict[str, Any]) -> list[bytes]:
    lines = [{"model": asked["model"], "response": f"t{i}", "done": False} for i in range(3)]
    last = {"model": asked["model"], "response": "", "done": True}
    last |= {"prompt_eval_count": 11, "eval_count": 3, "eval_duration": 5}
    return [json.dumps(line).encode() + b"\n" for line in [*lines, last]]


def responses_events(asked: dict[str, Any]) -> list[bytes]:
    told = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
    }
    return [
        _sse({"type": "response.created", "response": {"id": "r", "usage": None}}),
        _sse({"type": "response.output_text.delta", "delta": "hello"}),
        _sse({"type": "response.completed", "response": {"id": "r", "usage": told}}),
    ]


ERRORS = {"refuse": 404, "break": 500, "full": 503}
STREAMS = {"/api/generate": ollama_lines, "/v1/responses": responses_events}


class FakeServer:
    """Answers as a server would; `seen` tells what came."""

    def __init__(self, *, name: str = "uvicorn", pause_s: float = 0.0) -> None:
        self.seen, self.name, self.pause_s = Seen(), name, pause_s

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await _body(request)
        headers = dict(request.headers)
        self.seen.requests.append((request.method, request.raw_path, headers, body))
        try:
            return await self._answer(request, body)
        except asyncio.CancelledError:
            self.seen.left += 1
            raise

    async def _answer(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        if request.path == "/empty":
            return web.Response(status=int(request.query_string or 204), headers={"X-Way": "back"})
        if request.path == "/echo":
            reply = web.Response(status=207, body=body, headers={"X-Way": "back", "ETag": '"1"'})
            reply.headers.add("Set-Cookie", "a=1")
            reply.headers.add("Set-Cookie", "b=2")
            return reply
        asked = json.loads(body)
        fault = asked.get("fault", "")
        if fault in ERRORS:
            return _json({"error": {"message": fault}}, ERRORS[fault])
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "drop":
            request.transport.close()
            return web.Response()
        make = STREAMS.get(request.path, chat_events if asked.get("stream") else None)
        if make is None:
            return _whole(request, asked)
        kind = "application/x-ndjson" if make is ollama_lines else "text/event-stream"
        return await self._send(request, make(asked), kind, fault)

    async def _send(
        self, request: web.BaseRequest, parts: list[bytes], kind: str, fault: str
    ) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": kind, "Server": self.name})
        await reply.prepare(request)
        for i, part in enumerate(parts):
            if fault in {"cut", "stall"} and i == 2:
                await reply.write(part[:9])
                if fault == "stall":
                    await asyncio.sleep(3600)
                request.transport.close()
                return reply
            if fault == "endless" and i == 2:
                while True:
                    await reply.write(part)
                    await asyncio.sleep(0.001)
            await reply.write(part)
            await asyncio.sleep(self.pause_s)
        await reply.write_eof()
        return reply


def _whole(request: web.BaseRequest, asked: dict[str, Any]) -> web.StreamResponse:
    if request.path == "/completion":
        times = {"prompt_n": 6, "cache_n": 4, "predicted_n": 5}
        return _json({"content": "hi", "stop": True, "timings": times})
    if request.path == "/v1/embeddings":
        return _json({"data": [], "model": asked["model"], "usage": {"prompt_tokens": 12}})
    found = {"model": asked.get("model", "m"), "choices": [{"message": {}}], "usage": usage(asked)}
    if asked.get("fault") == "silent":
        del found["usage"]
    if asked.get("gzip"):
        raw = gzip.compress(json.dumps(found).encode())
        kinds = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return web.Response(body=raw, headers=kinds)
    return _json(found)


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(data).encode(), status=status, content_type="application/json"
    )


async def _body(request: web.BaseRequest) -> bytes:
    return b"".join([data async for data in request.content.iter_any()])


@asynccontextmanager
async def serving(fake: FakeServer) -> AsyncIterator[str]:
    """The address of a fake server that answers."""
    runner = web.ServerRunner(
        web.Server(fake.answer, handler_cancellation=True, auto_decompress=False),
        shutdown_timeout=0.1,
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def proxied(fake: FakeServer, **setting: Any) -> AsyncIterator[tuple[str, str]]:
    """Addresses of a proxy and of the fake server behind it."""
    access = setting.pop("access", Access(port=0))
    async with serving(fake) as to:
        chosen = Setting(access=access, chooser=OneServer(to), **setting)
        async with running(chosen) as url:
            yield url, to


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that takes bytes as they are."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield session
