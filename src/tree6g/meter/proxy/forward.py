"""Bytes between client and server, untouched, and what became of each request.

Headers that concern one connection alone are not passed on; everything else is, and answers go on
as they come. A client that goes takes its request to the server with it. A server that breaks off
breaks the answer off: a stream cut short never looks complete.

Where there are several servers, the next is tried if one was not reached or says that it is full.
A request that may have made tokens is never sent twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tree6g.meter.proxy.answer import AnswerReader, form_of
from tree6g.meter.proxy.ask import Call, call_of, is_counted, renamed
from tree6g.meter.proxy.counts import Counts, Ended, Outcome
from tree6g.meter.proxy.tenants import Tenants
from tree6g.meter.proxy.upstream import Chooser, Course

MAX_READ_BYTE: Final = 32 << 20  # larger bodies go through unread
_NO_BODY: Final = frozenset({204, 304})
_LARGE_BYTE: Final = 1 << 18
OWN_TOKEN: Final = "X-Tree6g-Token"
_HOP: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "host", "expect", OWN_TOKEN.lower(),
    }
)  # fmt: skip
NOT_OURS: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_LLAMA_CPP: Final = "llama.cpp"
_FULL: Final = frozenset({429, 503})  # a server that says so has done nothing


@dataclasses.dataclass(slots=True)
class _Trip:
    """A request under way; what is known of it so far."""

    up_byte: int = 0
    down_byte: int = 0
    server: str = ""  # that it was sent to last
    whole: bool = True  # its body can be sent again
    asked: bool = False  # we ask for the usage, the client did not
    reader: AnswerReader | None = None
    ended: Ended = "aborted"  # as long as nothing else is known: the client may go at any time


class Forwarder:
    """Sends requests on and counts them.

    Attributes:
        counts: Sums by tenant and model.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        chooser: Chooser,
        tenants: Tenants,
        counts: Counts,
        *,
        ask: bool,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """Forward over a session; `ask`: servers are asked for the usage of streams."""
        self.counts = counts
        self._session, self._chooser, self._tenants = session, chooser, tenants
        self._ask, self._clock_s = ask, clock_s
        self._tell_timings: set[str] = set()  # servers whose streams say their tokens unasked

    async def forward(self, request: web.BaseRequest, *, drop_key: bool) -> web.StreamResponse:
        """The server's answer to a request; `drop_key`: the key is ours and goes no further."""
        trip = _Trip()
        if not is_counted(request.method, request.path):
            trip.whole = not request.can_read_body
            more = None if trip.whole else _stream(request, trip, b"")
            way = self._chooser.choose(None, self._tenants.of(request.headers, ""))
            return await self._travel(request, trip, way, more, None, drop_key=drop_key)
        start_s, began_s = self._clock_s(), time.perf_counter()
        call, tenant = Call(), ""
        course: Course | None = None
        try:
            head, complete = await _read(request, trip)
            call = call_of(request.path, head if complete else None)
            tenant = self._tenants.of(request.headers, call.model)
            course = self._chooser.choose(call, tenant)
            trip.whole = complete
            body = head if complete else _stream(request, trip, head)
            return await self._travel(request, trip, course, body, call, drop_key=drop_key)
        finally:
            reader = trip.reader
            model = call.model or (reader.model if reader else "")
            tenant = tenant or self._tenants.of(request.headers, model)
            outcome = _outcome(trip, call, start_s, began_s)
            self.counts.add(tenant, model, outcome)
            if course is not None:
                course.ended(trip.server, outcome)

    async def _travel(
        self,
        request: web.BaseRequest,
        trip: _Trip,
        course: Course,
        body: bytes | AsyncIterator[bytes] | None,
        call: Call | None,
        *,
        drop_key: bool,
    ) -> web.StreamResponse:
        """One server after the other, until one has answered or may have made tokens."""
        headers = _passed_on(request.headers)
        if drop_key:
            headers.pop("Authorization", None)
        servers = course.servers if trip.whole else course.servers[:1]
        for server in servers:
            last = server == servers[-1]
            done = await self._exchange(
                request, trip, course, server, headers, body, call, last=last
            )
            if done is not None:
                return done
        return problem(502, "there is no server")

    async def _exchange(
        self,
        request: web.BaseRequest,
        trip: _Trip,
        course: Course,
        server: str,
        headers: CIMultiDict[str],
        body: bytes | AsyncIterator[bytes] | None,
        call: Call | None,
        *,
        last: bool,
    ) -> web.StreamResponse | None:
        """One request to a server and its answer to the client; None if the next may try."""
        url = URL(server + request.raw_path, encoded=True)
        sent, headers = self._asked(trip, course, server, headers, body, call)
        try:
            trip.server, trip.ended = server, "aborted"
            course.sent(server)
            async with self._session.request(
                request.method, url, headers=headers, data=sent, allow_redirects=False
            ) as answer:
                self._learn(server, answer)
                if answer.status in _FULL and not last:
                    course.passed(server, f"status {answer.status}")
                    return None
                return await _answer(request, trip, answer, call, course.told(server))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            trip.ended = "unreachable"
            why = getattr(error, "strerror", None) or str(error)
            course.passed(server, why)
            return None if not last else problem(502, f"cannot reach the server: {why}")
        except TimeoutError:
            trip.ended = "timeout"
            return problem(504, "the server did not answer in time")
        except aiohttp.ClientError as error:
            trip.ended = "failed"
            return problem(502, f"the server broke off: {error or type(error).__name__}")

    def _asked(
        self,
        trip: _Trip,
        course: Course,
        server: str,
        headers: CIMultiDict[str],
        body: bytes | AsyncIterator[bytes] | None,
        call: Call | None,
    ) -> tuple[bytes | io.BytesIO | AsyncIterator[bytes] | None, CIMultiDict[str]]:
        """Body and headers for a server: asked for the usage, and for the model that it has."""
        trip.asked = False
        if call is None or not isinstance(body, bytes):
            return body, headers
        sent, headers = body, headers.copy()
        if self._ask and call.asking is not None and server not in self._tell_timings:
            trip.asked, sent = True, call.asking
            headers["Accept-Encoding"] = "identity"  # what is packed cannot be taken out
        model = course.model(server)
        if model and model != call.model:
            sent = renamed(sent, model)
        if sent is not body:
            headers.pop("Content-Length", None)  # the body has another length
        return _body(sent), headers

    def _learn(self, base: str, answer: aiohttp.ClientResponse) -> None:
        """Remember a server that says its tokens at the end of every stream, asked or not."""
        if answer.headers.get("Server", "").startswith(_LLAMA_CPP):
            self._tell_timings.add(base)


