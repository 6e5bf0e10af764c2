"""Which server takes a request, and which takes it if that one cannot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from tree6g.errors import MeterError
from tree6g.meter.proxy.ask import Call
from tree6g.meter.proxy.counts import Outcome

_NOTHING: Final[Mapping[str, str]] = {}


class Course:
    """The way of one request: servers in the order in which they are tried, and what is told of it.

    The next server is tried only if the one before cannot have made a token: it was not reached, or
    it answered that it is full (429, 503).

    Attributes:
        servers: Base addresses, without a slash at their end; at least one.
    """

    __slots__ = ("servers",)

    def __init__(self, *servers: str) -> None:
        self.servers = servers

    def model(self, server: str) -> str:
        """Model to ask this server for; empty: the one that the client names."""
        del server
        return ""

    def told(self, server: str) -> Mapping[str, str]:
        """Headers that tell the client of the server whose answer it gets."""
        del server
        return _NOTHING

    def sent(self, server: str) -> None:
        """The request goes to this server."""

    def passed(self, server: str, why: str) -> None:
        """This server could not take it; the next one is tried."""

    def ended(self, server: str, outcome: Outcome) -> None:
        """What became of a counted request, by the server that had it last."""


class Chooser(Protocol):
    """Chooses servers; called once per request, before its first byte goes out."""

    def choose(self, call: Call | None, tenant: str) -> Course:
        """The way of a request; `call` is None if it is not counted."""


@dataclasses.dataclass(frozen=True, slots=True)
class OneServer:
    """Always the same server.

    Attributes:
        url: Its base address, without a slash at its end.
    """

    url: str

    def choose(self, call: Call | None, tenant: str) -> Course:
        """The server."""
        del call, tenant
        return Course(self.url)


def base_url(text: str, field: str = "--to") -> str:
    """The base address of a server that a user wrote; `/v1` at its end is the clients' to say.

    Args:
        text: What was written.
        field: Where it was written, for the message.

    Raises:
        MeterError: It is no address of http or https.
    """
    try:
        parts = urlsplit(text)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
        fine = fine and not parts.query and not parts.fragment and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise MeterError(
            f"expected {field} http://HOST:PORT of the server; got {text[:200]!r}. vLLM listens on "
            "http://127.0.0.1:8000, llama.cpp on 8080, Ollama on 11434."
        )
    return text.rstrip("/").removesuffix("/v1")
