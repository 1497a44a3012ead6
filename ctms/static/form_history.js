// Back shows the form of a new record again. The browser fetches its page anew and brings back what was typed, but neither
// what was chosen in references nor the token by which the form, sent again, creates no second record. Without this
// script whoever goes back fills in a new form.
"use strict";

(() => {
  const findToken = () => document.querySelector("main [data-form-token]");
  const listBoxes = (form) => [...form.querySelectorAll("[data-combobox]")].map(window.combobox.getBox);
  const readKept = () => window.history.state?.form;

  /** What the place in the history keeps of the form: its token, whose it is, and what is chosen. */
  function remember(token, kept) {
    const form = { token: token.value, user: token.dataset.user, ...kept };
    window.history.replaceState({ ...window.history.state, form }, "");
  }

  const rememberChoices = (token) =>
    remember(token, { chosen: Object.fromEntries(listBoxes(token.form).map((box) => [box.name, box.readChosen()])) });

  /** Whether the browser has put anything else into the form than its page. */
  function hasEntries(form) {
    return [...form.elements].some((entry) => {
      if (entry.options) return entry.selectedIndex !== Math.max([...entry.options].findIndex((option) => option.defaultSelected), 0);
      if (entry.type === "checkbox" || entry.type === "radio") return entry.checked !== entry.defaultChecked;
      return entry.type !== "hidden" && (entry.value ?? "") !== (entry.defaultValue ?? "");
    });
  }

  function restore(token, kept) {
    const chosen = Object.entries(kept.chosen ?? {}).filter(([, results]) => results.length);
    if (!chosen.length && !hasEntries(token.form)) return remember(token);
    token.value = kept.token;
    for (const box of listBoxes(token.form)) {
      for (const result of kept.chosen?.[box.name] ?? []) if (!box.uids.includes(result.uid)) box.set(result);
    }
    return rememberChoices(token);
  }

  window.addEventListener("pageshow", ({ persisted }) => {
    const token = findToken();
    if (!token || persisted) return; // a page that was only hidden is as it was
    const kept = readKept();
    if (kept && kept.user === token.dataset.user) restore(token, kept);
    else remember(token);
  });

  document.addEventListener("change", ({ target }) => {
    const token = findToken();
    if (token && target instanceof Element && token.form?.contains(target) && target.closest("[data-combobox]")) rememberChoices(token);
  });
})();
