// Lists: rows that are ticked, columns that are moved, and what follows from a list that was replaced.
// Every list is read, searched, filtered and sorted without it.
"use strict";

(() => {
  const getRows = (form) => [...form.querySelectorAll("tbody .tick-cell input")];

  // -- Rows that are ticked --------------------------------------------------------------------------------------

  let lastTicked = null;

  function showCount(form) {
    const rows = getRows(form);
    const ticked = rows.filter((row) => row.checked).length;
    const all = form.querySelector("[data-tick-all]");
    all.checked = ticked === rows.length;
    all.indeterminate = ticked > 0 && ticked < rows.length;
    const everything = form.querySelector("[name=all]");
    everything.checked &&= ticked > 0;
    const count = form.querySelector("[data-selected-count]");
    if (count) count.textContent = everything.checked ? "All selected" : `${ticked} selected`;
  }

  /** From the row ticked before to this one, as file managers do it. */
  function tickBetween(form, row) {
    const rows = getRows(form);
    const [from, to] = [rows.indexOf(lastTicked), rows.indexOf(row)].sort((a, b) => a - b);
    if (from < 0) return;
    for (const each of rows.slice(from, to + 1)) each.checked = row.checked;
  }

  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".list-rows tbody .tick-cell input");
    if (!row) return;
    if (event.shiftKey) tickBetween(row.form, row);
    lastTicked = row;
    showCount(row.form);
  });
  document.addEventListener("change", ({ target }) => {
    const form = target.closest?.(".list-rows");
    if (!form) return;
    if (target.matches("[data-tick-all]")) for (const row of getRows(form)) row.checked = target.checked;
    showCount(form);
  });
  document.addEventListener("reset", ({ target }) => {
    if (target.matches(".list-rows")) setTimeout(() => showCount(target));
  });
  // A page that the browser brings back may have rows ticked.
  window.addEventListener("pageshow", () => {
    const form = document.querySelector(".list-rows:has(.bulk-bar)");
    if (form) showCount(form);
  });

  // -- Columns that are moved: without this, each move is a form that is sent -------------------------------------

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-column-list] button");
    if (!button) return;
    event.preventDefault();
    const item = button.closest("li");
    const other = button.name === "up" ? item.previousElementSibling : item.nextElementSibling;
    if (!other?.querySelector("button")) return;
    if (button.name === "up") other.before(item);
    else other.after(item);
    button.focus();
  });

  // -- What is done while another list is on its way ---------------------------------------------------------------

  const getSearch = () => document.querySelector(".list-page .search-box");
  let newest = null; // the last request for a list
  let ticked = []; // uids

  document.addEventListener("htmx:configRequest", (event) => {
    const request = event.detail;
    const search = getSearch();
    if (!search || request.target.id !== "list-results") return;
    if (request.elt === search) {
      // A heading or a menu has asked for these words already.
      if (newest?.query === request.parameters.q.trim()) return event.preventDefault();
      newest = { request };
      return;
    }
    newest = { request };
    if (!request.elt.closest("#list-results thead, #list-filters .menu, #list-tools .menu")) return;
    // These were drawn before the words were typed that stand in the search now.
    const query = search.elements.q.value.trim();
    const url = new URL(request.path, window.location.href);
    const parameters = request.elt.matches("form[method=get]") ? request.parameters : null;
    newest.query = query;
    url.searchParams.delete("q");
    if (parameters) delete parameters.q;
    if (query && parameters) parameters.q = query;
    else if (query) url.searchParams.set("q", query);
    request.path = url.pathname + url.search;
  });

  // An answer that was overtaken is refused where it was asked for: once the list that it was for is replaced, no event
  // of that list reaches the document, and the answer would write its address and draw its menus.
  document.addEventListener("htmx:beforeSend", ({ detail: { elt, requestConfig } }) => {
    if (requestConfig !== newest?.request) return;
    elt.addEventListener("htmx:beforeOnLoad", (event) => {
      if (event.detail.requestConfig === requestConfig && requestConfig !== newest.request) event.preventDefault();
    });
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    if (target.id !== "list-results") return;
    ticked = [...target.querySelectorAll("[name=uids]:checked")].map(({ value }) => value);
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.requestConfig === newest?.request) delete newest.query;
  });

  // A menu that is open stays, with what is entered in it, unless it asked for the list itself.
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target } = event.detail;
    if (target.querySelector(".menu-holder[open]") && !target.contains(newest?.request.elt ?? null)) event.detail.shouldSwap = false;
  });

  /** A row that is still shown stays ticked. */
  function tickAgain() {
    const form = document.querySelector(".list-rows:has(.bulk-bar)");
    if (!form || !ticked.length) return;
    for (const row of getRows(form)) row.checked = ticked.includes(row.value);
    showCount(form);
  }

  // -- A list that was replaced ----------------------------------------------------------------------------------

  const announce = () => {
    const status = document.querySelector("[data-list-status]");
    const count = document.querySelector("[data-list-count]");
    const title = document.querySelector(".page-title");
    if (status && count) status.textContent = `${title.textContent}: ${count.textContent}`;
  };

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target?.closest?.(".menu")) {
      // The form of a filter is larger than what stood in its menu: vault.js finds the menu a place.
      window.dispatchEvent(new Event("resize"));
      detail.target.querySelector("input:not([type=hidden]), select")?.focus();
      return;
    }
    const results = document.getElementById("list-results");
    if (!results || detail.target?.id !== "list-results") return;
    tickAgain();
    const search = document.querySelector(".list-page .search-box input[type=search]");
    if (search && search !== document.activeElement) {
      search.value = new URLSearchParams(window.location.search).get("q") ?? "";
    }
    if (document.activeElement === document.body) results.focus({ preventScroll: true });
    announce();
  });
})();
