"""One model on the phone, at the mast, in a data centre, or shared: load, size, distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from charts import Scale, bars, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.compare import SERVED_SHARE_LIMIT
from tree6g.report.canvas import Drawing
from tree6g.report.numerals import listing, percent

SCENARIO = str(Path(__file__).with_name("tiers.yaml"))
NO_EDGE = "sites.town.servers=[]"
NO_CLOUD = ("clouds=[]", "topology.places={town: town, internet: core}")
DESIGNS = {  # each has the hardware that it needs, no other
    "device": ("policy=device-only", NO_EDGE, *NO_CLOUD),
    "edge": ("policy=edge-only", *NO_CLOUD),
    "cloud": ("policy=cloud-only", NO_EDGE),
    "split": (
        "policy=split-best", NO_EDGE, "services.assistant.split={server: h100, cut: best}",
    ),
}  # fmt: skip
HOLDERS = {"device": (), "edge": ("edge",), "cloud": ("cloud",), "split": ("cloud",)}
LOADS = (1, 4, 16, 64)  # requests per user and hour
BASE_LOAD, BASE_MODEL, BASE_KM, BASE_M = 4, "llama-3.2-3b", 300, 200
MODELS = {"llama-3.2-1b": "1B", "llama-3.2-3b": "3B", "llama-3.1-8b": "8B"}
KILOMETRES = (30, 300, 3000, 10000)  # from the town to the data centre
METRES = (100, 200, 400)  # radius of the cell
PATIENT = "services.assistant.token_class=batch-reasoning"  # nobody waits: a minute will do
QUICK = ("duration=30 s", "drain=30 s", "ledger_interval=30 s")

Settings = dict[str, tuple[str, ...]]


def _settings() -> Settings:
    """Overrides by name of a setting; each differs from the base in one thing."""
    found: Settings = {f"load {n}": (f"population.ai_requests_per_user_hour={n}",) for n in LOADS}
    found[f"load {LOADS[0]}"] += ("duration=30 min",)  # for as many answers
    found |= {f"model {name}": _model(name) for name in MODELS}
    found |= {f"km {n}": (f"topology.edges.transport.length={n} km",) for n in KILOMETRES}
    found |= {f"m {n}": (f"sites.town.radius={n} m",) for n in METRES}
    found["patient"] = (PATIENT,)
    return found


def _model(name: str) -> tuple[str, ...]:
    return (f"devices.model={name}", f"edge={name}", f"cloud={name}")


def run(bench: Bench) -> Found:
    """Four designs in settings that differ from the base in one thing each."""
    base = f"load {BASE_LOAD}"
    settings = {base: _settings()[base]} if bench.quick else _settings()
    same = {f"model {BASE_MODEL}", f"km {BASE_KM}", f"m {BASE_M}"}
    asked = {
        f"{setting}, {design}": Design(SCENARIO, _changes(design, changes))
        for setting, changes in settings.items()
        for design in DESIGNS
        if setting not in same
        and not (setting.startswith("km") and design in {"device", "edge"})
    }  # fmt: skip
    asked |= {
        f"seed, {design}": Design(SCENARIO, _changes(design, ()), seed=2)
        for design in (() if bench.quick else DESIGNS)
    }  # fmt: skip
    ledgers = bench.ledgers(asked, quick=QUICK)

    found = {name: _row(name.rpartition(" ")[2], ledger) for name, ledger in ledgers.items()}

    def of(setting: str) -> list[str]:
        own = (f"{setting}, {design}" for design in DESIGNS)
        return [name if name in found else f"{base}, {name.rpartition(' ')[2]}" for name in own]

    def told(setting: str) -> Found:
        own = dict(zip(DESIGNS, of(setting), strict=True))
        return verdict({design: ledgers[name] for design, name in own.items()})

    rows = {
        setting: _together([found[name] for name in of(setting)])
        for setting in (*_settings(), "seed")
    }
    return {
        "settings": rows,
        "base": list(rows[base].values()),
        "own": rows[base],
        "patient": list(rows["patient"].values()),
        "winners": _winners(rows),
        "verdict": told(base),
        "verdict_patient": told("patient"),
        "words": _words(rows, rows[base]),
    }


def _changes(design: str, changes: Sequence[str]) -> tuple[str, ...]:
    """Overrides of a design in a setting; a model is set where the design has a host for it."""
    host = {"edge": "sites.town.servers.edge.model", "cloud": "clouds.region.servers.h100.model"}
    found = []
    for change in changes:
        place, _, value = change.partition("=")
        if place in host and place not in HOLDERS[design]:
            continue
        found.append(f"{host[place]}={value}" if place in host else change)
    return (*DESIGNS[design], *found)


def _together(rows: Sequence[Found]) -> dict[str, Found]:
    """Rows of one setting by design; `same`: the worth on time is that of the best of them."""
    most = max(row["served_share_frac"] for row in rows)
    return {
        row["design"]: row | {"same": row["served_share_frac"] >= most - SERVED_SHARE_LIMIT}
        for row in rows
    }


def _row(design: str, ledger: Ledger) -> Found:
    figure = tree6g.figure(ledger)
    own, joules = figure.service("assistant"), _joules(ledger)
    tokens = max(own.tokens_out_tok, 1.0)
    seen = ledger.query(
        "select quantile_cont(ttft_s, 0.5) half, quantile_cont(ttft_s, 0.95) most, "
        "avg(tpot_s) pace, avg(cut_layer) cut from request"
    ).to_pylist()[0]
    return {
        "design": design,
        "served_share_frac": own.served_share_frac or 0.0,
        "work_j_per_tok": joules["work"] / tokens,
        "waiting_j_per_tok": joules["waiting"] / tokens,
        "j_per_tok": (joules["work"] + joules["waiting"]) / tokens,
        "device_j_per_tok": joules["device"] / tokens,
        "network_j_per_tok": joules["network"] / tokens,
        "ttft_half_s": seen["half"],
        "ttft_most_s": seen["most"],
        "pace_s": seen["pace"],
        "cut_layer": seen["cut"],
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "mean_power_w": figure.energy_j / (figure.t1_s - figure.t0_s),
    }


def _joules(ledger: Ledger) -> dict[str, float]:
    """Joules of the model's hosts and phones, at work and waiting; and of its bits on the way."""
    rows = ledger.query(
        "select tier, state in ('prefill', 'decode') working, service, sum(energy_j) j "
        "from energy group by all"
    ).to_pylist()

    def total(*tiers: str, working: bool) -> float:
        return sum(r["j"] for r in rows if r["tier"] in tiers and r["working"] == working)

    return {
        "work": total("device", "edge", "cloud", working=True),
        "device": total("device", working=True),
        "waiting": total("edge", "cloud", working=False),
        "network": sum(
            r["j"]
            for r in rows
            if r["service"] == "assistant" and r["tier"] in {"ran", "transport", "device"}
            and not r["working"]
        ),
    }  # fmt: skip


