"""Block error rates of `radio.bler` against curves of SNR and BLER from link-level simulations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.calibrate.columns import Columns, raise_all, read_all, read_columns
from tree6g.calibrate.result import Constant, Curve, Group, Plot, Validation
from tree6g.errors import DataError
from tree6g.radio import bler
from tree6g.radio.mcs import McsTable, mcs_table
from tree6g.radio.pathloss import FloatArray

TABLES: Final[dict[tuple[str, int], McsTable]] = {
    ("PDSCH", 1): "qam64",
    ("PDSCH", 2): "qam256",
    ("PDSCH", 3): "low-se",
    ("PDSCH", 4): "qam1024",
    ("PUSCH", 1): "dft-qam64",
    ("PUSCH", 2): "dft-low-se",
}
# A point of 3,000 blocks tells where a curve stands only between these rates.
INFORMATIVE: Final = (0.003, 0.997)
FITTED_CONSTANTS: Final = 2  # bler.GAP_DB and bler.SPREAD
BAR_DB: Final = 0.5  # error of the SNR that counts as a miss, blocks of at least 500 bits
LONG_BIT: Final = 500.0

_Key = tuple[str, int, int, float]
_SNR_DB: Final = np.arange(-30.0, 60.0, 0.02)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """Points of one scheme and block size, and what the model says there."""

    name: str
    efficiency: float
    block_bit: float
    measured: FloatArray
    modelled: FloatArray
    step: FloatArray
    error_db: FloatArray  # of the points within INFORMATIVE


ABOUT: Final = (
    (
        "Compared: the share of blocks that are not decoded at a SNR, modulation, code rate and "
        "block size with curves of link-level simulations. Also told is how far the curves lie "
        "apart along the axis of the SNR, from their points between 0.3 % and 99.7 %."
    ),
    (
        f"Passes: a curve of blocks of {LONG_BIT:g} bits or more whose points are at most "
        f"{BAR_DB} dB apart. Of short blocks nothing is demanded: the theory is one of long "
        "blocks."
    ),
    (
        f"Fitted: {FITTED_CONSTANTS} constants for all curves together, a loss in SNR and a "
        "width, to 1,819 points of curves simulated with Sionna. Curves that are not those are a "
        "test of the model; those themselves show how well two constants describe them."
    ),
)


def validate(files: Sequence[Path]) -> Validation:
    """Compare block error rates with curves of link-level simulations.

    Columns: channel (PDSCH, PUSCH), mcs_table (number of the table of TS 38.214; of PUSCH those
    with transform precoding), mcs, cbs_bits, snr_db_or_axis, bler; rows of another axis_name than
    SNR_db are left out. Figures: error of the BLER over all rows, and of the SNR at which the model
    has the BLER of a row, over rows between 0.3 % and 99.7 %.

    Raises:
        DataError: A file cannot be read, or names schemes that TS 38.214 does not have.
    """
    if not files:
        raise DataError("expected a file of block error rates; got none. Name a CSV file.")
    found = [curve for curves in read_all(files, _curves) for curve in curves]
    rows = sum(curve.measured.size for curve in found)
    sizes = sorted({curve.block_bit for curve in found})
    groups = [_group(f"{size:g} bit", [c for c in found if c.block_bit == size]) for size in sizes]
    step = np.concatenate([np.abs(c.step - c.measured) for c in found])
    return Validation(
        kind="bler",
        rows=rows,
        title="Block error rates",
        headline=_headline(found),
        about=ABOUT,
        unit="frac",
        fitted_constants=FITTED_CONSTANTS,
        figures=_figures(found),
        groups=tuple(groups),
        baselines=(Group(name="step at capacity and gap", rows=rows,
                         figures={"mean_abs_error": float(step.mean()),
                                  "max_abs_error": float(step.max())}),),
        misses=tuple(_misses(found)),
        misses_are=f"Curves of blocks of {LONG_BIT:g} bits or more that are over {BAR_DB} dB off",
        constants=(Constant(name="gap_db", value=bler.GAP_DB,
                            words=f"Loss in SNR against the theory: {bler.GAP_DB} dB"),
                   Constant(name="spread", value=bler.SPREAD,
                            words=f"Width of the transition: {bler.SPREAD} times the theory's")),
        plots=(_plot(found),),
    )  # fmt: skip


def _curves(file: Path) -> list[_Curve]:
    columns = read_columns(
        file, ("channel", "axis_name"), ("mcs_table", "mcs", "cbs_bits", "snr_db_or_axis", "bler")
    )
    rows_of: dict[_Key, list[int]] = {}
    for n, key in _keys(file, columns):
        rows_of.setdefault(key, []).append(n)
    if not rows_of:
        raise DataError(f"expected rows with axis_name SNR_db; {file} has none.")
    return [_compare(key, columns, np.array(rows)) for key, rows in sorted(rows_of.items())]


def _keys(file: Path, columns: Columns) -> list[tuple[int, _Key]]:
    """Row, channel, table, MCS and block size of every row over SNR."""
    problems: list[str] = []
    keys: list[tuple[int, _Key]] = []
    axes, channels = columns.text["axis_name"], columns.text["channel"]
    for n in (n for n, axis in enumerate(axes) if axis == "SNR_db"):
        table, mcs, size = (columns.number[name][n] for name in ("mcs_table", "mcs", "cbs_bits"))
        name = TABLES.get((channels[n], int(table)))
        rate = columns.number["bler"][n]
        if not 0.0 <= rate <= 1.0:
            problems.append(f"line {n + 2}: bler must be between 0 and 1; got {rate:g}")
        known = name is not None and mcs in range(len(mcs_table(name).code_rate))
        if not known or table != int(table) or size < 1.0:
            problems.append(
                f"line {n + 2}: expected an MCS of TS 38.214 and a block size; got {channels[n]} "
                f"table {table:g} MCS {mcs:g}, {size:g} bit"
            )
        keys.append((n, (channels[n], int(table), int(mcs), float(size))))
    raise_all(file, problems)
    return keys


def _compare(key: _Key, columns: Columns, rows: npt.NDArray[np.int64]) -> _Curve:
    channel, table, mcs, block_bit = key
    schemes = mcs_table(TABLES[channel, table])
    bits, code_rate = int(schemes.bits_per_symbol[mcs]), float(schemes.code_rate[mcs])
    snr_db, measured = columns.number["snr_db_or_axis"][rows], columns.number["bler"][rows]
    modelled = bler.bler(_SNR_DB, bits, code_rate, block_bit=block_bit)
    told = (measured > INFORMATIVE[0]) & (measured < INFORMATIVE[1])
    meant_db = np.interp(-measured[told], -modelled, _SNR_DB)
    edge_db = bler.required_sinr_db(bits, code_rate, target_bler=0.5, block_bit=1e7)
    return _Curve(
        name=f"{channel} table {table} MCS {mcs}, {block_bit:g} bit",
        efficiency=bits * code_rate, block_bit=block_bit, measured=measured,
        modelled=np.interp(snr_db, _SNR_DB, modelled),
        step=np.where(snr_db < edge_db, 1.0, 0.0), error_db=meant_db - snr_db[told],
    )  # fmt: skip


def _figures(found: Sequence[_Curve]) -> dict[str, float]:
    error = np.concatenate([np.abs(c.modelled - c.measured) for c in found])
    figures = {"mean_abs_error": float(error.mean()), "max_abs_error": float(error.max())}
    error_db = np.concatenate([c.error_db for c in found])
    if error_db.size:
        figures |= {
            "rms_error_db": float(np.sqrt(np.mean(error_db**2))),
            "median_abs_error_db": float(np.median(np.abs(error_db))),
            "max_abs_error_db": float(np.abs(error_db).max()),
        }
    return figures


def _group(name: str, found: Sequence[_Curve]) -> Group:
    return Group(name=name, rows=sum(c.measured.size for c in found), figures=_figures(found))


def _misses(found: Sequence[_Curve]) -> list[dict[str, str | float]]:
    worst = [(c.name, float(np.abs(c.error_db).max(initial=0.0))) for c in found
             if c.block_bit >= LONG_BIT]  # fmt: skip
    return [{"curve": name, "error_db": error} for name, error in worst if error > BAR_DB]


def _headline(found: Sequence[_Curve]) -> str:
    """The error of the rate in percentage points, that of the SNR for long blocks and short."""
    rows = sum(c.measured.size for c in found)
    error = float(np.mean(np.concatenate([np.abs(c.modelled - c.measured) for c in found])))
    said = []
    for words, wanted in ((f"blocks of {LONG_BIT:g} bits or more", True), ("shorter ones", False)):
        own = [c.error_db for c in found if (c.block_bit >= LONG_BIT) == wanted]
        error_db = np.abs(np.concatenate(own or [np.empty(0)]))
        if error_db.size:
            said.append(
                f"{words} {np.median(error_db):.2f} dB (median; at most {error_db.max():.2f} dB)"
            )
    snr = f" Off in SNR: {', '.join(said)}." if said else ""
    points = f"mean error {100 * error:.2g} percentage points over {rows:,} points"
    return f"Block error rates: {points}.{snr}"


def _plot(found: Sequence[_Curve]) -> Plot:
    return Plot(
        name="snr-error",
        title="SNR that our block error rates need above that of the file",
        reads="Each cross is one modulation and code rate: the median over its points. Crosses on "
        f"zero agree; the grey band is {BAR_DB} dB either side.",
        x_label="information bits per symbol",
        y_label="ours - file, at equal error rate (dB)",
        curves=tuple(_drawn(found)),
        columns=2,
        accepted=f"{BAR_DB} dB either side",
    )


def _drawn(found: Sequence[_Curve]) -> list[Curve]:
    """Median error of the SNR of every curve, over the bits that its scheme carries."""
    drawn = []
    for size in sorted({c.block_bit for c in found}):
        pairs = np.array([
            (c.efficiency, float(np.median(c.error_db)))
            for c in found if c.block_bit == size and c.error_db.size
        ]).reshape(-1, 2)  # fmt: skip
        if not len(pairs):
            continue
        edge_db = np.full(len(pairs), BAR_DB)
        pairs = pairs[np.argsort(pairs[:, 0])]
        drawn.append(Curve(
            panel=f"blocks of {size:g} bits", name="modulation and code rate",
            x=pairs[:, 0], y=pairs[:, 1], low=-edge_db, high=edge_db, form="points",
        ))  # fmt: skip
    return drawn
