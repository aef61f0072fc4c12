// Reports in pages: loaded when their fold is opened, in the theme of the page around them.

const root = document.documentElement;
const folds = [...document.querySelectorAll("details[data-report]")];

function load(fold) {
  if (!fold.open) return;
  const frame = fold.querySelector("iframe");
  const wanted = `${fold.dataset.report}?theme=${root.dataset.theme === "dark" ? "dark" : "light"}`;
  if (frame.getAttribute("src") !== wanted) frame.setAttribute("src", wanted);
}

for (const fold of folds) {
  fold.addEventListener("toggle", () => load(fold));
  load(fold);
}
new MutationObserver(() => folds.forEach(load)).observe(root, { attributeFilter: ["data-theme"] });