async def _answer(
    request: web.BaseRequest,
    trip: _Trip,
    answer: aiohttp.ClientResponse,
    call: Call | None,
    told: Mapping[str, str],
) -> web.StreamResponse:
    """Pass the server's answer on, with headers of our own that tell whose it is."""
    headers = _passed_on(answer.headers)
    headers.update(told)
    if call is not None:
        form = form_of(answer.headers.get("Content-Type", ""))
        encoding = answer.headers.get("Content-Encoding", "")
        trip.reader = AnswerReader(form, encoding=encoding, take_out=trip.asked)
        if trip.asked and form == "events":
            headers.pop("Content-Length", None)  # it may get shorter
    if answer.content.is_eof() and request.method != "HEAD" and answer.status not in _NO_BODY:
        return await _at_once(trip, answer, headers)
    reply = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    try:
        await reply.prepare(request)
        await _pump(reply, trip, answer)
    except aiohttp.ClientConnectionResetError:
        return reply  # it is the client that has gone
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, TimeoutError) as error:
        trip.ended = "timeout" if isinstance(error, TimeoutError) else "cut"
        await _break_off(request, reply, trip)
        return reply
    trip.ended = _ended(answer.status, trip.reader)
    return reply


async def _at_once(
    trip: _Trip, answer: aiohttp.ClientResponse, headers: CIMultiDict[str]
) -> web.Response:
    """An answer that has come whole already: it goes out with its headers in one piece."""
    reader = trip.reader
    body, now_s = await answer.content.read(), time.perf_counter()
    if reader is not None:
        body = reader.feed(body, now_s) + reader.end(now_s)
    trip.ended = _ended(answer.status, reader)
    trip.down_byte = len(body)
    headers.popall("Content-Length", None)
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body)


