"use strict";
// The page of `tree6g serve`: asks /api/windows, and draws. All text goes in as text, never as HTML.

const REFRESH_MS = 2000;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const state = { weights: new Map(), alphas: new Map(), data: null, cursor: null, charts: [], since: null };

// ---- small tools ----------------------------------------------------------------------------

function make(space, name, attributes, children) {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const h = (name, attributes, ...children) => make(null, name, attributes, children);
const s = (name, attributes, ...children) => make(SVG, name, attributes, children);

const PREFIXES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];

function split(value, unit) {
  if (value === null || value === undefined) return ["unknown", ""];
  if (value === 0) return ["0", unit];
  const size = Math.abs(value);
  const [factor, prefix] = PREFIXES.find(([f]) => size >= f * 0.9995) || PREFIXES[PREFIXES.length - 1];
  return [String(Number((value / factor).toPrecision(3))), prefix + unit];
}
const quantity = (value, unit) => split(value, unit).join(" ").trim();
const plain = (value) => (value === null ? "unknown" : String(Number(value.toPrecision(3))));
const percent = (value) => (value === null ? "unknown" : `${Number((100 * value).toPrecision(3))} %`);
const words = (name) => name.replaceAll("_", " ");
const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

function zero() {
  const text = state.data.ledger.t_zero;
  const at = text ? Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`) : NaN;
  return Number.isNaN(at) ? null : at;
}
function clock(t, seconds = true) {
  const base = zero();
  if (base !== null) {
    const form = { hour: "2-digit", minute: "2-digit", hour12: false, ...(seconds ? { second: "2-digit" } : {}) };
    return new Date(base + 1000 * t).toLocaleTimeString([], form);
  }
  const whole = Math.round(t);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60].map((n) => String(n).padStart(2, "0"));
  return (seconds ? parts : parts.slice(0, 2)).join(":");
}
function lasting(seconds) {
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Number((seconds / 3600).toPrecision(3))} h`;
}
const newest = (values) => {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return i;
  return -1;
};

function table(target, caption, heads, rows, numbers) {
  const cell = (text, i) => h(i === 0 ? "th" : "td", { class: numbers.has(i) ? "num" : null, scope: i === 0 ? "row" : null }, text);
  target.replaceChildren(
    caption ? h("caption", {}, caption) : "",
    h("thead", {}, h("tr", {}, ...heads.map((text, i) => h("th", { scope: "col", class: numbers.has(i) ? "num" : null }, text)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map(cell)))),
  );
}
// A figure's parts stay in place from one refresh to the next: focus, open tables, scroll positions.
function parts(figure, name) {
  if (!figure.chart) {
    figure.chart = h("div", {});
    figure.keys = h("ul", { class: "key" });
    figure.read = h("output", { "aria-live": "off" });
    figure.table = h("table", {});
    figure.caption = h("figcaption", {});
    const shown = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${name}` }, figure.table);
    figure.replaceChildren(figure.keys, figure.chart, figure.read, figure.caption, h("details", {}, h("summary", {}, `Table: ${name}`), shown));
  }
  return figure;
}

// ---- shapes that tell things apart without colour -------------------------------------------

const DASHES = ["", "7 4", "2 3", "10 3 2 3", "12 4", "1 4", "6 2 1 2 1 2", "4 6"];
const HATCHES = ["", "M0 8L8 0", "M0 0L8 8", "M4 0V8", "M0 4H8", "M0 8L8 0M0 0L8 8", "M4 0V8M0 4H8", "M0 4H4"];

function mark(i, x, y) {
  const r = 3.4;
  const shapes = [
    () => s("circle", { cx: x, cy: y, r }),
    () => s("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
    () => s("path", { d: `M${x} ${y - r - 1}l${r + 1} ${2 * r + 1}h${-2 * r - 2}z` }),
    () => s("path", { d: `M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z` }),
    () => s("path", { d: `M${x} ${y + r + 1}l${r + 1} ${-2 * r - 1}h${-2 * r - 2}z` }),
  ];
  const node = shapes[i % shapes.length]();
  node.setAttribute("class", `mark s${i % 8}`);
  return node;
}
let patterns = 0;
function pattern(i, gap = false) {
  const id = `p${patterns++}`;
  const node = s("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse", class: gap ? "gap" : `s${i % 8}` },
    s("rect", { width: 8, height: 8 }), s("path", { d: gap ? "M0 8L8 0M-2 2L2 -2M6 10L10 6" : HATCHES[i % 8] }));
  return [node, `url(#${id})`];
}
function lineKey(i) {
  return s("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" },
    s("path", { d: "M1 7H33", class: `line s${i % 8}`, "stroke-dasharray": DASHES[i % 8] }), mark(i, 17, 7));
}
function fillKey(i) {
  const [defs, fill] = pattern(i);
  return s("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" }, defs, s("rect", { width: 34, height: 14, fill }));
}

