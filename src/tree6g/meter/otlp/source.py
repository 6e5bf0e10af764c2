"""OTLP as a target of the agent: listens, and says at each look what has come so far."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tree6g.errors import MeterError, ScenarioError
from tree6g.meter.access import Access
from tree6g.meter.otlp.receiver import PORT, receiving
from tree6g.meter.otlp.store import TENANT, Store
from tree6g.meter.reading import Found


class Otlp:
    """Programs send to it, and the agent looks at it.

    Attributes:
        url: Where programs send.
    """

    def __init__(self, where: str, token: str | None) -> None:
        """Listen.

        Args:
            where: `HOST:PORT`, and with `?tenant=ATTRIBUTE` what names the tenant.
            token: What senders must know; needed beyond this machine, where a reverse proxy in
                front is to encrypt.

        Raises:
            ScenarioError: `where` is something else.
            MeterError: It cannot listen there.
        """
        host, port, attribute = _place(where)
        self._store = Store(tenant=attribute)
        access = Access(host=host, port=port, token=token or None, plain_http=bool(token))
        self._open = receiving(self._store, access)
        self.url = self._open.__enter__().url

    def look(self) -> Found:
        """What has come so far.

        Raises:
            MeterError: Nothing has.
        """
        found = self._store.found()
        if not found.readings:
            told = " ".join(found.problems[:3])
            raise MeterError(f"no program has sent a metric that is known here yet. {told}".strip())
        return found

    def close(self) -> None:
        """Listen no more."""
        self._open.__exit__(None, None, None)


def _place(where: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(f"//{where}")
        port = PORT if parts.port is None else parts.port
        asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
        good = bool(parts.hostname) and not parts.path and set(asked) <= {"tenant"}
    except ValueError:
        good = False
    if not good:
        raise ScenarioError(
            f"expected otlp: HOST:PORT, with ?tenant=ATTRIBUTE if wanted; got {where[:100]!r}. "
            "On this machine: 127.0.0.1:4318"
        )
    return str(parts.hostname), port, asked.get("tenant", [TENANT])[0]
