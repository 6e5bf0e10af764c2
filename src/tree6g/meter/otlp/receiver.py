"""Listens for export requests of OTLP over HTTP, POST /v1/metrics, in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.access import Access, host_allowed, same_text
from tree6g.meter.listening import PATIENCE_S, Listener
from tree6g.meter.otlp.request import JSON, PROTOBUF, request_of
from tree6g.meter.otlp.store import Store
from tree6g.version import __version__

PORT: Final = 4318
PATH: Final = "/v1/metrics"
MAX_BODY_BYTE: Final = 16 << 20


class Receiver(Listener):
    """Takes requests into a store; `url` is OTEL_EXPORTER_OTLP_METRICS_ENDPOINT of senders."""

    path = PATH

    def __init__(self, store: Store, access: Access) -> None:
        """Listen.

        Raises:
            MeterError: The address is taken or not ours, or the certificate cannot be used.
        """
        self.store = store
        super().__init__(access, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Receiver
    protocol_version = "HTTP/1.1"
    server_version = f"tree6g/{__version__}"
    sys_version = ""
    timeout = PATIENCE_S
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take a request (the name is that of `http.server`)."""
        refused = self._refused()
        if refused is not None:
            self.close_connection = True  # there may be a body that nobody reads
            self._reply(*refused)
            return
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers.get("Content-Type", JSON)
        try:
            request = request_of(raw, kind, self.headers.get("Content-Encoding", ""))
            problems = self.server.store.take(request)
        except MeterError as error:
            self._reply(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._accept(problems, protobuf=kind.startswith(PROTOBUF))

    def _refused(self) -> tuple[HTTPStatus, str] | None:
        """Why a request is not read."""
        access = self.server.access
        local = str(self.connection.getsockname()[0])
        length = self.headers.get("Content-Length", "")
        if access.token is None:
            if not host_allowed(self.headers.get("Host"), local, access.names):
                return HTTPStatus.FORBIDDEN, "expected a Host of this machine"
        elif not _knows(self.headers.get("Authorization", ""), access.token):
            return HTTPStatus.UNAUTHORIZED, "expected the header Authorization: Bearer TOKEN"
        if self.path.rstrip("/") != PATH:
            return HTTPStatus.NOT_FOUND, f"expected {PATH}; traces and logs are not read"
        if not (length.isascii() and length.isdigit()):
            return HTTPStatus.LENGTH_REQUIRED, "expected Content-Length"
        if len(length) > 12 or int(length) > MAX_BODY_BYTE:
            return (
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"expected at most {MAX_BODY_BYTE:,} byte",
            )
        return None

    def _accept(self, problems: list[str], *, protobuf: bool) -> None:
        """Say that a request was taken, and how many of its points were not."""
        text = " ".join(problems)[:1000]
        if protobuf:
            self._send(HTTPStatus.OK, PROTOBUF, _partial(len(problems), text))
            return
        told = {"partialSuccess": {"rejectedDataPoints": str(len(problems)), "errorMessage": text}}
        self._send(HTTPStatus.OK, JSON, json.dumps(told if problems else {}).encode())

    def _reply(self, status: HTTPStatus, text: str) -> None:
        code = 16 if status == HTTPStatus.UNAUTHORIZED else 3  # of google.rpc.Status
        self._send(status, JSON, json.dumps({"code": code, "message": text}).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's word
        """Say nothing."""


def _partial(rejected: int, text: str) -> bytes:
    """The answer in protobuf; only who has read a request in it has to write one."""
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

    answer = service.ExportMetricsServiceResponse()
    if rejected:
        answer.partial_success.rejected_data_points = rejected
        answer.partial_success.error_message = text
    return answer.SerializeToString()


def _knows(header: str, token: str) -> bool:
    scheme, _, text = header.partition(" ")
    return scheme.lower() == "bearer" and same_text(text.strip(), token)


@contextmanager
def receiving(store: Store, access: Access) -> Iterator[Receiver]:
    """A receiver that answers in a thread of its own until the context ends.

    Raises:
        MeterError: It cannot listen as it is asked to.
    """
    with Receiver(store, access) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
