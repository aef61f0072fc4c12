// Elements made of data. Texts are set as texts, never as markup.

/**
 * @param {string} tag
 * @param {Record<string, string | number | null | undefined>} attributes those without a value are left out.
 * @param {...(Node | string | null | undefined | false)} children those that are nothing are left out.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A link to a place in Airflow, which airflow.js follows in the page around ours. */
export function airflowLink(href, text) {
  return element("a", { class: "airflow", href }, text);
}

/** What stands where nothing is: a title, and what to do about it. */
export function emptyState(title, ...explanation) {
  return element("div", { class: "empty" }, element("p", { class: "title" }, title), element("p", {}, ...explanation));
}

/** A number with the digits that mean something; what is no number stays as it is. */
export function number(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (Math.abs(value) < 0.001) return value.toExponential(2);
  const digits = Math.abs(value) >= 1000 ? 1 : Math.abs(value) >= 10 ? 2 : 4;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
