"""TREE by service and minute with attribution in pandas, part by part so that memory stays small.

Written as a competent user of pandas would: only the columns that are needed, text as categories,
one groupby per part, partial sums added up at the end, joins on small tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

DYNAMIC = {"active", "prefill", "decode"}
WORTH = {"token_in": 0.2e4, "token_out": 1e4, "token_late": -1e4}
PHASE = {"token_in": 0.0004, "token_out": 0.012}
KEY = ["node", "k"]


def main(ledger: Path, result: str) -> None:
    joules = added(map(energy_part, sorted((ledger / "energy").glob("*.parquet"))))
    deeds = added(map(work_part, sorted((ledger / "work").glob("*.parquet"))))
    deeds = by_service(deeds)
    users = deeds[deeds["demand"] > 0]
    share = users["demand"] / users.groupby(KEY)["demand"].transform("sum")
    users = users[[*KEY, "service"]].assign(share=share)
    shared = joules[joules["kind"] < 2].merge(users, on=KEY, how="left")
    shared["energy_j"] *= shared["share"].fillna(1.0)
    shared = shared.groupby([*KEY, "service"], dropna=False, as_index=False)["energy_j"].sum()
    cooled = shared.merge(
        joules.loc[joules["kind"] == 2, [*KEY, "energy_j"]], on=KEY, suffixes=("", "_cooling")
    )
    cooled["energy_j"] *= cooled["energy_j_cooling"] / cooled.groupby(KEY)["energy_j"].transform(
        "sum"
    )
    rows = pd.concat([deeds, shared, cooled])
    sums = ["utility_beq", "bits_bit", "energy_j"]
    table = rows.groupby(["service", "k"], dropna=False, as_index=False)[sums].sum()
    table["t0_s"] = table["k"] * 60.0
    table["tree_beq_per_j"] = (table["utility_beq"] / table["energy_j"]).where(
        table["energy_j"] > 0
    )
    table.drop(columns="k").to_parquet(result)


def energy_part(path: Path) -> pd.DataFrame:
    columns = ["t0_s", "t1_s", "node", "component", "state", "energy_j"]
    rows = whole_minutes(pd.read_parquet(path, columns=columns), ["energy_j"])
    sums = rows.groupby([*KEY, "component", "state"], observed=True, sort=False, as_index=False)
    found = sums["energy_j"].sum()
    found["kind"] = found["state"].isin(DYNAMIC).astype("int8")
    found.loc[found["component"] == "cooling", "kind"] = 2
    found["node"] = found["node"].astype("str")
    return found.groupby([*KEY, "kind"], sort=False)[["energy_j"]].sum()


def work_part(path: Path) -> pd.DataFrame:
    columns = ["t0_s", "t1_s", "node", "service", "kind", "amount", "demand"]
    rows = whole_minutes(pd.read_parquet(path, columns=columns), ["amount", "demand"])
    sums = rows.groupby([*KEY, "service", "kind"], observed=True, sort=False, as_index=False)
    found = sums[["amount", "demand"]].sum()
    for name in ("node", "service", "kind"):
        found[name] = found[name].astype("str")
    return found.set_index([*KEY, "service", "kind"])


def by_service(deeds: pd.DataFrame) -> pd.DataFrame:
    """Utility, bits and weighted demand of each service by node and minute."""
    bits = deeds["kind"].isin(["bit_ul", "bit_dl"])
    data = deeds["service"].isin(["upload", "download"])
    worth = deeds["kind"].map(WORTH).fillna(data.astype("float64"))
    phase = deeds["kind"].map(PHASE).fillna(1.0)
    deeds = deeds.assign(
        utility_beq=deeds["amount"] * worth,
        bits_bit=deeds["amount"].where(bits, 0.0),
        demand=deeds["demand"] * phase,
    )
    sums = ["utility_beq", "bits_bit", "demand"]
    return deeds.groupby([*KEY, "service"], as_index=False)[sums].sum()


def whole_minutes(rows: pd.DataFrame, amounts: list[str]) -> pd.DataFrame:
    """Rows with their minute `k`; those over several minutes prorated by time."""
    first = np.floor(rows["t0_s"] / 60.0)
    count = np.ceil(rows["t1_s"] / 60.0) - first
    long = count > 1
    rows["k"] = first.astype("int64")
    if not long.any():
        return rows
    cut = rows[long].loc[rows[long].index.repeat(count[long].astype("int64"))]
    cut["k"] += cut.groupby(level=0).cumcount()
    start = np.maximum(cut["t0_s"], cut["k"] * 60.0)
    end = np.minimum(cut["t1_s"], (cut["k"] + 1) * 60.0)
    part = (end - start) / (cut["t1_s"] - cut["t0_s"])
    cut[amounts] = cut[amounts].mul(part, axis=0)
    return pd.concat([rows[~long], cut])


def added(parts: object) -> pd.DataFrame:
    """Partial sums of all parts as one."""
    whole = pd.concat(parts)
    return whole.groupby(level=list(range(whole.index.nlevels))).sum().reset_index()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
