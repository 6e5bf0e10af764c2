"""One language model for nineteen masts: a GPU at each, at four hubs, in the region, in a cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from charts import Scale, bars, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Figure
from tree6g.report.canvas import Drawing
from tree6g.report.numerals import NBSP, listing, percent

SCENARIO = str(Path(__file__).with_name("district.yaml"))
RATE = "population.ai_requests_per_user_hour"
RATES = (0.15, 0.6, 2.4, 9.6)  # 0.15: an average user of today
BASE = 2.4
PICTURES = ("services.0.lengths=video-scene", "services.0.prompt=150 B/tok")
HUBS = ("hub-1", "hub-2", "hub-3", "hub-4")
FARTHEST = ("site", "cloud")
MASTS = 19
LINKS = {"site": 0, "hub": 1, "region": 3, "cloud": 4}  # from a mast to the GPU
AWAY = {"site": "at the masts", "hub": "20 km", "region": "320 km", "cloud": "1,820 km"}
QUICK = ("duration=20 s", "drain=10 s", "step=10 s")


def _data_centre(name: str, pue: float, cards: Sequence[str], host_w: int = 150) -> str:
    servers = ", ".join(
        f"{{name: gpu-{n}, accelerator: {card}, model: llama-3.1-8b, weights: fp8, "
        f"host_power: {host_w} W}}"
        for n, card in enumerate(cards, 1)
    )
    return f"{{name: {name}, pue: {pue}, servers: [{servers}]}}"


def _moved(data_centres: Mapping[str, str]) -> tuple[str, ...]:
    """The district without GPUs at its masts, with these data centres."""
    places = (f"topology.places.{name}={name}" for name in data_centres)
    return ("sites.0.servers=[]", f"clouds=[{', '.join(data_centres.values())}]", *places)


# PUE: 1.5 a telephone exchange and 1.3 a good data centre, around the 1.58 that operators report on
# average (Uptime Institute, 2023); 1.1 the fleets of the largest clouds.
DESIGNS = {
    "site": (),
    "hub": _moved({hub: _data_centre(hub, 1.5, ["l40s"]) for hub in HUBS}),
    "region": _moved({"region": _data_centre("region", 1.3, ["h100-sxm"])}),
    "cloud": _moved({"cloud": _data_centre("cloud", 1.1, ["h100-sxm"])}),
}
SAME_CARD = {  # what pooling saves by itself: the card of the masts, fewer of them
    "hub": _moved({hub: _data_centre(hub, 1.5, ["l4"], 80) for hub in HUBS}),
    "region": _moved({"region": _data_centre("region", 1.3, ["l4"] * 4, 80)}),
}
CARDS = {"site": "19 L4", "hub": "4 L40S", "region": "1 H100", "cloud": "1 H100"}


def run(bench: Bench) -> Found:
    """Four places at four loads; at one load the same card, pictures and another seed."""
    rates = RATES[-1:] if bench.quick else RATES
    base = str(rates[-1] if bench.quick else BASE)
    asked = {f"{rate} {p}": (rate, change, None) for rate in rates for p, change in DESIGNS.items()}
    asked |= {f"card {p}": (base, change, None) for p, change in SAME_CARD.items()}
    asked |= {f"pictures {p}": (base, (*DESIGNS[p], *PICTURES), None) for p in FARTHEST}
    asked |= {f"seed {p}": (base, DESIGNS[p], 2) for p in FARTHEST}
    made = [f"{base} {p}" for p in FARTHEST] if bench.quick else list(asked)
    ledgers = bench.ledgers({name: _design(*asked[name]) for name in made}, quick=QUICK)
    for name in asked:  # a quick run takes one of its two designs for each of the others
        ledgers.setdefault(name, ledgers[made["site" not in name]])
    loads = [
        {"rate": rate, "places": _rows({p: ledgers[f"{rate} {p}"] for p in DESIGNS})}
        for rate in rates
    ]
    told = verdict({place: ledgers[f"{base} {place}"] for place in DESIGNS})
    own = next(each for each in loads if str(each["rate"]) == base)
    again = _rows({place: ledgers[f"seed {place}"] for place in FARTHEST})
    return {
        "loads": loads,
        "base": own["places"],
        "base_rate": float(base),
        "own": {row["place"]: row for row in own["places"]},
        "card": _named({p: ledgers[f"card {p}"] for p in SAME_CARD}),
        "picture": _named({p: ledgers[f"pictures {p}"] for p in FARTHEST}),
        "verdict": told,
        "words": _words(loads, own["places"], again),
    }


def _design(rate: str | float, change: Sequence[str], seed: int | None) -> Design:
    return Design(SCENARIO, (f"{RATE}={rate}", *change), seed)


def _named(ledgers: Mapping[str, Ledger]) -> dict[str, Found]:
    return {row["place"]: row for row in _rows(ledgers)}


def _rows(ledgers: Mapping[str, Ledger]) -> list[Found]:
    return [_row(place, tree6g.figure(ledger), ledger) for place, ledger in ledgers.items()]


def _row(place: str, figure: Figure, ledger: Ledger) -> Found:
    """What a place costs: joules of its GPUs with host and cooling, and of the tokens' way."""
    own, joules = figure.service("assistant"), _joules(ledger)
    tokens, span_s = own.tokens_out_tok, figure.t1_s - figure.t0_s
    waits = ledger.query(
        "select quantile_cont(ttft_s, 0.5) half, quantile_cont(ttft_s, 0.95) most from request"
    ).to_pylist()[0]
    carried = _carried(ledger)
    return {
        "place": place,
        "cards": CARDS[place],
        "tok_per_s": tokens / span_s,
        "compute_j_per_tok": (joules["waiting"] + joules["working"]) / tokens,
        "waiting_j_per_tok": joules["waiting"] / tokens,
        "working_j_per_tok": joules["working"] / tokens,
        "transport_j_per_tok": carried / tokens,
        "compute_w": (joules["waiting"] + joules["working"]) / span_s,
        "network_w": (figure.energy_j - joules["waiting"] - joules["working"]) / span_s,
        "ttft_half_s": waits["half"],
        "ttft_most_s": waits["most"],
        "served_share_frac": own.served_share_frac,
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "ee_ran_bit_per_j": figure.ee_ran_bit_per_j,
    }