def _winners(rows: Mapping[str, Mapping[str, Found]]) -> list[Found]:
    """Per setting the best by TREE, of all and of those that render the same service."""
    names = {f"load {n}": f"{n} requests per user and hour" for n in LOADS}
    names |= {f"model {name}": f"{label} model" for name, label in MODELS.items()}
    names |= {f"km {n}": f"data centre {n:,} km away" for n in KILOMETRES}
    names |= {f"m {n}": f"cell of {n} m" for n in METRES}
    names["patient"] = "a minute for the first token"
    return [
        {
            "setting": name,
            "tree_best": _best(rows[setting].values(), "tree_beq_per_j"),
            "ee_best": _best(rows[setting].values(), "ee_bit_per_j"),
            "same": listing([row["design"] for row in rows[setting].values() if row["same"]]),
            "same_best": _best(
                [row for row in rows[setting].values() if row["same"]], "tree_beq_per_j"
            ),
            **{design: rows[setting][design]["served_share_frac"] for design in DESIGNS},
        }
        for setting, name in names.items()
    ]


def _best(rows: Sequence[Found], key: str) -> str:
    return str(max(rows, key=lambda row: row[key])["design"])


def _words(rows: Mapping[str, Mapping[str, Found]], base: Mapping[str, Found]) -> Found:
    far, near = rows[f"km {KILOMETRES[-1]}"], rows[f"km {KILOMETRES[0]}"]
    wide, narrow = rows[f"m {METRES[-1]}"]["split"], rows[f"m {METRES[0]}"]["split"]
    low, high = rows[f"load {LOADS[0]}"], rows[f"load {LOADS[-1]}"]
    return {
        "cloud_ttft_far_s": far["cloud"]["ttft_half_s"],
        "cloud_ttft_near_s": near["cloud"]["ttft_half_s"],
        "split_pace_far_s": far["split"]["pace_s"],
        "split_pace_near_s": near["split"]["pace_s"],
        "split_served_far_frac": far["split"]["served_share_frac"],
        "split_cut_far": far["split"]["cut_layer"] or 0.0,
        "split_cut_near": near["split"]["cut_layer"] or 0.0,
        "split_ttft_wide_s": wide["ttft_most_s"],
        "split_ttft_narrow_s": narrow["ttft_most_s"],
        "split_served_wide_frac": wide["served_share_frac"],
        "cloud_low_j_per_tok": low["cloud"]["j_per_tok"],
        "cloud_high_j_per_tok": high["cloud"]["j_per_tok"],
        "edge_low_j_per_tok": low["edge"]["j_per_tok"],
        "edge_served_high_frac": high["edge"]["served_share_frac"],
        "device_served": listing(
            [
                f"{percent(rows[f'model {m}']['device']['served_share_frac'])} with {label}"
                for m, label in MODELS.items()
            ]
        ),
        "seeds": _seeds(base, rows["seed"]),
        "split_ee_gain_frac": _gain(base, "ee_bit_per_j"),
        "split_tree_gain_frac": _gain(base, "tree_beq_per_j"),
        "waiting_frac": base["cloud"]["waiting_j_per_tok"] / base["cloud"]["j_per_tok"],
        "device_served_frac": base["device"]["served_share_frac"],
        "pooled": LOADS[-1] // BASE_LOAD,
        "pooled_j_per_tok": high["cloud"]["j_per_tok"],
        "device_network_j_per_tok": base["cloud"]["network_j_per_tok"],
        "split_network_j_per_tok": base["split"]["network_j_per_tok"],
    }


