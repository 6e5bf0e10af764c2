"""Text that Prometheus reads: format 0.0.4 and OpenMetrics 1.0."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

CREATED: Final = "_created"
Sample = tuple[Mapping[str, str], float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its samples.

    Attributes:
        name: Name with its unit; of a counter with `_total` at its end.
        kind: `counter` or `gauge`.
        help: What it is, one line.
        samples: Labels and value of each; what is unknown has no sample.
        parts: Samples with an ending of their own, series by series: `_total` and `_created` of a
            counter, `_bucket`, `_count`, `_sum` and `_created` of a histogram.
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample] = ()
    parts: Sequence[tuple[str, Sample]] = ()


def wants_openmetrics(accept: str) -> bool:
    """Whether a scraper's `Accept` header asks for OpenMetrics."""
    return "application/openmetrics-text" in accept


def render(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """Families as text; those without samples are left out."""
    lines: list[str] = []
    for family in families:
        lines += _family(family, openmetrics=openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _family(family: Family, *, openmetrics: bool) -> list[str]:
    if not family.samples and not family.parts:
        return []
    stem = family.name.removesuffix("_total")
    name = stem if openmetrics else family.name
    lines = [
        f"# HELP {name} {_help(family.help, openmetrics=openmetrics)}",
        f"# TYPE {name} {family.kind}",
        *(f"{family.name}{_labels(lb)} {_number(v)}" for lb, v in family.samples),
    ]
    all_lines = [f"{stem}{end}{_labels(lb)} {_number(v)}" for end, (lb, v) in family.parts]
    if openmetrics:
        return lines + all_lines
    # In the older format the start of a series is a family of its own.
    ends = [end for end, _ in family.parts]
    lines += [line for end, line in zip(ends, all_lines, strict=True) if end != CREATED]
    starts = [line for end, line in zip(ends, all_lines, strict=True) if end == CREATED]
    return [*lines, *([f"# TYPE {stem}{CREATED} gauge", *starts] if starts else [])]


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
