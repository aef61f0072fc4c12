// Reports in frames without an origin, one at a time, in the theme of the page around them.

import { element } from "./dom.js";

const ROOM = 24; // pixels: borders, and a margin that a report does not count as its own
const MOST_HIGH = 20_000; // pixels: a report is made of data, and must not make a page endless

/**
 * @param {[string, string][]} offered the reports' names and addresses; the first is shown.
 */
export function reportFrames(offered) {
  const frame = element("iframe", { class: "report", sandbox: "allow-scripts" });
  const buttons = offered.map(([name]) => element("button", { type: "button" }, name));
  let address = "";
  function load() {
    frame.style.removeProperty("height");
    frame.src = `${address}?theme=${document.documentElement.dataset.theme}`;
  }
  function choose(chosen) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
    [frame.title, address] = offered[chosen];
    load();
  }
  buttons.forEach((button, i) => button.addEventListener("click", () => choose(i)));
  new MutationObserver(load).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  // Our reports tell how high they are; that is all they may tell.
  addEventListener("message", ({ source, data }) => {
    if (source !== frame.contentWindow || data?.stoker !== "height" || !Number.isFinite(data.height)) return;
    frame.style.height = `${Math.min(data.height + ROOM, MOST_HIGH)}px`;
  });
  choose(0);
  const bar = element("div", { class: "tabs", role: "group", "aria-label": "Reports" }, ...buttons);
  return element("section", { "aria-label": "Report" }, offered.length > 1 && bar, frame);
}
