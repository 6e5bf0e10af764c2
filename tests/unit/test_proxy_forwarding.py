"""What the proxy lets through: the same bytes both ways, streams as they come, ends as they are."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import time
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from fake_llm import FakeServer, chat_events, client, proxied
from tree6g.meter.access import Access
from tree6g.meter.probe import probe
from tree6g.meter.proxy.server import Setting, running
from tree6g.meter.proxy.tenants import Tenants, read_tenants
from tree6g.meter.proxy.upstream import OneServer
from tree6g.meter.recognise import recognise

TOKEN = "0123456789abcdef-secret"
CHAT = "/v1/chat/completions"


async def _metrics(url, **headers):
    async with client() as session, session.get(f"{url}/metrics", headers=headers) as answer:
        text = (await answer.read()).decode()
        assert answer.status == 200, text
        return text


def _sums(text):
    found = {}
    for r in recognise(text.encode()).readings:
        key = (r.kind, r.tenant, r.model)
        found[key] = found.get(key, 0.0) + r.value_si
    return found


def _value(text, name, **labels):
    """Sum of the samples of a name that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
    return sum(float(s.split()[-1]) for s in lines if all(w in s for w in wanted))


async def _collect(asking, parts):
    async with asking as answer:
        async for data in answer.content.iter_any():
            parts.append(data)


async def _eventually(true):
    for _ in range(400):
        if await true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not come about")


def test_what_is_not_counted_goes_through_with_its_headers_and_bytes():
    async def main():
        fake = FakeServer()
        body = bytes(range(256)) * 20_000  # 5 MB
        async with proxied(fake) as (url, _), client() as session:
            sent = {"X-Way": "there", "Connection": "keep-alive, X-Hop", "X-Hop": "1"}
            to = URL(f"{url}/echo?a=%2F%41&b=1", encoded=True)
            async with session.put(to, data=io.BytesIO(body), headers=sent) as answer:
                assert answer.status == 207
                assert await answer.read() == body
                assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
                assert answer.headers["ETag"] == '"1"'
        method, path, headers, got = fake.seen.requests[0]
        assert (method, path, got) == ("PUT", "/echo?a=%2F%41&b=1", body)
        assert headers["X-Way"] == "there"
        assert headers["Content-Length"] == str(len(body))
        assert "X-Hop" not in headers

    asyncio.run(main())


def test_a_body_in_pieces_and_with_a_wish_to_wait_goes_through():
    async def main():
        async def pieces():
            for _ in range(10):
                yield b"x" * 1000

        async with (
            proxied(FakeServer()) as (url, _),
            client() as session,
            session.post(f"{url}/echo", data=pieces(), expect100=True) as answer,
        ):
            assert await answer.read() == b"x" * 10_000

    asyncio.run(main())


def test_a_packed_body_goes_through_packed():
    async def main():
        packed = gzip.compress(b'{"model": "m"}')
        kinds = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        fake = FakeServer()
        async with (
            proxied(fake) as (url, _),
            client() as session,
            session.post(f"{url}/echo", data=packed, headers=kinds) as answer,
        ):
            assert await answer.read() == packed
        assert fake.seen.requests[0][2]["Content-Encoding"] == "gzip"

    asyncio.run(main())


@pytest.mark.parametrize("status", [200, 204, 304, 404])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_an_answer_without_a_body_stays_without(method, status):
    async def main():
        async with proxied(FakeServer()) as (url, _), client() as session:
            for _ in range(2):  # the connection goes on
                async with session.request(method, f"{url}/empty?{status}") as answer:
                    assert answer.status == status
                    assert answer.headers["X-Way"] == "back"
                    assert await answer.read() == b""

    asyncio.run(main())


