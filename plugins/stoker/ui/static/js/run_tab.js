// The tab on a run: what its steps found, in the order of the tasks.

import { dagPath, read, returnedByAll, taskPage } from "./airflow_api.js";
import { airflowLink, element, emptyState } from "./dom.js";
import { badge, factList, factsOf, kindWord, pageOf, reasonsOf, referenceOf, worst } from "./references.js";
import { fill, place } from "./tab.js";
import { isOver, stateBadge, unusualState, waiting } from "./task_states.js";

const MOST = 100; // instances whose values are read: a mapped task may have thousands

const UNSAID = {
  skipped: "It had nothing to do, or an earlier step closed the way.",
  upstream_failed: "An earlier step failed.",
  failed: "It failed before it could say why; its log says more.",
};

fill(load, draw);

async function load() {
  const dag = dagPath(place.dag);
  const [tasks, listed] = await Promise.all([
    read(`${dag}/tasks`),
    read(`${dag}/dagRuns/${encodeURIComponent(place.run)}/taskInstances?limit=${MOST}`),
  ]);
  const instances = (listed?.task_instances ?? []).map(({ rendered_fields: fields, ...given }) => {
    const { dag_id, dag_run_id, task_id, task_display_name, map_index, state, start_date } = given;
    return { dag_id, dag_run_id, task_id, task_display_name, map_index, state, start_date, model: fields?.name };
  });
  const started = instances.filter((instance) => instance.start_date !== null);
  const values = new Map((await returnedByAll(started)).map((value, i) => [started[i], referenceOf(value)]));
  const steps = grouped(instances, tasks?.tasks ?? []).map(({ ours, all }) => (
    { ours, all: all.map((instance) => ({ instance, reference: values.get(instance) ?? null })) }));
  return {
    steps: steps.filter(({ ours, all }) => ours || all.some(({ reference }) => reference !== null)),
    left: Math.max(0, (listed?.total_entries ?? 0) - instances.length),
    goesOn: instances.some(({ state }) => !isOver(state)),
  };
}

/** The instances by task, in the order of the tasks; and whether the task is one of Stoker's. */
function grouped(instances, tasks) {
  const byTask = Map.groupBy(instances, ({ task_id: id }) => id);
  const ours = new Set(tasks.filter(isOurs).map(({ task_id: id }) => id));
  const known = inOrder(tasks).filter((id) => byTask.has(id));
  const others = [...byTask.keys()].filter((id) => !known.includes(id)); // of an earlier version of the DAG
  return [...known, ...others].map((id) => ({ ours: ours.has(id), all: byTask.get(id) }));
}

function isOurs({ class_ref: made }) {
  return typeof made?.module_path === "string" && made.module_path.startsWith("stoker.");
}

/** Each task after those that it waits for. */
function inOrder(tasks) {
  const before = new Map(tasks.map(({ task_id: id }) => [id, 0]));
  for (const { downstream_task_ids: next } of tasks) for (const id of next ?? []) before.set(id, before.get(id) + 1);
  const byId = new Map(tasks.map((task) => [task.task_id, task]));
  const ready = tasks.map(({ task_id: id }) => id).filter((id) => before.get(id) === 0);
  for (const id of ready) { // grows while it is walked
    for (const next of byId.get(id).downstream_task_ids ?? []) {
      before.set(next, before.get(next) - 1);
      if (before.get(next) === 0) ready.push(next);
    }
  }
  return ready;
}

function draw({ steps, left }) {
  if (steps.length === 0) return [nothing()];
  const more = left === 0 ? null : element("p", { class: "muted" }, `The first ${MOST} task instances are shown; ${left} more are not.`);
  return [element("ol", { class: "steps", "aria-label": "Steps", tabindex: 0 }, ...steps.map(({ all }) => card(all))), more].filter(Boolean);
}

function nothing() {
  return emptyState(
    "No step of this run is one of Stoker's",
    "A task that validates data, or trains, judges, promotes or watches a model shows its verdict here.",
  );
}

function card(all) {
  const [{ instance }] = all;
  const title = element("h2", {}, airflowLink(taskOf(all), instance.task_display_name ?? instance.task_id));
  return element("li", {}, title, ...(all.length === 1 && instance.map_index < 0 ? single(all[0]) : several(all)));
}

function taskOf(all) {
  const { instance } = all[0];
  return taskPage(all.length === 1 ? instance : { ...instance, map_index: -1 });
}

function single({ instance, reference }) {
  if (reference === null) return [element("p", {}, stateBadge(instance.state)), unsaid(instance)];
  const [reason] = reasonsOf(reference);
  const address = pageOf(reference);
  return [
    element("p", { class: "row" }, badge(reference.verdict), unusualState(instance, reference)),
    reason && element("p", { class: "reason" }, reason),
    factList(factsOf(reference)),
    address && element("p", {}, element("a", { href: address }, `${kindWord(reference)} in full`)),
  ].filter(Boolean);
}

function unsaid({ state, model }) {
  if (state === "awaiting_input" && typeof model === "string") return waiting(model);
  return element("p", { class: "muted" }, UNSAID[state] ?? (isOver(state) ? "It wrote nothing." : "It has not said anything yet."));
}

/** A mapped task: how many of each answer, and the first reason of the worst. */
function several(all) {
  const told = all.filter(({ reference }) => reference !== null);
  const counts = counted(told.map(({ reference }) => reference.verdict), badge);
  const states = counted(all.filter(({ reference }) => reference === null).map(({ instance }) => instance.state), stateBadge);
  const verdict = worst(told.map(({ reference }) => reference.verdict));
  const chosen = told.find(({ reference }) => reference.verdict === verdict);
  const address = chosen && pageOf(chosen.reference);
  const reason = chosen && reasonsOf(chosen.reference)[0];
  return [
    element("p", { class: "muted" }, all.length === 1 ? "1 instance" : `${all.length} instances`),
    element("p", { class: "row" }, ...counts, ...states),
    reason && element("p", { class: "reason" }, reason),
    address && element("p", {}, element("a", { href: address }, `Instance ${chosen.instance.map_index} in full`)),
  ].filter(Boolean);
}

function counted(values, mark) {
  return [...Map.groupBy(values, (value) => value)].map(([value, same]) => element("span", {}, mark(value), ` ${same.length}`));
}
