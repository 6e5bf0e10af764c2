"""The style sheet of a report: one column on a phone, contents at the side on a desktop."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from tree6g.report import palette

_LAYOUT: Final = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere;
font:1.0625rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
a{color:var(--accent);text-underline-offset:.15em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--accent);
outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem 1rem;z-index:1}
.page{max-width:80rem;margin:0 auto;padding:1.25rem 1rem 3rem}
header,main>section,footer{max-width:46rem}
header .kind{margin:0 0 .25rem;color:var(--muted);font-size:.9rem;font-weight:600}
h1{margin:0 0 .5rem;font-size:1.1rem;line-height:1.3;font-weight:600;color:var(--muted)}
.takeaway{margin:0 0 .6rem;font-size:clamp(1.4rem,1.05rem + 1.9vw,2.1rem);line-height:1.22;
font-weight:700;letter-spacing:-.012em;text-wrap:balance}
.lead{margin:0 0 1.2rem;font-size:1.12rem;color:var(--muted)}
h2{margin:0 0 .5rem;font-size:1.4rem;line-height:1.25;letter-spacing:-.008em;text-wrap:balance}
h3{margin:1.6rem 0 .4rem;font-size:1.05rem}
p{margin:0 0 .8rem}
main>section{margin-top:2.6rem;padding-top:1.5rem;border-top:1px solid var(--rule)}
.cards{display:grid;gap:.8rem;margin:1.2rem 0;padding:0;list-style:none}
.cards li{padding:.85rem 1rem 1rem;background:var(--panel);border-top:4px solid var(--rule);
border-radius:0 0 .4rem .4rem}
.cards li:first-child{border-top-color:var(--accent)}
.cards b{display:block;font-size:.95rem}
.cards .big{display:block;font-size:2.3rem;line-height:1.2;font-weight:700;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.cards .unit{font-size:1.05rem;font-weight:600;letter-spacing:0}
.cards span.what{display:block;font-size:.9rem;line-height:1.4;color:var(--muted)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0 0 1rem;
font-size:.95rem}
.facts dt{color:var(--muted)}
.facts dd{margin:0}
.notes{margin:1rem 0;padding:.8rem 1rem;border:2px solid var(--energy);border-radius:.4rem}
.notes h2{font-size:1.05rem}
.notes p:last-child,.notes ul:last-child{margin-bottom:0}
ul{padding-left:1.2rem;margin:0 0 .8rem}
figure{margin:1.2rem 0 1.4rem}
figure svg{display:block;width:100%;height:auto;max-width:33rem}
figure svg text{font-family:inherit}
figcaption,.note{font-size:.9rem;line-height:1.45;color:var(--muted)}
figcaption{margin-top:.5rem}
.scroll{overflow-x:auto;margin:.6rem 0 .5rem;max-width:100%}
table{border-collapse:collapse;font-size:.92rem;line-height:1.35;
font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:0 0 .4rem}
caption span{position:sticky;left:0;display:inline-block;max-width:min(100%,calc(100vw - 3rem))}
th,td{padding:.38rem .9rem .38rem 0;text-align:left;vertical-align:top;overflow-wrap:break-word;
border-bottom:1px solid var(--rule)}
td{min-width:3.2rem;max-width:22rem}
thead th{color:var(--muted);font-weight:600;vertical-align:bottom;
border-bottom:2px solid var(--muted)}
tbody th{font-weight:600;max-width:11rem}
.num{text-align:right}
td.num{white-space:nowrap}
sup{font-size:.72em;line-height:0;margin-left:.1em}
details{margin:.6rem 0}
summary{cursor:pointer;color:var(--accent)}
pre{overflow-x:auto;margin:.6rem 0;padding:.8rem 1rem;background:var(--panel);border-radius:.4rem;
font-size:.88rem;line-height:1.45}
code,.hash{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em}
nav{margin:1.4rem 0 0;font-size:.92rem}
nav h2{font-size:.92rem;color:var(--muted);font-weight:600;letter-spacing:0;margin:0 0 .3rem}
nav ol{display:flex;flex-wrap:wrap;gap:.15rem 1rem;margin:0;padding:0;list-style:none}
nav a{display:inline-block;padding:.2rem 0;color:var(--ink);text-decoration-color:var(--rule)}
nav a:hover{text-decoration-color:var(--accent)}
.sources dt{font-weight:600}
.sources dd{margin:0 0 .5rem}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--rule);color:var(--muted);
font-size:.88rem}
@media (min-width:40rem){.page{padding:2.5rem 2rem 4rem}
.cards{grid-template-columns:repeat(3,1fr)}}
@media (min-width:72rem){.page{display:grid;grid-template-columns:13rem minmax(0,46rem);
gap:0 4rem;justify-content:center}
.page>nav{grid-row:1/span 3;position:sticky;top:2.5rem;align-self:start;margin:0;
max-height:calc(100vh - 4rem);overflow-y:auto}
nav ol{display:block}
header,main,footer{grid-column:2}
.page>nav{grid-column:1}}
@media print{.page{display:block;max-width:none;padding:0}
nav,.skip,.data{display:none}
body{font-size:10.5pt}
figure,.cards,.notes,tr{break-inside:avoid}
h2,h3,caption{break-after:avoid}
.scroll{overflow:visible}
figure svg{max-width:14cm}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""

SHEET: Final = (
    f":root{{color-scheme:light dark;{palette.css(0)}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{palette.css(1)}}}}}"
    f"{_LAYOUT}"
)


def policy() -> str:
    """The page's content security policy: this one style sheet, and nothing from anywhere."""
    digest = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
