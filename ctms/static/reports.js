// The builder of reports: what was changed shows at once in the preview, and in what depends on it. Every step works
// without it, by buttons.
"use strict";

(() => {
  const ID = "report-builder";
  const WAIT_MS = 150;
  let asking = null; // the request that is under way
  let timer = 0;

  const getForm = () => document.getElementById(ID);
  const listOpened = (form) => new Map([...form.querySelectorAll("details[id]")].map(({ id, open }) => [id, open]));

  /** The form as the server draws it, with what is open and what was typed meanwhile. */
  function replace(form, fresh, since) {
    for (const [id, open] of listOpened(form)) {
      const successor = fresh.querySelector(`#${CSS.escape(id)}`);
      if (successor) successor.open = open;
    }
    fresh.dataset.dirty = "";
    const scrolled = form.querySelector(".builder-steps")?.scrollTop;
    const isKept = window.replacing.replacePart(form, fresh, since);
    if (scrolled) fresh.querySelector(".builder-steps").scrollTop = scrolled;
    return isKept;
  }

  /** The condition that was just added is filled in next. */
  function focusAdded(before) {
    const added = [...getForm().querySelectorAll(".condition-operator")].find(({ name }) => !before.has(name));
    added?.focus();
    return Boolean(added);
  }

  async function refresh(form, submitter) {
    asking?.abort();
    const own = new AbortController();
    asking = own;
    const data = new FormData(form, submitter);
    if (!submitter) data.append("preview", "1");
    const since = window.replacing.readEntries(form);
    const before = new Set([...form.querySelectorAll(".condition-operator")].map(({ name }) => name));
    form.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(form.action, { method: "POST", body: data, signal: own.signal });
      const text = response.ok && !response.redirected ? await response.text() : "";
      const fresh = text && new DOMParser().parseFromString(text, "text/html").getElementById(ID);
      await window.replacing.whenReleased();
      // What was asked since shows more: an answer that waited must not take its place.
      if (asking !== own || !form.isConnected || form.dataset.submitting !== undefined) return;
      if (!fresh) {
        if (submitter) sendPlainly(form, submitter);
        return;
      }
      const isKept = replace(form, fresh, since);
      if (submitter && !focusAdded(before) && !isKept) getForm().querySelector("h1").scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (error.name !== "AbortError" && submitter && form.isConnected) sendPlainly(form, submitter);
    } finally {
      if (asking === own) form.removeAttribute("aria-busy");
    }
  }

  function sendPlainly(form, submitter) {
    form.dataset.plain = "";
    form.requestSubmit(submitter);
  }

  document.addEventListener("change", ({ target }) => {
    const form = target instanceof Element ? target.closest(`#${ID}`) : null;
    // Which field the next condition is about matters when it is added.
    if (!form || /about-/.test(target.name ?? "")) return;
    clearTimeout(timer);
    // An answer may replace the form meanwhile; what was typed is in the one that takes its place.
    timer = setTimeout(() => getForm() && refresh(getForm(), null), WAIT_MS);
  });
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const button = event.submitter;
      if (form.id !== ID || form.dataset.plain !== undefined || !button || ["save", "copy"].includes(button.name)) return;
      event.preventDefault();
      clearTimeout(timer);
      refresh(form, button);
    },
    { capture: true },
  );
})();
