// The four plots. Each takes what the API said and an element, and draws anew whatever was there.

import { dollars, empty, share } from "./tables.js";

const SHOWN = { displayModeBar: false, responsive: true };
// Eight colours that people who see red and green as one can tell apart, on light ground and on dark (Okabe and Ito).
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a600", "#8c8c8c"];
const REASONS = {
  paced: "our own pace", rate_limited: "too many a minute", out_of_capacity: "no capacity", daily_quota: "day's allowance spent",
};
const MOST_FEATURES = 7;
const TIMES = [[0.1, "0.1 ms"], [1, "1 ms"], [10, "10 ms"], [100, "0.1 s"], [1e3, "1 s"], [1e4, "10 s"], [1e5, "100 s"], [1e6, "1,000 s"]];

export function drawCost(place, lines, days) {
  const perFeature = new Map();
  for (const { group, cost_usd } of lines) {
    const feature = group.feature ?? "unnamed";
    const costs = perFeature.get(feature) ?? new Map();
    costs.set(group.day, (costs.get(group.day) ?? 0) + cost_usd);
    perFeature.set(feature, costs);
  }
  const sum = (costs) => [...costs.values()].reduce((one, other) => one + other, 0);
  const ranked = [...perFeature].filter(([, costs]) => sum(costs) > 0).sort(([, one], [, other]) => sum(other) - sum(one));
  if (!ranked.length) {
    const calls = lines.reduce((total, line) => total + line.calls, 0);
    return nothing(place, calls ? `${calls.toLocaleString("en")} calls, and none of them cost anything.` : "No calls in these days.");
  }
  const shown = ranked.slice(0, MOST_FEATURES);
  if (ranked.length > MOST_FEATURES) {
    const rest = new Map();
    for (const [, costs] of ranked.slice(MOST_FEATURES)) for (const [day, cost] of costs) rest.set(day, (rest.get(day) ?? 0) + cost);
    shown.push(["all others", rest]);
  }
  const bars = shown.map(([name, costs], index) => ({
    type: "bar", name: plain(name), x: days, y: days.map((day) => costs.get(day) ?? 0), marker: { color: COLOURS[index] },
    text: days.map((day) => dollars(costs.get(day) ?? 0)), textposition: "none", hovertemplate: "%{text}",
  }));
  draw(place, bars, { barmode: "stack", xaxis: dayAxis(days), yaxis: { tickprefix: "$", exponentformat: "none", rangemode: "tozero" } });
}

export function drawHits(place, lines, days) {
  if (!lines.some((line) => line.exact_ratio !== null || line.prompt_ratio !== null)) return nothing(place, "No calls in these days.");
  const of = new Map(lines.map((line) => [line.group.day, line]));
  const line = (name, field, color) => ({
    type: "scatter", mode: "lines+markers", name, x: days, y: days.map((day) => of.get(day)?.[field] ?? null),
    text: days.map((day) => share(of.get(day)?.[field])), hovertemplate: "%{text}",
    line: { color, width: 2 }, marker: { size: 5 }, connectgaps: false,
  });
  draw(place, [
    line("the answer was there (of calls)", "exact_ratio", COLOURS[0]),
    line("the prompt was kept (of tokens)", "prompt_ratio", COLOURS[1]),
  ], { xaxis: dayAxis(days), yaxis: { range: [-0.03, 1.03], tickformat: ".0%" } });
}

