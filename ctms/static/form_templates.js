// Templates of a form: their words go where nobody has typed yet. Without it a template opens the form anew.
"use strict";

(() => {
  const findHolder = (form) => form?.querySelector("[data-templates]");

  /** Whether an entry still holds what it began with, or what a template put there. */
  function isFree(entry) {
    if (entry.dataset.filled !== undefined && entry.dataset.filled === entry.value) return true;
    if (entry.options) return entry.selectedIndex === Math.max([...entry.options].findIndex((option) => option.defaultSelected), 0);
    return entry.value.trim() === "";
  }

  function fillEntry(entry, text) {
    if (!isFree(entry)) return false;
    entry.value = text;
    entry.dataset.filled = entry.value;
    for (const name of ["input", "change"]) entry.dispatchEvent(new Event(name, { bubbles: true }));
    return true;
  }

  function fillChoice(entries, text) {
    const choices = [...entries];
    const chosen = choices.find(({ checked }) => checked);
    const wanted = choices.find(({ value }) => value === text);
    if (!wanted || (chosen && !chosen.defaultChecked && chosen.dataset.filled === undefined)) return false;
    wanted.checked = true;
    wanted.dataset.filled = "";
    wanted.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-template]") : null;
    if (!link || !window.vault.isPlain(event)) return;
    event.preventDefault();
    const form = link.closest("form");
    const kept = [];
    for (const [name, text] of Object.entries(JSON.parse(link.dataset.template))) {
      const entry = form.elements[name];
      if (!entry) continue;
      const isFilled = entry instanceof RadioNodeList ? fillChoice(entry, text) : fillEntry(entry, text);
      if (!isFilled) kept.push(name);
    }
    const status = link.closest("[data-templates]").querySelector("[role=status]");
    status.textContent = `${link.textContent.trim()} filled in.${kept.length ? " What you typed was kept." : ""}`;
  });

  document.addEventListener("change", async ({ target }) => {
    const root = target instanceof Element ? target.closest("[data-combobox]") : null;
    const holder = root && findHolder(root.closest("form"));
    if (!holder || root.dataset.field !== holder.dataset.by) return;
    const { uid } = window.combobox.getBox(root);
    if (uid === holder.dataset.of) return;
    holder.dataset.of = uid;
    const url = new URL(holder.dataset.templates, window.location.href);
    url.searchParams.set(holder.dataset.by, uid);
    const response = await fetch(url).catch(() => null);
    const text = response?.ok && !response.redirected ? await response.text() : "";
    if (!holder.isConnected || holder.dataset.of !== uid) return; // another was chosen meanwhile
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-templates]");
    holder.replaceChildren(...(fresh?.childNodes ?? []));
  });
})();
