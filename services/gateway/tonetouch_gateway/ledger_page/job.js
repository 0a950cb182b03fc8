// One call in full: its attempts with every column that is known, and where its text comes from.

import { ask } from "./asking.js";
import { count, dollars, element, empty, milliseconds, moment } from "./tables.js";

const at = (id) => document.getElementById(id);
const PLAIN = ["attempt", "feature", "type", "subject", "user", "purpose", "priority", "provider", "gateway", "target", "model",
  "model_answered", "prompt", "finish_reason", "http_status", "outcome", "cache", "usage_source", "error_type", "error", "price_revision",
  "repriced_revision", "retry_of", "input_hash", "context_hash", "input_ref", "output_ref", "provider_request_id", "gateway_log_id"];
const COUNTS = ["prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens"];
const MONEY = ["cost_usd", "repriced_usd", "avoided_usd"];
const TIMES = ["latency_ms", "first_token_ms", "queue_ms"];
const MOMENTS = ["started_at", "recorded_at", "repriced_at"];

export async function showJob(id) {
  at("job-title").textContent = `Call ${id}`;
  at("job-rows").replaceChildren(empty("…"));
  at("job").showModal();
  try {
    const { items } = await ask(`jobs/${encodeURIComponent(id)}`);
    const trace = element("div", {});
    const button = element("button", { type: "button", onclick: () => showTrace(id, trace) }, "Where does its text come from?");
    at("job-rows").replaceChildren(...items.map(attempt), button, trace);
  } catch (error) {
    at("job-rows").replaceChildren(element("p", { className: "problem" }, error.message));
  }
}

function attempt(job) {
  const rows = [
    ...PLAIN.map((name) => [name, job[name]]),
    ...COUNTS.map((name) => [name, count(job[name])]),
    ...MONEY.map((name) => [name, dollars(job[name])]),
    ...TIMES.map((name) => [name, milliseconds(job[name])]),
    ...MOMENTS.map((name) => [name, moment(job[name])]),
    ["considered", job.considered.map((one) => `${one.target} ${dollars(one.cost_usd) ?? "unpriced"}${one.passed_over ? `, ${one.passed_over}` : ", chosen"}`).join("; ")],
  ];
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("dl", {}, ...known.flatMap(([name, value]) => [element("dt", {}, name.replace(/_(usd|ms)$/, "").replaceAll("_", " ")), element("dd", {}, String(value))]));
}

async function showTrace(id, place) {
  place.replaceChildren(empty("…"));
  try {
    const trace = await ask(`jobs/${encodeURIComponent(id)}/trace`);
    const sentences = trace.sentences.map((one) => element("li", {}, one.text,
      element("ul", {}, ...one.facts.map((fact) => element("li", {}, `${fact.id} · ${fact.name}: ${fact.value}`)))));
    const text = sentences.length ? element("ol", {}, ...sentences) : element("p", {}, trace.text ?? "The text was not kept, or its time is over.");
    const input = trace.input === null ? empty("The exact input was not kept, or its time is over.")
      : element("details", {}, element("summary", {}, `Exact input${trace.input_cut ? " (its beginning)" : ""}`), element("pre", {}, trace.input));
    place.replaceChildren(element("h3", {}, "What it says, and the facts it stands on"), text, input);
  } catch (error) {
    place.replaceChildren(element("p", { className: "problem" }, error.message));
  }
}
