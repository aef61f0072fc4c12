// The tab on a DAG: the models that it works for. A DAG says so by a tag; else its last runs tell.

import { dagPath, read, returnedByAll } from "./airflow_api.js";
import { get } from "./api.js";
import { element, emptyState, number } from "./dom.js";
import { badge, modelOf, referenceOf } from "./references.js";
import { fill, place } from "./tab.js";
import { time } from "./times.js";

const MOST = 5; // models
const EVERYBODYS = "stoker"; // the tag of all DAGs of Stoker's, and no model's name
const VALUES = 30; // newest return values that are looked through when no tag names a model

fill(load, draw);

async function load() {
  const dag = await read(dagPath(place.dag));
  const tagged = await known((dag?.tags ?? []).map(({ name }) => name).filter((name) => name !== EVERYBODYS));
  return { models: tagged.length > 0 ? tagged : await known(await named()) };
}

/** Those of the names that are registered models. */
async function known(names) {
  const found = await Promise.all([...new Set(names)].slice(0, 20).map(model));
  return found.filter((one) => one !== null).slice(0, MOST);
}

async function model(name) {
  try {
    return await get(`/models/${encodeURIComponent(name)}`);
  } catch (error) {
    if (error.status === 404 || error.status === 400) return null; // a tag that is no model's name
    throw error;
  }
}

/** The models that the last tasks of this DAG spoke of. */
async function named() {
  const done = "state=success&state=failed&state=skipped";
  const listed = await read(`${dagPath(place.dag)}/dagRuns/~/taskInstances?${done}&order_by=-run_after&limit=${VALUES}`);
  const values = await returnedByAll(listed?.task_instances ?? []);
  return values.map(referenceOf).filter((reference) => reference !== null).map(modelOf).filter((name) => name !== null);
}

function draw({ models }) {
  return models.length > 0 ? models.map(card) : [nothing()];
}

function nothing() {
  return emptyState(
    "No registered model belongs to this DAG",
    "Tag the DAG with the name of its model, or run it once with Stoker's operators. ",
    element("a", { href: "/stoker/" }, "All models"),
  );
}

function card(found) {
  const address = `/stoker/models/${encodeURIComponent(found.name)}`;
  return element(
    "section", { class: "card" },
    element("div", { class: "head" },
      element("h2", {}, element("a", { href: address }, found.name)),
      element("span", { class: `badge state-${found.state}` }, found.state),
      element("p", { class: "actions" }, element("a", { class: "button", href: address }, "Open the model"))),
    element("p", { class: "reason" }, found.state_reason),
    found.action && element("p", { class: "notice warn" }, found.action),
    found.problem === null && element("div", { class: "tiles" }, ...tiles(found, address)),
  );
}

function tiles(found, address) {
  return [
    champion(found, address),
    quality(found.champion),
    tile("Last drift check", found.last_drift, (drift) => [link(badge(drift.verdict), drift.document), `Window ${drift.window}, v${drift.version}`]),
    tile("Last quality check", found.last_performance, (judged) => [link(badge(judged.verdict), judged.document), `Window ${judged.window}, v${judged.version}`]),
    tile("Last decision", found.last_wake_up, (told) => [told.result, told.reason, time(told.time)]),
    tile("Versions", found, ({ versions, requests }) => [number(versions), requests > 0 ? `${requests} requests to train wait` : "No request to train waits"]),
  ];
}

function champion({ champion: brief }, address) {
  return tile("Champion", brief, ({ version, since }) => [
    element("a", { href: `${address}/versions/${version}` }, `v${version}`), element("span", {}, "since ", time(since))]);
}

function quality(brief) {
  return tile(brief?.metric ? `Quality, ${brief.metric}` : "Quality", brief, ({ value, low, high, window, outcome, evaluation }) => [
    value === null ? "–" : number(value),
    low !== null && high !== null && `${number(low)} to ${number(high)}`,
    window === null ? "At its evaluation" : `Window ${window}`,
    element("span", {}, "Its evaluation: ", link(badge(outcome), evaluation))]);
}

function link(content, digest) {
  return digest ? element("a", { href: `/stoker/documents/${digest}` }, content) : content;
}

/** One figure with its label; a dash when there is nothing yet. */
function tile(label, value, contents) {
  const [main, ...notes] = value === null ? ["–", "Nothing yet"] : contents(value);
  return element("div", { class: "tile" }, element("p", { class: "k" }, label), element("p", { class: "v" }, main),
    ...notes.filter(Boolean).map((note) => element("p", { class: "n" }, note)));
}
