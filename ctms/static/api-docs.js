// Swagger UI is dark where the user chose so, or else the system. Read before anything is drawn.
"use strict";

(() => {
  const root = document.documentElement;
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.classList.toggle("dark-mode", root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark);
})();