def test_a_header_that_is_no_text_does_not_stop_a_request():
    async def main():
        fake = FakeServer()
        async with proxied(fake) as (url, _):
            parts = urlsplit(url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            head = f"GET /empty?200 HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
            writer.write(head.encode() + b"X-Odd: \xe9\xff\r\nX-Even: \xc3\xa9\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 200")
        headers = fake.seen.requests[0][2]
        assert headers["X-Even"] == "\u00e9"
        assert not headers.get("X-Odd")  # the library cannot say it

    asyncio.run(main())


def test_a_body_too_large_to_be_read_goes_through(monkeypatch):
    monkeypatch.setattr("tree6g.meter.proxy.forward.MAX_READ_BYTE", 1000)

    async def main():
        fake = FakeServer()
        body = json.dumps({"model": "m", "stream": True, "pad": "x" * 500_000}).encode()
        async with proxied(fake) as (url, _), client() as session:
            async with session.post(url + CHAT, data=body) as answer:
                assert b"[DONE]" in await answer.read()
            text = await _metrics(url)
        assert fake.seen.requests[0][3] == body
        assert _value(text, "tree6g_proxy_unknown_token_requests_total", kind="token_out") == 1.0

    asyncio.run(main())


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"x": 1}, "absent"])
def test_a_client_that_asks_for_no_usage_sees_none_and_is_counted(options):
    async def main():
        fake = FakeServer()
        wish = {"model": "m", "stream": True, "n": 5, "cached_tok": 2, "text": "\ud800\u00e9"}
        wish |= {} if options == "absent" else {"stream_options": options}
        async with proxied(fake) as (url, to), client() as session:
            async with session.post(to + CHAT, json=wish) as answer:
                direct = await answer.read()
            async with session.post(url + CHAT, json=wish) as answer:
                assert await answer.read() == direct
            sums = _sums(await _metrics(url))
        sent = json.loads(fake.seen.requests[1][3])
        assert sent["stream_options"]["include_usage"] is True
        assert {k: v for k, v in sent.items() if k != "stream_options"} == {
            k: v for k, v in wish.items() if k != "stream_options"
        }
        assert sums["token_in", "m", "m"] == 5.0
        assert sums["token_in_cached", "m", "m"] == 2.0
        assert sums["token_out", "m", "m"] == 5.0

    asyncio.run(main())


def test_a_client_that_asks_for_usage_gets_the_servers_bytes():
    async def main():
        fake = FakeServer()
        wish = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
        raw = json.dumps(wish, indent=3).encode()
        async with proxied(fake) as (url, _), client() as session:
            async with session.post(url + CHAT, data=raw) as answer:
                assert await answer.read() == b"".join(chat_events(wish))
            sums = _sums(await _metrics(url))
        assert fake.seen.requests[0][3] == raw
        assert sums["token_out", "m", "m"] == 3.0

    asyncio.run(main())


def test_without_asking_no_byte_changes_and_tokens_are_not_known():
    async def main():
        fake = FakeServer()
        raw = b'{"model": "m", "stream": true}'
        async with proxied(fake, ask=False) as (url, _), client() as session:
            async with session.post(url + CHAT, data=raw) as answer:
                await answer.read()
            text = await _metrics(url)
        assert fake.seen.requests[0][3] == raw
        assert _value(text, "tree6g_proxy_tokens_total") == 0.0
        assert _value(text, "tree6g_proxy_unknown_token_requests_total", kind="token_in") == 1.0
        assert _value(text, "tree6g_proxy_unknown_token_chunks_total") == 5.0
        assert any("token_out of 1 requests" in p for p in recognise(text.encode()).problems)

    asyncio.run(main())


def test_llama_cpp_is_not_asked_once_it_is_known():
    async def main():
        fake = FakeServer(name="llama.cpp")
        async with proxied(fake) as (url, _), client() as session:
            for _ in range(2):
                async with session.post(url + CHAT, json={"stream": True}) as answer:
                    await answer.read()
        asked = [b"include_usage" in body for _, _, _, body in fake.seen.requests]
        assert asked == [True, False]

    asyncio.run(main())