// ---- figures over time ----------------------------------------------------------------------

function scaleOf(values, height, log) {
  const known = values.filter((v) => v !== null);
  const positive = known.filter((v) => v > 0);
  const high = Math.max(...positive, 1e-12), low = Math.min(...positive, high);
  if (log) {
    const a = Math.floor(Math.log10(low)), b = Math.ceil(Math.log10(high) + 1e-9);
    const step = Math.ceil((b - a) / 5);
    const ticks = [];
    for (let k = a; k <= b; k += step) ticks.push(10 ** k);
    return { log: true, ticks, y: (v) => height - ((Math.log10(Math.max(v, 10 ** a)) - a) / (b - a)) * height };
  }
  const rough = high / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= rough * 0.999);
  const top = step * Math.ceil(high / step - 1e-9);
  const ticks = [];
  for (let k = 0; k * step <= top * 1.0001; k++) ticks.push(k * step);
  return { log: false, ticks, y: (v) => height - (v / top) * height };
}

function timeAxis(t0, t1, width, x) {
  const span = Math.max(t1 - t0, 1e-9), most = Math.max(2, Math.floor(width / 80));
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
  const step = steps.find((m) => span / m <= most) || span / most;
  const base = zero();
  const shift = base === null ? 0 : (base / 1000 - new Date(base).getTimezoneOffset() * 60) % step;
  const ticks = [];
  for (let t = Math.ceil((t0 + shift) / step - 1e-9) * step - shift; t <= t1 + 1e-9; t += step) ticks.push(t);
  return ticks.map((t) => [x(t), clock(t, step < 60)]);
}

const median = (values) => values.filter((v) => v > 0).sort((a, b) => a - b)[Math.floor(values.filter((v) => v > 0).length / 2)];
// Lines that lie decades apart share a logarithmic scale; an outlier of one line does not make it so.
function apart(series) {
  const middles = series.map((one) => median(one.values)).filter((v) => v !== undefined);
  return Math.max(...middles) / Math.min(...middles) > 50;
}

