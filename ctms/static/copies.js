// Copies for several sites: one box ticks all but the site that is copied from, and a day that is typed for a site ticks
// it. Without it, each is ticked.
"use strict";

(() => {
  const all = document.querySelector("[data-tick-all]");
  if (!all) return;
  const boxes = [...document.querySelectorAll("input[name=target]")];
  const others = boxes.filter((box) => !("own" in box.dataset));
  const count = document.querySelector("[data-tick-count]");

  function update() {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = others.length > 0 && others.every((box) => box.checked);
    all.indeterminate = ticked > 0 && !all.checked;
    count.textContent = ticked ? `${ticked} ticked` : "";
  }

  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of others) box.checked = all.checked;
    update();
  });
  document.addEventListener("change", ({ target }) => {
    if (target.matches("input[type=date][name^='day-']") && target.value) target.closest("tr").querySelector("input[name=target]").checked = true;
    if (target !== all) update();
  });
  update();
})();
