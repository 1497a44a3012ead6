// A new API token can be copied with one click, where the browser lets pages write to the clipboard.
"use strict";

(() => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    const input = document.querySelector(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      input.select();
      await navigator.clipboard.writeText(input.value);
      button.textContent = "Copied";
    });
  }
})();
