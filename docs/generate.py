"""Write what follows from the code: `python docs/generate.py`.

That is the generated reference pages, the picture, and on every page the output below a comment
`<!-- tree6g ... -->`. Tests compare what is in the repository with what this writes.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from tree6g import data
from tree6g.cli import app
from tree6g.ledger import schema

HERE = Path(__file__).parent
WIDTH = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
COLUMN_MEANING = {
    "t0_s": "start of the interval", "t1_s": "end of the interval", "node": "what burned or worked",
    "tier": "where it is", "component": "part of the node", "state": "what the part was doing",
    "energy_j": "electrical energy of the interval", "origin": "measured, modelled or estimated",
    "source": "which meter or equation; a key of `sources` in `meta.json`",
    "service": "the service; null where shared", "u95_frac": "half width of the 95 % interval",
    "kind": "what was done or seen", "amount": "how much, in the unit of the kind",
    "model": "row of the table of models", "sessions": "running on average; null = not seen",
    "demand": "use of the node's resource, which attribution goes by",
    "demand_unit": "unit of the demand", "id": "number of the request", "arrival_s": "arrival",
    "token_in": "prompt tokens", "token_out": "output tokens", "token_late": "of these, late ones",
    "token_in_late": "prompt tokens whose first answer came late", "ue": "number of the terminal",
    "cut_layer": "layer at which a split model is cut", "ttft_s": "time to the first token",
    "tpot_s": "mean time per further token", "e2e_s": "time to the last token",
    "slice": "S-NSSAI", "qos": "5QI", "token_class": "row of the table of token service classes",
    "profile": "utility profile", "profile_hash": "its hash", "boundaries": "boundaries it is in",
    "site": "place", "what": "what it is", "record": "row of a packaged table",
    "quantity": "energy or work", "status": "ok or gap", "reason": "why there is a gap",
    "le_s": "upper edge of the bucket", "le_bps": "upper edge of the bucket",
    "count": "events in this bucket alone; a bucket without a row is empty",
    "sum_s": "sum of the times of these events", "volume_bit": "bits behind these samples",
    "time_s": "time in which their users had something to send",
    "used_s": "time of the whole carrier that was used, of this direction",
    "available_s": "time of the whole carrier that there was", "low": "lower bound",
    "high": "upper bound",
}  # fmt: skip


def commands() -> str:
    """Help of every command, as it is printed."""
    parts = [
        "# Commands\n",
        "What `tree6g COMMAND --help` prints. All commands take `--json`; keys and exit codes are",
        "in [Machine-readable results](results.md).\n",
    ]
    for words in command_names():
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="tree6g", env=WIDTH).output
        text = "\n".join(line.rstrip() for line in shown.strip().splitlines())
        parts.append(f"## tree6g {' '.join(words)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def command_names() -> list[list[str]]:
    """All commands as words, sub-commands after their group."""
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [[name, sub] for sub in inner] if inner else [[name]]
    return found


def ledger() -> str:
    """Tables, columns and words of the ledger."""
    parts = [
        "# Ledger\n",
        "A ledger is a folder of zstd Parquet part-files, one sub-folder per table, with a",
        f"header `meta.json`. Schema `{schema.SCHEMA}`. Rows are intervals [t0, t1) in s.",
        "Unknown is an absent row or a null, never 0. DuckDB, Spark, ClickHouse and Polars read it",
        "in place. As CSV, a ledger is the same header and one `<table>.csv` per table.\n",
    ]
    for name, columns in schema.TABLES.items():
        parts += [f"## `{name}`\n", "| column | type | required | meaning |", "|---|---|---|---|"]
        for field in columns:
            kind = {"double": "number", "int64": "integer"}.get(str(field.type), "text")
            required = "no" if field.nullable else "yes"
            parts.append(f"| `{field.name}` | {kind} | {required} | {COLUMN_MEANING[field.name]} |")
        parts.append("")
    parts += ["## Words\n", "| column | may hold |", "|---|---|"]
    for (table, column), words in schema.VOCABULARY.items():
        parts.append(f"| `{table}.{column}` | {', '.join(f'`{word}`' for word in words)} |")
    parts += [
        "",
        "`token_late` is part of `token_out`, `token_in_late` of `token_in`, `bit_late` of",
        "`bit_ul` and `bit_dl`. `token_lost`, `token_in_lost` and `bit_lost` were offered and",
        "never delivered.",
        "",
        "A row of `latency` or `throughput` is one bucket of a histogram, counted when packets",
        "arrived or requests were answered. A sample of `throughput` is one user in one interval.",
        "The simulator's buckets grow by 10^(1/80). `packet_dl` and `packet_ul` run from the",
        "sender's buffer to the receiver over the radio access.",
        "",
    ]
    return "\n".join(parts)


def glossary() -> str:
    """Quantities with symbol, unit and meaning."""
    return _table_page(
        "Glossary",
        "Every quantity of the package: the name is the one in code, columns and JSON keys.",
        ("quantities",),
    )


def tables() -> str:
    """Packaged tables of products and profiles."""
    return _table_page(
        "Packaged tables",
        "Status: `read` (stated by the source), `measured` (computed from measurements that the "
        "source names), `typical` (usual value without a citable measurement).",
        tuple(name for name in data.TABLES if name != "quantities"),
    )


CARRIERS = {"9": 0.3, "7": 0.1, "88": 0.01}  # 5QI and its packet delay budget, the slackest first
CLASSES_LEAD = """# Token service classes, a proposal

