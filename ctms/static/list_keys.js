// Lists by keyboard: one row is the current one, and keys select, open, edit or complete it.
"use strict";

(() => {
  const getRows = () => [...document.querySelectorAll(".list-table tbody tr:has(.cell-link)")];
  const getCurrent = () => document.querySelector(".list-table tbody tr.is-current");
  let kept = ""; // the address of the current row's record

  function setCurrent(row) {
    for (const each of getRows()) each.classList.toggle("is-current", each === row);
    kept = row?.querySelector(".cell-link").href ?? "";
  }

  function move(step) {
    const rows = getRows();
    const at = rows.indexOf(getCurrent());
    const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1)];
    if (!row) return;
    setCurrent(row);
    row.querySelector(".cell-link").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  /** As a click does it, so that lists.js knows from which row on Shift selects. */
  function tick(shiftKey) {
    const box = getCurrent()?.querySelector(".tick-cell input");
    box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey }));
  }

  const inRow = (event) => event.target === document.body || event.target.closest?.(".list-table tbody tr, .table-region, #list-results, #main");

  document.addEventListener("keydown", (event) => {
    if (!getRows().length || !window.vault.isFree(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(".menu-holder[open], .menu") || !inRow(event)) return;
    const isArrow = event.key.startsWith("Arrow");
    if (isArrow && !event.target.closest?.(".list-table tbody .cell-link")) return;
    const actions = {
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      x: () => tick(false),
      X: () => tick(true),
    };
    const act = actions[event.key] ?? (event.shiftKey ? null : findOwn(event.key));
    if (!act) return;
    event.preventDefault();
    act();
  });

  /** What the row's menu offers with this key. */
  function findOwn(key) {
    if (!/^[a-z]$/.test(key)) return null;
    const wanted = `[aria-keyshortcuts="${key}"]`;
    const element = getCurrent()?.querySelector(wanted);
    return element && (() => element.click());
  }

  document.addEventListener("focusin", ({ target }) => {
    const row = target.closest?.(".list-table tbody tr");
    if (row) setCurrent(row);
  });

  // -- What a row's menu does, without leaving the list -----------------------------------------------------------

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-row-action]");
    if (!button) return;
    event.preventDefault();
    window.vault.closeMenusExcept(null);
    const values = { query: button.form.elements.query.value, [button.name]: button.value };
    setCurrent(button.closest("tr"));
    window.htmx.ajax("POST", button.formAction, {
      values,
      source: button.closest(".list-rows"),
      target: "#list-results",
      select: "#list-results",
      swap: "outerHTML show:none",
    });
  });

  // -- The row stays the current one when the list is replaced, and when the user comes back ------------------------

  const PLACE = "list-place";
  const getRegion = () => document.querySelector(".table-region");

  window.addEventListener("pagehide", () => {
    const ticked = [...document.querySelectorAll("[name=uids]:checked")].map(({ value }) => value);
    const place = { url: window.location.href, row: kept, top: getRegion()?.scrollTop ?? 0, page: window.scrollY, ticked };
    sessionStorage.setItem(PLACE, JSON.stringify(place));
  });

  function findRow(url) {
    return getRows().find((row) => row.querySelector(".cell-link").href === url);
  }

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target?.id !== "list-results" || !kept) return;
    const row = findRow(kept);
    if (!row) return;
    setCurrent(row);
    if ([document.body, document.getElementById("list-results")].includes(document.activeElement)) {
      row.querySelector(".cell-link").focus({ preventScroll: true });
    }
  });

  window.addEventListener("pageshow", () => {
    const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    const [entry] = performance.getEntriesByType("navigation");
    if (!place || place.url !== window.location.href || entry?.type !== "back_forward") return;
    const row = findRow(place.row);
    if (row) {
      setCurrent(row);
      row.querySelector(".cell-link").focus({ preventScroll: true });
    }
    for (const box of document.querySelectorAll("[name=uids]")) box.checked = place.ticked.includes(box.value);
    document.querySelector(".list-rows [name=uids]")?.dispatchEvent(new Event("change", { bubbles: true }));
    if (getRegion()) getRegion().scrollTop = place.top;
    window.scrollTo(0, place.page);
  });
})();
