"""A split in words and tables: the best cut, its alternatives, and where time and joules go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.compute.splitting.choice import AIMS, allowed, best, ranked
from tree6g.compute.splitting.costs import Costs
from tree6g.compute.splitting.profile import FRAME, Work
from tree6g.compute.splitting.study import Question, Sweep
from tree6g.errors import InfeasibleError, LedgerError
from tree6g.report import numerals, tables
from tree6g.report.canvas import Drawing
from tree6g.report.figures import split as figure
from tree6g.report.tables import Cell, Column, Table

SHOWN: Final = 5
_COLUMNS: Final = (
    Column(key="what", head="cut"),
    Column(key="device_layers", head="on device", unit=""),
    Column(key="ttft_s", head="first result", unit="s"),
    Column(key="tpot_s", head="per token", unit="s"),
    Column(key="latency_s", head="whole", unit="s"),
    Column(key="energy_j", head="energy", unit="j"),
    Column(key="device_j", head="device", unit="j"),
    Column(key="radio_j", head="its radio", unit="j"),
    Column(key="network_j", head="network", unit="j"),
    Column(key="server_j", head="server", unit="j"),
    Column(key="up_byte", head="up", unit="byte"),
    Column(key="note", head="limits"),
)


def alternatives(question: Question, costs: Costs, shown: int = SHOWN) -> Table:
    """The best cuts in order, then both ends. A row per cut.

    Raises:
        InfeasibleError: No cut keeps the limits.
    """
    best(costs, question.objective)  # says why, if there is none
    order = ranked(costs, question.objective)[:shown].tolist()
    ends = [i for i in (0, len(costs) - 1) if i not in order]
    names = ["best", *("" for _ in order[1:]), *("" for _ in ends)]
    may = allowed(costs, question.objective)
    rows = tuple(
        _row(costs, i, name, keeps=bool(may[i]))
        for i, name in zip([*order, *ends], names, strict=True)
    )
    title = f"{question.profile.name}: cuts by {question.objective.aim}"
    return Table(name="cuts", title=title, columns=_COLUMNS, rows=rows)


def _row(costs: Costs, i: int, name: str, *, keeps: bool) -> tuple[Cell, ...]:
    last = int(costs.cuts.max())
    cut = int(costs.cuts[0, i])
    where = {0: "all on the server", last: "all on the device"}.get(cut, f"after layer {cut}")
    place_j = costs.compute_j.sum(axis=0)[:, i] + costs.wait_j[:, i]
    return (
        f"{name}: {where}" if name else where,
        float(cut),
        float(costs.ttft_s[i]),
        float(costs.tpot_s[i]) if costs.work.output_tok > 1 else None,
        float(costs.latency_s[i]),
        float(costs.energy_j[i]),
        float(place_j[0]),
        float(costs.radio_j[:, :, i].sum()),
        float(costs.network_j[:, :, i].sum()),
        float(place_j[-1]),
        float(costs.up_byte[:, :, i].sum()),
        "kept" if keeps else ("missed" if costs.fits[i] else "does not fit"),
    )


def drawing(question: Question, sweep: Sweep) -> Drawing:
    """The best cut over rates and loads."""
    words = {"energy": "least energy", "latency": "least latency", "weighted": "least J + price s"}
    limits = [
        f"{name} {numerals.quantity(limit, 's')}"
        for name, limit in (
            ("first", question.objective.ttft_limit_s),
            ("token", question.objective.tpot_limit_s),
            ("whole", question.objective.latency_limit_s),
        )
        if np.isfinite(limit)
    ]
    aim = words.get(question.objective.aim, "most TREE")
    title = f"{question.profile.name}, {aim}"
    within = f"within {', '.join(limits)}" if limits else "no limits"
    stamp = (
        f"tree6g split: {question.device.name} and {question.server.name}, "
        f"{_asked(question.work)}, {question.packing.name}, {within}"
    )
    return figure.drawing([(title, sweep)], stamp)


def _asked(work: Work) -> str:
    return "a frame" if work == FRAME else f"{work.prompt_tok} in, {work.output_tok} out"


def to_dict(question: Question, costs: Costs, sweep: Sweep | None) -> dict[str, Any]:
    """Everything for programs; cuts in their order."""
    chosen = best(costs, question.objective)
    may = allowed(costs, question.objective)
    keys = [c.key for c in _COLUMNS[1:-1]]
    cuts = [
        {**dict(zip(keys, _row(costs, i, "", keeps=True)[1:-1], strict=True)),
         "quality_frac": float(costs.quality_frac[i]), "allowed": bool(may[i])}
        for i in range(len(costs))
    ]  # fmt: skip
    return {
        "model": question.profile.name,
        "aim": question.objective.aim,
        "layers": int(costs.cuts.max()),
        "best": cuts[chosen],
        "cuts": cuts,
        "sweep": None if sweep is None else _sweep(sweep),
    }


def write(question: Question, costs: Costs, sweep: Sweep, out: Path) -> tuple[Path, ...]:
    """Write the figure (SVG, PNG, CSV) and the table of all cuts (CSV) into a folder.

    Raises:
        LedgerError: The folder cannot be written.
    """
    drawn = drawing(question, sweep)
    listed = alternatives(question, costs, len(costs))
    files = {
        "best-cut.svg": drawn.svg,
        "best-cut.png": drawn.png,
        "best-cut.csv": tables.to_csv(drawn.table).encode(),
        "cuts.csv": tables.to_csv(listed).encode(),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise LedgerError(f"cannot write the figure to {out}: {error}.") from error
    return tuple(out / name for name in files)


def aim_of(text: str) -> str:
    """An aim by its name.

    Raises:
        InfeasibleError: No such aim.
    """
    if text not in AIMS:
        raise InfeasibleError(f"expected an aim, one of {', '.join(AIMS)}; got {text!r}.")
    return text


def notes(question: Question, costs: Costs, sweep: Sweep | None) -> Sequence[str]:
    """What a reader should know beside the numbers."""
    chosen = best(costs, question.objective)
    inner = 0 < costs.cuts[0, chosen] < costs.cuts.max()
    told = [
        "Modelled, not measured: places as in `tree6g list accelerators`, no split was measured."
    ]
    if (
        inner
        and question.packing.name not in ("fp32", "fp16")
        and question.packing.quality_frac == 1.0
    ):
        told.append(
            f"{question.packing.name} is taken to cost no quality; state it with --quality."
        )
    if sweep is not None and (sweep.cut < 0).any():
        told.append("Where the figure shows a dash, no cut keeps the limits.")
    return told


def _sweep(sweep: Sweep) -> dict[str, Any]:
    def plain(values: np.ndarray) -> list[list[float | None]]:
        """Rows for JSON; what is not known is null."""
        return [[None if np.isnan(v) else float(v) for v in row] for row in values]

    return {
        "up_bps": sweep.up_bps.tolist(),
        "sequences": sweep.sequences.tolist(),
        "device_layers": sweep.cut.tolist(),
        "energy_j": plain(sweep.energy_j),
        "latency_s": plain(sweep.latency_s),
    }
