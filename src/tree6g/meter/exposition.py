"""Prometheus text, read fast: what stayed as it was since the last scrape is not read again.

Text format 0.0.4 and OpenMetrics 1.0. A target sends the same series in the same order at every
scrape; only numbers differ. So an `ExpositionReader` keeps the lines of its last scrape and knows
which of them have ever moved: it converts the numbers of those, and compares all others as a whole.
Where anything else changed, all lines are read anew, each series by its text in a table of those
seen before. `exposition_line` is the plain statement of what one line means, and the oracle of this
in the tests.

Forgiving where the meaning is clear, and every departure is told in `problems`; lines that cannot
be read are left out, never guessed.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from itertools import compress
from typing import Any, Final

from tree6g.meter.exposition_line import Series, metadata, sample

MAX_BYTE: Final = 64_000_000  # of one scrape
MAX_LINE_BYTE: Final = 65_536  # longer ones are not series
MAX_PROBLEMS: Final = 50  # told of one scrape; the rest is counted
SEEN_BYTE: Final = 20_000  # from which a text is told
_EOF: Final = b"# EOF"
_META: Final = (b"# HELP", b"# TYPE", b"# UNIT")
_NONE: Final = b"\n"  # head of a line that is not in the plain form: no line starts with it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """What stays the same between scrapes of one target: the same object, as long as it does.

    Attributes:
        series: Series in the order of the text.
        types: Type of each family that says one: counter, gauge, histogram, summary, untyped, ...
        problems: Lines that could not be read and departures from the format.
        complete: False if the text says that it is OpenMetrics and does not end in `# EOF`.
    """

    series: tuple[Series, ...]
    types: Mapping[str, str]
    problems: tuple[str, ...]
    complete: bool

    @cached_property
    def places(self) -> Mapping[str, tuple[int, ...]]:
        """Positions of the series of each name."""
        found: dict[str, list[int]] = {}
        for at, series in enumerate(self.series):
            found.setdefault(series.name, []).append(at)
        return {name: tuple(places) for name, places in found.items()}

    @cached_property
    def memo(self) -> dict[Hashable, Any]:
        """What readers have found out about these series, for the scrapes to come."""
        return {}

    def has(self, marks: tuple[str, ...]) -> bool:
        """Whether a name starts with one of these."""
        if marks not in self.memo:
            self.memo[marks] = any(name.startswith(marks) for name in self.places)
        return bool(self.memo[marks])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One look at a target.

    Attributes:
        layout: Its series.
        values: Their values; NaN and infinity as they came, which readers take as unknown.
        times_s: Time stamps that samples carry, UNIX time, by position; most carry none.
    """

    layout: Layout
    values: list[float]
    times_s: Mapping[int, float]

    def named(self, name: str) -> list[tuple[Series, float]]:
        """Series and values of a name."""
        return [(self.layout.series[i], self.values[i]) for i in self.layout.places.get(name, ())]


