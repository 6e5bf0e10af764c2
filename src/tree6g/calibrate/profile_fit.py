"""What a service's work is worth, from prices, scores and preference: `tree6g fit profile`.

Files are told apart by their columns:

    prices of tokens   model, usd_per_Mtok_in, usd_per_Mtok_out
    prices of data     usd_per_GB, source, date
    scores of users    rate_tps or tpot_s, and score
    preference         winner, loser, wins
    benchmark scores   model, score; questions if known

Worth of a token needs prices of tokens and of data. A file without the columns `source` and `date`
needs the option `source`, which says both.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from tree6g.calibrate.columns import Columns, raise_all, read_columns
from tree6g.calibrate.preference import bradley_terry, preferred_quality, scored_quality
from tree6g.calibrate.prices import Estimate, alpha_bit_per_tok, quantile
from tree6g.calibrate.result import Constant, Fit
from tree6g.calibrate.utility_fit import FittedCurve, fit_best
from tree6g.errors import DataError, ScenarioError, nearest

KINDS: Final = {
    "tokens": ("model", "usd_per_Mtok_in", "usd_per_Mtok_out"),
    "data": ("usd_per_GB", "source", "date"),
    "rates": ("rate_tps", "score"),
    "times": ("tpot_s", "score"),
    "preference": ("winner", "loser", "wins"),
    "scores": ("model", "score"),
}
QUARTILES: Final = (0.25, 0.75)
NO_SOURCE: Final = (
    "{file} has no columns source and date; say where and of when its values are: "
    "--source 'who published it, 2026-07-24'."
)
ROBUST: Final = "show for which alpha a comparison holds (tree6g compare)"
PACE_S: Final = 1.0  # short beside an answer, as in the token class `assistant-concave`
FEW_FREE: Final = 10  # points above the parameters
FEW: Final = "'{family}' has {points} points: the interval of its parameters is too narrow"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one question to the files gave.

    Attributes:
        rows: Rows used.
        said: The outcome in one sentence.
        constants: What was fitted.
        entry: Fields of a service in a scenario.
        notes: What makes it doubtful.
    """

    rows: int
    said: str
    constants: tuple[Constant, ...]
    entry: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def fit(files: Sequence[Path], *, source: str | None = None, reference: str | None = None) -> Fit:
    """Worth of a token, shape of utility and quality of models, as far as the files tell them.

    Args:
        files: Tables, told apart by their columns.
        source: Where and of when the values are, for files that do not say it.
        reference: The model whose quality is 1; None: the first of the file.

    Raises:
        DataError: A file is none of these, or has faults.
        ScenarioError: No source or date, or files that do not go together.
    """
    told = {file: _kind(file) for file in files}
    _check(told)
    by = {kind: file for file, kind in told.items()}
    parts: list[Part] = []
    if "tokens" in by:
        parts.append(_worth(by["tokens"], by["data"]))
    parts += [_shape(by[kind], kind) for kind in ("rates", "times") if kind in by]
    if "preference" in by:
        parts.append(_preferred(by["preference"], reference))
    if "scores" in by:
        parts.append(_scored(by["scores"], reference))
    sources = [text for file in files for text in _sources(file, source)]
    return Fit(
        kind="profile",
        rows=sum(part.rows for part in parts),
        error=None,
        headline=" ".join(part.said for part in parts),
        constants=tuple(c for part in parts for c in part.constants),
        problems=tuple(note for part in parts for note in part.notes),
        table=_table(parts, list(dict.fromkeys(sources))),
    )


