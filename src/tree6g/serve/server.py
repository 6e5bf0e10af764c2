"""The HTTP server: GET and HEAD, a fixed set of paths, nothing that writes."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from tree6g.errors import LedgerError, nearest
from tree6g.meter import exposition_writer as exposition
from tree6g.meter.access import Access, host_allowed, is_loopback
from tree6g.meter.listening import PATIENCE_S, Listener
from tree6g.metric.profile import from_meta
from tree6g.serve import answers, exporter
from tree6g.serve.ask import ask_of
from tree6g.serve.follow import Follower
from tree6g.serve.guard import HEADERS, Keeper
from tree6g.serve.totals import Totals
from tree6g.serve.view import View
from tree6g.version import __version__

LONGEST_PATH: Final = 8192
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_JSON: Final = "application/json; charset=utf-8"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: a status, a body, further headers."""

    status: HTTPStatus
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Application:
    """What is served: a ledger, how its figures are taken, floors of TREE.

    Attributes:
        follower: The ledger.
        live: View of the exporter's gauges.
        floors: TREE by service below which an alert is wanted.
    """

    def __init__(self, follower: Follower, live: View, floors: Mapping[str, float]) -> None:
        """Serve a ledger."""
        self.follower, self.live, self.floors = follower, live, floors
        self._totals = Totals(live)
        self._lock = threading.Lock()
        self._files = {path: packaged(name) for path, (name, _) in _FILES.items()}

    def answer(self, path: str, query: str, accept: str) -> Answer:
        """The answer to a path and query that may be asked."""
        if path in _FILES:
            return Answer(status=HTTPStatus.OK, kind=_FILES[path][1], body=self._files[path])
        ask: Callable[[str, str], Answer] | None = {
            "/api/windows": self._windows,
            "/api/totals": self._totals_of,
            "/api/ledger": self._ledger,
            "/metrics": self._metrics,
        }.get(path)
        if ask is None:
            return problem(HTTPStatus.NOT_FOUND, f"nothing is served at {path[:80]!r}")
        try:
            return ask(query, accept)
        except LedgerError as error:
            # What was asked is wrong, or the ledger cannot be read; the text says which.
            return problem(HTTPStatus.BAD_REQUEST, str(error))

    def families(self) -> list[exposition.Family]:
        """What is exported now.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        with self._lock:
            return exporter.families(self.follower, self._totals, self.live, self.floors)

    def _windows(self, query: str, _: str) -> Answer:
        return as_json(answers.windows(self.follower, ask_of(_fields(query)), self.floors))

    def _totals_of(self, query: str, _: str) -> Answer:
        return as_json(answers.totals(self.follower, ask_of(_fields(query))))

    def _ledger(self, _query: str, _: str) -> Answer:
        return as_json({"ledger": answers.about(self.follower.state())})

    def _metrics(self, _query: str, accept: str) -> Answer:
        found = self.families()
        openmetrics = exposition.wants_openmetrics(accept)
        text = exposition.render(found, openmetrics=openmetrics)
        kind = exposition.OPENMETRICS if openmetrics else exposition.TEXT
        return Answer(status=HTTPStatus.OK, kind=kind, body=text.encode())


def as_json(data: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer of plain data."""
    body = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Answer(status=status, kind=_JSON, body=body.encode())


def problem(status: HTTPStatus, text: str) -> Answer:
    """An answer that says why there is none."""
    return as_json({"error": {"status": int(status), "problem": text}}, status)


