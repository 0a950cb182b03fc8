// The operations page: asks everything at once, draws each part as soon as its answer is there, and again every 5 s.

import { call, NotIdentified, token } from "/ledger/asking.js";
import { card, count, element, empty, moment, roughly, table } from "/ledger/tables.js";
import { board } from "./board.js";
import { showStory } from "./picture.js";
import { listen, parked } from "./repairing.js";

const at = (id) => document.getElementById(id);
const EVERY_MS = 5000;
let asked = 0;
let older = { items: [], next_cursor: undefined };
let first = null;

const parts = {
  board: { query: () => call("operations/pipeline"), show: (answer) => { first = answer; drawBoard(); } },
  parked: { query: () => call("operations/parked"), show: (answer) => at("parked").replaceChildren(...parked(answer, load)) },
  lag: { query: () => call("operations/lag"), show: showLag },
  streams: { query: () => call("operations/streams"), show: showStreams },
  record: { query: () => call("operations/record", { limit: 20 }), show: showRecord },
};

async function load() {
  const mine = (asked += 1);
  at("when").textContent = "asking …";
  const one = async ([place, part]) => {
    try {
      const answer = await part.query();
      // A slow answer to an earlier question must not overwrite the answer to a later one.
      if (mine === asked) part.show(answer);
      return [place, answer];
    } catch (error) {
      if (error instanceof NotIdentified) throw error;
      if (mine === asked) at(place).replaceChildren(element("p", { className: "problem" }, error.message));
      return [place, null];
    }
  };
  try {
    const answers = Object.fromEntries(await Promise.all(Object.entries(parts).map(one)));
    if (mine !== asked) return;
    showTotals(answers);
    at("when").textContent = `as of ${new Date().toISOString().slice(11, 19)} UTC`;
  } catch (error) {
    if (mine === asked) openDoor(error.message);
  }
}

function drawBoard() {
  const known = new Set(first.items.map((upload) => upload.track_id));
  const items = [...first.items, ...older.items.filter((upload) => !known.has(upload.track_id))];
  at("board").replaceChildren(board({ steps: first.steps, items }, { show: showStory, retry }));
  at("more").hidden = nextCursor() === null;
}

// Further pages are kept as they were; the first is asked for again and again.
function nextCursor() {
  return older.next_cursor === undefined ? first.next_cursor : older.next_cursor;
}

async function more() {
  try {
    const page = await call("operations/pipeline", { cursor: nextCursor() });
    older = { items: [...older.items, ...page.items], next_cursor: page.next_cursor };
    drawBoard();
  } catch (error) {
    if (error instanceof NotIdentified) return openDoor(error.message);
    alarm([error.message]);
  }
}

async function retry(id) {
  try {
    await call(`ingest/${encodeURIComponent(id)}/retry`, {}, { method: "POST" });
    await load();
  } catch (error) {
    if (error instanceof NotIdentified) return openDoor(error.message);
    alarm([error.message]);
  }
}

function showTotals(answers) {
  const { streams, lag, parked: waiting, board: pipeline } = answers;
  const ill = lag?.items.filter((part) => ["stalled", "broken"].includes(part.state)) ?? [];
  const truth = streams?.items.filter((stream) => stream.kind === "truth") ?? [];
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const stuck = pipeline?.items.filter((upload) => upload.stuck).length;
  const failed = pipeline?.items.filter((upload) => upload.status === "failed").length;
  const under = pipeline?.items.filter((upload) => upload.status === "processing").length;
  const left = (waiting?.more_in.length ?? 0) > 0 ? " and more" : "";
  at("totals").replaceChildren(
    card("events in the log", streams && roughly(sum(truth.map((stream) => stream.messages))), { note: streams ? `${count(sum(truth.map((one) => one.per_second ?? 0)))} a second` : "" }),
    card("events behind, at the most", lag && count(Math.max(0, ...lag.items.map((part) => part.events_behind)))),
    card("parts that stand still", lag && count(ill.length), { bad: ill.length > 0 }),
    card("parked", waiting && `${count(waiting.items.length)}${left}`, { bad: Boolean(waiting?.items.length) }),
    card("uploads under way", count(under)),
    card("stuck", count(stuck), { bad: stuck > 0 }),
    card("failed", count(failed), { bad: failed > 0 }),
  );
  alarm([
    ...ill.map((part) => `${part.service}: ${part.part} is ${part.state}${part.note ? ` (${part.note})` : ""}`),
    ...(lag?.silent.map((one) => `${one.service} does not answer`) ?? []),
  ]);
}

