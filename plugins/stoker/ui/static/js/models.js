// Comfort on the pages of models: the list filters itself while somebody types, and a long page says where one is.

const PAUSE = 250; // milliseconds without a key before the list is asked for

function filterAsTyped(form) {
  let timer;
  let asked = new AbortController();

  async function show() {
    asked.abort();
    asked = new AbortController();
    const results = document.getElementById("results");
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form)).toString();
    results.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { signal: asked.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("results");
      if (!answer.ok || found === null) return form.submit(); // the server's own page says what is wrong
      results.replaceWith(found);
      document.getElementById("count").textContent = page.getElementById("count").textContent;
      history.replaceState(null, "", address);
      document.getElementById("status").textContent = "";
    } catch (error) {
      if (error.name === "AbortError") return;
      results.removeAttribute("aria-busy");
      document.getElementById("status").textContent =
        "The models could not be asked for. Check the connection and try again.";
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show();
  });
}

/** Marks the link of the section that is being read. */
function followReading(navigation) {
  const links = [...navigation.querySelectorAll("a")];
  const parts = links.map((link) => document.getElementById(link.hash.slice(1)));

  function mark() {
    const line = navigation.getBoundingClientRect().bottom + 24;
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const above = parts.filter((part) => part.getBoundingClientRect().top <= line);
    const current = atEnd ? parts.at(-1) : above.at(-1);
    for (const [i, link] of links.entries()) {
      if (parts[i] === current) link.setAttribute("aria-current", "location");
      else link.removeAttribute("aria-current");
    }
  }

  addEventListener("scroll", mark, { passive: true });
  mark();
}

/** Among very many models the first answers know of some only: asks until all were looked at, then shows what the page says now. */
async function fillUp(section) {
  let known = { scanned: 0, total: 1 };
  while (known.scanned < known.total) {
    const answer = await fetch("/stoker/api/v1/attention?limit=1");
    if (!answer.ok) return;
    const next = await answer.json();
    if (next.scanned <= known.scanned && next.total >= known.total) await new Promise((done) => setTimeout(done, PAUSE));
    known = next;
  }
  const page = new DOMParser().parseFromString(await (await fetch("/stoker/")).text(), "text/html");
  const found = page.querySelector("section.attention");
  if (found === null) section.remove();
  else section.replaceWith(found);
}

const unread = document.querySelector("section.attention[data-unread]");
if (unread) fillUp(unread).catch(() => {}); // what the server said of the models so far stays
const form = document.getElementById("filters");
if (form) filterAsTyped(form);
const navigation = document.querySelector("nav.local");
if (navigation) followReading(navigation);
