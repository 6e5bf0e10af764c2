"""Modulation and coding schemes, and the channel quality that terminals report (TS 38.214)."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tree6g import data
from tree6g.errors import ScenarioError, nearest
from tree6g.radio.pathloss import FloatArray

McsTable = Literal["qam64", "qam256", "low-se", "qam1024", "dft-qam64", "dft-low-se"]
CqiTable = Literal["qam64", "qam256", "low-se"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schemes:
    """Rows of a table of TS 38.214, in the order of their index.

    Attributes:
        first_index: Index of the first row: 0 for MCS, 1 for CQI (CQI 0 is out of range).
        bits_per_symbol: Modulation order. [scheme]
        code_rate: Information bits per coded bit. [scheme]
    """

    first_index: int
    bits_per_symbol: npt.NDArray[np.int64]
    code_rate: FloatArray

    @property
    def efficiency(self) -> FloatArray:
        """Information bits per symbol of one layer, by scheme."""
        return self.bits_per_symbol * self.code_rate


def mcs_table(name: McsTable) -> Schemes:
    """MCS table: up to 64-, 256-, 1024-QAM, low efficiency; `dft-` with transform precoding.

    TS 38.214 Tables 5.1.3.1-1 to -4, 6.1.4.1-1 and -2 (these two without pi/2-BPSK).

    Raises:
        ScenarioError: No such table.
    """
    if name not in get_args(McsTable):
        choices = get_args(McsTable)
        raise ScenarioError(f"expected an MCS table; got {name!r}. {nearest(name, choices)}")
    return _schemes("modulation_coding", name)


def cqi_table(name: CqiTable) -> Schemes:
    """CQI table up to 64-QAM, 256-QAM, or of low efficiency (TS 38.214 Table 5.2.2.1-2 to -4).

    Raises:
        ScenarioError: No such table.
    """
    if name not in get_args(CqiTable):
        choices = get_args(CqiTable)
        raise ScenarioError(f"expected a CQI table; got {name!r}. {nearest(name, choices)}")
    return _schemes("channel_quality", name)


def mcs_of_cqi(
    cqi: npt.ArrayLike, *, cqi_name: CqiTable = "qam256", mcs_name: McsTable = "qam256"
) -> npt.NDArray[np.int64]:
    """MCS index with the highest efficiency that is not above the reported one.

    -1 for CQI 0. TS 38.214 leaves the choice to the base station; this one trusts the report.
    """
    reported, offered = cqi_table(cqi_name).efficiency, mcs_table(mcs_name).efficiency
    allowed = offered <= np.concatenate([[0.0], reported])[np.asarray(cqi)][..., None] + 1e-9
    best = np.argmax(np.where(allowed, offered, -1.0), axis=-1)
    return np.where(allowed.any(axis=-1), best, -1)


@cache
def _schemes(file: str, name: str) -> Schemes:
    rows = [row for row in data.table(file).values() if row["table"] == name]
    return Schemes(
        first_index=int(data.number(rows[0], "index")),
        bits_per_symbol=np.array([data.number(r, "bits_per_symbol") for r in rows], dtype=np.int64),
        code_rate=np.array([data.number(r, "code_rate_1024") for r in rows]) / 1024.0,
    )
