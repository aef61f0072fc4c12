// What Stoker's tasks return: references {kind, uri, digest, verdict, summary}. They come out of a database that others write to.

import { element, number } from "./dom.js";

const WORDS = {
  pass: "passed", fail: "failed", inconclusive: "inconclusive", insufficient_data: "too little data", not_configured: "not judged",
};
const WORST_FIRST = ["fail", "insufficient_data", "inconclusive", "not_configured", "pass"];

const KINDS = {
  dataset: "Data", validation: "Validation", candidate: "Training", evaluation: "Evaluation", version: "Registration", alias: "Promotion",
  predictions: "Scoring", drift: "Drift", performance: "Performance", triage: "Triage", request: "Request", claim: "Wake-up",
  settlement: "Settlement", landing: "Landed files", profile: "Profiles",
};

// Of these kinds the digest is not that of a document.
const WITHOUT_PAGE = new Set(["landing"]);

const FACTS = {
  dataset: { dataset: "Dataset", partition: "Partition", rows: "Rows", columns: "Columns" },
  validation: { partition: "Partition", rows_in: "Rows in", rows_ok: "Rows kept", rows_quarantined: "Set aside" },
  candidate: { class: "Estimator", rows_train: "Rows", rows_holdout: "Held out", features: "Features", seconds: "Seconds" },
  evaluation: { champion_version: "Champion", champion_metric: "Its value", rows: "Rows" },
  version: { name: "Model", version: "Version" },
  alias: { name: "Model", alias: "Alias", version: "Version", previous: "Before" },
  predictions: { partition: "Partition", rows: "Rows", version: "Version" },
  drift: { window: "Window", version: "Version", rows: "Rows", columns: "Drifted" },
  performance: { window: "Window", metric: "Metric", value: "Value", baseline: "Expected", coverage: "Labelled" },
};

/** The reference that a value is; null when it is none. */
export function referenceOf(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { kind, digest, verdict, summary } = value;
  const texts = [kind, digest, verdict].every((text) => typeof text === "string");
  return texts && typeof summary === "object" && summary !== null ? value : null;
}

/** The worst verdict of several. */
export function worst(verdicts) {
  return WORST_FIRST.find((verdict) => verdicts.includes(verdict)) ?? verdicts[0];
}

/** A verdict as a word in its colour. */
export function badge(verdict) {
  const known = Object.hasOwn(WORDS, verdict);
  return element("span", { class: known ? `badge ${verdict}` : "badge" }, known ? WORDS[verdict] : verdict);
}

/** The step that a reference comes from, in a word. */
export function kindWord({ kind }) {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind] : kind;
}

/** Why: sentences, the deciding one first. */
export function reasonsOf({ summary }) {
  const reasons = Array.isArray(summary.reasons) ? summary.reasons : [];
  return reasons.filter((reason) => typeof reason === "string");
}

/** Whether a reference names a registered version, and not a document. */
export function isVersion({ kind }) {
  return kind === "version" || kind === "alias";
}

/** The page of what was written; null for what has none. */
export function pageOf(reference) {
  const { kind, digest, summary } = reference;
  if (isVersion(reference)) {
    const named = typeof summary.name === "string" && Number.isInteger(summary.version);
    return named ? `/stoker/models/${encodeURIComponent(summary.name)}/versions/${summary.version}` : null;
  }
  return WITHOUT_PAGE.has(kind) || !/^[0-9a-f]{64}$/u.test(digest) ? null : `/stoker/documents/${digest}`;
}

/** The registered model that a reference speaks of; null when it names none. */
export function modelOf({ summary }) {
  const name = summary.name ?? summary.model;
  return typeof name === "string" ? name : null;
}

/** The few facts that matter of a kind, as [label, text]. */
export function factsOf({ kind, summary }) {
  const facts = Object.entries(Object.hasOwn(FACTS, kind) ? FACTS[kind] : {})
    .filter(([name]) => isShown(summary[name]))
    .map(([name, label]) => [label, name === "class" ? shown(summary[name]).split(".").at(-1) : shown(summary[name])]);
  if (kind === "evaluation" && typeof summary.metric === "string" && isShown(summary.metrics?.[summary.metric])) {
    facts.unshift([summary.metric, shown(summary.metrics[summary.metric])]);
  }
  return facts;
}

/** Facts as a list of labels and values. */
export function factList(facts) {
  const entries = facts.flatMap(([label, value]) => [element("dt", {}, label), element("dd", {}, value)]);
  return facts.length === 0 ? null : element("dl", { class: "facts" }, ...entries);
}

function isShown(value) {
  return value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0);
}

function shown(value) {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "object") return Object.values(value).filter(isShown).map(shown).join(" to ");
  return number(value);
}
