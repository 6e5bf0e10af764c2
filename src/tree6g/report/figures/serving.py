"""Figures of a served trace: how long requests took, and power and load over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.compute.serving.measures import FloatArray, tpot_s
from tree6g.engine.serving import INTERVAL_S, ServeRun
from tree6g.report import canvas, numerals, palette
from tree6g.report.canvas import Drawing
from tree6g.report.figures import key
from tree6g.report.tables import Column, Table
from tree6g.report.write import write_figures as write_drawings
from tree6g.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_POINTS: Final = np.linspace(0.0, 1.0, 201)


def write_figures(run: ServeRun, out: Path) -> Path:
    """Draw the figures of a run and write them; returns their folder.

    Raises:
        LedgerError: The folder cannot be written.
    """
    return write_drawings(out, [latency(run), load(run)])


def latency(run: ServeRun) -> Drawing:
    """The share of requests that were faster: first token, whole answer, pace."""
    done, asked = run.done, run.done.requests
    whole_s = np.where(done.served, done.finish_s, np.nan)
    values = {
        "ttft_s": done.first_token_s - asked.arrival_s,
        "tpot_s": tpot_s(done.first_token_s, whole_s, asked.output_tok),
        "e2e_s": whole_s - asked.arrival_s,
    }
    names = {"ttft_s": "first token", "tpot_s": "per further token", "e2e_s": "whole answer"}
    columns = (
        Column(key="frac", head="share of requests", unit="frac"),
        *(Column(key=k, head=n, unit="s") for k, n in names.items()),
    )
    table = Table(
        name="latency",
        title="How long requests took",
        columns=columns,
        rows=tuple(zip(_POINTS.tolist(), *map(_quantiles, values.values()), strict=True)),
    )
    middle = {n: run_value(values[k]) for k, n in names.items()}
    said = "; ".join(f"{n}: half within {numerals.quantity(v, 's')}" for n, v in middle.items())
    return canvas.draw(
        table,
        lambda c: _paint_latency(c, table, list(names.items())),
        description=f"Share of requests at or below a time. {said}.",
        stamp=_stamp(run),
        height_in=3.3 + key.LINE_IN * len(names),
    )


def load(run: ServeRun) -> Drawing:
    """Power of the accelerators and the share of time they worked, by interval."""
    servers = run.done.servers
    count = max((len(s.bins.busy_s) for s in servers if s.bins is not None), default=0)
    sums = np.zeros((4, count))
    for server in servers:
        if server.bins is None:
            continue
        parts = (server.bins.prefill_j, server.bins.decode_j, server.bins.idle_j)
        for row, values in enumerate((*parts, server.bins.busy_s)):
            sums[row, : len(values)] += values
    start_s = INTERVAL_S * np.arange(count)
    length_s = np.minimum(INTERVAL_S, np.maximum(run.done.end_s - start_s, 1e-9))
    watts = sums[:3] / length_s
    busy = sums[3] / (length_s * len(servers))
    columns = (
        Column(key="t0_s", head="from", unit="s"),
        Column(key="prefill_w", head="prompts", unit="w"),
        Column(key="decode_w", head="answers", unit="w"),
        Column(key="idle_w", head="idle", unit="w"),
        Column(key="busy_frac", head="busy", unit="frac"),
    )
    table = Table(
        name="power",
        title="Power and load over time",
        columns=columns,
        rows=tuple(zip(start_s.tolist(), *watts.tolist(), busy.tolist(), strict=True)),
    )
    mean_w = run.summary.energy_j / run.summary.end_s
    return canvas.draw(
        table,
        lambda c: _paint_load(c, table),
        description=f"Mean power of all accelerators {numerals.quantity(mean_w, 'w')}, busy "
        f"{numerals.percent(run.summary.busy_frac)} of the time, by intervals of {INTERVAL_S:g} s.",
        stamp=_stamp(run),
        height_in=4.3 + key.LINE_IN * 3,
    )


def run_value(values: FloatArray) -> float:
    """The median of what is known, 0 if nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else 0.0


def _quantiles(values: FloatArray) -> list[float | None]:
    known = values[np.isfinite(values)]
    if not known.size:
        return [None] * len(_POINTS)
    return [float(v) for v in np.quantile(known, _POINTS)]


def _stamp(run: ServeRun) -> str:
    options = run.options
    what = f"{options.replicas} x {options.count} {options.accelerator}, {run.server.model}"
    return f"tree6g {__version__}, serve-sim {run.trace.name}, {what}"


def _paint_latency(canvas_: Canvas, table: Table, names: list[tuple[str, str]]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    ax = canvas.axes(canvas_, left=0.72, right=0.2, top=0.25 + key.LINE_IN * len(names))
    share = np.array(table.numbers("frac"))
    for place, (column, _) in enumerate(names):
        times = np.array(table.numbers(column))
        if len(times):
            own = {**key.style(place), "marker": ""}
            ax.plot(np.maximum(times, 1e-4), share[: len(times)], lw=1.8, **own)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0, 1)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("share of requests")
    ax.grid()
    key.entries(
        canvas_, [(name, {**key.style(i), "marker": ""}) for i, (_, name) in enumerate(names)]
    )


def _paint_load(canvas_: Canvas, table: Table) -> None:
    parts = (("idle_w", "idle"), ("decode_w", "answers"), ("prefill_w", "prompts"))
    height = float(canvas_.get_size_inches()[1])
    upper = canvas.axes(canvas_, left=0.72, right=0.2, top=0.25 + key.LINE_IN * 3, bottom=1.75)
    lower = canvas.axes(canvas_, left=0.72, right=0.2, top=height - 1.85, bottom=0.5)
    time_s = np.array(table.numbers("t0_s"))
    base = np.zeros(len(time_s))
    styles = []
    for place, (column, name) in enumerate(parts):
        watts = np.array(table.numbers(column))
        colour = palette.light(palette.SERIES[place])
        upper.fill_between(time_s, base, base + watts, step="post", facecolor=colour, linewidth=0)
        styles.append((name, {"marker": "s", "color": colour}))
        base = base + watts
    lower.step(time_s, table.numbers("busy_frac"), where="post", color=palette.light("ink"), lw=1.2)
    upper.set_ylabel("power (W)")
    upper.tick_params(labelbottom=False)
    upper.set_ylim(0)
    lower.set_ylim(0, 1.02)
    lower.set_ylabel("busy")
    lower.set_xlabel("time (s)")
    for ax in (upper, lower):
        ax.grid()
    key.entries(canvas_, styles[::-1])
