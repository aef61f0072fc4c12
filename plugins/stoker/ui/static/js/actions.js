// Actions of people: a button opens the page's one dialog, the dialog asks for a reason, and the form sends what the person saw.
//
// The server writes the button: data-action (the API's path), data-body (what was seen, as JSON), data-title, data-sentence,
// data-verb, data-done; data-task and data-option when a task in Airflow waits for the same answer.

import { answerTask } from "./airflow_api.js";
import { post } from "./api.js";

const NOTICE = "stoker-notice";
const NOTICE_MS = 15_000;
const TASK_UNTOLD =
  "The decision stands, but the waiting task could not be told: it will see it at its timeout or when it is cleared.";

const dialog = document.getElementById("action-dialog");
const status = document.getElementById("status");

showNotice();
if (dialog) listen();

function listen() {
  const form = dialog.querySelector("form");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (button && !button.disabled) open(form, button);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  form.reason.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.reason.addEventListener("input", () => form.reason.setCustomValidity(""));
  part("cancel").addEventListener("click", () => dialog.close());
  part("reload").addEventListener("click", () => location.reload());
  // While the answer is on its way there is nothing to cancel.
  dialog.addEventListener("cancel", (event) => {
    if (isSending()) event.preventDefault();
  });
  // A page that comes back out of the browser's memory shows what was true before the action.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

function part(name) {
  return dialog.querySelector(`[data-part="${name}"]`);
}

function isSending() {
  return dialog.ariaBusy === "true";
}

function open(form, button) {
  dialog.opened = { ...button.dataset };
  part("title").textContent = button.dataset.title;
  part("sentence").textContent = button.dataset.sentence;
  part("submit").textContent = button.dataset.verb;
  part("submit").classList.toggle("danger", button.dataset.tone === "danger");
  form.reset();
  form.reason.setCustomValidity("");
  refuse("");
  settle(false);
  dialog.showModal();
  form.reason.focus();
}

async function send(form) {
  const reason = form.reason.value.trim();
  if (!reason) {
    form.reason.setCustomValidity("Say why, in a few words.");
    form.reason.reportValidity();
    return;
  }
  if (isSending() || part("submit").hidden) return;
  const { action, body, done, task, option } = dialog.opened;
  settle(true);
  refuse("");
  try {
    await post(action, { ...JSON.parse(body), reason });
  } catch (error) {
    settle(false);
    return refuse(error.message, error);
  }
  finish(task ? `${done} ${await tellTask(task, option, reason)}` : done);
}

// Whatever becomes of this, the registry has decided.
async function tellTask(task, option, reason) {
  try {
    await answerTask(task, option, reason);
    return "The waiting task goes on.";
  } catch (error) {
    return error.status === 409 ? "The waiting task had its answer already." : TASK_UNTOLD;
  }
}

function settle(sending) {
  dialog.ariaBusy = String(sending);
  for (const control of dialog.querySelectorAll("button, textarea")) control.disabled = sending;
}

// After a conflict, or when it is not known what happened, the same form must not be sent again: it carries what was true before.
function refuse(message, { status: code = 400 } = {}) {
  part("error").textContent = message;
  part("error").hidden = !message;
  const stale = code === 409 || code === 0 || code >= 500;
  part("submit").hidden = stale;
  part("reload").hidden = !stale;
  if (message) (stale ? part("reload") : dialog.querySelector("textarea")).focus();
}

function finish(message) {
  sessionStorage.setItem(NOTICE, message);
  location.reload();
}

function showNotice() {
  const message = sessionStorage.getItem(NOTICE);
  if (!message || !status) return;
  sessionStorage.removeItem(NOTICE);
  const line = document.createElement("p");
  line.className = "ok";
  line.textContent = message;
  status.replaceChildren(line);
  status.tabIndex = -1;
  status.focus({ preventScroll: true });
  setTimeout(() => status.replaceChildren(), NOTICE_MS);
}
