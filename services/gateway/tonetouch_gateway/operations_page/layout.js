// Where everything of a story's picture stands: a row per event, in the order of causes, and time from left to right.

export const ROW = 22;
export const HEAD = 30;
export const NAMES = 330;
const RIGHT = 90;
const DEEPEST = 14;
const INDENT = 10;

// {width, height, ticks: [{x, ms}], marks: [{hop, x, y, indent, from: {x, y} | null}]} for the JSON of a flow.
export function layout({ hops, took_ms }, width = 1160) {
  const time = width - NAMES - RIGHT;
  const at = (ms) => NAMES + (took_ms > 0 ? (ms / took_ms) * time : 0);
  const above = [];
  const marks = hops.map((hop, row) => {
    const cause = hop.depth > 0 ? above[hop.depth - 1] ?? null : null;
    const place = { x: at(hop.since_beginning_ms), y: HEAD + row * ROW + ROW / 2 };
    above[hop.depth] = place;
    return { hop, ...place, indent: Math.min(hop.depth, DEEPEST) * INDENT, from: cause };
  });
  return { width, height: HEAD + hops.length * ROW + 8, ticks: ticks(took_ms).map((ms) => ({ ms, x: at(ms) })), marks };
}

// Round numbers of milliseconds from nothing to the end, six at the most.
export function ticks(took_ms) {
  if (!(took_ms > 0)) return [0];
  const rough = took_ms / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  return Array.from({ length: Math.floor(took_ms / step) + 1 }, (_, index) => index * step);
}
