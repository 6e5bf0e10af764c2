"""Which variant of a model answers: a policy against fixed choices, over load, link and worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import seeds
from charts import Scale, bars
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.compute.accelerator import accelerator
from tree6g.compute.compression import Choice, relative
from tree6g.ledger.reading import Ledger
from tree6g.report import numerals
from tree6g.report.canvas import Drawing

SCENARIO: Final = "three-tiers"
POLICY: Final = "adaptive-compression"
REFERENCE: Final = "llama-3.1-8b fp16"
SMALL, MIDDLE, LARGE, LARGEST = (
    "llama-3.2-1b int4", "llama-3.2-3b int4", "llama-3.1-8b int4", "llama-3.1-8b fp8",
)  # fmt: skip
FIXED: Final = {"1B int4": SMALL, "3B int4": MIDDLE, "8B int4": LARGE, "8B fp8": LARGEST}
PARTED: Final = {"1B int4 in parts": SMALL, "3B int4 in parts": MIDDLE}
ADAPTIVE: Final = "adaptive"
RIVALS: Final = (*FIXED, *PARTED)
SHOWN: Final = (ADAPTIVE, *RIVALS)
# Requests per user and hour, bandwidth of the cell in MHz, worth of a token in bits.
SETTINGS: Final = {
    "usual": (6.0, 100.0, 1e4),
    "heavy": (24.0, 100.0, 1e4),
    "light dear": (2.0, 100.0, 1e6),
    "usual dear": (6.0, 100.0, 1e6),
    "heavy dear": (24.0, 100.0, 1e6),
    "narrow dear": (6.0, 30.0, 1e6),
}
LIKE_FRAC: Final = 0.01  # of served shares, within which designs render the same service
SEEDS: Final = (1, 2, 3)
TIME: Final = ("duration=80 s", "drain=20 s", "ledger_interval=10 s")
QUICK: Final = ("duration=2 s", "drain=2 s", "ledger_interval=2 s")
QUICK_SETTINGS: Final = ("usual",)


class Machine(NamedTuple):
    """A server of the scenario, whose parts share its power."""

    place: str
    name: str
    accelerator: str
    host_w: float
    batch: int
    budget_tok: int


EDGE: Final = Machine(place="sites.town", name="edge", accelerator="jetson-agx-orin", host_w=10.0,
                      batch=16, budget_tok=1024)  # fmt: skip
CLOUD: Final = Machine(place="clouds.region", name="h100", accelerator="h100-sxm", host_w=150.0,
                       batch=256, budget_tok=8192)  # fmt: skip


def run(bench: Bench) -> Found:
    """TREE, quality and served share of every design in every setting, and what each loses."""
    names = QUICK_SETTINGS if bench.quick else tuple(SETTINGS)
    rows, shares, usual = [], [], None
    for name in names:
        designs = _designs(name)
        each = seeds.ledgers(bench.within(name.replace(" ", "-")), designs, SEEDS, quick=QUICK)
        usual = each[0] if name == "usual" else usual
        told = [{design: _told(ledger) for design, ledger in one.items()} for one in each]
        rows += [_row(name, design, told) for design in designs]
        shares.append({"setting": name, **_mix([one[ADAPTIVE] for one in each])})
    assert usual is not None
    losses = _losses(rows)
    return {
        "rows": rows,
        "mixes": shares,
        "settings": [_setting(name, rows) for name in names],
        "losses": losses,
        "own": next(row for row in losses if row["design"] == ADAPTIVE),
        "rest": min((row for row in losses if row["design"] != ADAPTIVE), key=_most),
        "said": _said([_setting(name, rows) for name in names]),
        "parts": _parts(rows),
        "qualities": [{"variant": v, "quality_frac": _quality(v)} for v in FIXED.values()],
        "verdict": verdict({name: usual[name] for name in SHOWN}),
        "seeds": len(SEEDS),
    }


def _designs(setting: str) -> dict[str, Design]:
    """The same phones, mast and data centre with one variant everywhere, and with several."""
    rate, width, worth = SETTINGS[setting]
    common = (
        *TIME,
        f"policy={POLICY}",
        f"population.ai_requests_per_user_hour={rate:g}",
        f"sites.town.base_station.bandwidth={width:g} MHz",
        f"services.assistant.alpha_bit_per_tok={worth:g}",
        f"services.assistant.quality={_qualities()}",
    )
    found = {ADAPTIVE: _hosts(SMALL, (SMALL, MIDDLE), (SMALL, MIDDLE, LARGEST))}
    for name, variant in FIXED.items():
        found[name] = _hosts(None if variant == LARGEST else variant, (variant,), (variant,))
    for name, variant in PARTED.items():
        found[name] = _hosts(variant, (variant,) * 2, (variant,) * 3)
    return {name: Design(SCENARIO, (*common, *changes)) for name, changes in found.items()}


def _hosts(phone: str | None, edge: Sequence[str], cloud: Sequence[str]) -> tuple[str, ...]:
    """Variants on phones, at the mast and in the data centre; 8 GB do not fit into a phone."""
    phones = ("devices=null",)
    if phone is not None:
        model, _, weights = phone.partition(" ")
        phones = (f"devices.model={model}", f"devices.weights={weights}")
    return (*phones, _servers(EDGE, edge), _servers(CLOUD, cloud))


def _servers(machine: Machine, variants: Sequence[str]) -> str:
    """The machine cut into equal parts, one per variant, which share its idle and host power."""
    share = 1.0 / len(variants)
    idle_w = share * accelerator(machine.accelerator).idle_context_w
    parts = []
    for number, variant in enumerate(variants):
        model, _, weights = variant.partition(" ")
        parts.append(
            f"{{name: {machine.name}-{number}, accelerator: {machine.accelerator}, model: {model}, "
            f"weights: {weights}, share_frac: {share:.9g}, idle_power: {idle_w:.9g} W, "
            f"host_power: {share * machine.host_w:.9g} W, max_batch: {machine.batch}, "
            f"token_budget: {machine.budget_tok}}}"
        )
    return f"{machine.place}.servers=[{', '.join(parts)}]"


def _qualities() -> str:
    stated = ", ".join(f"{variant}: {_quality(variant):.4g}" for variant in FIXED.values())
    return f"{{{stated}}}"


def _quality(variant: str) -> float:
    """Quality as measured, against the 8B model in 16 bits."""
    model, _, weights = variant.partition(" ")
    known = relative(Choice(kind="bits", model=model, weights=weights), REFERENCE)
    assert known is not None
    return known.frac


def _told(ledger: Ledger) -> dict[str, float]:
    """Figures of a run."""
    figure, mix = tree6g.figure(ledger), _tokens(ledger)
    service = figure.service("assistant")
    total = sum(mix.values())
    quality = sum(_quality(model) * tok for model, tok in mix.items()) / total if total else 0.0
    return {
        "tree_beq_per_j": float(figure.tree_beq_per_j or 0.0),
        "ee_bit_per_j": float(figure.ee_bit_per_j or 0.0),
        "served_frac": float(service.served_share_frac or 0.0),
        "quality_frac": quality,
        "power_w": figure.energy_j / figure.covered_s,
    }


def _tokens(ledger: Ledger) -> dict[str, float]:
    """Answer tokens by variant."""
    rows = ledger.query(
        "SELECT model, sum(amount) AS tok FROM work WHERE kind = 'token_out' AND amount > 0 "
        "GROUP BY ALL ORDER BY 1"
    ).to_pylist()
    return {row["model"]: float(row["tok"]) for row in rows}


def _mix(ledgers: Sequence[Ledger]) -> dict[str, float]:
    """Share of the tokens of all seeds that each variant made."""
    made = [_tokens(ledger) for ledger in ledgers]
    sums = {name: sum(one.get(v, 0.0) for one in made) for name, v in FIXED.items()}
    total = sum(sums.values()) or 1.0
    return {name: tok / total for name, tok in sums.items()}


def _row(setting: str, design: str, told: Sequence[Mapping[str, Mapping[str, float]]]) -> Found:
    """A design in a setting over the seeds; its lead over the best fixed choice, seed by seed."""
    own = [one[design] for one in told]
    mean = {key: seeds.spread([one[key] for one in own])["mean"] for key in own[0]}
    best = max(RIVALS, key=lambda f: sum(one[f]["tree_beq_per_j"] for one in told))
    pairs = [(one[design]["tree_beq_per_j"], one[best]["tree_beq_per_j"]) for one in told]
    lead = seeds.spread([a / b - 1.0 if b else 0.0 for a, b in pairs])
    tree = seeds.spread([one["tree_beq_per_j"] for one in own])
    return {
        "setting": setting, "design": design, **mean,
        "low_beq_per_j": tree["low"], "high_beq_per_j": tree["high"],
        "lead_frac": lead["mean"], "lead_low_frac": lead["low"], "lead_high_frac": lead["high"],
    }  # fmt: skip


def _setting(name: str, rows: Sequence[Found]) -> Found:
    """Who is best among the fixed choices, and how the policy does against it."""
    own = {row["design"]: row for row in rows if row["setting"] == name}
    best = max(RIVALS, key=lambda f: float(own[f]["tree_beq_per_j"]))
    ours, rate, width, worth = own[ADAPTIVE], *SETTINGS[name]
    apart = abs(ours["served_frac"] - own[best]["served_frac"])
    return {
        "setting": name, "rate": rate, "width_hz": width * 1e6, "worth_bit": worth, "best": best,
        "best_beq_per_j": own[best]["tree_beq_per_j"],
        "best_served_frac": own[best]["served_frac"],
        "best_quality_frac": own[best]["quality_frac"],
        **{key: ours[key] for key in ours if key not in {"setting", "design"}},
        "same": "yes" if apart <= LIKE_FRAC else "no",
    }  # fmt: skip


def _losses(rows: Sequence[Found]) -> list[Found]:
    """What each design loses against the best of all in its worst setting, and on average."""
    names = list(dict.fromkeys(row["setting"] for row in rows))
    tops = {
        name: max(float(row["tree_beq_per_j"]) for row in rows if row["setting"] == name)
        for name in names
    }
    found = []
    for design in SHOWN:
        lost = {
            row["setting"]: 1.0 - row["tree_beq_per_j"] / tops[row["setting"]]
            for row in rows
            if row["design"] == design
        }
        worst = max(lost, key=lost.__getitem__)
        found.append({"design": design, "most_frac": lost[worst], "where": worst,
                      "mean_frac": sum(lost.values()) / len(lost)})  # fmt: skip
    return found


def _most(row: Found) -> float:
    return float(row["most_frac"])


def _said(settings: Sequence[Found]) -> str:
    """In how many settings the policy wins, ties or loses: the sign of all seeds decides."""
    won = [s["setting"] for s in settings if s["lead_low_frac"] > 0.0]
    lost = [s["setting"] for s in settings if s["lead_high_frac"] < 0.0]
    open_ = [s["setting"] for s in settings if s["setting"] not in {*won, *lost}]
    parts = []
    for words, names in (("ahead of every fixed choice", won), ("behind the best one", lost),
                         ("undecided between the seeds", open_)):  # fmt: skip
        if names:
            parts.append(f"{words} in {len(names)} ({numerals.listing(names)})")
    return f"Of {len(settings)} settings it is {numerals.listing(parts)}"


def _parts(rows: Sequence[Found]) -> str:
    """What cutting the machines into parts changes by itself, with one variant everywhere."""
    tree = {(row["setting"], row["design"]): float(row["tree_beq_per_j"]) for row in rows}
    names = {FIXED[whole]: whole for whole in FIXED}
    gains = [
        worth / tree[setting, names[PARTED[design]]] - 1.0
        for (setting, design), worth in tree.items()
        if design in PARTED
    ]
    return f"{100 * min(gains):+.1f} to {100 * max(gains):+.1f} %"


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """TREE of each design against the best fixed choice, and who answers under the policy."""
    names = [setting["setting"] for setting in found["settings"]]
    leads = {(row["setting"], row["design"]): row["lead_frac"] for row in found["rows"]}
    return [
        bars(
            "tree", "TREE against the best fixed choice of each setting",
            "Difference of TREE to the best fixed choice, by setting and design.", stamp,
            groups=names,
            y=Scale(key="lead_frac", label="TREE against the best fixed choice", unit="frac"),
            series={design: [leads[name, design] for name in names] for design in SHOWN},
        ),
        bars(
            "mix", "Who answers under the policy",
            "Share of the tokens that each variant makes under the policy, by setting.", stamp,
            groups=names,
            y=Scale(key="token_frac", label="share of the tokens", unit="frac"),
            series={name: [mix[name] for mix in found["mixes"]] for name in FIXED if any(
                mix[name] for mix in found["mixes"])},
        ),
    ]  # fmt: skip
