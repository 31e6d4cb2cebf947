// Light or dark, before anything is drawn. No module: it must run first.
(() => {
  const choices = ["auto", "light", "dark"];
  const root = document.documentElement;
  let choice = localStorage.getItem("theme");
  if (!choices.includes(choice)) {
    choice = "auto";
  }

  function apply() {
    if (choice === "auto") {
      delete root.dataset.theme;
    } else {
      root.dataset.theme = choice;
    }
    const button = document.getElementById("theme");
    if (button) {
      button.textContent = `Theme: ${choice}`;
    }
    document.dispatchEvent(new Event("themechange"));
  }

  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      choice = choices[(choices.indexOf(choice) + 1) % choices.length];
      localStorage.setItem("theme", choice);
      apply();
    });
  });
})();
