// Airflow's own REST API, read as the person who looks: what they may not see there, they do not see here.

import { ApiError } from "./api.js";

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
  let answer;
  try {
    answer = await fetch(`/api/v2${path}`, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  } catch {
    throw new ApiError(0, { type: "NetworkError", message: "Airflow does not answer. Check the connection, then try again." });
  }
  if (answer.status === 404) return null;
  if (!answer.ok) throw new ApiError(answer.status, { type: "Refused", message: refusal(answer.status) });
  return answer.json();
}

function refusal(status) {
  if (status === 401) return "Your session has ended. Log in to Airflow again, then reload this page.";
  if (status === 403) return "Airflow does not let you read this. Ask for the right to view this DAG's runs and XComs.";
  return `Airflow could not answer (status ${status}). Try again in a moment; the log of its API server says more.`;
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
