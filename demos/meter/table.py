"""The figures of the demonstration as text."""

from __future__ import annotations

from typing import Any

KINDS = ("token_in", "token_in_cached", "token_out")


def text(found: dict[str, Any]) -> str:
    """What was counted beside what clients were told, and what each service is worth."""
    titles = ("requests", "prompt tok", "cached tok", "answer tok")
    lines = [f"{'service':<12}{'':<10}" + "".join(f"{title:>12}" for title in titles)]
    for service in found["services"]:
        for who in ("told", "counted"):
            counts = service[who]
            name = service["service"] if who == "told" else ""
            requests = f"{service['requests']:,}" if who == "told" else ""
            cells = "".join(f"{counts.get(kind, 0):>12,}" for kind in KINDS)
            lines.append(
                f"{name:<12}{'clients' if who == 'told' else 'ledger':<10}{requests:>12}{cells}"
            )
    verdict = "equal to the token" if found["equal"] else "NOT EQUAL"
    lines += [f"counts of the ledger and sums of the clients' usage: {verdict}", ""]
    lines.append(
        f"{'service':<12}{'TREE, beq/J':>14}{'J/token':>10}{'of energy':>11}{'of value':>10}"
    )
    for s in found["services"]:
        lines.append(
            f"{s['service']:<12}{number(s['tree_beq_per_j'], ',.4g'):>14}"
            f"{number(s['j_per_tok'], '.3g'):>10}{number(s['energy_share_frac'], '.1%'):>11}"
            f"{number(s['utility_share_frac'], '.1%'):>10}"
        )
    lines.append(f"{'all':<12}{number(found['tree_beq_per_j'], ',.4g'):>14}")
    lines.append(
        f"energy {number(found['energy_j'], ',.4g')} J, of which "
        f"{number(found['estimated_frac'], '.0%')} are estimated; coverage "
        f"{number(found['coverage_frac'], '.1%')}; conservation error "
        f"{number(found['conservation_error_frac'], '.1e')}"
    )
    lines.append(f"report {found['report']}")
    return "\n".join(lines)


def number(value: float | None, form: str) -> str:
    """A number, or a dash where it is not known."""
    return "-" if value is None else format(value, form)