async def _pump(reply: web.StreamResponse, trip: _Trip, answer: aiohttp.ClientResponse) -> None:
    """Each piece of the answer as it comes."""
    reader = trip.reader
    async for data in answer.content.iter_any():
        await _write(reply, trip, reader.feed(data, time.perf_counter()) if reader else data)
    if reader is not None:
        await _write(reply, trip, reader.end(time.perf_counter()))
    await reply.write_eof()


async def _write(reply: web.StreamResponse, trip: _Trip, data: bytes) -> None:
    if data:
        await reply.write(data)
        trip.down_byte += len(data)


async def _break_off(request: web.BaseRequest, reply: web.StreamResponse, trip: _Trip) -> None:
    """End the connection without the answer's end, so that the client sees that it is cut."""
    with contextlib.suppress(aiohttp.ClientConnectionError):
        await _write(reply, trip, trip.reader.cut() if trip.reader else b"")
    if request.transport is not None:
        request.transport.close()


def _ended(status: int, reader: AnswerReader | None) -> Ended:
    if status >= 500 or (status < 400 and reader is not None and reader.failed):
        return "failed"
    return "refused" if status >= 400 else "done"


def _outcome(trip: _Trip, call: Call, start_s: float, began_s: float) -> Outcome:
    """What became of a request; tokens count if the answer has come to its end."""
    reader = trip.reader
    ended = trip.ended
    if reader is not None and reader.final and not reader.failed and ended in {"aborted", "cut"}:
        ended = "done"  # all that was asked for had come before the connection went
    whole = reader is not None and (reader.final or ended == "done")
    first_s = reader.first_s if reader else None
    last_s = reader.last_s if reader else None
    return Outcome(
        ended=ended,
        start_s=start_s,
        e2e_s=time.perf_counter() - began_s,
        reached=bool(trip.server),
        generates=call.generates,
        usage=reader.usage if reader is not None and whole else None,
        chunks=reader.chunks if reader else 0,
        ttft_s=None if first_s is None else first_s - began_s,
        stream_s=None if first_s is None or last_s is None else last_s - first_s,
        up_byte=trip.up_byte,
        down_byte=trip.down_byte,
    )


def _body(raw: bytes) -> bytes | io.BytesIO:
    """A body as the library wants it: a large one goes out piece by piece."""
    return raw if len(raw) <= _LARGE_BYTE else io.BytesIO(raw)


async def _read(request: web.BaseRequest, trip: _Trip) -> tuple[bytes, bool]:
    """The body as far as it is read, and whether that is all of it."""
    parts: list[bytes] = []
    async for data in request.content.iter_any():
        parts.append(data)
        trip.up_byte += len(data)
        if trip.up_byte > MAX_READ_BYTE:
            return b"".join(parts), False
    return b"".join(parts), True


async def _stream(request: web.BaseRequest, trip: _Trip, head: bytes) -> AsyncIterator[bytes]:
    """A body as it comes, after what has been read of it."""
    if head:
        yield head
    async for data in request.content.iter_any():
        trip.up_byte += len(data)
        yield data


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Headers without those of one connection."""
    named = headers.get("Connection", "")
    without = _HOP | {name.strip().lower() for name in named.split(",")} if named else _HOP
    return CIMultiDict((n, v) for n, v in headers.items() if n.lower() not in without)


def problem(status: int, text: str) -> web.StreamResponse:
    """An answer of our own, in the form of OpenAI's errors."""
    error = {"message": f"tree6g proxy: {text}", "type": "proxy_error", "code": status}
    return web.Response(status=status, body=json.dumps({"error": error}).encode(),
                        content_type="application/json")  # fmt: skip
