// Fields changed where they stand, on the record page and in the cells of lists. Without it each has a small page of its own.
"use strict";

(() => {
  const isElement = (node) => node instanceof Element;
  const getEditor = (node) => (isElement(node) ? node.closest(".inline-edit") : null);
  let leaving = ""; // id of the field whose form is about to be closed
  const sent = new WeakMap(); // what stood in a form when it was sent
  const catchers = new WeakMap(); // what takes the letters typed before a form is there

  document.addEventListener("dblclick", ({ target }) => {
    if (!isElement(target) || target.closest("a, button, form")) return;
    target.closest(".fact")?.querySelector(".fact-edit")?.click();
  });

  // What asks for a value, such as Reschedule, is answered where the value stands; if it is not shown, on its own page.
  document.addEventListener("click", (event) => {
    const link = isElement(event.target) ? event.target.closest("[data-edit-field]") : null;
    if (!link || link.closest(".list-table") || !window.vault.isPlain(event)) return;
    const pencil = document.querySelector(`#field-${CSS.escape(link.dataset.editField)} .fact-edit`);
    if (!pencil) return;
    event.preventDefault();
    window.vault.closeMenusExcept(null);
    pencil.click();
  });

  document.addEventListener("keydown", (event) => {
    // Escape that closes a list of suggestions is not meant for the form.
    if (event.key !== "Escape" || event.defaultPrevented) return;
    getEditor(event.target)?.querySelector("[data-cancel]")?.click();
  });

  // What a user unfolds stays so on the next record, until the browser is closed: the server draws it so.
  document.addEventListener("toggle", ({ target }) => {
    const name = isElement(target) ? target.dataset.remember : "";
    if (name) document.cookie = `${name}=${target.open ? "open" : "folded"}; path=/; SameSite=Lax`;
  }, true);

  // -- Focus: into the form that opens, back to the pencil when it closes ------------------------------------------

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    leaving = isElement(detail.target) && detail.target.querySelector(".inline-edit") ? detail.target.id : "";
  });

  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.elt.matches(".inline-edit")) sent.set(detail.elt, window.replacing.readEntries(detail.elt));
    else if (detail.elt.matches(".fact-edit")) catchers.set(detail.target, window.replacing.catchTyping(detail.target));
  });

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    const swapped = isElement(detail.elt) ? detail.elt : null;
    const form = swapped?.querySelector(".inline-edit");
    const focused = document.activeElement;
    if (focused !== document.body && !swapped?.contains(focused)) return; // who has gone on elsewhere is not called back
    if (form) {
      const entry = form.querySelector("[aria-invalid=true]") ?? form.querySelector("[autofocus]") ?? form.querySelector("input:not([type=hidden]), select, textarea");
      const handOver = catchers.get(detail.target);
      if (handOver) handOver(entry);
      else entry?.focus();
    } else if (swapped?.id && swapped.id === leaving) {
      swapped.querySelector(".fact-edit")?.focus();
    } else if (detail.target?.id === "record-star") {
      document.querySelector("#record-star button")?.focus();
    }
  });

  // -- Several fields open at once ---------------------------------------------------------------------------------

  // What is being typed into another field stays; the rest of the page is drawn anew.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    // What has been asked for comes into the field that asked.
    if (event.detail.target.querySelector(".inline-edit, .htmx-request")) event.detail.shouldSwap = false;
  });

  // What is typed while a field is saved is not saved yet: its form stays.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    const { elt } = event.detail.requestConfig;
    const since = sent.get(elt);
    if (!since || !event.detail.shouldSwap) return;
    sent.delete(elt);
    const isChanged = [...window.replacing.readEntries(elt)].some(([key, value]) => since.get(key) !== value);
    if (!isChanged) return;
    if (xhr.getResponseHeader("HX-Trigger")?.includes("record:saved")) {
      event.detail.shouldSwap = false;
      showProblem(elt, "Saved. What you typed after that is not saved yet.");
    } else {
      const carry = ({ detail }) => window.replacing.carryEntries(elt, detail.elt, since);
      document.addEventListener("htmx:afterSwap", carry, { once: true });
    }
  });

  // The user's own change is none that another of their forms has to be warned of.
  document.addEventListener("record:saved", ({ detail }) => {
    for (const input of document.querySelectorAll(".inline-edit [name=expected_version]")) {
      if (Number(input.value) === detail.was) input.value = detail.is;
    }
  });

  // -- When the server refuses, or does not answer -----------------------------------------------------------------

  /** Beside what was asked for; in a list that shows no record, above its rows. */
  function showProblem(node, text) {
    const holder = getEditor(node) ?? node.closest(".fact") ?? document.getElementById("record-head");
    const page = document.querySelector("main");
    (holder ?? page).querySelector("[data-problem]")?.remove();
    const alert = document.createElement("div");
    alert.className = "alert";
    alert.dataset.problem = "";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    if (holder) return holder.append(alert);
    page.prepend(alert);
    return document.addEventListener("htmx:afterSwap", () => alert.remove(), { once: true });
  }

  // A log-in page in the place of a field would help nobody.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig, xhr, elt } = event.detail;
    if (elt.closest(".list-page")) return; // a list comes from another address than the change that it shows
    const asked = new URL(requestConfig.path, window.location.href).pathname;
    if (!xhr.responseURL || new URL(xhr.responseURL).pathname === asked) return;
    event.detail.shouldSwap = false;
    showProblem(elt, "You were logged out; nothing was saved. Log in in another tab, then try again here.");
  });

  const nameFailure = ({ requestConfig }) => (requestConfig.verb === "get" ? "This could not be loaded" : "Nothing was saved");

  document.addEventListener("htmx:responseError", async ({ detail }) => {
    const form = detail.elt.closest("form");
    const isFirst = form && form.dataset.tried === undefined;
    if (detail.xhr.status === 403 && isFirst && (await window.vault.renewTokens().catch(() => false))) {
      form.dataset.tried = "";
      return form.requestSubmit();
    }
    const texts = {
      403: "you may not do this, or were logged out meanwhile. Reload the page.",
      404: "the record was deleted, or is no longer visible to you.",
    };
    const reason = texts[detail.xhr.status] ?? `the server answered ${detail.xhr.status}. Try again.`;
    showProblem(detail.elt, `${nameFailure(detail)}: ${reason}`);
    return null;
  });

  document.addEventListener("htmx:sendError", ({ detail }) => {
    const kept = detail.requestConfig.verb === "get" ? "Try" : "What you typed is still here; try";
    showProblem(detail.elt, `${nameFailure(detail)}: the server did not answer. ${kept} again.`);
  });
})();
