"""A ledger's metrics as OTLP, sent at a steady pace: `hw.energy`, and `tree.*` with their units.

The JSON form, which every receiver of OTLP/HTTP takes. Counters are cumulative from the ledger's
first row, so a request that is lost loses nothing: the next one holds it. Energy goes out as
`hw.energy` with the component as `hw.type` and a `hw.id` of where it was measured; rows of a ledger
never overlap, so these add up.

Source: OpenTelemetry Protocol Specification (OTLP/HTTP); semantic conventions of hardware.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tree6g.errors import MeterError, Tree6gError
from tree6g.meter.exposition_writer import Family
from tree6g.serve.follow import State
from tree6g.version import __version__

EVERY_S: Final = 60.0
PATIENCE_S: Final = 10.0
_CUMULATIVE: Final = 2
# Name and unit of each metric of the exporter; what is not here has a number in no unit.
NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "tree_energy_joules_total": ("hw.energy", "J"),
    "tree_tokens_total": ("tree.tokens", "{token}"),
    "tree_bits_total": ("tree.bits", "bit"),
    "tree_requests_total": ("tree.requests", "{request}"),
    "tree_utility_bit_equivalents_total": ("tree.utility", "{bit_equivalent}"),
    "tree_attributed_energy_joules_total": ("tree.energy.attributed", "J"),
    "tree_unattributed_energy_joules_total": ("tree.energy.unattributed", "J"),
    "tree_utility_bit_equivalents_per_joule": ("tree.tree", "{bit_equivalent}/J"),
    "tree_ee_bits_per_joule": ("tree.ee", "bit/J"),
    "tree_coverage_ratio": ("tree.coverage", "1"),
    "tree_unattributed_ratio": ("tree.energy.unattributed_share", "1"),
    "tree_window_seconds": ("tree.window", "s"),
    "tree_service_utility_bit_equivalents_per_joule": ("tree.service.tree", "{bit_equivalent}/J"),
    "tree_service_ee_bits_per_joule": ("tree.service.ee", "bit/J"),
    "tree_service_asymmetry_ratio": ("tree.service.asymmetry", "1"),
    "tree_service_floor_bit_equivalents_per_joule": (
        "tree.service.floor",
        "{bit_equivalent}/J",
    ),
    "tree_ledger_info": ("tree.ledger.info", "1"),
    "tree_ledger_end_seconds": ("tree.ledger.end", "s"),
    "tree_ledger_readable": ("tree.ledger.readable", "1"),
}


def request_of(families: Iterable[Family], *, start_s: float, time_s: float) -> dict[str, Any]:
    """An export request.

    Args:
        families: Metrics of the exporter.
        start_s: Since when the counters count, UNIX time.
        time_s: Now, UNIX time.
    """
    metrics = [_metric(f, start_s, time_s) for f in families if f.samples and f.name in NAMES]
    resource = {"service.name": "tree6g", "service.version": __version__}
    scope = {"name": "tree6g", "version": __version__}
    group = {
        "resource": {"attributes": _attributes(resource)},
        "scopeMetrics": [{"scope": scope, "metrics": metrics}],
    }
    return {"resourceMetrics": [group]}


def _metric(family: Family, start_s: float, time_s: float) -> dict[str, Any]:
    name, unit = NAMES[family.name]
    counter = family.kind == "counter"
    points = []
    for labels, value in family.samples:
        own = {f"tree.{k}": v for k, v in labels.items()}
        told = {**_hardware(labels), **own} if name == "hw.energy" else own
        point = {"attributes": _attributes(told), "timeUnixNano": _ns(time_s), "asDouble": value}
        points.append({**point, "startTimeUnixNano": _ns(start_s)} if counter else point)
    body: dict[str, Any] = {"dataPoints": points}
    if counter:
        body |= {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True}
    what = {"name": name, "unit": unit, "description": family.help}
    return {**what, "sum" if counter else "gauge": body}


def _hardware(labels: Mapping[str, str]) -> dict[str, str]:
    """Attributes of the hardware conventions; the id names all that tells rows apart."""
    where = "/".join(
        labels[k] for k in ("tier", "component", "state", "origin", "source") if labels.get(k)
    )
    return {"hw.id": where, "hw.type": labels.get("component", "")}


def _attributes(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": k, "value": {"stringValue": v}} for k, v in texts.items()]


def _ns(time_s: float) -> str:
    return str(int(time_s * 1e9))


def start_of(state: State, otherwise_s: float) -> float:
    """UNIX time of a ledger's first row; `otherwise_s` where it has no calendar or is empty."""
    zero = state.ledger.meta.t_zero
    if zero is None or state.extent is None:
        return otherwise_s
    return datetime.fromisoformat(zero).timestamp() + state.extent[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Where metrics go.

    Attributes:
        url: Address of the receiver's path for metrics.
    """

    url: str

    def send(self, request: Mapping[str, Any]) -> None:
        """Send a request.

        Raises:
            MeterError: It was not taken.
        """
        body = json.dumps(request, allow_nan=False).encode()
        kinds = {"Content-Type": "application/json", "User-Agent": f"tree6g/{__version__}"}
        post = urllib.request.Request(self.url, body, kinds)  # noqa: S310  # checked by target_of
        try:
            with urllib.request.urlopen(post, timeout=PATIENCE_S) as answer:  # noqa: S310
                said = answer.read(65_536)
        except urllib.error.HTTPError as error:
            error.close()
            raise MeterError(f"{self.url} answers {error.code} {error.reason}.") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise MeterError(f"cannot send to {self.url}: {reason}.") from error
        if refused := _rejected(said):
            raise MeterError(f"{self.url} left {refused[0]} points out: {refused[1]}")


def _rejected(said: bytes) -> tuple[int, str] | None:
    try:
        partial = json.loads(said or b"{}").get("partialSuccess") or {}
        count = int(partial.get("rejectedDataPoints") or 0)
        return (count, str(partial.get("errorMessage", ""))[:500]) if count else None
    except (ValueError, AttributeError, TypeError):
        return None


def target_of(text: str) -> Target:
    """The receiver that a user names; `/v1/metrics` is added to an address without a path.

    Raises:
        MeterError: It is no address of http or https.
    """
    try:
        parts = urlsplit(text)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise MeterError(
            f"expected --otlp http://HOST:4318 of a collector; got {text[:200]!r}. The port for "
            "gRPC, 4317, is another protocol."
        )
    return Target(text.rstrip("/") + "/v1/metrics" if parts.path in {"", "/"} else text)


@contextmanager
def sending(
    target: Target,
    make: Callable[[], dict[str, Any]],
    say: Callable[[str], None],
    *,
    every_s: float = EVERY_S,
) -> Iterator[None]:
    """Send what `make` gives every so often in a thread, once more at the end of the context.

    What goes wrong is said once, and again when it has changed; the next request holds it all.
    """
    ended = threading.Event()

    def loop() -> None:
        """Send until the context ends."""
        problem, last = "", False
        while not last:
            last = ended.wait(every_s)
            now = ""
            try:
                target.send(make())
            except Tree6gError as error:
                now = str(error)
            if now != problem:
                say(now or f"sending to {target.url} goes well again")
            problem = now

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE_S)