A flow of packets has a 5QI (3GPP TS 23.501, table 5.7.4-1): resource type, priority, delay budget,
error rate, burst. A stream of tokens needs the same, counted in tokens. This is what such a class
could say. It is our proposal and no standard; its rows are the packaged table `token_classes`,
which scenarios name as `token_class`. The work on 6G use cases (TR 22.870) is where it would have
to be agreed.
"""
WORTH_LEAD = """
What its tokens are worth, and to whom:

| class | utility | worth of a prompt token, k_in | examples |
|---|---|---|---|"""
CLASSES_NOTES = """
What the columns mean, and where their values come from:

- type, priority (resource type and default priority level of 5QI): guaranteed means that the token
  rate is admitted, not shared; the lower priority goes first, as with 5QI.
- TTFT, TPOT or deadline (packet delay budget): time to the first token, per token after it, or for
  the whole result. Sources: [Packaged tables](tables.md).
- error (packet error rate): share of requests whose tokens may be late or lost. MLPerf Inference
  holds its budgets at the 99th percentile of requests, so 0.01 where the row names it; else `open`.
- burst (maximum data burst volume): tokens that fall due within one TTFT budget at the pace of
  TPOT, that is TTFT/TPOT.
- unit (averaging window): whose rate the utility acts on, and over which time.
- utility: its [family](metric.md) with T0; k_in with the 5th to 95th percentile of 190 list prices.
  The least quality of a model (`quality_min_frac`) is open in all classes; scenarios state it.
- carried by (5QI): by delay alone, the slackest of 5QI 9 (300 ms), 7 (100 ms) and 88 (10 ms) of
  which two crossings take at most half of the time to the first token or result and, where device
  and edge pass every token between them, at most one TPOT.

