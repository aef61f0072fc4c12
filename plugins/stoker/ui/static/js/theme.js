// Light or dark as Airflow has it, set before anything is painted: a classic script for the <head>.
// Airflow keeps the choice as next-themes does, in localStorage under "theme": light, dark or system.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // a browser that keeps nothing for us
    }
  }

  function apply() {
    const choice = chosen();
    const theme = choice === "light" || choice === "dark" ? choice : system.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
  }

  apply();
  // The event comes from other documents of the same origin, such as the Airflow page around this one.
  addEventListener("storage", apply);
  system.addEventListener("change", apply);
})();