// Axes, gaps and the cursor of a chart; `drawn` gets its scales and returns what is inside.
function timeChart(target, { label, unit, values, height = 190, drawn, readout, log = false, floor = null }) {
  const { windows, uncovered } = state.data;
  const count = windows.t0_s.length;
  const width = Math.max(260, target.clientWidth || 320);
  const left = 64, right = width - 8, bottom = height + 10;
  const t0 = windows.t0_s[0], t1 = Math.max(windows.t1_s[count - 1], t0 + 1e-9);
  const x = (t) => left + ((t - t0) / (t1 - t0)) * (right - left);
  const scale = scaleOf(floor === null ? values : [...values, floor], height, log);
  const y = (v) => 10 + scale.y(v);
  const [hatch, fill] = pattern(0, true);
  const root = s("svg", { viewBox: `0 0 ${width} ${height + 34}`, role: "img", tabindex: 0, "aria-label": `${label} Arrow keys read single windows; the table holds all of them.` }, s("defs", {}, hatch));
  for (const tick of scale.ticks) {
    root.append(s("path", { d: `M${left} ${y(tick)}H${right}`, class: "axis" }),
      s("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "soft" }, quantity(tick, "")));
  }
  root.append(s("text", { x: 0, y: height + 28, class: "soft" }, unit + (scale.log ? ", log" : "")));
  for (const [at, text] of timeAxis(t0, t1, right - left, x)) {
    const anchor = at > right - 24 ? "end" : "middle";
    if (at < left + 46) continue; // the unit stands there
    root.append(s("path", { d: `M${at} ${bottom}v4`, class: "axis" }), s("text", { x: at, y: height + 28, "text-anchor": anchor, class: "soft" }, text));
  }
  for (const [from, to] of uncovered) {
    const a = x(Math.max(from, t0)), b = x(Math.min(to, t1));
    root.append(s("rect", { x: a, y: 10, width: Math.max(b - a, 1), height, fill }, s("title", {}, `no data, ${clock(from)} to ${clock(to)}`)));
    if (b - a > 54) root.append(s("text", { x: (a + b) / 2, y: 24, "text-anchor": "middle", class: "soft halo" }, "no data"));
  }
  const middle = (i) => x((windows.t0_s[i] + windows.t1_s[i]) / 2);
  root.append(...drawn({ x, y, middle, count, root, bottom }));
  if (floor !== null) {
    root.append(s("path", { d: `M${left} ${y(floor)}H${right}`, class: "floor" }), s("text", { x: left + 4, y: y(floor) - 4, class: "halo" }, "floor"));
  }
  const line = s("path", { class: "cursor" });
  root.append(line);
  const at = (event) => {
    const box = root.getBoundingClientRect();
    const t = t0 + ((((event.clientX - box.left) / box.width) * width - left) / (right - left)) * (t1 - t0);
    moveTo(Math.max(0, windows.t1_s.findIndex((end) => t < end)));
  };
  root.addEventListener("pointermove", at);
  root.addEventListener("pointerdown", at);
  root.addEventListener("keydown", (event) => {
    const now = state.cursor === null ? count - 1 : state.cursor;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: count - 1 }[event.key];
    if (event.key === "Escape") moveTo(null);
    if (to === undefined) return;
    event.preventDefault();
    moveTo(Math.min(count - 1, Math.max(0, to)));
  });
  const focused = target.contains(document.activeElement);
  target.replaceChildren(root);
  if (focused) root.focus();
  const move = (i) => {
    line.setAttribute("d", i === null ? "" : `M${middle(i)} 10V${bottom}`);
    readout(i);
  };
  state.charts.push(move);
  move(state.cursor);
}
function moveTo(i) {
  state.cursor = i;
  for (const move of state.charts) move(i);
}
document.addEventListener("focusin", (event) => {
  // Readings are spoken for the chart that has the focus, not for all at once.
  for (const out of document.querySelectorAll("figure output")) {
    out.setAttribute("aria-live", out.closest("figure").contains(event.target) ? "polite" : "off");
  }
});

function lines(series) {
  return ({ y, middle, count }) => series.flatMap(({ values, style }) => {
    let path = "", open = false;
    const marks = [], every = Math.max(1, Math.round(count / 12));
    values.forEach((value, i) => {
      if (value === null) { open = false; return; }
      path += `${open ? "L" : "M"}${middle(i).toFixed(1)} ${y(value).toFixed(1)}`;
      const alone = !open && (i + 1 >= count || values[i + 1] === null);
      if (alone || i % every === Math.floor(every / 2)) marks.push(mark(style, middle(i), y(value)));
      open = true;
    });
    return [s("path", { d: path, class: `line s${style % 8}`, "stroke-dasharray": DASHES[style % 8] }), ...marks];
  });
}
const when = (i) => `${clock(state.data.windows.t0_s[i])} to ${clock(state.data.windows.t1_s[i])}`;
const reading = (i, texts) => `${when(i)}: ${texts.join(", ")}`;

function lineFigure(figure, { name, label, unit, series, floor = null, keys = true }) {
  parts(figure, name);
  figure.keys.replaceChildren(...(keys ? series.map((one) => h("li", {}, lineKey(one.style), `${one.name}, ${one.unit}`)) : []));
  timeChart(figure.chart, {
    label, unit, floor, values: series.flatMap((one) => one.values), drawn: lines(series), log: apart(series), height: keys ? 190 : 120,
    readout: (i) => {
      const shown = i === null ? Math.max(0, newest(series[0].values)) : i;
      figure.read.textContent = reading(shown, series.map((one) => `${keys ? `${one.name} ` : ""}${quantity(one.values[shown], one.unit)}`));
    },
  });
  const rows = state.data.windows.t0_s.map((_, i) => [when(i), ...series.map((one) => quantity(one.values[i], one.unit))]);
  table(figure.table, null, ["Time", ...series.map((one) => one.name)], rows.reverse(), new Set(series.map((_, i) => i + 1)));
}

function powerFigure(figure) {
  const { components, windows } = state.data;
  parts(figure, "power by component");
  figure.keys.replaceChildren(...components.map((one, i) => h("li", {}, fillKey(i), words(one.name))));
  const totals = windows.t0_s.map((_, i) => (components.some((c) => c.power_w[i] !== null) ? components.reduce((sum, c) => sum + (c.power_w[i] || 0), 0) : null));
  timeChart(figure.chart, {
    label: `Electrical power by component, stacked, ${quantity(totals[newest(totals)] ?? null, "W")} in the newest window.`, unit: "W", values: totals,
    drawn: ({ x, y, count }) => {
      const below = new Array(count).fill(0), nodes = [];
      components.forEach((one, i) => {
        const [defs, fill] = pattern(i);
        let path = "";
        one.power_w.forEach((value, k) => {
          if (value === null) return;
          const a = x(windows.t0_s[k]).toFixed(1), b = x(windows.t1_s[k]).toFixed(1);
          path += `M${a} ${y(below[k]).toFixed(1)}V${y(below[k] + value).toFixed(1)}H${b}V${y(below[k]).toFixed(1)}Z`;
          below[k] += value;
        });
        nodes.push(s("defs", {}, defs), s("path", { d: path, fill }, s("title", {}, words(one.name))));
      });
      return nodes;
    },
    readout: (i) => {
      const shown = i === null ? Math.max(0, newest(totals)) : i;
      figure.read.textContent = reading(shown, [`all ${quantity(totals[shown], "W")}`, ...components.map((c) => `${words(c.name)} ${quantity(c.power_w[shown], "W")}`)]);
    },
  });
  const rows = windows.t0_s.map((_, i) => [when(i), quantity(totals[i], "W"), ...components.map((c) => quantity(c.power_w[i], "W"))]);
  table(figure.table, null, ["Time", "all", ...components.map((c) => words(c.name))], rows.reverse(), new Set(components.map((_, i) => i + 1).concat(components.length + 1)));
}

// ---- energy flow and asymmetry --------------------------------------------------------------

const target = (row) => (row.service === null ? `no service: ${words(row.reason || "unknown")}` : row.service);

function flowFigure(figure) {
  const flows = state.data.flows.filter((row) => row.energy_j > 0);
  parts(figure, "energy flow");
  figure.caption.textContent = flows.length ? "Left: what used the energy. Right: who answers for it. Heights are joules of the time shown." : "No energy in the time shown.";
  const total = flows.reduce((sum, row) => sum + row.energy_j, 0);
  const side = (of) => {
    const sums = new Map();
    for (const row of flows) sums.set(of(row), (sums.get(of(row)) || 0) + row.energy_j);
    return [...sums].sort((a, b) => b[1] - a[1]);
  };
  const left = side((row) => row.component), right = side(target);
  const width = Math.max(260, figure.chart.clientWidth || 320), bar = 12;
  const most = Math.max(left.length, right.length, 1), tall = Math.max(240, 46 * most);
  const place = (nodes) => {
    const places = new Map();
    let y = 4;
    for (const [name, sum] of nodes) {
      const high = Math.max(2, (sum / total) * (tall - 14 * most));
      places.set(name, { y, high, next: y, sum });
      y += Math.max(high + 6, 20);
    }
    return [places, y];
  };
  const [from, low] = place(left), [to, lower] = place(right);
  const root = s("svg", { viewBox: `0 0 ${width} ${Math.max(low, lower) + 4}`, role: "img", "aria-label": `Energy flow from components to services: ${right.map(([name, sum]) => `${name} ${percent(sum / total)}`).join(", ")}.` });
  const labels = [], order = left.map(([name]) => name);
  const style = (name) => state.data.components.findIndex((c) => c.name === name);
  for (const name of order) {
    const [defs, fill] = pattern(Math.max(0, style(name)));
    root.append(s("defs", {}, defs));
    const a = from.get(name);
    for (const [other] of right) {
      const energy = flows.filter((r) => r.component === name && target(r) === other).reduce((sum, r) => sum + r.energy_j, 0);
      if (!energy) continue;
      const b = to.get(other), out = (energy / a.sum) * a.high, into = (energy / b.sum) * b.high;
      const x0 = bar, x1 = width - bar, mid = width / 2;
      root.append(s("path", { class: "ribbon", fill, d: `M${x0} ${a.next}C${mid} ${a.next} ${mid} ${b.next} ${x1} ${b.next}V${b.next + into}C${mid} ${b.next + into} ${mid} ${a.next + out} ${x0} ${a.next + out}Z` },
        s("title", {}, `${words(name)} to ${other}: ${quantity(energy, "J")}`)));
      a.next += out;
      b.next += into;
    }
    root.append(s("rect", { x: 0, y: a.y, width: bar, height: a.high, fill, class: "fill" }));
    labels.push(s("text", { x: bar + 5, y: a.y + Math.min(a.high / 2, 40) + 4, class: "halo" }, `${words(name)} ${quantity(a.sum, "J")}`));
  }
  for (const [name, sum] of right) {
    const b = to.get(name);
    root.append(s("rect", { x: width - bar, y: b.y, width: bar, height: b.high, fill: "currentColor" }));
    labels.push(s("text", { x: width - bar - 5, y: b.y + Math.min(b.high / 2, 40) + 4, "text-anchor": "end", class: "halo" }, `${short(name, width < 500 ? 19 : 40)} ${quantity(sum, "J")}`));
  }
  root.append(...labels);
  figure.chart.replaceChildren(root);
  table(figure.table, null, ["From", "To", "Energy", "Share"], flows.map((r) => [words(r.component), target(r), quantity(r.energy_j, "J"), percent(r.energy_j / total)]), new Set([2, 3]));
}

function asymmetryFigure(figure) {
  const services = [...state.data.totals.services].sort((a, b) => (b.asymmetry ?? -1) - (a.asymmetry ?? -1));
  parts(figure, "shares of bits, energy and value");
  const kinds = [["bits", "bit_share_frac"], ["energy", "energy_share_frac"], ["value", "utility_share_frac"]];
  figure.keys.replaceChildren(...kinds.map(([name], i) => h("li", {}, fillKey(i), `share of the ${name}`)));
  const width = Math.max(260, figure.chart.clientWidth || 320), left = 58, room = width - left - 62;
  const root = s("svg", { viewBox: `0 0 ${width} ${services.length * 86}`, role: "img", "aria-label": services.map((one) => `${one.name}: asymmetry ${plain(one.asymmetry)}`).join("; ") || "No services." });
  services.forEach((one, n) => {
    const top = n * 86;
    const verdict = one.asymmetry === null ? one.reasons.asymmetry || "unknown" : one.asymmetry > 1 ? "takes more than it brings" : "brings at least what it takes";
    const full = `asymmetry ${plain(one.asymmetry)}, ${verdict}`;
    root.append(s("text", { x: 0, y: top + 16, "font-weight": 700 }, short(one.name, 22), s("title", {}, one.name)),
      s("text", { x: width, y: top + 16, "text-anchor": "end" }, width < 520 ? `asymmetry ${plain(one.asymmetry)}` : full, s("title", {}, full)));
    kinds.forEach(([name, field], i) => {
      const [defs, fill] = pattern(i), y = top + 24 + i * 17, share = one[field];
      root.append(s("defs", {}, defs), s("text", { x: left - 8, y: y + 11, "text-anchor": "end", class: "soft" }, name),
        s("rect", { x: left, y, width: Math.max(1, (share || 0) * room), height: 13, fill, class: "fill" }),
        s("text", { x: left + (share || 0) * room + 5, y: y + 11 }, percent(share)));
    });
  });
  figure.chart.replaceChildren(root);
  table(figure.table, null, ["Service", "Bits", "Energy", "Value", "Asymmetry"], services.map((one) => [one.name, ...kinds.map(([, f]) => percent(one[f])), plain(one.asymmetry)]), new Set([1, 2, 3, 4]));
}

// ---- head of the page -----------------------------------------------------------------------

function head() {
  const { ledger, totals, windows, services, window_s } = state.data;
  byId("title").textContent = ledger.title;
  document.title = `${ledger.title} - tree6g`;
  const base = zero(), behind = base === null || ledger.end_s === null ? null : (Date.now() - base) / 1000 - ledger.end_s;
  const age = behind !== null && behind > -5 && behind < 7 * 86400 ? `, ${lasting(Math.max(0, behind))} ago` : "";
  const where = ledger.simulated ? "simulated" : "measured";
  byId("status").textContent = ledger.end_s === null ? "The ledger has no rows yet." : `Newest data ${clock(ledger.end_s)}${base === null ? " on the ledger’s clock" : age}; ${where}; windows of ${lasting(window_s)}.`;
  const now = newest(windows.energy_j), at = (values) => (now < 0 ? null : values[now]);
  const seconds = now < 0 ? 1 : (windows.t1_s[now] - windows.t0_s[now]) * windows.coverage_frac[now];
  const rate = (values) => (at(values) === null ? null : at(values) / seconds);
  const shown = totals.t1_s > totals.t0_s ? lasting(totals.t1_s - totals.t0_s) : "0 s";
  const mean = (sum) => (totals.covered_s > 0 ? sum / totals.covered_s : null);
  byId("h-now").textContent = now < 0 ? "Now" : `Now: ${clock(windows.t0_s[now])} to ${clock(windows.t1_s[now])}`;
  byId("worth").textContent = `TREE ${quantity(at(windows.tree_beq_per_j), "bit-eq/J")} now, ${quantity(totals.tree_beq_per_j, "bit-eq/J")} over ${shown}.`;
  const cards = [
    ["TREE", at(windows.tree_beq_per_j), "bit-eq/J", `${quantity(totals.tree_beq_per_j, "bit-eq/J")} over ${shown}`],
    ["EE", at(windows.ee_bit_per_j), "bit/J", `${quantity(totals.ee_bit_per_j, "bit/J")} over ${shown}`],
    ["Power", rate(windows.energy_j), "W", `${quantity(mean(totals.energy_j), "W")} over ${shown}`],
    ["Output tokens", rate(windows.tokens_out_tok), "token/s", `${quantity(mean(totals.tokens_out_tok), "token/s")} over ${shown}`],
  ];
  byId("cards").replaceChildren(...cards.map(([name, value, unit, more]) => {
    const [number, scaled] = split(value, unit);
    return h("li", {}, h("b", {}, name), h("span", { class: "big" }, number, " ", h("span", { class: "unit" }, scaled)), h("small", {}, more));
  }), h("li", {}, h("b", {}, "Covered"), h("span", { class: "big" }, percent(totals.coverage_frac)), h("small", {}, `of ${shown}; gaps are shown, never filled`)));
  const rows = totals.services.map((one, i) => {
    const own = services[i].windows, last = newest(own.tree_beq_per_j);
    const value = last < 0 ? null : own.tree_beq_per_j[last], floor = services[i].floor_beq_per_j;
    const guard = floor === null ? "none" : `${value !== null && value < floor ? "▼ below " : "above "}${quantity(floor, "")}`;
    return [one.name, quantity(value, ""), quantity(one.tree_beq_per_j, ""), quantity(one.ee_bit_per_j, ""), percent(one.energy_share_frac), percent(one.utility_share_frac), plain(one.asymmetry), percent(one.served_share_frac), guard];
  });
  const floors = services.some((one) => one.floor_beq_per_j !== null);
  const heads = ["Service", "TREE now, bit-eq/J", `TREE, ${shown}`, "EE, bit/J", "Energy", "Value", "Asymmetry", "Served in time", "Floor"];
  table(byId("services"), "Services", floors ? heads : heads.slice(0, -1), floors ? rows : rows.map((row) => row.slice(0, -1)), new Set([1, 2, 3, 4, 5, 6, 7]));
  for (const cell of byId("services").querySelectorAll("td:last-child")) if (cell.textContent.startsWith("▼")) cell.className = "below";
  byId("how").textContent = `Boundary ${totals.boundary}: ${totals.inside.length} of ${totals.inside.length + totals.outside.length} nodes. Shared energy: ${words(totals.attribution_rule)}; unused: ${totals.idle_rule}. Profiles ${totals.profile_set}.`;
  const marks = totals.marks.map((m) => (m === "estimated" ? "Estimated: sessions were not seen one by one." : m === "bound" ? "Bound: rows are longer than a utility’s averaging interval, which overstates it." : m));
  byId("notes").replaceChildren(...[...ledger.notes, ...marks].map((text) => h("li", {}, text)));
}

function gapsTable() {
  const { gaps, uncovered, totals } = state.data;
  const missing = uncovered.reduce((sum, [a, b]) => sum + b - a, 0);
  byId("gaps-text").textContent = missing > 0
    ? `${lasting(missing)} of the time shown lack a source that the figures need: nothing is counted there, neither work nor energy.`
    : totals.coverage_frac === null ? "Nothing is stated about what was covered." : "Every source covered all of the time shown.";
  const rows = gaps.slice(-50).reverse().map((gap) => [`${clock(gap.t0_s)} to ${clock(gap.t1_s)}`, gap.source, gap.quantity, gap.node ?? "all", gap.reason ?? "not stated"]);
  table(byId("gaps"), null, rows.length ? ["Time", "Source", "What", "Node", "Reason"] : [], rows, new Set());
}

// ---- sliders --------------------------------------------------------------------------------

// One slider and one number, kept equal. Sliders are logarithmic: prices of tokens span decades.
function slide(name, { label, note, low, high, steps, value, unit, changed }) {
  const toSlider = (v) => (v <= 0 ? 0 : Math.max(1, Math.min(steps, Math.round(1 + ((steps - 1) * Math.log(v / low)) / Math.log(high / low)))));
  const fromSlider = (p) => (p === 0 ? 0 : Number((low * (high / low) ** ((p - 1) / (steps - 1))).toPrecision(3)));
  const range = h("input", { type: "range", min: 0, max: steps, step: 1, "aria-label": `${label}, ${name}` });
  const number = h("input", { type: "number", min: 0, step: "any", "aria-label": `${label}, ${name}, as a number` });
  const show = (v) => {
    if (document.activeElement !== number) number.value = String(v);
    range.value = toSlider(v);
    range.setAttribute("aria-valuetext", `${v} ${unit}`);
  };
  range.addEventListener("input", () => { const v = fromSlider(Number(range.value)); show(v); changed(v); });
  number.addEventListener("input", () => { const v = Number(number.value); if (number.value !== "" && v >= 0 && Number.isFinite(v)) { show(v); changed(v); } });
  show(value);
  return [h("div", { class: "slide" }, h("label", {}, label), range, number, h("small", {}, note)), show];
}

function sliders() {
  const services = state.data.services.filter((one) => one.kind !== "internal");
  const key = JSON.stringify(services.map((one) => [one.name, one.kind, one.weight_stated, one.alpha_stated_bit_per_tok]));
  if (sliders.key === key) return;
  sliders.key = key;
  byId("sliders").replaceChildren(...services.map((one) => {
    const inside = [];
    if (one.kind === "ai") {
      const stated = one.alpha_stated_bit_per_tok;
      inside.push(slide(one.name, { label: "Worth of a token, in bits", note: `stated: ${stated}`, low: 1, high: 1e7, steps: 141, value: state.alphas.get(one.name) ?? stated, unit: "bits per token", changed: (v) => { state.alphas.set(one.name, v); soon(); } })[0]);
    }
    inside.push(slide(one.name, { label: "Priority", note: `stated: ${one.weight_stated}`, low: 0.01, high: 100, steps: 81, value: state.weights.get(one.name) ?? one.weight_stated, unit: "times", changed: (v) => { state.weights.set(one.name, v); soon(); } })[0]);
    return h("fieldset", {}, h("legend", {}, one.name), ...inside);
  }));
}

// ---- asking ---------------------------------------------------------------------------------

function address() {
  const query = new URLSearchParams();
  for (const [id, name] of [["span", "span_s"], ["boundary", "boundary"], ["rule", "rule"]]) if (byId(id).value) query.set(name, byId(id).value);
  for (const [name, value] of state.weights) query.append("weight", `${name}=${value}`);
  for (const [name, value] of state.alphas) query.append("alpha", `${name}=${value}`);
  return `/api/windows?${query}`;
}
function say(text) {
  const place = byId("problem");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

let busy = false, again = false, timer = 0;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  clearTimeout(timer);
  try {
    const answer = await fetch(address(), { cache: "no-store" });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error.problem);
    state.data = data;
    state.since = new Date();
    say(data.ledger.problem ? `The ledger cannot be read at the moment, the last good state is shown: ${data.ledger.problem}` : "");
    render();
  } catch (error) {
    const last = state.since ? ` What is shown is of ${state.since.toLocaleTimeString()}.` : "";
    say(`No new figures: ${error.message}.${last}`);
  }
  busy = false;
  if (again) { again = false; refresh(); } else timer = setTimeout(() => (document.hidden ? null : refresh()), REFRESH_MS);
}
const soon = () => refresh();