function alarm(words) {
  at("alarm").hidden = !words.length;
  at("alarm").textContent = words.join("; ");
}

function showLag({ items, silent }) {
  const alarming = (part) => ["stalled", "broken"].includes(part.state);
  at("lag").replaceChildren(table([
    { name: "service", of: (part) => part.service },
    { name: "part", of: (part) => part.part },
    { name: "kind", of: (part) => part.kind },
    { name: "stream", of: (part) => part.stream },
    { name: "position", of: (part) => count(part.position), number: true },
    { name: "head", of: (part) => count(part.head), number: true },
    { name: "behind", of: (part) => count(part.events_behind), number: true },
    { name: "seconds", of: (part) => part.seconds_behind.toLocaleString("en", { maximumFractionDigits: 1 }), number: true },
    { name: "a second", of: (part) => part.rate.toLocaleString("en", { maximumFractionDigits: 1 }), number: true },
    { name: "parked", of: (part) => count(part.parked), number: true, bad: (part) => part.parked > 0 },
    { name: "state", of: (part) => part.state, bad: alarming },
    { name: "", of: (part) => element("span", { title: part.note }, part.note.slice(0, 80)) },
  ], items, "No service has a projection or a consumer."),
  ...silent.map((one) => element("p", { className: "problem" }, `${one.service} does not answer: ${one.detail}.`)));
}

function showStreams({ items }) {
  at("streams").replaceChildren(table([
    { name: "stream", of: (stream) => element("span", { title: stream.promise }, stream.name) },
    { name: "kind", of: (stream) => stream.kind },
    { name: "owner", of: (stream) => stream.owner },
    { name: "head", of: (stream) => count(stream.head), number: true },
    { name: "messages", of: (stream) => count(stream.messages), number: true },
    { name: "bytes", of: (stream) => roughly(stream.bytes), number: true },
    { name: "a second", of: (stream) => stream.per_second?.toLocaleString("en", { maximumFractionDigits: 2 }), number: true },
    { name: "last (UTC)", of: (stream) => moment(stream.last_at) },
    { name: "consumers", of: (stream) => count(stream.consumers), number: true },
  ], items, "There are no streams."));
}

function showRecord({ items }) {
  at("record").replaceChildren(table([
    { name: "when (UTC)", of: (deed) => moment(deed.at) },
    { name: "who", of: (deed) => deed.operator },
    { name: "service", of: (deed) => deed.service },
    { name: "what", of: (deed) => deed.what },
    { name: "about", of: (deed) => deed.about },
    { name: "why", of: (deed) => deed.reason },
  ], items, "Nobody changed anything."));
}

function openDoor(words = "") {
  token.forget();
  asked += 1;
  for (const open of document.querySelectorAll("dialog[open]")) open.close();
  at("main").hidden = true;
  at("when").textContent = "";
  at("door-problem").textContent = words;
  at("door").showModal();
}

function enter() {
  at("main").hidden = false;
  load();
}

// Not while somebody is in the middle of something: what the keyboard has reached would vanish under their hands.
function isQuiet() {
  const busy = document.querySelector("dialog[open], main :focus-visible");
  return token.get() && at("live").checked && !document.hidden && !busy;
}

listen();
at("token-form").addEventListener("submit", () => {
  token.keep(at("token").value.trim());
  at("token").value = "";
  enter();
});
at("door").addEventListener("cancel", (event) => event.preventDefault());
at("again").addEventListener("click", load);
at("leave").addEventListener("click", () => openDoor());
at("more").addEventListener("click", more);
at("find").addEventListener("submit", (event) => {
  event.preventDefault();
  showStory(at("find-id").value.trim());
});
for (const place of Object.keys(parts)) at(place).replaceChildren(empty("…"));
setInterval(() => isQuiet() && load(), EVERY_MS);

if (token.get()) enter();
else openDoor();