export function drawLatency(place, lines, name, days) {
  const timed = lines.filter((line) => line.timed > 0);
  if (!timed.length) return nothing(place, "No call was timed in these days.");
  const percentiles = [["p50", "half"], ["p95", "95 %"], ["p99", "99 %"]];
  const axis = { type: "log", tickvals: TIMES.map(([value]) => value), ticktext: TIMES.map(([, words]) => words) };
  const hovertemplate = (words) => `${words} within %{customdata} ms`;
  const rounded = (row, field) => (row?.[field] ?? null)?.toLocaleString("en", { maximumSignificantDigits: 3 });
  if (name === "day") {
    const of = new Map(timed.map((line) => [line.group.day, line]));
    const series = percentiles.map(([field, words], index) => ({
      type: "scatter", mode: "lines+markers", name: field, x: days, y: days.map((day) => of.get(day)?.[`${field}_ms`] ?? null),
      customdata: days.map((day) => rounded(of.get(day), `${field}_ms`)), hovertemplate: hovertemplate(words),
      line: { color: COLOURS[index], width: 2 }, marker: { size: 5 },
    }));
    return draw(place, series, { xaxis: dayAxis(days), yaxis: axis });
  }
  const rows = timed.sort((one, other) => other.timed - one.timed).slice(0, 10).reverse();
  const series = percentiles.map(([field, words], index) => ({
    type: "scatter", mode: "markers", name: field, x: rows.map((row) => row[`${field}_ms`]),
    y: rows.map((row) => plain(shortened(row.group[name] ?? "unnamed"))), customdata: rows.map((row) => rounded(row, `${field}_ms`)),
    hovertemplate: hovertemplate(words), marker: { color: COLOURS[index], size: 11, symbol: ["circle", "diamond", "square"][index] },
  }));
  return draw(place, series, { xaxis: axis, yaxis: { automargin: true, type: "category" }, hovermode: "closest" });
}

export function drawThrottling(place, lines, every, days) {
  if (!lines.length) return nothing(place, "No call had to wait in these days.");
  const starts = [...new Set(lines.map((line) => line.start))].sort();
  const reasons = [...new Set(lines.map((line) => line.reason))].sort();
  const bars = reasons.map((reason, index) => {
    const of = (start) => lines.filter((line) => line.start === start && line.reason === reason);
    const waited = (start) => of(start).reduce((total, line) => total + line.waited_ms, 0) / 1000;
    return {
      type: "bar", name: REASONS[reason] ?? plain(reason), x: starts.map(asTime), y: starts.map((start) => of(start).reduce((total, line) => total + line.times, 0)),
      customdata: starts.map((start) => waited(start).toLocaleString("en", { maximumFractionDigits: 1 })),
      hovertemplate: "%{y} waits, %{customdata} s together", marker: { color: COLOURS[index + 2] },
      width: every === "hour" ? 3.3e6 : undefined,
    };
  });
  const range = [`${days[0]} 00:00`, `${days.at(-1)} 23:59`];
  const xaxis = every === "hour" ? { type: "date", range } : dayAxis(days);
  draw(place, bars, { barmode: "stack", xaxis, yaxis: { rangemode: "tozero", title: { text: "waits" } } });
}

function draw(place, traces, layout) {
  if (place.querySelector(".empty")) place.replaceChildren();
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"), fixedrange: true };
  // On a phone each name of the legend takes a line of its own.
  const height = 300 + (place.clientWidth < 480 ? 19 * traces.length : 0);
  Plotly.react(place, traces, {
    height, margin: { l: 56, r: 12, t: 8, b: 36 }, hovermode: "x unified", bargap: 0.25,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: true,
    font: { color: colour("--ink"), family: style.fontFamily, size: 12 },
    hoverlabel: { bgcolor: colour("--sheet"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
    legend: { orientation: "h", y: -0.16, x: 0, traceorder: "normal", maxheight: 0.6 },
    ...layout, xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis },
  }, SHOWN);
}

function nothing(place, words) {
  Plotly.purge(place);
  place.replaceChildren(empty(words));
}

// A day is a name here, not a moment: no time zone of a browser may move it.
function dayAxis(days) {
  const step = Math.ceil(days.length / 7);
  const ticks = days.filter((_, index) => (days.length - 1 - index) % step === 0);
  return { type: "category", categoryorder: "array", categoryarray: days, tickvals: ticks, ticktext: ticks.map((day) => day.slice(5)), tickangle: 0 };
}

function asTime(start) {
  return start.length === 13 ? `${start.replace("T", " ")}:00` : start;
}

// A plot reads marks such as <b> and <a> in its texts; in ours there are none.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function shortened(name) {
  const last = name.split("/").at(-1);
  return last.length > 26 ? `${last.slice(0, 25)}…` : last;
}