class Server(Listener):
    """Serves an application to those who may ask; `url` is the address of the page."""

    def __init__(self, application: Application, access: Access) -> None:
        """Listen.

        Raises:
            MeterError: The address is taken or not ours, or the certificate cannot be used.
        """
        self.application = application
        self.keeper = Keeper(access.token)
        super().__init__(access, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = f"tree6g/{__version__}"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"
    timeout = PATIENCE_S
    disable_nagle_algorithm = True  # else a body waits 40 ms for the receipt of its headers

    def do_GET(self) -> None:
        """Answer with a body (the name is that of `http.server`)."""
        self._reply(self._answer(), body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._reply(self._answer(), body=False)

    def _refuse_method(self) -> None:
        self.close_connection = True  # there may be a body that nobody reads
        text = "this server is read-only: GET and HEAD"
        answer = problem(HTTPStatus.METHOD_NOT_ALLOWED, text)
        self._reply(dataclasses.replace(answer, headers=(("Allow", "GET, HEAD"),)), body=True)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = _refuse_method  # noqa: N815

    def _answer(self) -> Answer:
        if len(self.path) > LONGEST_PATH:
            return problem(HTTPStatus.REQUEST_URI_TOO_LONG, "the address is too long")
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return problem(HTTPStatus.BAD_REQUEST, "expected a request without a body")
        local = str(self.connection.getsockname()[0])
        names = (*self.server.access.names, self.server.access.host)
        if not host_allowed(self.headers.get("Host"), local, names):
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this server does not answer under that host name; --allow-host NAME lets it",
            )
        try:
            parts = urlsplit(self.path)
        except ValueError:
            return problem(HTTPStatus.BAD_REQUEST, "expected a path")
        return self._admitted(parts.path, parts.query)

    def _admitted(self, path: str, query: str) -> Answer:
        keeper = self.server.keeper
        # A server without a token listens on a loopback address; nobody else can be here.
        inside = self.server.access.token is not None or is_loopback(self.client_address[0])
        brought = self.headers.get("Authorization"), self.headers.get("Cookie")
        if inside and keeper.lets_in(*brought):
            return self.server.application.answer(path, query, self.headers.get("Accept", ""))
        fields = _fields(query, strict=False)
        if inside and path == "/" and any(keeper.knows(t) for t in fields.pop("token", [])):
            secure = self.server.access.certificate is not None
            back = "/?" + urlencode(fields, doseq=True) if fields else "/"
            headers = (("Location", back), ("Set-Cookie", keeper.cookie(secure=secure)))
            return Answer(status=HTTPStatus.SEE_OTHER, kind=_JSON, body=b"", headers=headers)
        answer = problem(
            HTTPStatus.UNAUTHORIZED,
            "expected the token: open /?token=TOKEN once in a browser, or send the header "
            "'Authorization: Bearer TOKEN'",
        )
        return dataclasses.replace(answer, headers=(("WWW-Authenticate", "Bearer"),))

    def _reply(self, answer: Answer, *, body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(answer.body)

    def end_headers(self) -> None:
        """End the headers of any answer, the base's own refusals included, with those of safety."""
        for name, value in HEADERS:
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's word
        """Say nothing: addresses may hold a token."""


@contextmanager
def server_of(
    folder: Path, access: Access, view: View, floors: Mapping[str, float]
) -> Iterator[Server]:
    """A server of a ledger that listens; `serve_forever` answers.

    Raises:
        LedgerError: No ledger there, or a floor of a service that it does not have.
        MeterError: The server cannot listen as it is asked to.
    """
    follower = Follower(folder)
    services = from_meta(follower.state().ledger.meta)
    for name in floors:
        if name not in services:
            raise LedgerError(f"--floor of service {name!r}. {nearest(name, services)}")
    with Server(Application(follower, view, floors), access) as server:
        yield server


def _fields(query: str, *, strict: bool = True) -> dict[str, list[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, strict_parsing=strict and bool(query),
                        max_num_fields=200)  # fmt: skip
    except ValueError as error:
        if not strict:
            return {}
        raise LedgerError(f"expected NAME=VALUE parameters after '?'; got: {error}.") from error


def packaged(name: str) -> bytes:
    """Content of a packaged file: of the page, `grafana.json`, `alerts.yml`."""
    return resources.files("tree6g.serve").joinpath("files", name).read_bytes()
