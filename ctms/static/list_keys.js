// Lists by keyboard: one row is the current one, and keys select, open, edit or complete it.
"use strict";

(() => {
  const getRows = () => [...document.querySelectorAll(".list-table tbody tr:has(.cell-link)")];
  const getCurrent = () => document.querySelector(".list-table tbody tr.is-current");
  const getPeek = () => document.querySelector(".peek[open]");
  let kept = ""; // the address of the current row's record
  let keptPlace = -1; // its place in the page
  let arriving = 0; // the page that follows was asked for: 1, or that before: -1

  function setCurrent(row) {
    const rows = getRows();
    for (const each of rows) each.classList.toggle("is-current", each === row);
    kept = row.querySelector(".cell-link").href;
    keptPlace = rows.indexOf(row);
    row.dispatchEvent(new CustomEvent("row:current", { bubbles: true, detail: row }));
  }

  function goTo(row) {
    setCurrent(row);
    row.scrollIntoView({ block: "nearest" });
    if (!getPeek()?.contains(document.activeElement)) row.querySelector(".cell-link").focus({ preventScroll: true });
  }

  const getPlace = () => getRows().indexOf(getCurrent());

  /** The next or previous row; after a row that is not in the list any more, the one that came into its place. */
  function findNext(step) {
    const rows = getRows();
    const at = getPlace();
    if (at >= 0) return rows[at + step];
    if (keptPlace < 0) return rows.at(step > 0 ? 0 : -1);
    return rows[step > 0 ? keptPlace : keptPlace - 1];
  }

  const findPage = (step) => document.querySelector(`.pager a[rel=${step > 0 ? "next" : "prev"}]`);

  /** With a record beside the list, also over the edge of the page. */
  function move(step) {
    if (arriving) return;
    const row = findNext(step);
    const page = getPeek() && findPage(step);
    if (row) {
      goTo(row);
    } else if (page) {
      arriving = step;
      page.click();
    }
  }

  const canMove = (step) => Boolean(findNext(step) ?? findPage(step));

  window.rows = { getCurrent, getPlace, setCurrent, move, canMove };

  /** As a click does it, so that lists.js knows from which row on Shift selects. */
  function tick(shiftKey) {
    const box = getCurrent()?.querySelector(".tick-cell input");
    box?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey }));
  }

  const inRow = (event) => event.target === document.body || event.target.closest?.(".list-table tbody tr, .table-region, #list-results, #main, .peek");

  document.addEventListener("keydown", (event) => {
    if (!getRows().length || !window.vault.isFree(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(".menu-holder[open], .menu") || !inRow(event)) return;
    const isArrow = event.key.startsWith("Arrow");
    const isInPeek = event.target.closest?.(".peek");
    if (isArrow && !event.target.closest?.(".list-table tbody .cell-link, .peek")) return;
    const actions = {
      j: () => move(1),
      k: () => move(-1),
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      x: () => tick(false),
      X: () => tick(true),
    };
    const act = actions[event.key] ?? (event.shiftKey || isInPeek ? null : findOwn(event.key));
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
    const row = target.closest?.(".list-table tbody tr:has(.cell-link)");
    if (row) setCurrent(row);
  });

  // -- What a row's menu does, without leaving the list -----------------------------------------------------------

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-row-action]");
    if (!button) return;
    event.preventDefault();
    window.vault.closeMenusExcept(null);
    const values = { query: window.location.search.slice(1), [button.name]: button.value };
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

  /** Where a page has more rows above the line of today than there is room for. */
  function showToday() {
    const line = document.querySelector(".today-line");
    if (!line || new URLSearchParams(window.location.search).has("cursor")) return;
    const region = getRegion().getBoundingClientRect();
    const { bottom } = line.getBoundingClientRect();
    if (bottom > Math.min(region.bottom, window.innerHeight)) line.scrollIntoView({ block: "center" });
  }

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.target?.id !== "list-results") return;
    const step = arriving;
    arriving = 0;
    if (step) return goTo(getRows().at(step > 0 ? 0 : -1));
    const row = kept && findRow(kept);
    if (!row) return kept ? undefined : showToday();
    setCurrent(row);
    if ([document.body, document.getElementById("list-results")].includes(document.activeElement)) {
      row.querySelector(".cell-link").focus({ preventScroll: true });
    }
  });

  for (const name of ["htmx:responseError", "htmx:sendError"]) document.addEventListener(name, () => (arriving = 0));

  window.addEventListener("pageshow", () => {
    const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    const [entry] = performance.getEntriesByType("navigation");
    if (!place || place.url !== window.location.href || entry?.type !== "back_forward") return showToday();
    const row = findRow(place.row);
    if (row) {
      setCurrent(row);
      if (!getPeek()) row.querySelector(".cell-link").focus({ preventScroll: true });
    }
    for (const box of document.querySelectorAll("[name=uids]")) box.checked = place.ticked.includes(box.value);
    document.querySelector(".list-rows [name=uids]")?.dispatchEvent(new Event("change", { bubbles: true }));
    if (getRegion()) getRegion().scrollTop = place.top;
    window.scrollTo(0, place.page);
  });
})();