def test_a_stream_comes_as_it_is_made():
    async def main():
        wish = {"model": "m", "stream": True, "n": 4}
        async with proxied(FakeServer(pause_s=0.1)) as (url, _), client() as session:
            began_s = time.monotonic()
            async with session.post(url + CHAT, json=wish) as answer:
                headers_s = time.monotonic() - began_s
                first = await answer.content.readany()
                first_s = time.monotonic() - began_s
                await answer.read()
                whole_s = time.monotonic() - began_s
            assert first == chat_events(wish)[0]
            assert headers_s <= first_s < 0.3
            assert whole_s > 0.6
            text = await _metrics(url)
        # The first event has a role alone; output comes with the second, and two more follow.
        assert 0.1 < _value(text, "tree6g_proxy_time_to_first_token_seconds_sum") < 0.5
        assert 0.1 < _value(text, "tree6g_proxy_time_per_output_token_seconds_sum") < 0.4
        assert 0.6 < _value(text, "tree6g_proxy_request_duration_seconds_sum") < 3.0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "wish", "tokens"),
    [
        ("/v1/completions", {"model": "m", "cached_tok": 0}, (7, 0, 3, None)),
        ("/v1/completions", {"model": "m", "gzip": True}, (7, None, 3, None)),
        (CHAT, {"model": "m", "n": 9, "reasoning_tok": 4}, (7, None, 5, 4)),
        ("/v1/embeddings", {"model": "m"}, (12, None, 0, None)),
        ("/completion", {"model": "m"}, (6, 4, 5, None)),
        ("/api/generate", {"model": "m"}, (11, None, 3, None)),
        ("/v1/responses", {"model": "m", "stream": True}, (15, 5, 5, 4)),
    ],
)
def test_every_kind_of_answer_says_its_tokens(path, wish, tokens):
    async def main():
        async with proxied(FakeServer()) as (url, to), client() as session:
            async with session.post(to + path, json=wish) as answer:
                direct = await answer.read()
            async with session.post(url + path, json=wish) as answer:
                assert await answer.read() == direct
            text = await _metrics(url)
        kinds = ("token_in", "token_in_cached", "token_out", "token_reasoning")
        sums = _sums(text)
        assert tuple(sums.get((kind, "m", "m")) for kind in kinds) == tokens
        assert sums["request", "m", "m"] == 1.0
        assert sums["bit_ul", "m", "m"] == 8 * len(json.dumps(wish))
        assert sums["bit_dl", "m", "m"] == 8 * len(direct)
        assert _value(text, "tree6g_proxy_unknown_token_requests_total") == 0.0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "status", "ended"),
    [("refuse", 404, "refused"), ("break", 500, "failed"), ("drop", 502, "failed")],
)
def test_an_error_is_passed_on_and_counted_as_lost(fault, status, ended):
    async def main():
        async with proxied(FakeServer()) as (url, _), client() as session:
            async with session.post(url + CHAT, json={"model": "m", "fault": fault}) as answer:
                assert answer.status == status
                assert "error" in json.loads(await answer.read())
            text = await _metrics(url)
        assert _value(text, "tree6g_proxy_lost_requests_total", ended=ended) == 1.0
        assert _value(text, "tree6g_proxy_requests_total") == 0.0

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told():
    async def main():
        fake = FakeServer()
        async with proxied(fake) as (url, to):
            pass
        setting = Setting(access=Access(port=0), chooser=OneServer(to))
        async with running(setting) as url, client() as session:
            async with session.post(url + CHAT, json={"model": "m"}) as answer:
                assert answer.status == 502
                assert "cannot reach" in (await answer.read()).decode()
            text = await _metrics(url)
        assert _value(text, "tree6g_proxy_lost_requests_total", ended="unreachable") == 1.0
        assert _value(text, "tree6g_proxy_unknown_token_requests_total") == 0.0

    asyncio.run(main())


@pytest.mark.parametrize(("fault", "ended"), [("cut", "cut"), ("stall", "timeout")])
def test_a_stream_that_is_cut_off_never_looks_complete(fault, ended):
    async def main():
        wish = {"model": "m", "stream": True, "fault": fault}
        async with proxied(FakeServer(), silence_s=0.3) as (url, _), client() as session:
            got = []
            with pytest.raises(aiohttp.ClientPayloadError):
                await _collect(session.post(url + CHAT, json=wish), got)
            text = await _metrics(url)
        events = chat_events(wish)
        assert b"".join(got) == b"".join(events[:2]) + events[2][:9]
        assert _value(text, "tree6g_proxy_lost_requests_total", ended=ended) == 1.0
        assert _value(text, "tree6g_proxy_unknown_token_requests_total", kind="token_in") == 1.0
        assert _value(text, "tree6g_proxy_unknown_token_chunks_total") == 2.0
        assert _value(text, "tree6g_proxy_tokens_total") == 0.0

    asyncio.run(main())


