"""Text that Prometheus reads: format 0.0.4 and OpenMetrics 1.0."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its samples.

    Attributes:
        name: Name with its unit; of a counter with `_total` at its end.
        kind: `counter` or `gauge`.
        help: What it is, one line.
        samples: Labels and value of each; what is unknown has no sample.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


def wants_openmetrics(accept: str) -> bool:
    """Whether a scraper's `Accept` header asks for OpenMetrics."""
    return "application/openmetrics-text" in accept


def render(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """Families as text; those without samples are left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        name = family.name.removesuffix("_total") if openmetrics else family.name
        lines.append(f"# HELP {name} {_help(family.help, openmetrics=openmetrics)}")
        lines.append(f"# TYPE {name} {family.kind}")
        lines += [f"{family.name}{_labels(lb)} {_number(v)}" for lb, v in family.samples]
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _help(text: str, *, openmetrics: bool) -> str:
    plain = text.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace('"', '\\"') if openmetrics else plain


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_value(text)}"' for name, text in labels.items()) + "}"


def _value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    # A lone surrogate or a control character would end the whole scrape.
    return "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" else "\ufffd" for c in escaped)


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
