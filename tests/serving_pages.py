"""A server of a ledger in a thread, and requests to it as they go over the wire."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tree6g.meter.access import Access
from tree6g.serve.server import Server, server_of
from tree6g.serve.view import View


@contextmanager
def serving(
    ledger: Path, *, floors: Mapping[str, float] | None = None, over_s: float = 300.0, **access: Any
) -> Iterator[Server]:
    with server_of(ledger, Access(port=0, **access), View(span_s=over_s), floors or {}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: Server, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the path goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    try:
        connection.putrequest(method, path, skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def asked(server: Server, path: str) -> dict[str, Any]:
    status, _, body = ask(server, path)
    assert status == 200, body
    return json.loads(body, parse_constant=_refuse)


def _refuse(word: str) -> float:
    raise AssertionError(f"{word} in JSON")
