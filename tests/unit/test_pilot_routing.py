"""The pilot before fake servers: failing over, never twice, and bytes untouched."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest

from fake_llm import FakeServer, chat_events, client, serving
from tree6g.meter.access import Access
from tree6g.meter.probe import probe
from tree6g.meter.proxy.ask import Call
from tree6g.meter.proxy.counts import Outcome
from tree6g.meter.proxy.server import running
from tree6g.meter.proxy.usage import Usage
from tree6g.optimise.pilot import config as file
from tree6g.optimise.pilot.router import HEADER, Router
from tree6g.optimise.pilot.start import setting_of

CHAT = "/v1/chat/completions"
CONFIG = """
mode: live
explore: 0 %
servers:
  big: {{url: "{big}", model: large, energy: {{token_out: 4 J/tok}}}}
  small: {{url: "{small}", model: little, energy: {{token_out: 1 J/tok}}}}
services:
  chat: {{models: [large, little]}}
"""
WISH = {"model": "large", "n": 4, "stream": True, "stream_options": {"include_usage": True}}


class FullServer(FakeServer):
    """Says that it is full, whatever comes."""

    async def _answer(self, request, body):
        return await super()._answer(request, b'{"fault": "full"}')


@asynccontextmanager
async def piloted(big, small, text=CONFIG):
    """A pilot before two fake servers: its address, the router, what it recorded."""
    lines = []
    async with serving(big) as one, serving(small) as two:
        router = Router(file.parse(text.format(big=one, small=two).encode()), record=lines.append)
        async with running(setting_of(router, Access(port=0))) as url:
            yield url, router, lines


async def _ask(session, url, wish):
    async with session.post(url + CHAT, json=wish) as answer:
        return answer.status, answer.headers.get(HEADER), await answer.read()


async def _until(true):
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def _run(big, small, *wishes, text=CONFIG):
    async def main():
        async with piloted(big, small, text) as (url, router, lines), client() as session:
            answers = [await _ask(session, url, wish) for wish in wishes]
            pages = {
                n: await asyncio.to_thread(probe, f"{url}/metrics/{n}") for n in router.servers
            }
            async with session.get(f"{url}/metrics") as answer:
                sums = (await answer.read()).decode()
            return answers, router, lines, pages, sums

    return asyncio.run(main())


def test_a_stream_comes_untouched_from_the_server_that_the_header_names():
    big, small = FakeServer(), FakeServer()
    [(status, server, raw)], router, lines, pages, text = _run(big, small, WISH)
    assert (status, server) == (200, "small")
    assert raw == b"".join(chat_events({**WISH, "model": "little"}))
    assert big.seen.requests == []
    assert json.loads(small.seen.requests[0][3])["model"] == "little"
    tokens = {r.kind: r.value_si for r in pages["small"].readings if r.kind.startswith("token")}
    assert tokens["token_out"] == 4.0
    assert pages["big"].readings == ()
    assert router.servers["small"].busy == 0
    assert lines[0]["output_tok"] == 4.0
    assert 'tree_pilot_decisions_total{service="chat",chosen="small",server="small"} 1' in text
    assert "tree6g_proxy_tokens_total" in text


def test_a_body_that_asks_for_the_right_model_goes_as_it_came():
    small = FakeServer()
    wish = {**WISH, "model": "little"}
    _run(FakeServer(), small, wish)
    assert json.loads(small.seen.requests[0][3]) == wish
    assert small.seen.requests[0][3] == json.dumps(wish).encode()


def test_a_server_that_is_full_hands_over_to_the_next():
    big, small = FakeServer(), FullServer()
    answers, router, lines, _, _ = _run(big, small, WISH, WISH)
    assert [(status, server) for status, server, _ in answers] == [(200, "big")] * 2
    assert len(small.seen.requests) == 1  # then it is left alone for a while
    assert router.passed == {"small": 1}
    assert [line["ended"] for line in lines] == ["done", "done"]
    assert router.servers["small"].busy == router.servers["big"].busy == 0


def test_the_last_server_may_say_itself_that_it_is_full():
    answers, router, lines, _, _ = _run(FullServer(), FullServer(), WISH)
    assert answers[0][:2] == (503, "big")
    assert router.servers["small"].busy == router.servers["big"].busy == 0
    assert lines[0]["ended"] == "failed"


@pytest.mark.parametrize("fault", ["drop", "cut", "break"])
def test_a_request_that_may_have_made_tokens_is_never_sent_twice(fault):
    big, small = FakeServer(), FakeServer()

    async def main():
        async with piloted(big, small) as (url, router, _), client() as session:
            try:
                return (await _ask(session, url, {**WISH, "fault": fault}))[::2], router
            except aiohttp.ClientPayloadError:
                return (0, b""), router  # the stream broke off at the client too

    (status, raw), router = asyncio.run(main())
    assert status in {0, 500, 502}
    assert b"[DONE]" not in raw
    assert len(small.seen.requests) == 1
    assert big.seen.requests == []
    assert router.servers["small"].busy == 0


def test_a_server_that_is_not_there_hands_over_and_all_gone_is_said():
    text = CONFIG.replace('"{small}"', '"http://127.0.0.1:9"')
    answers, router, _, _, _ = _run(FakeServer(), FakeServer(), WISH, text=text)
    assert answers[0][:2] == (200, "big")
    assert router.passed == {"small": 1}
    text = text.replace('"{big}"', '"http://127.0.0.1:10"')
    answers, router, lines, _, _ = _run(FakeServer(), FakeServer(), WISH, text=text)
    assert answers[0][0] == 502
    assert b"cannot reach the server" in answers[0][2]
    assert lines[0]["ended"] == "unreachable"
    assert [s.busy for s in router.servers.values()] == [0, 0]


def test_shadow_sends_in_turn_and_says_so():
    text = CONFIG.replace("live", "shadow")
    answers, router, lines, _, _ = _run(FakeServer(), FakeServer(), *[WISH] * 4, text=text)
    assert [server for _, server, _ in answers] == ["big", "small"] * 2
    assert [line["chosen"] for line in lines] == ["small"] * 4
    assert lines[0]["would_earn"]["energy_j"] == pytest.approx(4.0)
    assert lines[0]["earned"]["energy_j"] == pytest.approx(16.0)
    assert router.price.now_beq_per_j > 0.0


def test_a_client_that_goes_frees_its_place():
    small = FakeServer()

    async def main():
        async with piloted(FakeServer(), small) as (url, router, lines), client() as session:
            asking = asyncio.create_task(_ask(session, url, {**WISH, "fault": "hang"}))
            await _until(lambda: router.servers["small"].busy == 1)
            asking.cancel()
            await _until(lambda: router.servers["small"].busy == 0)
            return lines

    lines = asyncio.run(asyncio.wait_for(main(), 20.0))
    assert [line["ended"] for line in lines] == ["aborted"]


def test_a_decision_costs_less_than_a_millisecond():
    """In CPU time, so that a busy machine does not count; the bar of the proxy."""
    text = CONFIG.format(big="http://127.0.0.1:1", small="http://127.0.0.1:2")
    router = Router(file.parse(text.encode()))
    call = Call(model="large", stream=True, body_byte=400, most_tok=50)
    usage = Usage(prompt_tok=100, cached_tok=0, output_tok=50)
    done = Outcome(ended="done", start_s=0.0, e2e_s=1.2, usage=usage, ttft_s=0.2, stream_s=1.0)
    began_s = time.process_time()
    for _ in range(300):
        way = router.choose(call, "alice")
        way.sent(way.servers[0])
        way.ended(way.servers[0], done)
    each_s = (time.process_time() - began_s) / 300
    assert each_s < 1e-3, each_s
