"""Ways to spoil a text that some parser would accept."""

from __future__ import annotations

import string
from random import Random

NASTY = (
    "", " ", "\t", "\n", "\r", "\x00", "\ufeff", "\u00b5", "\u2028", "null", "~", "true", "no",
    "nan", "NaN", ".nan", "inf", "-inf", ".inf", "Infinity", "1e999", "-1", "0", "-0.0", "1e-400",
    "9" * 30, "9" * 400, "9" * 5000, "0x10", "1_000", "1,5", "5 %", "-5 %", "3.5 GHz", "5 W",
    "1e308 PW", "[", "]", "{", "}", "[]", "{}", "[[[[", "{a: {b: [", "- ", "? ", ": ",
    "a: b: c", "&a", "*a",
    "&a [*a]", "<<: *a", "!!python/object:os.system", "!!binary x", "!x y", "%YAML 1.1", "---",
    "...", "|", ">", "'", '"', '"""', "'''", "\\", "\\u0000", '"\\ud800"', "#", "=", "[[", "]]",
    "[[sites]]", "2023-11-16 18:15:46.6805900", "0001-01-01", "9999-12-31T23:59:59+14:00",
    "2024-02-30", "24:00", "name", "kind", "sites.0", "../../etc/passwd", "street-corner",
    "assistant", ",",
    ",,", ";", '","',
)  # fmt: skip


def spoil(raw: bytes, random: Random, other: bytes = b"") -> bytes:
    """A text with one to four things wrong with it."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        raw = random.choice(_WAYS)(raw, random, other)
    return raw[:200_000]


def noise(random: Random, alphabet: str) -> bytes:
    """Random characters of an alphabet that a parser knows, or random bytes."""
    size = random.randrange(1, 120)
    if random.random() < 0.2:
        return random.randbytes(size)
    pieces = [
        random.choice((random.choice(NASTY)[:40], random.choice(alphabet))) for _ in range(size)
    ]
    return "".join(pieces).encode("utf-8", "surrogatepass")


def _byte(raw, random, _):
    at = random.randrange(len(raw) + 1)
    new = random.choice((random.randbytes(1), random.choice(string.printable).encode()))
    return raw[:at] + new + raw[at + random.randrange(2) :]


def _cut(raw, random, _):
    at = random.randrange(len(raw) + 1)
    return raw[:at] + raw[at + random.randrange(1, 60) :]


def _truncate(raw, random, _):
    return raw[: random.randrange(len(raw) + 1)]


def _repeat(raw, random, _):
    at = random.randrange(len(raw) + 1)
    piece = raw[at : at + random.randrange(1, 80)]
    return raw[:at] + piece * random.choice((2, 3, 50)) + raw[at:]


def _splice(raw, random, other):
    a, b = random.randrange(len(raw) + 1), random.randrange(len(other) + 1)
    return raw[:a] + other[b : b + random.randrange(400)] + raw[a:]


def _insert(raw, random, _):
    at = random.randrange(len(raw) + 1)
    return raw[:at] + random.choice(NASTY).encode() + raw[at:]


def _line(raw, random, _):
    lines = raw.splitlines(keepends=True)
    if not lines:
        return raw
    at = random.randrange(len(lines))
    line = lines.pop(at)
    changed = (
        b"",
        line + line,
        b"  " + line,
        line.lstrip(),
        b"\t" + line,
        line.replace(b":", b"="),
    )
    lines.insert(random.randrange(len(lines) + 1), random.choice(changed))
    return b"".join(lines)


def _cell(raw, random, _):
    """Another value for one cell of a row or one key's value."""
    lines = raw.split(b"\n")
    at = random.randrange(len(lines))
    for mark in (b": ", b" = ", b","):
        if mark in lines[at]:
            cells = lines[at].split(mark)
            cells[random.randrange(len(cells))] = random.choice(NASTY).encode()
            lines[at] = mark.join(cells)
            break
    return b"\n".join(lines)


_WAYS = (
    _byte,
    _byte,
    _cut,
    _truncate,
    _repeat,
    _splice,
    _insert,
    _line,
    _line,
    _cell,
    _cell,
    _cell,
)
