// The tab on a task: what it found, and its report. Without a run it is the newest one's.

import { dagPath, read, returnedByAll, taskPage } from "./airflow_api.js";
import { get } from "./api.js";
import { airflowLink, element, emptyState, number } from "./dom.js";
import { badge, factList, factsOf, isVersion, kindWord, pageOf, reasonsOf, referenceOf } from "./references.js";
import { reportFrames } from "./report_frames.js";
import { fill, place } from "./tab.js";
import { isOver, stateBadge, unusualState, waiting } from "./task_states.js";
import { time } from "./times.js";

const MOST = 50; // instances of a mapped task

fill(load, draw);

async function load() {
  const instances = place.run === undefined ? await newest() : await ofRun();
  instances.sort((one, other) => one.map_index - other.map_index);
  const values = await returnedByAll(instances);
  const told = instances.map((instance, i) => ({ instance, reference: referenceOf(values[i]), wrote: values[i] !== null }));
  const goesOn = told.some(({ instance }) => !isOver(instance.state));
  if (told.length !== 1 || told[0].reference === null) return { told, goesOn };
  return { told, goesOn, found: await written(told[0].reference) };
}

/** The one instance; all of them for a mapped task that was opened as a whole. */
async function ofRun() {
  const run = `${dagPath(place.dag)}/dagRuns/${encodeURIComponent(place.run)}/taskInstances`;
  const listed = await read(`${run}?task_id=${encodeURIComponent(place.task)}&limit=${MOST}`);
  const all = kept(listed);
  const index = Number(place.map);
  const one = all.filter(({ map_index: found }) => found === index);
  if (one.length > 0 || index < 0) return one.length > 0 ? one : all;
  const mapped = await read(`${run}/${encodeURIComponent(place.task)}/${index}`); // beyond the first page
  return mapped === null ? [] : kept({ task_instances: [mapped] });
}

async function newest() {
  const instances = `${dagPath(place.dag)}/dagRuns/~/taskInstances?task_id=${encodeURIComponent(place.task)}`;
  const all = kept(await read(`${instances}&order_by=-run_after&limit=${MOST}`));
  return all.filter(({ dag_run_id: run }) => run === all[0].dag_run_id);
}

function kept(listed) {
  return (listed?.task_instances ?? []).map(({ dag_id, dag_run_id, task_id, map_index, state, end_date, rendered_map_index, rendered_fields }) => (
    { dag_id, dag_run_id, task_id, map_index, state, end_date, rendered_map_index, model: rendered_fields?.name }));
}

/** What the store knows now of what was written: a version as it is, or which reports a document has; {} of what is no longer there. */
async function written(reference) {
  const address = pageOf(reference);
  if (address === null) return {};
  try {
    if (isVersion(reference)) return { version: (await get(address.replace("/stoker/", "/"))).row };
    const { has_report, has_evidently } = await get(`/documents/${reference.digest}`);
    return { has_report, has_evidently };
  } catch (error) {
    if (error.status === 404) return { gone: true };
    throw error;
  }
}

function draw({ told, found }) {
  if (told.length === 0) return [emptyState("This task has not run yet", "Its report will be here after its first run.")];
  if (told.length > 1) return [several(told)];
  const [{ instance, reference, wrote }] = told;
  const content = reference === null
    ? [unsaid(instance, wrote)]
    : [head(instance, reference), found.gone && gone(), found.version && versionCard(found.version), reports(reference, found)];
  return [newestNote(instance), ...content].filter(Boolean);
}

function newestNote(instance) {
  if (place.run !== undefined) return null;
  const when = instance.end_date === null ? [] : [", ended ", time(instance.end_date)];
  return element("p", { class: "muted" }, "The newest run: ", airflowLink(taskPage(instance), instance.dag_run_id), ...when, ".");
}

function head(instance, reference) {
  const reasons = reasonsOf(reference).map((reason) => element("li", { class: "reason" }, reason));
  const address = pageOf(reference);
  return element(
    "section", { class: "card", "aria-label": "Verdict" },
    element("div", { class: "head" }, element("h2", {}, kindWord(reference)), badge(reference.verdict), unusualState(instance, reference),
      address && element("p", { class: "actions" }, element("a", { class: "button", href: address }, pageWord(reference)))),
    reasons.length > 0 && element("ul", { class: "reasons" }, ...reasons),
    factList(factsOf(reference)),
  );
}

function pageWord(reference) {
  return isVersion(reference) ? "Open the version" : "Open the document";
}

/** A version as it is now, which may be another than when the task ended. */
function versionCard({ number: which, aliases, blocked, outcome, reason, metrics, review }) {
  const marks = [
    ...aliases.map((alias) => element("span", { class: "badge alias" }, alias)),
    blocked && element("span", { class: "badge blocked" }, "blocked"),
    review && element("span", { class: `badge ${review.status}` }, review.status === "waiting" ? "waits for approval" : review.status),
  ];
  const shown = Object.entries(metrics).filter(([, value]) => value !== null).slice(0, 6).map(([name, value]) => [name, number(value)]);
  return element(
    "section", { class: "card" },
    element("div", { class: "head" }, element("h2", {}, `Version ${which} now`), badge(outcome), ...marks),
    element("p", { class: "reason" }, reason),
    factList(shown),
  );
}

function unsaid({ state, model }, wrote) {
  if (wrote) return emptyState("This task is not one of Stoker's", "It returned a value of its own, which Airflow shows under XCom.");
  if (state === "success") return emptyState("This task wrote no verdict", "Reports come from Stoker's operators.");
  const text = isOver(state) ? "It wrote no verdict. Its log says more." : "The report will be here when it is done.";
  const asked = state === "awaiting_input" && typeof model === "string" && waiting(model);
  return element("div", { class: "empty" }, element("p", {}, stateBadge(state)), asked || element("p", {}, text));
}

function gone() {
  return element("p", { class: "notice warn" }, "The document is no longer in the store, so there is no report to show.");
}

/** Ours, and Evidently's beside it where a step has stored one. */
function reports({ digest }, found) {
  const offered = [
    found.has_report && ["Report", `/stoker/documents/${digest}/report`],
    found.has_evidently && ["Evidently", `/stoker/documents/${digest}/evidently`],
  ].filter(Boolean);
  return offered.length > 0 && reportFrames(offered);
}

function several(told) {
  const rows = told.map(({ instance, reference }) => element(
    "tr", {},
    element("th", { scope: "row" }, airflowLink(taskPage(instance), instance.rendered_map_index ?? String(instance.map_index))),
    element("td", {}, reference === null ? stateBadge(instance.state) : badge(reference.verdict)),
    element("td", { class: "reason" }, reference === null ? "" : reasonsOf(reference)[0] ?? ""),
  ));
  const heads = ["Instance", "Verdict", "Why"].map((text) => element("th", { scope: "col" }, text));
  return element(
    "section", { "aria-label": "Instances" },
    element("table", { class: "list" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
    told.length === MOST && element("p", { class: "muted" }, `The first ${MOST} instances are shown.`),
  );
}
