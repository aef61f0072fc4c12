// What all tabs share: a place for the content, states for waiting and failing, and looking again while a run goes on.

import { element } from "./dom.js";

const AGAIN_AFTER = 4000; // milliseconds
const TAB = document.getElementById("tab");

/** What the tab is about: dag, run, task, map. */
export const place = { ...TAB.dataset };

/**
 * Fill the tab, and once more every few seconds for as long as something goes on.
 * @param {() => Promise<object>} load reads plain data; `goesOn` in it says whether more may come.
 * @param {(data: object) => Node[]} draw makes the content of the data. It is not called again for the same data, so that
 *   what somebody reads or has focused stays where it is.
 */
export async function fill(load, draw) {
  let drawn = "";
  for (;;) {
    try {
      const data = await load();
      const text = JSON.stringify(data);
      if (text !== drawn) put(...draw(data));
      drawn = text;
      if (!data.goesOn) return;
    } catch (error) {
      put(failure(error, () => fill(load, draw)));
      return;
    }
    await pause();
  }
}

function put(...content) {
  TAB.replaceChildren(...content);
  TAB.removeAttribute("aria-busy");
}

function failure(error, again) {
  const retry = element("button", { class: "button", type: "button" }, "Try again");
  retry.addEventListener("click", () => {
    TAB.setAttribute("aria-busy", "true");
    again();
  });
  const message = error.name === "ApiError" ? error.message : "This tab could not be filled. Reload the page.";
  if (error.name !== "ApiError") console.error(error);
  return element("div", { class: "notice bad", role: "alert" }, element("p", {}, message), retry);
}

/** Wait a little, and longer as long as nobody looks. */
async function pause() {
  await new Promise((done) => setTimeout(done, AGAIN_AFTER));
  if (document.visibilityState === "visible") return;
  await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}