def _gain(rows: Mapping[str, Found], key: str) -> float:
    """By how much sharing raises a figure of the data centre alone."""
    return float(rows["split"][key] / rows["cloud"][key]) - 1.0


def _seeds(one: Mapping[str, Found], two: Mapping[str, Found]) -> str:
    """Whether a second seed has the same order by TREE."""
    orders = [
        sorted(rows, key=lambda d, rows=rows: -rows[d]["tree_beq_per_j"]) for rows in (one, two)
    ]
    if orders[0] == orders[1]:
        return f"With a second seed the order by TREE is the same: {listing(orders[0])}."
    return (
        f"By TREE the order is {listing(orders[0])}, with a second seed {listing(orders[1])}: "
        "what changes places is no finding."
    )


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Joules per token over load, and the worth that comes on time by size of the model."""
    rows = found["settings"]
    label = {"device": "phone", "edge": "at the mast", "cloud": "data centre", "split": "shared"}
    return [
        lines(
            "load", "Joules per token over the load, by place",
            "Joules of the model's hosts and phones per output token over the load, waiting and "
            "cooling included; the key says how much of the worth comes on time.", stamp,
            x=Scale(key="requests_per_user_hour", label="requests per user and hour", log=True),
            at=LOADS, y=Scale(key="j_per_tok", label="J per output token", log=True),
            series={
                f"{label[d]}: {_on_time(rows, d)}": [
                    rows[f"load {n}"][d]["j_per_tok"] for n in LOADS
                ]
                for d in DESIGNS
            },
        ),
        bars(
            "served", "Share of the assistant's worth that comes on time",
            "The share of worth on time by size of the model and place.", stamp,
            groups=[f"{label_} model" for label_ in MODELS.values()],
            y=Scale(key="served_share_frac", label="worth on time", unit="frac", zero=True),
            series={
                label[d]: [rows[f"model {m}"][d]["served_share_frac"] for m in MODELS]
                for d in DESIGNS
            },
        ),
    ]  # fmt: skip


def _on_time(rows: Mapping[str, Mapping[str, Found]], design: str) -> str:
    shares = [rows[f"load {n}"][design]["served_share_frac"] for n in LOADS]
    ends = dict.fromkeys((percent(min(shares)), percent(max(shares))))
    return f"{' to '.join(ends)} on time"
