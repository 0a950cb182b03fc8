// Asking the API, with a token that lives in this tab only and is never part of an address.

const KEPT = "tonetouch.token";

export class NotIdentified extends Error {}

export class Problem extends Error {}

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  keep: (value) => sessionStorage.setItem(KEPT, value),
  forget: () => sessionStorage.removeItem(KEPT),
};

// The JSON at a path below /api/v1/ai.
export const ask = (path, ...how) => call(`ai/${path}`, ...how);

// The JSON at a path below /api/v1; parameters that are null are left out. Throws NotIdentified and Problem.
export async function call(path, parameters = {}, { method = "GET", body = null } = {}) {
  const said = Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== "").map((one) => [name, one]),
  );
  const query = said.length ? `?${new URLSearchParams(said)}` : "";
  const headers = { authorization: `Bearer ${token.get() ?? ""}`, accept: "application/json" };
  if (body !== null) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api/v1/${path}${query}`, {
      method, headers, body: body === null ? null : JSON.stringify(body), cache: "no-store", credentials: "omit",
    });
  } catch {
    throw new Problem("The API does not answer; is it running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) throw new NotIdentified(answer.detail ?? "The token is not the right one.");
  if (!response.ok) throw new Problem([answer.detail, answer.next_step].filter(Boolean).join(" ") || `HTTP ${response.status}`);
  return answer;
}
