// Records that may be the one that is being typed, shown in the form. Every form saves without it.
"use strict";

(() => {
  const WAIT_MS = 400;
  const timers = new WeakMap();
  const asked = new WeakMap();

  function readTexts(form) {
    const texts = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && value.trim() && /__(v|sys|c)$/.test(name)) texts.set(name, value);
    }
    return texts;
  }

  async function compare(holder) {
    const form = holder.closest("form");
    const texts = readTexts(form);
    if (holder.dataset.record) texts.set("record", holder.dataset.record);
    const url = `${holder.dataset.duplicates}?${texts}`;
    if (asked.get(holder) === url) return;
    asked.set(holder, url);
    try {
      const response = await fetch(url);
      if (!response.ok || response.redirected || asked.get(holder) !== url) return;
      const found = new DOMParser().parseFromString(await response.text(), "text/html").body;
      holder.replaceChildren(...found.children);
    } catch {
      // Nothing is told, and nothing is lost.
    }
  }

  // A form that comes filled in is compared when somebody enters it.
  for (const name of ["input", "focusin"]) {
    document.addEventListener(name, ({ target }) => {
      const holder = target instanceof Element ? target.closest("form")?.querySelector("[data-duplicates]") : null;
      if (!holder || (name === "focusin" && holder.dataset.record)) return;
      clearTimeout(timers.get(holder));
      timers.set(holder, setTimeout(() => compare(holder), WAIT_MS));
    });
  }

  // In a dialog, the form that waits for a record gets this one.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-use-uid]") : null;
    const dialog = link?.closest("dialog[data-in-place]");
    if (!dialog) return;
    event.preventDefault();
    const form = link.closest("form");
    delete form.dataset.dirty;
    const detail = { uid: link.dataset.useUid, label: link.dataset.useLabel };
    dialog.dispatchEvent(new CustomEvent("saved", { detail }));
  });
})();
