// The pipeline board: a row per upload, a column per step, those that need somebody on top.

import { element, empty, moment } from "/ledger/tables.js";

const SIGNS = { done: "✓", running: "●", failed: "✗", waiting: "·", skipped: "–" };

// `show` shows the story of a track, `retry` sends a failed upload on again.
export function board({ steps, items }, { show, retry }) {
  if (!items.length) return empty("Nothing was uploaded yet.");
  const standing = (step) => items.filter((upload) => upload.at === step).length;
  const head = [
    element("th", { scope: "col" }, "file"),
    ...steps.map((step) => element("th", { scope: "col", className: "step", title: `${standing(step)} of those below stand here` },
      step.replaceAll("_", " "), " ", element("small", {}, standing(step) ? String(standing(step)) : ""))),
    element("th", { scope: "col" }, "stands"),
    element("th", { scope: "col" }, "last news (UTC)"),
  ];
  return element("table", { className: "board" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...items.map((upload) => row(upload, { show, retry }))));
}

function row(upload, { show, retry }) {
  const failed = upload.status === "failed" || upload.steps.some((step) => step.name === upload.at && step.state === "failed");
  const stands = upload.stuck ? "stuck" : upload.status;
  const why = upload.reason ?? upload.steps.find((step) => step.name === upload.at)?.error ?? "";
  return element("tr", { className: upload.stuck ? "stuck" : failed ? "failed" : "" },
    element("td", {},
      element("button", { type: "button", title: `Show the story of ${upload.track_id}`, onclick: () => show(upload.track_id) }, upload.file_name || upload.track_id)),
    ...upload.steps.map(cell),
    element("td", {}, upload.at && !["published", "failed"].includes(upload.status) ? `${stands} at ${upload.at.replaceAll("_", " ")}` : stands,
      failed ? element("button", { type: "button", className: "retry", onclick: () => retry(upload.track_id) }, "retry") : null,
      why ? element("small", { title: why }, why) : null),
    element("td", {}, moment(upload.updated_at) ?? ""),
  );
}

function cell(step) {
  const tries = step.attempts > 1 ? ` ${step.attempts}×` : "";
  const words = [`${step.name}: ${step.state}`, step.attempts ? `attempt ${step.attempts}` : "", step.error ?? ""].filter(Boolean).join(", ");
  return element("td", { className: `step ${step.state}`, title: words }, `${SIGNS[step.state] ?? "?"}${tries}`);
}
