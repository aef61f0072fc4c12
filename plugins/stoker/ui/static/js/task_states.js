// The states of Airflow's task instances, in words.

import { element } from "./dom.js";

const WORDS = {
  success: "done", failed: "failed", skipped: "skipped", running: "running", queued: "queued", scheduled: "scheduled",
  up_for_retry: "waits for a retry", up_for_reschedule: "waits", deferred: "waits", awaiting_input: "waits for a person",
  upstream_failed: "not run", removed: "removed", restarting: "restarting",
};
const OVER = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);
const LOOKS = { failed: "fail", upstream_failed: "fail", running: "running", awaiting_input: "waiting", up_for_retry: "waiting" };

/** Whether nothing more comes of a task. One without a state has not been looked at by the scheduler yet. */
export function isOver(state) {
  return OVER.has(state);
}

/** A state as a word in its colour. */
export function stateBadge(state) {
  return element("span", { class: `badge ${LOOKS[state] ?? ""}`.trim() }, WORDS[state] ?? state ?? "not started");
}

/** The state of a task that has a verdict, where the verdict does not say it all; else null. */
export function unusualState({ state }, { verdict }) {
  return state === "success" || (state === "failed" && verdict === "fail") ? null : stateBadge(state);
}

/** What there is to do about a task that waits for a person. */
export function waiting(model) {
  const link = element("a", { href: `/stoker/models/${encodeURIComponent(model)}` }, model);
  return element("p", {}, "Somebody has to approve or reject a version of ", link, " before it goes on.");
}
