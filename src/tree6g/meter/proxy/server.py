"""The proxy as a server: who may ask, `/metrics`, and everything else forwarded."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web
from aiohttp.http import HttpProcessingError

from tree6g.errors import MeterError
from tree6g.meter import exposition_writer
from tree6g.meter.access import Access, host_allowed, same_text, tls_context
from tree6g.meter.exposition_writer import Family
from tree6g.meter.proxy.counts import Counts
from tree6g.meter.proxy.forward import NOT_OURS, OWN_TOKEN, Forwarder, problem
from tree6g.meter.proxy.tenants import Tenants
from tree6g.meter.proxy.upstream import Chooser

CONNECT_S: Final = 10.0
SILENCE_S: Final = 600.0
REUSE_S: Final = 4.0  # below the 5 s after which usual servers close a connection
FAREWELL_S: Final = 10.0  # for requests under way when the proxy ends
_LOG: Final = logging.getLogger("tree6g.meter.proxy")
_LONGEST_LINE: Final = 65_536
_EOF: Final = "# EOF\n"
_METRICS: Final = "/metrics"
Families = Callable[[], Iterable[Family]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a proxy works.

    Attributes:
        access: Where it listens and whom it answers.
        chooser: Which server takes a request.
        tenants: How tenants are told apart.
        ask: Whether servers are asked for the usage of streams.
        silence_s: Without a byte from the server for so long, a request has failed.
        pages: Further metrics by path; those of `/metrics` stand there behind the sums.
    """

    access: Access
    chooser: Chooser
    tenants: Tenants = dataclasses.field(default_factory=Tenants)
    ask: bool = True
    silence_s: float = SILENCE_S
    pages: Mapping[str, Families] = dataclasses.field(default_factory=dict)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record is of a fault here: clients that send no HTTP have their answer, 400."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, HttpProcessingError)


_LOG.addFilter(_is_ours)


class Gate:
    """Lets requests in and gives each to what answers it."""

    def __init__(self, setting: Setting, forwarder: Forwarder) -> None:
        """Stand before a forwarder."""
        self._access, self._tenants = setting.access, setting.tenants
        self._forwarder, self._pages = forwarder, setting.pages

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        if not request.raw_path.startswith("/"):
            return problem(400, "expected a path; this is no proxy to other servers")
        token = self._access.token
        if token is None:
            names = tuple(self._access.names)
            if not _allowed(request.headers.get("Host"), _local(request), names):
                return problem(403, "expected a Host of this machine; see --allow-host")
            owner = False
        else:
            owner = _brings(request, token)
            if not owner and not self._named(request):
                return problem(
                    401, f"expected a key of the tenants' file, or the token ({OWN_TOKEN}: TOKEN)"
                )
        own = request.path == _METRICS or request.path in self._pages
        if own and request.method in {"GET", "HEAD"}:
            if token is not None and not owner:
                return problem(403, "expected the token; a tenant's key does not show all tenants")
            return await self._metrics(request)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        key_is_token = token is not None and same_text(_bearer(request), token)
        return await self._forwarder.forward(request, drop_key=key_is_token)

    def _named(self, request: web.BaseRequest) -> bool:
        return self._tenants.knows(request.headers)

    async def _metrics(self, request: web.BaseRequest) -> web.StreamResponse:
        """The sums of a page; streams go on in between, so that a long text delays none."""
        openmetrics = exposition_writer.wants_openmetrics(request.headers.get("Accept", ""))
        text = ""
        sums = self._forwarder.counts.families() if request.path == _METRICS else ()
        more = self._pages[request.path]() if request.path in self._pages else ()
        for family in itertools.chain(sums, more):
            text += exposition_writer.render([family], openmetrics=openmetrics).removesuffix(_EOF)
            await asyncio.sleep(0)
        kind = exposition_writer.OPENMETRICS if openmetrics else exposition_writer.TEXT
        body = (text + (_EOF if openmetrics else "")).encode()
        return web.Response(body=body, headers={"Content-Type": kind})


# The same few hosts ask over and over.
_allowed = functools.lru_cache(maxsize=256)(host_allowed)


def _brings(request: web.BaseRequest, token: str) -> bool:
    given = (_bearer(request), request.headers.get(OWN_TOKEN, ""))
    return any(same_text(text, token) for text in given)


def _bearer(request: web.BaseRequest) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _local(request: web.BaseRequest) -> str:
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return str(name[0]) if name else ""


@asynccontextmanager
async def running(setting: Setting) -> AsyncIterator[str]:
    """A proxy that answers, as its address, until the context ends.

    Raises:
        MeterError: The address is taken or not ours, or the certificate cannot be used.
    """
    access = setting.access
    context = tls_context(access)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=setting.silence_s)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=REUSE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=NOT_OURS,
        timeout=timeout,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    ) as session:
        forwarder = Forwarder(
            session, setting.chooser, setting.tenants, Counts(time.time()), ask=setting.ask
        )
        server = web.Server(
            Gate(setting, forwarder).answer,
            handler_cancellation=True,
            auto_decompress=False,
            access_log=None,
            logger=_LOG,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        runner = web.ServerRunner(server, shutdown_timeout=FAREWELL_S, access_log=None)
        await runner.setup()
        try:
            yield await _listen(runner, access, context)
        finally:
            await runner.cleanup()


async def _listen(runner: web.ServerRunner, access: Access, context: ssl.SSLContext | None) -> str:
    """Listen, and say where."""
    site = web.TCPSite(runner, access.host, access.port, ssl_context=context, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise MeterError(
            f"cannot listen on {access.host} port {access.port}: {error.strerror or error}. "
            "Choose another with --port (0 takes a free one) or --host."
        ) from error
    port = int(runner.addresses[0][1])
    shown = f"[{access.host}]" if ":" in access.host else access.host
    return f"{'https' if context else 'http'}://{shown}:{port}"