def _joules(ledger: Ledger) -> dict[str, float]:
    rows = ledger.query(
        "select state in ('prefill', 'decode') as working, sum(energy_j) j from energy "
        "where tier in ('edge', 'cloud') group by 1"
    ).to_pylist()
    found = {bool(row["working"]): row["j"] for row in rows}
    return {"waiting": found.get(False, 0.0), "working": found.get(True, 0.0)}


def _carried(ledger: Ledger) -> float:
    """Joules of the links that prompts and tokens cause."""
    row = ledger.query(
        "select sum(energy_j) j from energy where tier = 'transport' and service = 'assistant'"
    ).to_pylist()[0]
    return row["j"] or 0.0


def _words(loads: Sequence[Found], base: Sequence[Found], again: Sequence[Found]) -> Found:
    """What holds at which load, and how far the figures are from turning."""
    by = {row["place"]: row for row in base}
    far, near, other = by["cloud"], by["site"], {row["place"]: row for row in again}
    saved = near["compute_j_per_tok"] - far["compute_j_per_tok"]
    slack_w = near["tok_per_s"] * (far["compute_j_per_tok"] - near["working_j_per_tok"])
    dearer = [load["places"][0]["compute_j_per_tok"] for load in loads]
    cheaper = [load["places"][-1]["compute_j_per_tok"] for load in loads]
    ran = [row["ee_ran_bit_per_j"] for row in base]
    return {
        "cheapest": listing([f"{_cheapest(load)} at {load['rate']:g}" for load in loads]),
        "ratio_low": dearer[0] / cheaper[0],
        "ratio_high": dearer[-1] / cheaper[-1],
        "break_even_j_per_bit": 5e-9 * LINKS["cloud"] * saved / far["transport_j_per_tok"],
        "site_idle_w": near["waiting_j_per_tok"] * near["tok_per_s"] / MASTS,
        "site_idle_break_even_w": max(0.0, slack_w) / MASTS,
        "site_waiting_frac": near["waiting_j_per_tok"] / near["compute_j_per_tok"],
        "cloud_waiting_frac": far["waiting_j_per_tok"] / far["compute_j_per_tok"],
        "cloud_transport_frac": far["transport_j_per_tok"] / far["compute_j_per_tok"],
        "ttft_gap_s": abs(near["ttft_half_s"] - far["ttft_half_s"]),
        "from_far": "sooner" if near["ttft_half_s"] > far["ttft_half_s"] else "later",
        "tree_gain_frac": _gain(far, near),
        "tree_gain_again_frac": _gain(other["cloud"], other["site"]),
        "ran_spread_frac": max(ran) / min(ran) - 1.0,
        "least_served": _least_served(loads),
    }


def _least_served(loads: Sequence[Found]) -> str:
    share, where, rate = min(
        (row["served_share_frac"], row["place"], load["rate"])
        for load in loads
        for row in load["places"]
    )
    return f"{percent(share)} ({where} at {rate:g} requests per user and hour)"


def _gain(one: Found, other: Found) -> float:
    return float(one["tree_beq_per_j"] / other["tree_beq_per_j"]) - 1.0


def _cheapest(load: Found) -> str:
    return str(min(load["places"], key=lambda row: row["compute_j_per_tok"])["place"])


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Joules per token over load by place, and what they are made of at one load."""
    loads = found["loads"]
    places = [row["place"] for row in loads[0]["places"]]
    label = {p: f"{p}: {CARDS[p]}, {AWAY[p]}" for p in places}
    base = found["base"]
    return [
        lines(
            "load", "Joules per token by the place of the GPU",
            "Joules of GPU, host and cooling per output token over the load, by place.", stamp,
            x=Scale(key="requests_per_user_hour", label="AI requests per user and hour", log=True),
            at=[load["rate"] for load in loads],
            y=Scale(key="j_per_tok", label="J per output token, with idle and cooling", log=True),
            series={
                label[p]: [_of(load, p, "compute_j_per_tok") for load in loads] for p in places
            },
        ),
        bars(
            "parts", "What a token is made of",
            "Joules per token that wait, that work and that carry bits, by place.", stamp,
            groups=[f"{row['place']} {row['cards'].replace(' ', NBSP)}" for row in base],
            y=Scale(key="j_per_tok", label="J per output token", zero=True),
            series={
                "GPU and host waiting": [row["waiting_j_per_tok"] for row in base],
                "GPU working": [row["working_j_per_tok"] for row in base],
                "transport of prompt and tokens": [row["transport_j_per_tok"] for row in base],
            },
        ),
    ]  # fmt: skip


def _of(load: Found, place: str, key: str) -> float:
    return next(float(row[key]) for row in load["places"] if row["place"] == place)
