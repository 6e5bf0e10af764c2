"""Which server takes a request."""

from __future__ import annotations

import dataclasses
from typing import Protocol
from urllib.parse import urlsplit

from tree6g.errors import MeterError
from tree6g.meter.proxy.ask import Call


class Chooser(Protocol):
    """Chooses a server; called once per request, before its first byte goes out."""

    def choose(self, call: Call | None, tenant: str) -> str:
        """Base address of the server, without a slash at its end; `call` is None if not counted."""


@dataclasses.dataclass(frozen=True, slots=True)
class OneServer:
    """Always the same server.

    Attributes:
        url: Its base address, without a slash at its end.
    """

    url: str

    def choose(self, call: Call | None, tenant: str) -> str:
        """The server."""
        del call, tenant
        return self.url


def base_url(text: str) -> str:
    """The base address of a server that a user wrote; `/v1` at its end is the clients' to say.

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
            f"expected --to http://HOST:PORT of the server; got {text[:200]!r}. vLLM listens on "
            "http://127.0.0.1:8000, llama.cpp on 8080, Ollama on 11434."
        )
    return text.rstrip("/").removesuffix("/v1")
