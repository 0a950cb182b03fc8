// Parked events: what is parked, one of them in full, and handling it again or passing over it, for a reason.

import { call } from "/ledger/asking.js";
import { count, element, empty, moment, table } from "/ledger/tables.js";

const at = (id) => document.getElementById(id);
let deed = null;

// The table; `done` is called when something was changed.
export function parked({ items, more_in, silent }, done) {
  const rows = table([
    { name: "service", of: (event) => event.service },
    { name: "part", of: (event) => event.part },
    {
      name: "event",
      of: (event) => element("button", { type: "button", title: "Show it", onclick: () => showEvent(event) }, `${event.wire_name} ${event.stream}@${event.sequence}`),
    },
    { name: "entity", of: (event) => event.entity_id },
    { name: "since (UTC)", of: (event) => moment(event.parked_at) },
    { name: "attempts", of: (event) => count(event.attempts), number: true },
    { name: "why", of: (event) => (event.error === null ? "waits behind it" : short(event.error)), bad: (event) => event.error !== null },
    { name: "", of: (event) => (event.error === null ? "" : buttons(event, done)) },
  ], items, "Nothing is parked.");
  const notes = [
    ...more_in.map((service) => `${service} has more; uv run tonetouch events parked list shows all of it.`),
    ...silent.map((one) => `${one.service} does not answer: ${one.detail}.`),
  ];
  return [rows, ...notes.map((words) => element("p", { className: "problem" }, words))];
}

function buttons(event, done) {
  const what = `${event.wire_name} ${event.stream}@${event.sequence} in ${event.service}, ${event.part}`;
  const { service, part, entity_id, stream, sequence } = event;
  const redrive = () => why(`Handle ${what} again, and what waits behind it.`, async (reason) => {
    const answer = await call("operations/parked/redrive", {}, { method: "POST", body: { service, part, entity_id, reason } });
    if (answer.failed) throw new Error(`It failed again: ${answer.attempted.find((one) => one.outcome === "failed")?.note ?? ""}`);
  }, done);
  const skip = () => why(`Pass over ${what} for good. It stays in the log; this part leaves it out.`, (reason) =>
    call("operations/parked/skip", {}, { method: "POST", body: { service, part, stream, sequence, reason } }), done);
  return element("span", {},
    element("button", { type: "button", onclick: redrive }, "redrive"), " ", element("button", { type: "button", onclick: skip }, "skip"));
}

async function showEvent(event) {
  at("event-title").textContent = `${event.wire_name} ${event.stream}@${event.sequence}`;
  at("event-rows").replaceChildren(empty("…"));
  at("event").showModal();
  try {
    const path = [event.service, event.stream, event.sequence].map(encodeURIComponent).join("/");
    const { body, ...rest } = await call(`operations/parked/${path}`, { part: event.part });
    const known = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
    const rows = known.flatMap(([name, value]) => [element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, String(value))]);
    at("event-rows").replaceChildren(element("dl", {}, ...rows), element("pre", {}, body ?? "Its body is not text."));
  } catch (error) {
    at("event-rows").replaceChildren(element("p", { className: "problem" }, error.message));
  }
}

function why(words, act, done) {
  deed = { act, done };
  at("why-words").textContent = words;
  at("why-problem").textContent = "";
  at("why-reason").value = "";
  at("why-do").disabled = false;
  at("why").showModal();
}

// Once, when the page begins: what the dialog's buttons do.
export function listen() {
  at("why-leave").addEventListener("click", () => at("why").close());
  at("why-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { act, done } = deed;
    at("why-do").disabled = true;
    at("why-problem").textContent = "";
    try {
      await act(at("why-reason").value.trim());
      at("why").close();
    } catch (error) {
      at("why-problem").textContent = error.message;
    } finally {
      at("why-do").disabled = false;
    }
    done();
  });
}

function short(text) {
  return element("span", { title: text }, text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
