/* Draws every <figure class="chart" data-chart="KIND"> from the JSON inside it. The table beside the JSON says the same in text;
   it stays when a chart cannot be drawn. Values may come from anybody: they reach the page as text and as numbers only. */
(() => {
  "use strict";

  const kinds = new Map();
  const drawn = new WeakMap();
  const widths = new ResizeObserver((entries) => entries.forEach((entry) => draw(entry.target)));

  /* `render(data, width)` returns a node, or throws. `width` is in CSS pixels. */
  function register(kind, render) {
    kinds.set(kind, render);
  }

  function renderAll(root = document) {
    for (const figure of root.querySelectorAll("figure.chart")) {
      drawn.delete(figure);
      draw(figure);
      widths.observe(figure);
    }
  }

  function draw(figure) {
    const width = Math.floor(figure.clientWidth);
    if (width === 0 || drawn.get(figure) === width) return; // folded away, or nothing changed
    const first = !drawn.has(figure) && !figure.querySelector(":scope > .plot");
    drawn.set(figure, width);
    const table = figure.querySelector(":scope > details");
    try {
      const data = JSON.parse(figure.querySelector(":scope > script").textContent);
      const picture = kinds.get(figure.dataset.chart)(data, width);
      describe(picture, figure);
      place(figure).replaceChildren(picture);
      if (first && table) table.open = false;
    } catch (error) {
      console.error("A chart was not drawn; its table is shown.", error);
      figure.querySelector(":scope > .plot")?.remove();
      if (table) table.open = true;
    }
  }

  function place(figure) {
    const existing = figure.querySelector(":scope > .plot");
    if (existing) return existing;
    const box = document.createElement("div");
    box.className = "plot";
    const caption = figure.querySelector(":scope > figcaption");
    if (caption) caption.after(box);
    else figure.prepend(box);
    return box;
  }

  function describe(picture, figure) {
    const svg = picture.matches("svg") ? picture : picture.querySelector("svg:not(.swatch)");
    if (!svg) return;
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", figure.querySelector(":scope > figcaption")?.textContent ?? "");
    // One picture with one name: Plot's names of its groups of marks say nothing to a person.
    for (const part of svg.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  }

  /* The ends of an axis, with room around a single value: between two ends that are one, a tick would bear a number that is not its own. */
  function ends(values) {
    const known = values.filter(Number.isFinite);
    if (known.length === 0) return [0, 1];
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const room = low < high ? 0 : Math.abs(low) / 10 || 1;
    return [low - room, high + room];
  }

  globalThis.StokerCharts = { register, renderAll, ends };
  new MutationObserver(() => renderAll()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => renderAll());
  else renderAll();
})();
