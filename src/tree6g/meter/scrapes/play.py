"""A small server that answers as recorded targets did, at any pace.

Each target is at `/NAME`, and at the path that it had if no other had the same. The answer is the
last look at or before the moment that is played; where that look failed it is status 503 with the
reason, as before the first look and after the end. Times inside of the answers, such as the start
of a process, stay those of the record. The server listens on loopback alone and only reads.
"""

from __future__ import annotations

import bisect
import http.server
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Self

from tree6g.errors import MeterError
from tree6g.meter.scrapes.log import Entry, Log, Place

HOST: Final = "127.0.0.1"
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Player:
    """What each target says at a moment of the record.

    Attributes:
        span_s: Time of the first and of the last look.
    """

    def __init__(
        self, log: Log, *, speed: float = 1.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Start at the first look.

        Raises:
            MeterError: The log is empty, or the speed is not above 0.
        """
        if not 0.0 < speed <= 1e6:
            raise MeterError(f"expected a speed above 0, up to 1,000,000; got {speed:g}.")
        self.span_s = log.span_s()
        self._log, self._speed, self._now_s = log, speed, now_s
        self._places = {
            name: sorted(log.places(name), key=lambda place: place.time_s) for name in log.targets
        }
        self._begun_s = now_s()

    @property
    def time_s(self) -> float:
        """The moment of the record that is played now."""
        return self.span_s[0] + (self._now_s() - self._begun_s) * self._speed

    @property
    def is_over(self) -> bool:
        """Whether the record is at its end, one interval after its last look."""
        return self.time_s > self.span_s[1] + self._log.interval_s

    def wait(self, longest_s: float) -> None:
        """Until the record is at its end, but no longer than this."""
        until_s = self._now_s() + longest_s
        while not self.is_over and self._now_s() < until_s:
            time.sleep(0.05)

    def look(self, name: str) -> Entry:
        """What a target says now."""
        now_s = self.time_s
        place = last_at(self._places[name], now_s)
        if place is None:
            return Entry(time_s=now_s, why="the record has not looked at it yet")
        if self.is_over:
            return Entry(time_s=now_s, why="the record is at its end")
        return self._log.entry(name, place)

    def paths(self) -> dict[str, str]:
        """Names of targets by the paths that they are at."""
        own = {f"/{name}": name for name in self._places}
        recorded: dict[str, list[str]] = {}
        for name, told in self._log.targets.items():
            path = urllib.parse.urlsplit(str(told.get("where", ""))).path
            recorded.setdefault(path, []).append(name)
        alone = {path: names[0] for path, names in recorded.items() if len(names) == 1 and path}
        return {**alone, **own}


def last_at(places: list[Place], time_s: float) -> Place | None:
    """The last place at or before a time."""
    at = bisect.bisect_right(places, time_s, key=lambda place: place.time_s)
    return places[at - 1] if at else None


class PlayerServer:
    """The player behind a port; a context manager that serves in a thread of its own."""

    def __init__(self, player: Player, *, port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            MeterError: The port is taken.
        """
        try:
            self._server = http.server.ThreadingHTTPServer((HOST, port), _handler(player))
        except (OSError, OverflowError) as error:
            raise MeterError(f"cannot listen on {HOST}:{port}: {error}.") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(player: Player) -> type[http.server.BaseHTTPRequestHandler]:
    paths: Mapping[str, str] = player.paths()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers GET."""

        protocol_version = "HTTP/1.1"
        timeout = 30.0

        def do_GET(self) -> None:
            """What the target of this path said then."""
            name = paths.get(urllib.parse.urlsplit(self.path).path)
            if name is None:
                self._answer(HTTPStatus.NOT_FOUND, f"targets: {' '.join(sorted(paths))}\n".encode())
                return
            entry = player.look(name)
            if entry.why:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, entry.why.encode())
            else:
                self._answer(HTTPStatus.OK, entry.raw)

        def _answer(self, status: HTTPStatus, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", _TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    return Handler
