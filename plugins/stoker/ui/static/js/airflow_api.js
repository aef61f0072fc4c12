// Airflow's own REST API, read as the person who looks: what they may not see there, they do not see here.

import { ApiError, call } from "./api.js";

const API = "/api/v2";
const UNREADABLE = "Airflow does not let you read this. Ask for the right to view this DAG's runs and XComs.";

/** The path of a DAG, below the root of the API as below that of Airflow's pages. */
export function dagPath(dag) {
  return `/dags/${encodeURIComponent(dag)}`;
}

/** Where Airflow shows a task of a run. */
export function taskPage({ dag_id: dag, dag_run_id: run, task_id: task, map_index: index }) {
  const mapped = index >= 0 ? `/mapped/${index}` : "";
  return `${dagPath(dag)}/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}${mapped}`;
}

/**
 * @param {string} path below /api/v2.
 * @returns the answer, or null when there is no such thing.
 * @throws {ApiError} whose message is meant for people.
 */
export async function read(path) {
  try {
    return await call("GET", API + path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error.status === 403 ? new ApiError(403, { type: error.type, message: UNREADABLE }) : error;
  }
}

/** Give a waiting task the answer that the registry has taken already. `path` is the task's, below /api/v2. */
export function answerTask(path, option, comment) {
  return call("PATCH", API + path, { chosen_options: [option], params_input: { comment } });
}

/** What a task returned in a run; null when it returned nothing. */
export async function returned({ dag_id: dag, dag_run_id: run, task_id: task, map_index: index }) {
  const instance = `${dagPath(dag)}/dagRuns/${encodeURIComponent(run)}/taskInstances/${encodeURIComponent(task)}`;
  const entry = await read(`${instance}/xcomEntries/return_value?map_index=${index}&deserialize=false`);
  return entry === null ? null : entry.value;
}

/**
 * The same for many, a few at a time: a browser's connections are shared with the page around ours.
 * @param {object[]} instances
 */
export async function returnedByAll(instances) {
  const values = new Array(instances.length).fill(null);
  let next = 0;
  async function work() {
    while (next < instances.length) {
      const mine = next;
      next += 1;
      values[mine] = await returned(instances[mine]);
    }
  }
  await Promise.all(Array.from({ length: 6 }, work));
  return values;
}
