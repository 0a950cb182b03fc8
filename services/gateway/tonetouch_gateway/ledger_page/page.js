// The ledger page: asks everything at once, draws each part as soon as its answer is there, and says what went wrong.

import { ask, NotIdentified, token } from "./asking.js";
import { showJob } from "./job.js";
import { drawCost, drawHits, drawLatency, drawThrottling } from "./plots.js";
import { card, count, dollars, element, empty, milliseconds, moment, roughly, share, table } from "./tables.js";

const at = (id) => document.getElementById(id);
const HOURS_UP_TO_DAYS = 7;
let asked = 0;

const parts = {
  usage: {
    query: (span) => ask("usage", { by: ["day", "feature"], ...span }),
    show: (usage, days) => drawCost(at("cost"), usage.lines, days),
    place: "cost",
  },
  caching: {
    query: (span) => ask("caching", { by: "day", ...span }),
    show: (caching, days) => drawHits(at("hits"), caching.lines, days),
    place: "hits",
  },
  latency: {
    query: (span) => ask("latency", { by: at("latency-by").value, ...span }),
    show: (latency, days) => drawLatency(at("latency"), latency.lines, latency.group_by[0], days),
    place: "latency",
  },
  throttling: {
    query: (span, days) => ask("throttling", { every: days.length > HOURS_UP_TO_DAYS ? "day" : "hour", ...span }),
    show: (throttling, days) => drawThrottling(at("throttling"), throttling.lines, throttling.every, days),
    place: "throttling",
  },
  economics: { query: (span) => ask("economics", span), show: showEconomics, place: "economics" },
  budgets: { query: () => ask("budgets", { limit: 200 }), show: showBudgets, place: "budgets" },
  unaccounted: { query: (span) => ask("unaccounted", { limit: 20, from: span.from, to: span.to }), show: showUnaccounted, place: "unaccounted" },
  jobs: { query: () => ask("jobs", { limit: 25 }), show: (page) => showJobs("jobs", page.items, "No call was made yet."), place: "jobs" },
};

async function load(names = Object.keys(parts)) {
  const mine = (asked += 1);
  const days = daysShown();
  const span = { from: days[0], to: days.at(-1) };
  at("when").textContent = "asking …";
  const one = async (name) => {
    const part = parts[name];
    try {
      const answer = await part.query(span, days);
      // A slow answer to an earlier question must not overwrite the answer to a later one.
      if (mine === asked) part.show(answer, days);
      return [name, answer];
    } catch (error) {
      if (error instanceof NotIdentified) throw error;
      if (mine === asked) at(part.place).replaceChildren(element("p", { className: "problem" }, error.message));
      return [name, null];
    }
  };
  try {
    const answers = Object.fromEntries(await Promise.all(names.map(one)));
    if (mine !== asked) return;
    if (answers.usage && answers.caching) showTotals(answers.usage.total, answers.caching.total);
    at("when").textContent = `as of ${new Date().toISOString().slice(11, 19)} UTC`;
  } catch (error) {
    openDoor(error.message);
  }
}

function daysShown() {
  const count = Number(new FormData(at("range")).get("days"));
  const today = new Date();
  return Array.from({ length: count }, (_, index) =>
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate() - (count - 1 - index))).toISOString().slice(0, 10),
  );
}

function showTotals(total, caching) {
  at("totals").replaceChildren(
    card("calls", count(total.calls), { note: `${count(total.succeeded)} succeeded` }),
    card("cost", dollars(total.cost_usd), { note: total.unpriced ? `without ${count(total.unpriced)} of unknown price` : "everything priced" }),
    card("answers that were there", share(caching.exact_ratio), { note: `${dollars(caching.avoided_usd)} saved` }),
    card("prompts kept by providers", share(caching.prompt_ratio), { note: caching.prompt_saved_usd === null ? "savings unknown" : `${dollars(caching.prompt_saved_usd)} saved` }),
    card("tokens in", roughly(total.prompt_tokens), { note: `${roughly(total.completion_tokens)} out` }),
    card("failed", count(total.failed), { bad: total.failed > 0 }),
    card("end unknown", count(total.unknown), { bad: total.unknown > 0 }),
  );
  const words = [
    total.unpriced ? `${count(total.unpriced)} calls have no price` : "",
    total.unknown ? `of ${count(total.unknown)} calls nobody knows how they ended` : "",
  ].filter(Boolean);
  at("alarm").hidden = !words.length;
  at("alarm").textContent = words.length ? `${words.join(", and ")}: what is shown as the cost is too low by theirs.` : "";
}

