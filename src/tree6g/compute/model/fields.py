"""Fields of a config, read with their usual names; what is missing or wrong is gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from tree6g.errors import DataError

LARGEST: Final = 1e9  # no width, vocabulary or count of a model comes near
MOST_LAYERS: Final = 2000


def _plain(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class Fields:
    """A config (or a part of one) that remembers what it was asked for and did not have.

    A missing field reads as 1, so that reading goes on and every fault is found; `done` then
    raises for all of them at once.
    """

    def __init__(self, config: Mapping[str, Any], path: str = "") -> None:
        self.config: Final = config
        self.path: Final = path
        self.faults: list[str] = []
        self.remarks: list[str] = []

    def has(self, *names: str) -> bool:
        """Whether any of these is there and not null."""
        return any(self.config.get(name) is not None for name in names)

    def whole(self, *names: str, default: int | None = None) -> int:
        """The first of these that is there, a whole number of at least 0."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                return self._whole(name, value)
        if default is not None:
            return default
        return self._fault(f"{self.path}{' or '.join(names)} is missing")

    def positive(self, *names: str, default: int | None = None) -> int:
        """The first of these that is there, a whole number above 0."""
        value = self.whole(*names, default=default)
        if value == 0:
            return self._fault(f"{self.path}{' or '.join(names)} must be above 0; got 0")
        return value

    def depth(self, *names: str, default: int | None = None) -> int:
        """A number of layers; a slip must not become a loop that never ends."""
        value = self.positive(*names, default=default)
        if value > MOST_LAYERS:
            return self._fault(
                f"{self.path}{names[0]} must be at most {MOST_LAYERS:,} layers; got {value:,}"
            )
        return value

    def number(self, name: str, default: float) -> float:
        """A number above 0, as ratios are."""
        value = self.config.get(name)
        if value is None:
            return default
        if not _plain(value) or not 0.0 < value < LARGEST:
            self._fault(f"{self.path}{name} must be a number above 0; got {value!r}")
            return default
        return float(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value."""
        value = self.config.get(name)
        return default if value is None else bool(value)

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        value = self.config.get(name)
        return default if value is None else str(value)

    def sequence(self, *names: str) -> Sequence[Any]:
        """The first of these that is there and a list, else an empty one."""
        for name in names:
            value = self.config.get(name)
            if isinstance(value, list | tuple):
                return value
        return ()

    def length(self, name: str) -> int:
        """How many entries a list or a mapping has; 0 if it is neither."""
        value = self.config.get(name)
        return len(value) if isinstance(value, list | tuple | Mapping) else 0

    def at(self, layer: int, *names: str, default: int | None = None) -> int:
        """A number that may be given once, or once per layer."""
        listed = self.sequence(*names)
        if not listed:
            return self.whole(*names, default=default)
        if layer >= len(listed):
            return self._fault(f"{self.path}{names[0]} has {len(listed)} values, too few")
        return self._whole(f"{names[0]}[{layer}]", listed[layer])

    def part(self, *names: str) -> Fields:
        """A config inside this one; its faults are told with ours."""
        for name in names:
            value = self.config.get(name)
            if isinstance(value, Mapping):
                inner = Fields(value, f"{self.path}{name}.")
                inner.faults, inner.remarks = self.faults, self.remarks
                return inner
        self._fault(f"{self.path}{' or '.join(names)} is missing")
        inner = Fields({}, f"{self.path}{names[0]}.")
        inner.remarks = self.remarks
        return inner

    def merged(self, more: Mapping[str, Any]) -> Fields:
        """The same with fields in place of what is missing."""
        inner = Fields({**more, **self.config}, self.path)
        inner.faults, inner.remarks = self.faults, self.remarks
        return inner

    def over(self, name: str, outer: Fields) -> Fields:
        """The same with a field of the outer config in place of ours, where it has one."""
        if not outer.has(name):
            return self
        inner = Fields({**self.config, name: outer.config[name]}, self.path)
        inner.faults, inner.remarks = self.faults, self.remarks
        return inner

    def remark(self, text: str) -> None:
        """Say what was assumed, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def done(self, name: str) -> None:
        """Raise for everything that was missing or wrong.

        Raises:
            DataError: There were faults; all of them are named.
        """
        if self.faults:
            listed = "\n- ".join(dict.fromkeys(self.faults))
            raise DataError(
                f"Expected a config that says what model '{name}' is; it does not. Add what is "
                f"missing, under the names of Hugging Face's config.json:\n- {listed}"
            )

    def _whole(self, name: str, value: object) -> int:
        if not _plain(value) or not abs(value) < LARGEST or value != int(value):
            shown = repr(value)
            shown = shown if len(shown) < 80 else f"{shown[:80]}..."
            return self._fault(f"{self.path}{name} must be a whole number; got {shown}")
        if value < 0:
            return self._fault(f"{self.path}{name} must not be negative; got {value!r}")
        return int(value)

    def _fault(self, text: str) -> int:
        self.faults.append(text)
        return 1
