// The JSON API as functions. A refusal is an ApiError whose message is meant for people.

const API = "/stoker/api/v1";

/** What the server answered instead of doing it: its error's type, message and details; status 0 when no answer came. */
export class ApiError extends Error {
  constructor(status, { type, message, details = {} }) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = type;
    this.details = details;
  }
}

export function get(path) {
  return call("GET", API + path);
}

export function post(path, body) {
  return call("POST", API + path, body);
}

/**
 * Ask an API of this origin.
 * @returns the answer's JSON.
 * @throws {ApiError}
 */
export async function call(method, url, body) {
  const headers = { Accept: "application/json" };
  const request = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(url, request);
  } catch {
    throw new ApiError(0, { type: "NetworkError", message: unreachable(method) });
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  throw new ApiError(response.status, errorOf(response.status, content, method));
}

function errorOf(status, content, method) {
  if (typeof content?.error?.message === "string") return content.error;
  if (status === 401) return { type: "Unauthorized", message: "Your session has ended. Log in to Airflow again, then repeat this." };
  if (status === 403) return { type: "Forbidden", message: "You are not allowed to do this. Ask someone who may trigger runs of this model's DAG." };
  if (status >= 500 || status < 400) return { type: "ServerError", message: unreachable(method) };
  const detail = typeof content?.detail === "string" ? content.detail : "The request was refused.";
  return { type: "Refused", message: `${detail} (status ${status})` };
}

// A change whose answer was lost may have been made: whoever repeats it blindly may do it twice.
function unreachable(method) {
  return method === "GET"
    ? "Airflow gave no usable answer. Check the connection, then reload this page."
    : "Airflow gave no usable answer, so it is not known whether this was done. Reload and look at the history before you repeat it.";
}