function showEconomics({ lines }) {
  const where = { external: "outside", in_runtime: "in-runtime", embedded: "this machine" };
  const verdicts = {
    always: () => "cheaper always", never: () => "never cheaper", unknown: () => "not known yet",
    from_hit_ratio: (one) => `cheaper from ${share(one.hit_ratio)}`,
  };
  const against = (line) => element("span", {}, ...line.against.flatMap((one) => [
    element("span", {}, `${one.model}: ${verdicts[one.verdict](one)}${one.holds === null ? "" : one.holds ? " (it was)" : " (it was not)"}`), element("br"),
  ]));
  at("economics").replaceChildren(table([
    { name: "model", of: (line) => line.model },
    { name: "where", of: (line) => where[line.where] },
    { name: "calls", of: (line) => count(line.calls), number: true },
    { name: "per request", of: (line) => dollars(line.mean_cost_usd), number: true },
    { name: "prompt kept", of: (line) => dollars(line.hit_cost_usd), number: true },
    { name: "prompt new", of: (line) => dollars(line.miss_cost_usd), number: true },
    { name: "hit ratio", of: (line) => share(line.prompt_hit_ratio), number: true },
    { name: "against in-runtime", of: (line) => (line.against.length ? against(line) : null) },
  ], lines, "No text was written by a model that has a price in these days."));
}

function showBudgets({ items }) {
  at("budgets").replaceChildren(table([
    { name: "feature", of: (budget) => budget.feature },
    { name: "user", of: (budget) => budget.user },
    { name: "spent", of: (budget) => dollars(budget.spent_usd), number: true },
    { name: "of", of: (budget) => dollars(budget.limit_usd), number: true },
    {
      name: "share",
      of: (budget) => element("meter", { max: 1, high: 0.8, value: budget.limit_usd ? Math.min(budget.spent_usd / budget.limit_usd, 1) : 1, title: share(budget.limit_usd ? budget.spent_usd / budget.limit_usd : 1) }),
    },
    { name: "then", of: (budget) => budget.when_exhausted.replace("_", " ") },
    { name: "refused", of: (budget) => count(budget.refused), number: true, bad: (budget) => budget.refused > 0 },
    { name: "", of: (budget) => element("button", { type: "button", onclick: () => setBudget(budget.feature, budget.user, null, budget.when_exhausted) }, "take away") },
  ], items, "No budget is set: every feature may spend what it needs."));
}

function showUnaccounted({ items, next_cursor }) {
  showJobs("unaccounted", items, "Nothing: every call has a price and an end.");
  if (next_cursor) at("unaccounted").append(element("p", { className: "empty" }, "There are more; `uv run tonetouch ledger unpriced` lists all."));
}

function showJobs(place, items, words) {
  const good = new Set(["succeeded", "running"]);
  at(place).replaceChildren(table([
    {
      name: "when (UTC)",
      of: (job) => element("button", { type: "button", title: `Show the call ${job.id}`, onclick: () => showJob(job.id) }, moment(job.recorded_at ?? job.started_at) ?? job.id),
    },
    { name: "feature", of: (job) => job.feature },
    { name: "task", of: (job) => job.type },
    { name: "model", of: (job) => `${job.model} · ${job.provider}` },
    { name: "in", of: (job) => count(job.prompt_tokens), number: true },
    { name: "out", of: (job) => count(job.completion_tokens), number: true },
    { name: "cost", of: (job) => dollars(job.cost_usd), number: true },
    { name: "took", of: (job) => milliseconds(job.latency_ms), number: true },
    { name: "outcome", of: (job) => (job.cache && job.cache !== "miss" ? `${job.outcome} (${job.cache.replace("_", " ")})` : job.outcome), bad: (job) => !good.has(job.outcome) },
  ], items, words));
}

async function setBudget(feature, user, limit_usd, when_exhausted) {
  at("budget-problem").textContent = "";
  try {
    await ask("budgets", {}, { method: "PUT", body: { feature, user, limit_usd, when_exhausted } });
    at("budget-form").reset();
    await load(["budgets"]);
  } catch (error) {
    if (error instanceof NotIdentified) return openDoor(error.message);
    at("budget-problem").textContent = error.message;
  }
}

function openDoor(words = "") {
  token.forget();
  at("main").hidden = true;
  at("when").textContent = "";
  at("door-problem").textContent = words;
  if (!at("door").open) at("door").showModal();
}

function enter() {
  at("main").hidden = false;
  load();
}

at("token-form").addEventListener("submit", () => {
  token.keep(at("token").value.trim());
  at("token").value = "";
  enter();
});
at("door").addEventListener("cancel", (event) => event.preventDefault());
at("again").addEventListener("click", () => load());
at("leave").addEventListener("click", () => openDoor());
at("range").addEventListener("change", () => load());
at("latency-by").addEventListener("change", () => load(["latency"]));
at("budget-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("budget-name").value.trim();
  const [feature, user] = at("budget-scope").value === "feature" ? [name, null] : [null, name];
  setBudget(feature, user, at("budget-limit").value, at("budget-then").value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => token.get() && load());
for (const part of Object.values(parts)) at(part.place).replaceChildren(empty("…"));

if (token.get()) enter();
else openDoor();