5QI 88 stands for motion tracking of interactive services in TS 23.501; papers of 3GPP SA4 name it
for split AI inference too. So one class is there to be extended. A price belongs to a tariff, not
to a class: worth of a token is a field of its own, see
[Fit a profile](../how-to/fit-a-profile.md).
"""


def service_classes() -> str:
    """Token service classes in the shape of 5QI."""
    heads = "class|type|priority|TTFT, s|TPOT, s|deadline, s|error|burst, tok|unit|carried by"
    head = f"| {heads.replace('|', ' | ')} |"
    lines = [CLASSES_LEAD, head, "|---" * (heads.count("|") + 1) + "|"]
    for row in data.table("token_classes").values():
        ttft_s, tpot_s = row["ttft_budget_s"], row["tpot_budget_s"]
        burst = f"{ttft_s / tpot_s:.0f}" if ttft_s and tpot_s else ""
        cells = [
            *(_cell(row[name]) for name in ("token_class", "resource_type", "priority")),
            *(_cell(row[name]) for name in ("ttft_budget_s", "tpot_budget_s", "deadline_s")),
            "0.01" if "MLPerf" in str(row["source"]) else "open",
            burst,
            f"{row['unit']}, {_cell(row['interval_s'])} s",
            _carrier(row),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(WORTH_LEAD)
    lines += [_worth(row) for row in data.table("token_classes").values()]
    return "\n".join(lines) + "\n" + CLASSES_NOTES


def _worth(row: data.Row) -> str:
    """Utility, weight of prompts and examples of a class, as a row."""
    scale = f", T0 = {_cell(row['t0_tps'])} token/s" if row["t0_tps"] else ""
    span = f" ({_cell(row['k_in_low'])} to {_cell(row['k_in_high'])})" if row["k_in_low"] else ""
    cells = (row["token_class"], f"{row['family']}{scale}", f"{_cell(row['k_in'])}{span}")
    return f"| {' | '.join((*map(str, cells), _cell(row['examples'])))} |"


def _carrier(row: data.Row) -> str:
    """The slackest 5QI that leaves the server half of the time to the first token or result."""
    most_s = 0.5 * float(row["ttft_budget_s"] or row["deadline_s"] or 0.0)
    if row["token_class"] == "split-inference":
        most_s = min(most_s, float(row["tpot_budget_s"] or most_s))
    return next((name for name, delay_s in CARRIERS.items() if 2.0 * delay_s <= most_s), "none")


def _table_page(title: str, lead: str, names: tuple[str, ...]) -> str:
    parts = [f"# {title}\n", f"{lead}\n"]
    for name in names:
        rows = list(data.table(name).values())
        columns = list(rows[0])
        if len(names) > 1:
            parts.append(f"## `{name}`\n")
        parts += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        parts += [f"| {' | '.join(_cell(row[column]) for column in columns)} |" for row in rows]
        parts.append("")
    return "\n".join(parts)


def _cell(value: str | float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.10g}" if isinstance(value, float) else value
    return text.replace("|", "\\|").replace("<", "&lt;")


OUTPUT = re.compile(
    r"(?P<head><!-- (?P<line>tree6g .*?) -->\n\n```text\n)(?P<body>.*?)(?=^```$)",
    re.DOTALL | re.MULTILINE,
)
PICTURE = ("street-corner", "shares")


def with_output(page: Path) -> str:
    """A page whose commands have run again, in order, in one empty folder."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return OUTPUT.sub(_with_output, page.read_text("utf-8"))


def _with_output(match: re.Match[str]) -> str:
    words = shlex.split(match["line"])[1:]
    done = CliRunner().invoke(app, words, prog_name="tree6g", env=WIDTH)
    if done.exit_code:
        raise SystemExit(f"{match['line']}\n{done.output}")
    lines = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
    return match["head"] + "\n".join(lines) + "\n"


def written_pages() -> list[Path]:
    """Pages that show output."""
    pages = [HERE.parent / "README.md", *sorted(HERE.rglob("*.md"))]
    return [page for page in pages if OUTPUT.search(page.read_text("utf-8"))]


def picture() -> dict[str, bytes]:
    """The picture of the README and the numbers that it shows."""
    scenario, name = PICTURE
    with tempfile.TemporaryDirectory() as folder:
        done = CliRunner().invoke(app, ["run", scenario, "--out", folder])
        if done.exit_code:
            raise SystemExit(done.output)
        made = Path(folder) / "figures"
        return {f".{kind}": (made / f"{name}.{kind}").read_bytes() for kind in ("png", "csv")}


PAGES = {
    "reference/commands.md": commands,
    "reference/ledger.md": ledger,
    "reference/glossary.md": glossary,
    "reference/tables.md": tables,
    "reference/service-classes.md": service_classes,
}

if __name__ == "__main__":
    for path, page in PAGES.items():
        (HERE / path).write_text(page(), encoding="utf-8")
        print(path)
    for written in written_pages():
        written.write_text(with_output(written), encoding="utf-8")
        print(written.relative_to(HERE.parent))
    for suffix, content in picture().items():
        (HERE / "images" / f"{'-'.join(PICTURE)}{suffix}").write_bytes(content)
