"""A simulated server against logs of real engines, request by request.

Three constants (`serving_fit`) are fitted to the first 100 requests of each log and predict the
times of the others, which came later to the same server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tree6g.calibrate.columns import read_all
from tree6g.calibrate.request_logs import RequestLog, read_log
from tree6g.calibrate.result import (
    Constant,
    Curve,
    FloatArray,
    Group,
    Plot,
    Validation,
    percent,
    percentage_figures,
)
from tree6g.calibrate.serving_case import BUDGETS_TOK, Case, case_of
from tree6g.calibrate.serving_fit import FITTED, MEASURES, Constants, fit, measured, times
from tree6g.compute.serving.settings import EngineSettings
from tree6g.errors import DataError

BARS: Final[Mapping[str, float]] = {"e2e": 0.03, "ttft": 0.08, "tpot": 0.05}
WORDS: Final[Mapping[str, str]] = {
    "e2e": "whole answer (E2E)",
    "ttft": "first token (TTFT)",
    "tpot": "per further token (TPOT)",
}
INTERACTIVE_S: Final = 2.0
_MISS_FRAC: Final = 0.25


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """A log and what was predicted for it; times by measure [request].

    Attributes:
        case: The log.
        settings: The settings that were chosen.
        constants: The fitted constants.
        predicted: Simulated with them.
        a_priori: Simulated with the packaged constants.
        regressed: By a regression on output length and arrival, fitted to the same requests.
    """

    case: Case
    settings: EngineSettings
    constants: Constants
    predicted: Mapping[str, FloatArray]
    a_priori: Mapping[str, FloatArray]
    regressed: Mapping[str, FloatArray]


def validate(
    files: Sequence[Path],
    *,
    accelerator: str | None = None,
    model: str | None = None,
    tensor_parallel: int | None = None,
) -> Validation:
    """Compare simulated with real times of requests.

    Figures: `mape_frac` and the rest of the whole answer's time over all held-out requests of all
    files, `ttft_mape_frac` and `tpot_mape_frac` of the others. Groups: by file and measure.

    Args:
        files: Logs, see `request_logs`.
        accelerator: In place of what the files' names say.
        model: The same.
        tensor_parallel: Accelerators of the server, in place of names and engine.json.

    Raises:
        DataError: A file is not of this form, or names nothing known; all files' faults are told.
        InfeasibleError: The model does not fit.
    """
    if not files:
        raise DataError("expected at least one log of requests; got none. Name one.")

    def read(file: Path) -> Case:
        """The log of a file as a case."""
        return case_of(read_log(file), accelerator, model, tensor_parallel)

    judged = [_judge(case) for case in read_all(files, read)]
    return _validation(judged)


def _judge(case: Case) -> Judged:
    """Fit with each choice of settings; the one that fits the fitted requests best counts."""
    log = case.log
    fits = [(*fit(log, case.prior, case.peaks, s), s) for s in case.settings]
    constants, _, settings = min(fits, key=lambda found: found[1])
    return Judged(
        case=case,
        settings=settings,
        constants=constants,
        predicted=times(log, constants.applied(case.prior, case.peaks), settings),
        a_priori=times(log, case.prior, settings),
        regressed=_regression(log),
    )


def _regression(log: RequestLog) -> dict[str, FloatArray]:
    """Least squares on output length and arrival, fitted as the constants are. [request]."""
    features = np.column_stack([np.ones(len(log)), log.output_tok, log.arrival_s])
    found = {}
    for name, value in measured(log).items():
        there = np.isfinite(value[:FITTED])
        slope, *_ = np.linalg.lstsq(features[:FITTED][there], value[:FITTED][there], rcond=None)
        found[name] = features @ slope
    return found


def _figures(judged: Judged, by: Mapping[str, FloatArray], measure: str) -> dict[str, float]:
    """Errors of the held-out requests."""
    true = measured(judged.case.log)[measure][FITTED:]
    ours = by[measure][FITTED:]
    there = np.isfinite(true) & np.isfinite(ours)
    return percentage_figures(true[there], ours[there])


def _validation(judged: Sequence[Judged]) -> Validation:
    figures = {m: _pooled(judged, m) for m in MEASURES}
    held = sum(len(j.case.log) - FITTED for j in judged)
    bad = [
        f"{WORDS[m]}: mean error {percent(figures[m]['mape_frac'])}, above {percent(bar)}"
        for m, bar in BARS.items()
        if figures[m] and figures[m]["mape_frac"] > bar
    ]
    return Validation(
        kind="serving",
        rows=held,
        title="Serving",
        headline=_headline(figures, held, len(judged)),
        about=_about(judged),
        fitted_constants=3 * len(judged),
        figures_of="whole answers of held-out requests",
        figures={
            **figures["e2e"],
            "ttft_mape_frac": figures["ttft"]["mape_frac"],
            "tpot_mape_frac": figures["tpot"]["mape_frac"],
            "fitted_constants_per_file": 3.0,
        },
        groups=tuple(_groups(judged)),
        baselines=tuple(_baselines(judged)),
        misses=tuple(miss for j in judged for miss in _misses(j)),
        misses_are="Held-out requests of which a time is off by more than 25 %",
        constants=tuple(c for j in judged for c in _constants(j)),
        problems=(*bad, *(text for j in judged for text in _problems(j))),
        plots=(_plot(judged),),
    )


def _pooled(judged: Sequence[Judged], measure: str) -> dict[str, float]:
    true = np.concatenate([measured(j.case.log)[measure][FITTED:] for j in judged])
    ours = np.concatenate([j.predicted[measure][FITTED:] for j in judged])
    there = np.isfinite(true) & np.isfinite(ours)
    return percentage_figures(true[there], ours[there])


def _headline(figures: Mapping[str, Mapping[str, float]], held: int, files: int) -> str:
    parts = ", ".join(
        f"{name} {percent(figures[m]['mape_frac'])}"
        for m, name in (("e2e", "whole answers"), ("ttft", "first tokens"), ("tpot", "pace"))
    )
    logs = "one log" if files == 1 else f"{files} logs"
    return (
        f"Serving: mean error of {held:,} held-out requests of {logs}: {parts} (three constants "
        f"per log, fitted to its first {FITTED} requests)."
    )


def _about(judged: Sequence[Judged]) -> tuple[str, ...]:
    compared = (
        "Compared: simulated times of every request with those that the engine logged: from "
        "arrival to the last token (E2E), to the first (TTFT), and per further token (TPOT)."
    )
    fitted = (
        f"Fitted: {FITTED} requests of each log, the first by arrival, give three constants: the "
        "share of peak arithmetic, the share of peak bandwidth, and the time of a step. Arrivals "
        "and lengths of all requests are known to the simulation, times of the others are not. "
        "Where the engine's token budget is unknown, the one of vLLM's two defaults that fits "
        "these requests better is taken."
    )
    passes = (
        f"Passes: a mean error of at most {percent(BARS['e2e'])} of whole answers, "
        f"{percent(BARS['ttft'])} of first tokens, {percent(BARS['tpot'])} of the pace."
    )
    easy = (
        "The split is an easy one: held-out requests share the queue, the engine and the load of "
        "the fitted ones. It does not show how the constants carry over to another day, load, "
        "engine version or device."
    )
    assumed = (f"{j.case.log.name}: {'; '.join(_assumptions(j))}." for j in judged)
    return (compared, fitted, passes, easy, *assumed)


def _assumptions(judged: Judged) -> list[str]:
    known = "max_num_batched_tokens" in judged.case.log.engine
    budget = f"{judged.settings.token_budget:,} tokens an iteration"
    chosen = "as given" if known else f"which fits better of {' and '.join(map(str, BUDGETS_TOK))}"
    return [*judged.case.words, f"{budget}, {chosen}"]


def _groups(judged: Sequence[Judged]) -> list[Group]:
    return [
        Group(
            name=f"{j.case.log.name} {measure}",
            rows=len(j.case.log) - FITTED,
            figures=_figures(j, j.predicted, measure),
            words=f"{j.case.log.name}: {WORDS[measure]}",
            heading="Errors on held-out requests",
        )
        for j in judged
        for measure in MEASURES
    ]


def _baselines(judged: Sequence[Judged]) -> list[Group]:
    return [
        Group(
            name=f"{j.case.log.name} {measure}: {name}",
            rows=len(j.case.log) - FITTED,
            figures=_figures(j, by, measure),
            words=f"{j.case.log.name}, {measure.upper()}: {words}",
        )
        for j in judged
        for name, words, by in (
            ("regression", "regression on output length and arrival", j.regressed),
            ("a priori", "the packaged constants, nothing fitted", j.a_priori),
        )
        for measure in MEASURES
    ]


def _misses(judged: Judged) -> list[dict[str, object]]:
    log, true = judged.case.log, measured(judged.case.log)
    found: list[dict[str, object]] = []
    for row in range(FITTED, len(log)):
        for measure in MEASURES:
            real, ours = float(true[measure][row]), float(judged.predicted[measure][row])
            if not np.isfinite(real) or abs(ours - real) <= _MISS_FRAC * real:
                continue
            found.append(
                {
                    "log": log.name,
                    "request": float(row),
                    "measure": measure.upper(),
                    "real_s": real,
                    "ours_s": ours if np.isfinite(ours) else None,
                }
            )
    return found


def _constants(judged: Judged) -> list[Constant]:
    found, name = judged.constants, judged.case.log.name
    return [
        Constant(name=f"{name}: compute_efficiency_frac", value=found.compute_frac),
        Constant(name=f"{name}: memory_efficiency_frac", value=found.memory_frac),
        Constant(name=f"{name}: step_s", value=found.step_s),
        Constant(name=f"{name}: assumed token budget", value=float(judged.settings.token_budget)),
    ]


def _problems(judged: Judged) -> list[str]:
    log = judged.case.log
    soon = float((log.first_s < INTERACTIVE_S).mean())
    words = [
        (
            f"{log.name}: {percent(soon)} of the requests had their first token within "
            f"{INTERACTIVE_S:g} s, half of them after {np.median(log.first_s):.1f} s"
        )
    ]
    if soon < 0.9:
        words[0] += (
            ": a burst beyond what the server can do. Long waits dominate every time here, so a "
            "small error says little about service in which people do not wait"
        )
    words += [f"{log.name}: assumed {text}" for text in _assumptions(judged)]
    lost = int((~np.isfinite(judged.predicted["e2e"])).sum())
    if lost:
        words.append(f"{log.name}: {lost} requests do not fit into the simulated cache; left out")
    if judged.constants.memory_frac > 1.0 or judged.constants.compute_frac > 1.0:
        words.append(
            f"{log.name}: a fitted efficiency is above 1: the data do not tell the time to read "
            "from the time of a step, or the peak in the table is too low"
        )
    return words


def _plot(judged: Sequence[Judged]) -> Plot:
    curves = []
    for j in judged:
        true = measured(j.case.log)
        for measure in ("e2e", "ttft"):
            real, ours = true[measure][FITTED:], j.predicted[measure][FITTED:]
            order = np.argsort(real)
            curves.append(
                Curve(
                    panel=f"{j.case.log.name}: {measure.upper()}",
                    name="held-out request",
                    x=real[order],
                    y=ours[order],
                    reference=real[order],
                    form="points",
                )
            )
    return Plot(
        name="serving-times",
        title="Serving: simulated against real times",
        reads="Each cross is a request that was not fitted. Those on the line agree.",
        x_label="real (s)",
        y_label="simulated (s)",
        curves=tuple(curves),
        columns=2,
        reference="equal",
    )
