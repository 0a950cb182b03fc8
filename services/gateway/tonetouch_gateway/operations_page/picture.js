// A story as a picture: each event in its row, at its moment, in the colour of its service, and a line from its cause.

import { call } from "/ledger/asking.js";
import { count, element, empty, milliseconds, moment } from "/ledger/tables.js";
import { HEAD, NAMES, layout } from "./layout.js";

const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const PLAIN = /^[a-z-]+$/;
let asked = 0;

export async function showStory(id) {
  const mine = (asked += 1);
  at("story-title").textContent = `Story of ${id}`;
  at("story-picture").replaceChildren(empty("…"));
  if (!at("story").open) at("story").showModal();
  try {
    const flow = await call(`operations/flows/${encodeURIComponent(id)}`);
    if (mine !== asked) return;
    const words = `${count(flow.hops.length)} events in ${milliseconds(flow.took_ms)}, from ${moment(flow.began)} UTC; ${count(flow.read)} looked at.`;
    const notes = flow.notes.map((note) => element("p", { className: "problem" }, note));
    at("story-picture").replaceChildren(element("p", {}, words), draw(flow), ...notes);
  } catch (error) {
    if (mine === asked) at("story-picture").replaceChildren(element("p", { className: "problem" }, error.message));
  }
}

function draw(flow) {
  const { width, height, ticks, marks } = layout(flow);
  const picture = shape("svg", { class: "story", width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.append(shape("title", {}, `${marks.length} events and their causes`));
  for (const { ms, x } of ticks) {
    picture.append(shape("line", { class: "tick", x1: x, y1: HEAD - 8, x2: x, y2: height }));
    picture.append(shape("text", { class: "faint", x, y: HEAD - 14, "text-anchor": "middle" }, milliseconds(ms)));
  }
  for (const { x, y, from } of marks) {
    if (from) picture.append(shape("path", { class: "cause", d: `M ${from.x} ${from.y} V ${y} H ${x}` }));
  }
  for (const mark of marks) picture.append(event(mark));
  return picture;
}

function event({ hop, x, y, indent, from }) {
  const drawn = shape("g", {});
  const service = PLAIN.test(hop.service) ? `service-${hop.service}` : "";
  drawn.append(
    shape("title", {}, `${hop.type} of ${hop.entity}\n${hop.stream}@${hop.sequence}, ${hop.time}\nsaid by ${hop.service}`),
    shape("text", { x: indent, y: y + 4 }, hop.type),
    shape("text", { class: service, x: NAMES - 16, y: y + 4, "text-anchor": "end" }, hop.service),
    shape("circle", { class: service, cx: x, cy: y, r: 5 }),
    shape("text", { class: "faint", x: x + 9, y: y + 4 }, from ? `+${milliseconds(hop.after_ms)}` : ""),
  );
  return drawn;
}

function shape(name, attributes, words = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (words !== null) made.textContent = words;
  return made;
}