def test_a_server_that_says_nothing_in_time_is_a_gateway_timeout():
    async def main():
        async with proxied(FakeServer(), silence_s=0.2) as (url, _), client() as session:
            async with session.post(url + CHAT, json={"fault": "hang"}) as answer:
                assert answer.status == 504
            text = await _metrics(url)
        assert _value(text, "tree6g_proxy_lost_requests_total", ended="timeout") == 1.0

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["endless", "hang"])
def test_a_client_that_goes_takes_its_request_with_it(fault):
    async def main():
        fake = FakeServer()
        async with proxied(fake) as (url, _):
            parts = urlsplit(url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            body = json.dumps({"model": "m", "stream": True, "fault": fault}).encode()
            head = f"POST {CHAT} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if fault == "endless":
                await reader.readuntil(b"data: ")
            else:
                await asyncio.sleep(0.2)
            writer.close()
            await writer.wait_closed()

            async def gone():
                text = await _metrics(url)
                aborted = _value(text, "tree6g_proxy_lost_requests_total", ended="aborted")
                return fake.seen.left == 1 and aborted == 1.0

            await _eventually(gone)

    asyncio.run(main())


def test_fifty_clients_of_two_tenants_are_counted_to_the_token():
    async def main():
        fake = FakeServer(pause_s=0.001)
        expected = {}

        async def one(session, url, i):
            tenant, model = ("alice", "bob")[i % 2], ("small", "large")[i % 3 == 0]
            wish = {"model": model, "n": 1 + i % 11, "prompt_tok": 10 + i, "cached_tok": i % 10}
            asks = i % 4
            if asks:
                wish |= {"stream": True}
            if asks == 2:
                wish |= {"stream_options": {"include_usage": True}}
            key = {"Authorization": f"Bearer sk-{tenant}"}
            for _ in range(3):
                async with session.post(url + CHAT, json=wish, headers=key) as answer:
                    await answer.read()
                for kind, n in (
                    ("token_in", wish["prompt_tok"] - wish["cached_tok"]),
                    ("token_in_cached", wish["cached_tok"]),
                    ("token_out", wish["n"]),
                    ("request", 1),
                ):
                    where = (kind, tenant, model)
                    expected[where] = expected.get(where, 0) + n

        names = {hashlib.sha256(f"sk-{n}".encode()).hexdigest(): n for n in ("alice", "bob")}
        async with proxied(fake, tenants=Tenants(names=names)) as (url, _), client() as session:
            await asyncio.gather(*(one(session, url, i) for i in range(50)))
            sums = _sums(await _metrics(url))
        assert {k: v for k, v in sums.items() if k[0] in {e[0] for e in expected}} == expected

    asyncio.run(main())


def test_a_host_of_another_site_is_refused():
    async def main():
        async with proxied(FakeServer()) as (url, _), client() as session:
            for path in (CHAT, "/metrics", "/echo"):
                headers = {"Host": "evil.example.org"}
                async with session.post(url + path, data=b"{}", headers=headers) as answer:
                    assert answer.status == 403

    asyncio.run(main())


def test_beyond_this_machine_a_key_or_the_token_is_needed(tmp_path):
    file = tmp_path / "tenants.yaml"
    file.write_text("alice: sk-alice\n")
    access = Access(host="0.0.0.0", port=0, token=TOKEN, plain_http=True)

    async def main():
        fake = FakeServer()
        async with proxied(fake, access=access, tenants=read_tenants(file)) as (everywhere, _):
            url = everywhere.replace("0.0.0.0", "127.0.0.1")

            async def status(path, **headers):
                named = {name.replace("_", "-"): text for name, text in headers.items()}
                async with client() as session:
                    way = session.get if path == "/metrics" else session.post
                    async with way(url + path, headers=named) as answer:
                        return answer.status

            assert await status("/echo") == 401
            assert await status("/echo", Authorization="Bearer sk-mallory") == 401
            assert await status("/echo", Authorization="Bearer sk-alice") == 207
            assert await status("/echo", Authorization=f"Bearer {TOKEN}") == 207
            assert await status("/echo", X_Tree6g_Token=TOKEN, Authorization="Bearer x") == 207
            assert await status("/metrics", Authorization="Bearer sk-alice") == 403
            assert await status("/metrics", Authorization=f"Bearer {TOKEN}") == 200
        keys = [headers.get("Authorization") for _, _, headers, _ in fake.seen.requests]
        assert keys == ["Bearer sk-alice", None, "Bearer x"]  # the token goes no further
        assert not any(TOKEN in str(request) for request in fake.seen.requests)

    asyncio.run(main())


def test_the_meter_reads_the_proxy_over_http():
    async def main():
        async with proxied(FakeServer()) as (url, _), client() as session:
            found = await asyncio.to_thread(probe, f"{url}/metrics")
            assert found.format == "prometheus (tree6g proxy)"
            async with session.post(url + CHAT, json={"model": "m"}) as answer:
                await answer.read()
            found = await asyncio.to_thread(probe, f"{url}/metrics")
        kinds = {r.kind for r in found.readings}
        assert {"token_in", "token_out", "request", "e2e", "bit_ul", "bit_dl"} <= kinds
        assert all(r.start_s is not None for r in found.readings)
        assert any("from a cache" in problem for problem in found.problems)

    asyncio.run(main())


def test_an_answer_in_the_older_http_works():
    async def main():
        async with proxied(FakeServer()) as (url, _):
            parts = urlsplit(url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            body = b'{"stream": true}'
            head = f"POST {CHAT} HTTP/1.0\r\nHost: {parts.netloc}\r\nContent-Length: 16\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert answer.endswith(b"data: [DONE]\n\n")

    asyncio.run(main())


def test_clients_that_send_no_http_get_400_and_leave_no_trace_in_the_log(caplog):
    async def main():
        async with proxied(FakeServer()) as (url, _):
            parts = urlsplit(url)
            for raw in (
                b"\x16\x03\x01 tls",
                b"GET /\x00 HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
            ):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.write(raw + b"\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.0 400")
                writer.close()

    asyncio.run(main())
    assert caplog.records == []