def _header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return [title.strip() for title in next(csv.reader(stream), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise DataError(f"Expected a CSV file; {file} cannot be read: {what}.") from error


def _kind(file: Path) -> str:
    titles = _header(file)
    for kind, columns in KINDS.items():
        if set(columns) <= set(titles):
            return kind
    known = "; or ".join(", ".join(columns) for columns in KINDS.values())
    raise DataError(f"Expected the columns {known}; {file} has {', '.join(titles) or 'none'}.")


def _check(told: dict[Path, str]) -> None:
    kinds = list(told.values())
    twice = [kind for kind in dict.fromkeys(kinds) if kinds.count(kind) > 1]
    if twice:
        raise ScenarioError(f"Expected one file of each kind; got several with {twice[0]}.")
    if {"preference", "scores"} <= set(kinds):
        raise ScenarioError("Expected quality from preference or from scores; got both. Choose.")
    for kind, other in (("tokens", "data"), ("data", "tokens")):
        if kind in kinds and other not in kinds:
            raise ScenarioError(
                f"Worth of a token is a price of tokens over one of data; give a second file with "
                f"the columns {', '.join(KINDS[other])}."
            )


def _sources(file: Path, source: str | None) -> list[str]:
    if not {"source", "date"} <= set(_header(file)):
        if source is None or not source.strip():
            raise ScenarioError(NO_SOURCE.format(file=file))
        return [source.strip()]
    read = read_columns(file, ("source", "date"), ())
    pairs = list(zip(read.text["source"], read.text["date"], strict=True))
    faults = [f"line {n + 2}: no source or date" for n, p in enumerate(pairs) if not all(p)]
    raise_all(file, faults)
    return [f"{who}, {when}" for who, when in dict.fromkeys(pairs)]


def _positive(*names: str) -> Any:
    """A check that columns hold numbers above 0."""

    def check(read: Columns) -> list[str]:
        """Lines with other numbers."""
        return [
            f"line {n + 2}: {name} must be above 0; got {value:g}"
            for name in names
            for n, value in enumerate(read.number.get(name, ()))
            if value <= 0.0
        ]

    return check


def _constant(name: str, found: Estimate, remark: str = "") -> Constant:
    return Constant(name=name, value=found.value, low=found.low, high=found.high, remark=remark)


def _worth(tokens: Path, bits: Path) -> Part:
    """Worth of a token at the median prices, with the range over all pairs of prices."""
    prices = ("usd_per_Mtok_in", "usd_per_Mtok_out")
    read = read_columns(tokens, ("model",), prices, check=_positive(*prices))
    data = read_columns(bits, ("source",), ("usd_per_GB",), check=_positive("usd_per_GB"))
    out, gigabyte = read.number["usd_per_Mtok_out"], data.number["usd_per_GB"]
    middle = float(np.median(gigabyte))
    at_median = alpha_bit_per_tok(out, middle)
    alpha = quantile(at_median, 0.5)
    least, most = (float(alpha_bit_per_tok(*p)) for p in ((out.min(), gigabyte.max()),
                                                         (out.max(), gigabyte.min())))  # fmt: skip
    k_in = quantile(read.number["usd_per_Mtok_in"] / out, 0.5)
    quartiles = (_constant(f"alpha_p{100 * q:.0f}_bit_per_tok", quantile(at_median, q))
                 for q in QUARTILES)  # fmt: skip
    remark = f"data at {middle:g} per GB; rows taken as independent"
    return Part(
        rows=read.rows + data.rows,
        said=f"A token is worth {alpha.value:,.0f} bit at the median of {read.rows} prices of "
        f"tokens and {data.rows} of data; pairs of them give {least:,.0f} to {most:,.0f}.",
        constants=(
            _constant("alpha_bit_per_tok", alpha, remark),
            *quartiles,
            Constant(name="alpha_least_bit_per_tok", value=least),
            Constant(name="alpha_most_bit_per_tok", value=most),
            _constant("k_in", k_in),
        ),
        entry={"alpha_bit_per_tok": alpha.value, "k_in": _digits(k_in.value)},
        notes=(f"alpha spans a factor of {most / least:,.0f} over these prices: {ROBUST}",),
    )


def _shape(file: Path, kind: str) -> Part:
    """The family that scores speak for."""
    first = KINDS[kind][0]
    read = read_columns(file, (), KINDS[kind], check=_positive(first))
    given, score = read.number[first], read.number["score"]
    fits = fit_best(given if kind == "rates" else 1.0 / given, score)
    best = fits[0]
    shape = [("t0_tps", best.t0_tps), ("order", best.order)]
    others = ", ".join(f"{f.family} {f.rms_error:.3g}" for f in fits[1:])
    notes = [
        f"'{f.family}' explains the scores about as well as '{best.family}': measure at more rates"
        for f in fits[1:]
        if f.aicc - best.aicc <= 2.0  # the usual bar of Akaike's criterion
    ]
    told = sum(found is not None for _, found in shape)
    few = told > 0 and read.rows - told - 2 <= FEW_FREE
    notes += [FEW.format(family=best.family, points=read.rows)] if few else []
    return Part(
        rows=read.rows,
        said=f"Scores speak for '{best.family}': off by {best.rms_error:.3g} on average (rms), "
        + (f"others by: {others}." if others else "of the points fitted."),
        constants=(
            *(_constant(f"{best.family}: {name}", found) for name, found in shape if found),
            Constant(name=f"{best.family}: floor", value=best.floor),
            Constant(name=f"{best.family}: gain", value=best.gain),
        ),
        entry={"utility": _utility(best)},
        notes=tuple(notes),
    )


def _utility(found: FittedCurve) -> dict[str, Any]:
    """The shape as a scenario takes it, of the pace of one session while it is watched."""
    curve = found.curve(alpha_bit_per_tok=1.0)
    shape: dict[str, Any] = {"family": curve.family}
    if curve.t0_tps is not None:
        shape["t0_tps"] = _digits(curve.t0_tps)
    if curve.order is not None:
        shape["order"] = curve.order  # whole: that of `alpha_fair` may not round to 1
    return {**shape, "unit": "session", "interval_s": PACE_S}


def _digits(value: float) -> float:
    """A fitted value with the digits that are worth writing down."""
    return float(f"{value:.6g}")


def _preferred(file: Path, reference: str | None) -> Part:
    """Quality by the share of preferred answers."""
    read = read_columns(file, ("winner", "loser"), ("wins",))
    winners, losers, count = read.text["winner"], read.text["loser"], read.number["wins"]
    faults = [f"line {n + 2}: wins must not be below 0" for n, c in enumerate(count) if c < 0]
    faults += [f"line {n + 2}: a model beside itself" for n, (a, b) in
               enumerate(zip(winners, losers, strict=True)) if a == b]  # fmt: skip
    raise_all(file, faults)
    models = list(dict.fromkeys((*winners, *losers)))
    wins = np.zeros((len(models), len(models)))
    for a, b, c in zip(winners, losers, count, strict=True):
        wins[models.index(a), models.index(b)] += c
    own = _reference(models, reference)
    found = preferred_quality(bradley_terry(wins), own)
    return _quality(models, own, found, read.rows, f"{wins.sum():,.0f} comparisons")


def _scored(file: Path, reference: str | None) -> Part:
    """Quality by benchmark scores."""
    read = read_columns(
        file, ("model",), ("score",), optional=("questions",), check=_positive("score", "questions")
    )
    models, scores = list(read.text["model"]), read.number["score"]
    asked = read.number.get("questions", np.full(read.rows, np.nan))
    faults = [f"line {n + 2}: {m} stands twice" for n, m in enumerate(models) if m in models[:n]]
    faults += [
        f"line {n + 2}: with questions, score is a share up to 1; got {s:g}"
        for n, (s, q) in enumerate(zip(scores, asked, strict=True))
        if s > 1.0 and not np.isnan(q)
    ]
    raise_all(file, faults)
    own = _reference(models, reference)
    found = scored_quality(scores, own, asked)
    return _quality(models, own, found, read.rows, f"{read.rows} benchmark scores")


def _reference(models: Sequence[str], wanted: str | None) -> int:
    if wanted is not None and wanted not in models:
        raise ScenarioError(f"--reference: expected a model. {nearest(wanted, models)}")
    return 0 if wanted is None else models.index(wanted)


def _quality(
    models: Sequence[str], own: int, found: Sequence[Estimate], rows: int, of: str
) -> Part:
    return Part(
        rows=rows,
        said=f"Quality of {len(models)} models from {of}, that of {models[own]} being 1.",
        constants=tuple(
            _constant(f"quality: {model}", q) for model, q in zip(models, found, strict=True)
        ),
        entry={"quality": {m: round(q.value, 4) for m, q in zip(models, found, strict=True)}},
    )


def _table(parts: Sequence[Part], sources: Sequence[str]) -> str:
    """Fields of a service in a scenario as YAML; what a scenario has no field for as comments."""
    entry = {name: value for part in parts for name, value in part.entry.items()}
    said = ["Fields of a service in a scenario, from: " + "; ".join(sources)]
    said += [part.said for part in parts]
    said += [_line(constant) for part in parts for constant in part.constants]
    comments = "".join(f"# {' '.join(line.split())}\n" for line in said)
    return comments + (yaml.safe_dump(entry, sort_keys=False) if entry else "")


def _line(constant: Constant) -> str:
    line = f"{constant.name}: {constant.value:.6g}"
    if constant.low is None or constant.high is None:
        return line
    return f"{line} ({constant.low:.6g} to {constant.high:.6g})"
