"""What our servers of the standard library share: where they listen, TLS, bounded connections."""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from tree6g.errors import MeterError
from tree6g.meter.access import Access, tls_context

PATIENCE_S: Final = 15.0  # for a connection that says nothing
MOST_CONNECTIONS: Final = 64


class Listener(ThreadingHTTPServer):
    """A server with a thread per connection, `MOST_CONNECTIONS` at most; `url` says where."""

    daemon_threads = True
    request_queue_size = 128
    path: ClassVar[str] = "/"

    def __init__(self, access: Access, handler: type[BaseHTTPRequestHandler]) -> None:
        """Listen.

        Raises:
            MeterError: The address is taken or not ours, or the certificate cannot be used.
        """
        self.access = access
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        context = tls_context(access)
        self.address_family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        try:
            super().__init__((access.host, access.port), handler)
        except OSError as error:
            raise MeterError(
                f"cannot listen on {access.host} port {access.port}: {error.strerror or error}. "
                "Choose another port (--port; 0 takes a free one) or host (--host)."
            ) from error
        if context is not None:
            # The handshake happens in the connection's own thread: a slow client stops nobody.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def url(self) -> str:
        """Where clients go."""
        host, port = str(self.server_address[0]), self.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.access.certificate else 'http'}://{shown}:{port}{self.path}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread of its own, `MOST_CONNECTIONS` at most."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is the client's matter; anything else is a bug and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
