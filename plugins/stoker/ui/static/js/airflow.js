// Links from our pages to places in Airflow. Airflow shows our pages in a frame without popups and without top navigation,
// so a link into Airflow is followed by the router of the page around the frame.

/** The window of the Airflow page around this one; null when our page stands by itself. */
function surrounding() {
  try {
    return parent !== window && parent.document.getElementById("root") ? parent : null;
  } catch {
    return null; // a page of another origin
  }
}

/** Where Airflow lives on its server: "" at the root, else a path such as "/airflow". */
function base(airflow) {
  return new URL(airflow.document.baseURI).pathname.replace(/\/$/u, "");
}

/**
 * Take the Airflow page around this one to another place.
 * @param {string} path root-relative, such as "/dags/flights".
 * @returns {boolean} false when there is no Airflow around this page; then nothing was done.
 */
function navigate(path) {
  const airflow = surrounding();
  if (airflow === null) return false;
  // What React Router itself pushes, and the event by which it hears of "back" and "forward".
  const state = { usr: null, key: "stoker", idx: (airflow.history.state?.idx ?? 0) + 1 };
  airflow.history.pushState(state, "", base(airflow) + path);
  airflow.dispatchEvent(new airflow.PopStateEvent("popstate", { state }));
  return true;
}

function isPlainClick(event) {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a.airflow[href^='/']") : null;
  if (link === null || event.defaultPrevented || !isPlainClick(event)) return;
  if (navigate(link.getAttribute("href"))) event.preventDefault();
});
