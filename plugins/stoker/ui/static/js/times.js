// Times in the zone that the reader chose in Airflow, else in the browser's. Without this script they stay in UTC.

/** Airflow keeps the chosen zone as a JSON text in localStorage under "timezone". */
function chosenZone() {
  try {
    const zone = JSON.parse(localStorage.getItem("timezone"));
    new Intl.DateTimeFormat("en", { timeZone: zone ?? undefined });
    return zone ?? undefined;
  } catch {
    return undefined; // nothing is kept, or no zone that this browser knows
  }
}

/** A moment as "2026-03-01 14:05 GMT+1", in the order of Airflow's own tables. */
function format(moment, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    timeZone: zone, timeZoneName: "short",
  }).formatToParts(moment);
  const part = (type) => parts.find((one) => one.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")} ${part("timeZoneName")}`;
}

/**
 * A <time> element for a moment.
 * @param {string} moment ISO 8601 with an offset.
 */
export function time(moment) {
  const element = document.createElement("time");
  element.dateTime = moment;
  element.textContent = moment;
  show(element, chosenZone());
  return element;
}

/** Rewrite all times of the page. Days without a time of day stay as they are. */
function showTimes() {
  const zone = chosenZone();
  for (const element of document.querySelectorAll("time[datetime*='T']")) show(element, zone);
}

function show(element, zone) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  element.textContent = format(moment, zone);
  element.title = moment.toISOString();
}

showTimes();
addEventListener("storage", (event) => {
  if (event.key === "timezone" || event.key === null) showTimes();
});
