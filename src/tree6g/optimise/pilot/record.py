"""A line per request in a file, and what many of them come to."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tree6g.errors import DataError, MeterError


class Recorder:
    """Writes accounts of requests as JSON, one per line; each is on disk when the line ends."""

    def __init__(self, path: Path) -> None:
        """Append to a file.

        Raises:
            MeterError: It cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise MeterError(f"cannot write {path}: {error.strerror or error}.") from error

    def __call__(self, entry: dict[str, Any]) -> None:
        """Write one."""
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")

    def __enter__(self) -> Self:
        """The recorder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()


@dataclasses.dataclass(slots=True)
class Sums:
    """Worth and joules, and their ratio."""

    utility_beq: float = 0.0
    energy_j: float = 0.0

    def add(self, part: dict[str, Any]) -> None:
        """Add what one request earned and cost."""
        self.utility_beq += float(part["utility_beq"])
        self.energy_j += float(part["energy_j"])

    def to_dict(self) -> dict[str, float | None]:
        """Plain data; the ratio is of energy that requests cause, without idle power."""
        ratio = self.utility_beq / self.energy_j if self.energy_j > 0.0 else None
        return {**dataclasses.asdict(self), "marginal_tree_beq_per_j": ratio}


@dataclasses.dataclass(slots=True)
class _Service:
    requests: int = 0
    known: int = 0
    agreed: int = 0
    earned: Sums = dataclasses.field(default_factory=Sums)
    would: Sums = dataclasses.field(default_factory=Sums)
    sent: Counter[str] = dataclasses.field(default_factory=Counter)
    chosen: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, entry: dict[str, Any]) -> None:
        """Count a request."""
        self.requests += 1
        self.agreed += entry["sent"] == entry["chosen"]
        self.sent[entry["sent"]] += 1
        self.chosen[entry["chosen"]] += 1
        if "earned" in entry:
            self.known += 1
            self.earned.add(entry["earned"])
            self.would.add(entry["would_earn"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "requests": self.requests,
            "requests_with_tokens": self.known,
            "agreed_frac": self.agreed / self.requests if self.requests else None,
            "sent": dict(sorted(self.sent.items())),
            "chosen": dict(sorted(self.chosen.items())),
            "earned": self.earned.to_dict(),
            "would_earn": self.would.to_dict(),
        }


def summary(path: Path) -> dict[str, Any]:
    """What the requests of a record earned, and what they would have where the rule wanted them.

    Raises:
        DataError: It cannot be read, or a line of it is no account of a request.
    """
    whole, services, ended = _Service(), dict[str, _Service](), Counter[str]()
    errors: list[tuple[float, float]] = []
    for entry in _entries(path):
        for part in (whole, services.setdefault(entry["service"], _Service())):
            part.add(entry)
        ended[entry["ended"]] += 1
        offer = entry["offers"].get(entry["sent"])
        if "earned" in entry and offer is not None:
            errors.append((float(offer["e2e_s"]), float(entry["e2e_s"])))
    return {
        "record": str(path),
        **whole.to_dict(),
        "ended": dict(sorted(ended.items())),
        "duration_error_frac": _error_frac(errors),
        "services": {name: part.to_dict() for name, part in sorted(services.items())},
    }


def _error_frac(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Root mean square error of expected durations over the root mean square of the real ones."""
    found = list(pairs)
    real = math.fsum(b * b for _, b in found)
    return math.sqrt(math.fsum((a - b) ** 2 for a, b in found) / real) if real else None


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield _entry(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}.") from error


def _entry(line: str, where: str) -> dict[str, Any]:
    try:
        return _checked(json.loads(line))
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}: expected an account of a request; got {error}.") from error


def _checked(entry: Any) -> dict[str, Any]:
    """The same; raises a TypeError at the first field that is not of the form that sums need."""
    if not isinstance(entry, dict):
        raise TypeError(f"{str(entry)[:80]!r}, which is no object")
    missing = [name for name in _NEEDED if name not in entry]
    if missing:
        raise TypeError(f"one without {missing[0]!r}")
    for name in ("service", "sent", "chosen", "ended"):
        if not isinstance(entry[name], str):
            raise TypeError(f"{name} {entry[name]!r}, which is no text")
    numbers = {"e2e_s": entry["e2e_s"]}
    for name in ("earned", "would_earn") if "earned" in entry else ():
        part = _object(entry, name)
        numbers |= {f"{name}.{field}": part.get(field) for field in _SUMMED}
    offers = _object(entry, "offers")
    if entry["sent"] in offers:
        offer = _object(offers, entry["sent"])
        numbers[f"offers.{entry['sent']}.e2e_s"] = offer.get("e2e_s")
    for name, value in numbers.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"{name} {value!r}, which is no number")
    return entry


def _object(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    if not isinstance(value, dict):
        raise TypeError(f"{name} {value!r}, which is no object")
    return value


_NEEDED = ("service", "sent", "chosen", "ended", "offers", "e2e_s")
_SUMMED = ("utility_beq", "energy_j")
