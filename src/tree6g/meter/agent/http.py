"""One connection to one target, kept open: the answer to a GET, within bounds of time and size."""

from __future__ import annotations

import functools
import http.client
import ssl
import time
import urllib.parse
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.fetch import ACCEPT, CHUNK_BYTE

_STALE: Final = (
    http.client.RemoteDisconnected,
    http.client.CannotSendRequest,
    http.client.ResponseNotReady,
    ConnectionError,
)

_CLOSED: Final = (b"", b"{", b"[", b"<")


class Connection:
    """Asks one URL again and again; not safe to use from two threads at once."""

    def __init__(self, url: str, *, timeout_s: float, max_byte: int, token: str | None) -> None:
        parts = urllib.parse.urlsplit(url)
        self._url, self._timeout_s, self._max_byte = url, timeout_s, max_byte
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self._headers = {"Accept": ACCEPT, "User-Agent": "tree6g"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._open: http.client.HTTPConnection | None = None

    def get(self) -> bytes:
        """The body of the answer.

        Raises:
            MeterError: No answer in time, another status than 200, or more than the bound.
        """
        until_s = time.monotonic() + self._timeout_s
        try:
            return self._get(until_s)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError | http.client.HTTPException | ValueError):
                raise MeterError(self._why(error)) from error
            raise

    def close(self) -> None:
        """Close the connection; the next `get` opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _get(self, until_s: float) -> bytes:
        if self._open is not None:
            try:
                return self._ask(self._open, until_s)
            except _STALE:  # it was closed while it lay idle
                self.close()
        self._open = self._connect(until_s)
        return self._ask(self._open, until_s)

    def _connect(self, until_s: float) -> http.client.HTTPConnection:
        left_s = max(until_s - time.monotonic(), 0.001)
        host = self._host or ""
        if self._secure:
            return http.client.HTTPSConnection(host, self._port, timeout=left_s, context=_context())
        return http.client.HTTPConnection(host, self._port, timeout=left_s)

    def _ask(self, connection: http.client.HTTPConnection, until_s: float) -> bytes:
        if connection.sock is not None:
            connection.sock.settimeout(max(until_s - time.monotonic(), 0.001))
        connection.request("GET", self._path, headers=self._headers)
        with connection.getresponse() as answer:
            if answer.status != 200:
                hint = " Metrics are usually at /metrics." if answer.status == 404 else ""
                self.close()
                raise MeterError(f"{self._url} answers {answer.status} {answer.reason}.{hint}")
            return self._body(connection, answer, until_s)

    def _body(
        self,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
        until_s: float,
    ) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := answer.read1(CHUNK_BYTE):
            parts.append(part)
            size += len(part)
            if size > self._max_byte:
                raise MeterError(
                    f"expected at most {self._max_byte:,} byte from {self._url}; there are more."
                )
            left_s = until_s - time.monotonic()
            if left_s <= 0.0:
                raise TimeoutError
            if connection.sock is not None:
                connection.sock.settimeout(left_s)
        if answer.length:
            raise MeterError(f"{self._url} broke off {answer.length:,} byte before the end.")
        body = b"".join(parts)
        # Without a length nothing but its last line tells whether a text came whole: half a
        # number is a number. JSON and XML are no JSON and XML then.
        unsure = answer.headers.get("Content-Length") is None and not answer.chunked
        if unsure and body[:1] not in _CLOSED and not body.endswith(b"\n"):
            raise MeterError(f"{self._url} broke off in a line, or its last line lacks its end.")
        return body

    def _why(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"{self._url} has not answered whole within {self._timeout_s:g} s."
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"cannot read {self._url}: {reason}."


@functools.cache
def _context() -> ssl.SSLContext:
    """One for all targets: the certificates of the system take some megabytes."""
    return ssl.create_default_context()
