// Forms: those in dialogs, unsaved changes, keys. Every form reads and saves without it.
"use strict";

(() => {
  const isElement = (element) => element instanceof Element;
  const drawIcon = (name) => window.vault.drawIcon(name, "small");

  // -- Forms in dialogs: what is missing is created in place, and activities are logged quickly ---------------------

  const parsePage = (text) => new DOMParser().parseFromString(text, "text/html");

  function buildDialog(label) {
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    dialog.setAttribute("aria-label", label);
    dialog.dataset.inPlace = "";
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    return dialog;
  }

  async function openInPlace(box, typed) {
    const url = new URL(box.root.dataset.createUrl, window.location.href);
    const plain = url.href;
    url.searchParams.set("in_place", "1");
    if (typed) url.searchParams.set("typed", typed);
    const dialog = buildDialog(`Create ${box.root.dataset.noun}`);
    dialog.addEventListener("saved", async ({ detail }) => {
      dialog.close();
      box.input.focus();
      try {
        const { results } = await box.fetchResults({ uid: detail.uid });
        if (results.length) box.choose(results[0]);
        else box.notice(`${detail.label} was created, but does not fit here.`);
      } catch {
        box.notice(`${detail.label} was created. Type its name to choose it.`);
      }
    });
    const holder = document.createElement("div");
    dialog.append(holder);
    if (await window.vault.openForm(dialog, holder, url)) return;
    dialog.close();
    window.open(plain, "_blank");
  }

  function showProblem(form, text) {
    form.querySelector(".dialog-problem")?.remove();
    const alert = document.createElement("div");
    alert.className = "alert dialog-problem";
    alert.setAttribute("role", "alert");
    alert.append(drawIcon("warning"), text);
    (form.querySelector(".dialog-body") ?? form).prepend(alert);
  }

  function toast(message) {
    document.querySelector(".toast")?.remove();
    const holder = document.createElement("div");
    const line = document.createElement("p");
    holder.className = "toast";
    holder.setAttribute("role", "status");
    line.className = "message success";
    line.append(drawIcon("check"));
    const text = document.createElement("span");
    const link = document.createElement("a");
    link.href = message.url;
    link.textContent = message.label;
    text.append(`${message.text} `, link);
    if (message.told) text.append(`. ${message.told}`);
    if (message.undo_url) {
      const undo = document.createElement("button");
      undo.type = "submit";
      undo.className = "in-text";
      undo.setAttribute("form", "undo");
      undo.setAttribute("formaction", message.undo_url);
      undo.textContent = "Undo";
      text.append(" ", undo);
    }
    line.append(text);
    document.body.append(holder);
    // What is added to a region that is there is announced; a region that appears is not.
    requestAnimationFrame(() => holder.append(line));
    setTimeout(() => holder.remove(), 12000);
  }

  async function saveInDialog(form, submitter) {
    const holder = form.closest(".dialog-form");
    const dialog = form.closest("dialog");
    const headers = { Accept: "application/json" };
    const send = () => fetch(form.action, { method: "POST", body: new FormData(form, submitter), headers });
    form.dataset.submitting = "";
    const since = window.replacing.readEntries(form);
    const focused = document.activeElement;
    try {
      let response = await send();
      if (response.status === 403 && (await window.vault.renewTokens())) response = await send();
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      if (response.ok && isJson) {
        const saved = await response.json();
        delete form.dataset.dirty;
        document.dispatchEvent(new CustomEvent("vault:saved", { detail: saved }));
        if (dialog.dataset.inPlace !== undefined) return dialog.dispatchEvent(new CustomEvent("saved", { detail: saved }));
        toast(saved.message);
        if (!saved.next) return dialog.close();
        return await showNext(dialog, holder, saved.next);
      }
      if (!response.redirected && response.ok) return showAgain(dialog, holder, await response.text(), { since, focused });
      if (response.redirected) return showProblem(form, "You were logged out. Log in in another tab, then save again.");
      const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
      const why = isProblem ? (await response.json()).detail : `This could not be saved: the server answered ${response.status}.`;
      showProblem(form, `${why} What you typed is still here.`);
    } catch {
      showProblem(form, "This could not be saved: the server did not answer. What you typed is still here; try again.");
    } finally {
      delete form.dataset.submitting;
    }
    return null;
  }

  /** What was saved is saved, even if there is no form for the next. */
  async function showNext(dialog, holder, url) {
    try {
      const response = await fetch(url);
      if (response.ok && !response.redirected) return showForm(dialog, holder, await response.text());
    } catch {
      // As without an answer.
    }
    return dialog.close();
  }

  /** What was not saved, with what was typed since it was sent. */
  function showAgain(dialog, holder, text, { since, focused }) {
    const content = parsePage(text).querySelector(".dialog-form");
    if (!content) return;
    const hasMoved = document.activeElement !== focused;
    const isKept = window.replacing.replacePart(holder, content, since);
    if (!(hasMoved && isKept)) focusFirst(dialog);
  }

  function showForm(dialog, holder, text) {
    const content = parsePage(text).querySelector(".dialog-form");
    if (!content) return;
    holder.replaceWith(content);
    focusFirst(dialog);
  }

  const focusFirst = (dialog) => (dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[autofocus]"))?.focus();

  document.addEventListener("combobox:create", ({ detail }) => openInPlace(detail.box, detail.typed));
  // On a page of its own the link leaves; in a dialog it closes that.
  document.addEventListener("click", (event) => {
    const link = isElement(event.target) ? event.target.closest("a[data-close-dialog]") : null;
    if (link?.closest("dialog")) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.submitting !== undefined) return event.preventDefault(); // a second click saves no second record
    if (!form.closest(".dialog-form") || !form.closest("dialog")) return undefined;
    event.preventDefault();
    return saveInDialog(form, event.submitter);
  });

  // -- Lengths that other systems keep, told while typing; `length` counts UTF-16 units as they do ----------------

  const ANNOUNCE_AFTER_MS = 1000;
  let announcement = 0;

  function showLengths(notes, size) {
    const near = [];
    for (const line of notes.querySelectorAll("[data-keeps]")) {
      const keeps = Number(line.dataset.keeps);
      const left = keeps - size;
      line.classList.toggle("over", left < 0);
      line.querySelector(".left").textContent = left < 0 ? `; ${-left} too many` : `; ${left} left`;
      if (left <= keeps / 10) near.push(line.textContent.trim());
    }
    return near.join(" ");
  }

  document.addEventListener("input", ({ target }) => {
    if (!isElement(target) || !target.id) return;
    const notes = target.form?.querySelector(`[data-kept-of="${CSS.escape(target.id)}"]`);
    if (!notes) return;
    const told = showLengths(notes, target.value.trim().length);
    clearTimeout(announcement);
    // Read out after a pause, because a screen reader says what was typed first.
    announcement = setTimeout(() => {
      notes.nextElementSibling.textContent = told;
    }, ANNOUNCE_AFTER_MS);
  });

  // -- What follows a date until the user decides: done if it is not to come ----------------------------------------

  document.addEventListener("change", ({ target }) => {
    if (!isElement(target) || !target.form) return;
    if (target.dataset.doneBy !== undefined) target.dataset.decided = "";
    if (!target.value) return;
    for (const tick of target.form.querySelectorAll(`[data-done-by="${CSS.escape(target.name)}"]:not([data-decided])`)) {
      const isDone = (day) => day <= tick.dataset.today;
      if (tick.checked === isDone(target.dataset.followed ?? target.defaultValue)) tick.checked = isDone(target.value);
      target.dataset.followed = target.value;
    }
  });

  // -- Whole pages: unsaved changes, keys, another object type -----------------------------------------------------

  const isUnsaved = () => document.querySelector("form[data-guard][data-dirty]:not([data-submitting])") !== null;

  for (const name of ["input", "change"]) {
    document.addEventListener(name, ({ target }) => {
      const form = isElement(target) ? target.closest("form[data-guard]") : null;
      if (form && !target.matches("[data-reload]")) form.dataset.dirty = "";
    });
  }
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && event.target.matches("[method=post]")) event.target.dataset.submitting = "";
  });
  document.addEventListener("click", ({ target }) => {
    const link = isElement(target) ? target.closest("a[data-discard]") : null;
    if (link) delete link.closest("form").dataset.dirty;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-submitting]")) delete form.dataset.submitting;
  });
  document.addEventListener("change", ({ target }) => {
    if (!isElement(target) || !target.matches("select[data-reload]")) return;
    reload(target.form, target.value);
  });

  let reloading = null; // the request that is under way

  /** The fields of the other type, which the server shows before it saves anything, in the place of those on the page. */
  async function reload(form, type) {
    reloading?.abort();
    if (type === form.elements.shown_type.value) return; // chosen back: with its own fields the form would be saved
    reloading = new AbortController();
    const since = window.replacing.readEntries(form);
    try {
      const response = await fetch(form.action, { method: "POST", body: new FormData(form), signal: reloading.signal });
      const fresh = response.ok && !response.redirected && parsePage(await response.text()).getElementById(form.id);
      await window.replacing.whenReleased();
      if (form.dataset.submitting !== undefined || !form.isConnected) return; // what is sent comes back with them
      if (fresh) window.replacing.replacePart(form, fresh, since);
      else form.requestSubmit();
    } catch (error) {
      if (error.name !== "AbortError" && form.dataset.submitting === undefined) form.requestSubmit();
    }
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    const form = isElement(event.target) ? event.target.closest("form[data-guard], .dialog-form form") : null;
    if (!form) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("button.primary[type=submit]"));
  });
})();