function render() {
  const { windows, services } = state.data;
  if (state.cursor !== null && state.cursor >= windows.t0_s.length) state.cursor = null;
  patterns = 0;
  state.charts = [];
  head();
  sliders();
  const series = [{ name: "TREE", unit: "bit-eq/J", values: windows.tree_beq_per_j, style: 0 }, { name: "EE", unit: "bit/J", values: windows.ee_bit_per_j, style: 1 }];
  lineFigure(byId("f-tree"), { name: "TREE and EE over time", label: "TREE and EE over time.", unit: "per J", series });
  const each = byId("f-each");
  while (each.children.length > services.length) each.lastElementChild.remove();
  services.forEach((one, i) => {
    if (!each.children[i]) each.append(h("div", {}, h("h3", {}), h("figure", {})));
    const [title, figure] = each.children[i].children;
    title.textContent = one.name;
    lineFigure(figure, { name: `TREE of ${one.name}`, label: `TREE of ${one.name} over time.`, unit: "bit-eq/J", floor: one.floor_beq_per_j, keys: false, series: [{ name: "TREE", unit: "bit-eq/J", values: one.windows.tree_beq_per_j, style: i }] });
  });
  powerFigure(byId("f-power"));
  flowFigure(byId("f-flow"));
  asymmetryFigure(byId("f-asym"));
  gapsTable();
}

for (const id of ["span", "boundary", "rule"]) byId(id).addEventListener("change", () => { state.cursor = null; refresh(); });
for (const id of ["controls", "sliders"]) byId(id).addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", () => {
  state.weights.clear();
  state.alphas.clear();
  sliders.key = null;
  refresh();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width && state.data) { width = innerWidth; render(); } });
refresh();
