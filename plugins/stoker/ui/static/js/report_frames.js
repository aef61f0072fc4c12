// Reports in frames without an origin: in the theme of the page around them, and as high as they are.

import { element } from "./dom.js";

const ROOM = 24; // pixels: borders, and a margin that a report does not count as its own
const MOST_HIGH = 20_000; // pixels: a report is made of data, and must not make a page endless

const root = document.documentElement;
const addresses = new Map(); // of the reports, by their frames

function show(frame, address) {
  addresses.set(frame, address);
  frame.style.removeProperty("height");
  frame.src = `${address}?theme=${root.dataset.theme}`;
}

new MutationObserver(() => addresses.forEach((address, frame) => show(frame, address))).observe(root, { attributeFilter: ["data-theme"] });

// Our reports tell how high they are; that is all they may tell. One that is folded away has no height.
addEventListener("message", ({ source, data }) => {
  if (data?.stoker !== "height" || !(data.height > 0)) return;
  const frame = [...addresses.keys()].find(({ contentWindow }) => contentWindow === source);
  if (frame) frame.style.height = `${Math.min(data.height + ROOM, MOST_HIGH)}px`;
});

/**
 * One of several reports at a time.
 * @param {[string, string][]} offered the reports' names and addresses; the first is shown.
 */
export function reportFrames(offered) {
  const frame = element("iframe", { class: "report", sandbox: "allow-scripts" });
  const buttons = offered.map(([name]) => element("button", { type: "button" }, name));
  function choose(chosen) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
    const [title, address] = offered[chosen];
    frame.title = title;
    show(frame, address);
  }
  buttons.forEach((button, i) => button.addEventListener("click", () => choose(i)));
  choose(0);
  const bar = element("div", { class: "tabs", role: "group", "aria-label": "Reports" }, ...buttons);
  return element("section", { "aria-label": "Report" }, offered.length > 1 && bar, frame);
}

/** Loads the report in a fold when it is opened first. */
function follow(fold) {
  const frame = fold.querySelector("iframe");
  const load = () => fold.open && !addresses.has(frame) && show(frame, fold.dataset.report);
  fold.addEventListener("toggle", load);
  load();
}

document.querySelectorAll("details[data-report]").forEach(follow);