class ExpositionReader:
    """Reads the scrapes of one target, one after the other; memory is about four of its texts."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._known: dict[bytes, Series] = {}
        self._form: _Form | None = None

    def read(self, raw: bytes) -> Scrape:
        """The scrape that a text holds; bad lines are told in its layout, nothing is raised."""
        if len(raw) > MAX_BYTE:
            return _refused(f"expected at most {MAX_BYTE:,} byte in one scrape; got {len(raw):,}.")
        lines = raw.split(b"\n")
        if b"\r" in raw:
            lines = [line.removesuffix(b"\r") for line in lines]
        scrape = self._again(lines) or self._anew(lines)
        self._lines = lines
        return scrape

    def _again(self, lines: list[bytes]) -> Scrape | None:
        """The scrape, if only numbers differ from the last one."""
        form = self._form
        if form is None or len(lines) != len(self._lines):
            return None
        still = form.still(lines)
        if still == form.still_lines:
            form.still_lines = still  # the same text, so that the older one can go
        else:
            form = form.with_moving(lines, self._lines)
            if form is None:
                return None
            self._form = form
        return form.scrape(lines)

    def _anew(self, lines: list[bytes]) -> Scrape:
        text = _Text(lines, self._known)
        scrape = text.scrape()
        self._known = text.known
        self._form = _Form(scrape, text.places, text.heads, lines, frozenset())
        return scrape


class _Form:
    """How to read a text of which the lines in `moving` may have other numbers, and none else."""

    def __init__(
        self,
        base: Scrape,
        places: list[int],
        heads: list[bytes],
        lines: list[bytes],
        moving: frozenset[int],
    ) -> None:
        self._base, self._places, self._heads, self._moving = base, places, heads, moving
        still = [i for i in range(len(lines)) if i not in moving]
        self.still = _getter(still)
        self.still_lines = self.still(lines)
        ordered = sorted(moving)
        self._moves = _getter(ordered)
        self._moving_heads = [heads[i] for i in ordered]
        self._heads_byte = sum(map(len, self._moving_heads))
        # Numbers are put together as those that move and then all of `base`; the first take over.
        source = list(range(len(ordered), len(ordered) + len(base.values)))
        for at, line in enumerate(ordered):
            source[places[line]] = at
        self._order = _getter(source)

    def with_moving(self, lines: list[bytes], before: list[bytes]) -> _Form | None:
        """The same with the lines that differ now; None if one is no series with a number."""
        differs = map(operator.ne, lines, before)
        new = set(compress(range(len(lines)), differs)) - self._moving
        if any(self._heads[i] is _NONE for i in new):
            return None
        moving = self._moving | new
        return _Form(self._base, self._places, self._heads, lines, moving)

    def scrape(self, lines: list[bytes]) -> Scrape | None:
        """The scrape; None if a line does not start as before, or does not end in a number."""
        new = self._moves(lines)
        numbers = list(map(bytes.removeprefix, new, self._moving_heads))
        kept = b"".join(numbers)
        if len(kept) != len(b"".join(new)) - self._heads_byte or b"_" in kept:
            return None
        try:
            found = list(map(float, numbers))
        except ValueError:
            return None
        values = list(self._order([*found, *self._base.values]))
        return Scrape(layout=self._base.layout, values=values, times_s=self._base.times_s)


def _getter(places: list[int]) -> Callable[[list[Any]], Sequence[Any]]:
    """What picks these places out of a list, as a tuple."""
    if len(places) > 1:
        return operator.itemgetter(*places)
    return lambda rows: tuple(rows[i] for i in places)


class _Text:
    """All lines of a scrape, read one by one."""

    def __init__(self, lines: list[bytes], known: Mapping[bytes, Series]) -> None:
        self._old = known
        self.known: dict[bytes, Series] = {}
        self.places: list[int] = []
        self.heads: list[bytes] = []
        self._series: dict[Series, int] = {}
        self._values: list[float] = []
        self._times: dict[int, float] = {}
        self._types: dict[str, str] = {}
        self._problems: list[str] = []
        self._untold = 0
        self._ended = False
        self._open = False
        for number, line in enumerate(lines, 1):
            self.places.append(-1)
            self.heads.append(_NONE)
            if not self._plain(line):
                self._line(number, line)

    def scrape(self) -> Scrape:
        """What the lines so far say; a text that was cut off is told."""
        if self._open and not self._ended:
            self._tell("the text is OpenMetrics and ends without '# EOF': cut off on the way.")
        if self._untold:
            self._problems.append(f"and {self._untold} more.")
        layout = Layout(
            series=tuple(self._series),
            types=self._types,
            problems=tuple(self._problems),
            complete=self._ended or not self._open,
        )
        unit_s = 1.0 if self._open else 1e-3  # OpenMetrics counts seconds, the older format ms
        times_s = {place: time * unit_s for place, time in self._times.items()}
        return Scrape(layout=layout, values=self._values, times_s=times_s)

    def _plain(self, line: bytes) -> bool:
        """Whether the line is a series seen before and a number."""
        at = line.rfind(b" ") + 1
        head, number = line[:at], line[at:]
        series = self._old.get(head)
        if series is None or series in self._series or self._ended or b"_" in number:
            return False
        try:
            value = float(number)
        except ValueError:
            return False
        self._keep(head, series, value)
        return True

    def _keep(self, head: bytes, series: Series, value: float) -> None:
        self.known[head] = series
        self.heads[-1] = head
        self.places[-1] = self._series[series] = len(self._values)
        self._values.append(value)

    def _line(self, number: int, line: bytes) -> None:
        if len(line) > MAX_LINE_BYTE:
            self._tell(f"line {number}: {len(line):,} byte, expected at most {MAX_LINE_BYTE:,}.")
            return
        if self._ended and line.strip():
            self._tell(f"line {number}: stands after '# EOF' and is not read.")
        elif line.rstrip() == _EOF:
            self._ended = self._open = True
        elif line.lstrip()[:1] == b"#":
            self._metadata(number, line)
        elif line.strip():
            self._sample(number, line)

    def _metadata(self, number: int, line: bytes) -> None:
        try:
            found = metadata(line)
        except ValueError as error:
            self._tell(f"line {number}: {error}")
            return
        if found is None:
            return
        word, family, rest = found
        self._open |= word == "UNIT"
        if word == "TYPE" and self._types.setdefault(family, rest) != rest:
            self._tell(f"line {number}: {family} is {self._types[family]} and {rest}.")

    def _sample(self, number: int, line: bytes) -> None:
        try:
            found = sample(line)
        except ValueError as error:
            self._tell(f"line {number}: {error}")
            return
        if found.series in self._series:
            self._tell(f"line {number}: {found.series.text} a second time; the first one counts.")
            return
        if found.head is not None:
            self._keep(found.head, found.series, found.value)
            return
        place = self._series[found.series] = len(self._values)
        self._values.append(found.value)
        if found.time is not None:
            self._times[place] = found.time

    def _tell(self, problem: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)
        else:
            self._untold += 1


def read(raw: bytes) -> Scrape:
    """One text on its own."""
    return ExpositionReader().read(raw)


def is_exposition(raw: bytes) -> bool:
    """Whether a text looks like it: more than half of its first lines are metadata or samples."""
    lines = [line.strip() for line in raw[:SEEN_BYTE].split(b"\n")[:60]]
    if len(raw) > SEEN_BYTE and len(lines) > 1:
        lines = lines[:-1]
    telling = [line for line in lines if line[:1] != b"#" or line[:6] in _META or line == _EOF]
    telling = [line for line in telling if line]
    return 2 * sum(map(_reads, telling)) > len(telling)


def _reads(line: bytes) -> bool:
    try:
        return line[:1] == b"#" or bool(sample(line))
    except ValueError:
        return False


def _refused(problem: str) -> Scrape:
    layout = Layout(series=(), types={}, problems=(problem,), complete=False)
    return Scrape(layout=layout, values=[], times_s={})
