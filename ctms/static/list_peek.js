// Lists: the record of the current row beside the list, as long as its address says so. Without it, links lead to the page.
"use strict";

(() => {
  const PARAMETER = "peek";
  const peek = document.getElementById("peek");
  if (!peek) return;
  // Beside the list where there is room; else over it, and then nothing else can be reached.
  const room = window.matchMedia("(width >= 1100px) and (height >= 600px)");
  const content = peek.querySelector(".peek-content");
  let shown = ""; // uid of the record
  let answer = null; // the request that is under way
  let isOwnRefresh = false; // the list is read anew because of what was saved here

  const findRow = (uid) => document.querySelector(`.list-table tr[data-uid="${CSS.escape(uid)}"]`);
  const buildUrl = (uid, page = "") => `${window.location.pathname}${encodeURIComponent(uid)}/${page}`;

  // -- The address ------------------------------------------------------------------------------------------------

  const readAddress = () => new URLSearchParams(window.location.search).get(PARAMETER) ?? "";

  function buildAddress(uid) {
    const url = new URL(window.location.href);
    if (uid) url.searchParams.set(PARAMETER, uid);
    else url.searchParams.delete(PARAMETER);
    return url;
  }

  const replaceAddress = (uid) => history.replaceState(history.state, "", buildAddress(uid));
  const readList = () => buildAddress("").search;
  let listed = readList(); // which list the page shows

  // -- Showing a record -------------------------------------------------------------------------------------------

  function build(tag, css, text = "") {
    const element = document.createElement(tag);
    element.className = css;
    element.textContent = text;
    return element;
  }

  /** At once, so that nothing of the record before can be read or pressed as if it were this one's. */
  function drawLoading(uid) {
    const title = build("h1", "peek-title", findRow(uid)?.querySelector(".cell-link").textContent ?? "");
    const waiting = build("p", "muted", "Loading…");
    fill([title, waiting]);
  }

  function drawProblem(text, uid) {
    const alert = build("div", "alert");
    const again = build("button", "button small", "Try again");
    alert.setAttribute("role", "alert");
    again.type = "button";
    again.addEventListener("click", () => load(uid));
    alert.append(build("span", "", text), again);
    fill([alert]);
  }

  function fill(nodes) {
    const hadFocus = content.contains(document.activeElement);
    content.replaceChildren(...nodes);
    if (hadFocus) content.focus({ preventScroll: true });
  }

  const explain = (status) =>
    ({
      403: "You may not read this record.",
      404: "This record was deleted, or is not visible to you.",
    })[status] ?? `The record could not be loaded: the server answered ${status}.`;

  async function load(uid) {
    answer?.abort();
    answer = new AbortController();
    const { signal } = answer;
    try {
      const response = await fetch(buildUrl(uid, "peek/"), { headers: { "HX-Request": "true" }, signal });
      if (response.redirected) return window.location.reload(); // logged out: the log-in leads back to this address
      if (!response.ok) return drawProblem(explain(response.status), uid);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      fill([...page.body.children]);
      window.htmx.process(content);
    } catch (error) {
      if (error.name !== "AbortError") drawProblem("The record could not be loaded: the server did not answer.", uid);
    }
    return undefined;
  }

  function describePlace() {
    const table = document.querySelector(".list-table");
    const place = window.rows.getPlace();
    const count = document.querySelector("[data-list-count]")?.textContent.trim();
    if (!findRow(shown) || place < 0) return "No longer in this list";
    const before = table.dataset.before;
    return before ? `${Number(before) + place + 1} of ${count}` : `Row ${place + 1} of this page`;
  }

  function describe() {
    const place = describePlace();
    peek.querySelector("[data-peek-place]").textContent = place;
    peek.querySelector("[data-peek-open]").href = buildUrl(shown);
    for (const button of peek.querySelectorAll("[data-peek-step]")) {
      button.setAttribute("aria-disabled", String(!window.rows.canMove(Number(button.dataset.peekStep))));
    }
    const title = findRow(shown)?.querySelector(".cell-link").textContent ?? "";
    peek.querySelector("[data-peek-status]").textContent = `${title}: ${place}`;
  }

  function openPanel() {
    if (room.matches) peek.show();
    else peek.showModal();
    content.focus({ preventScroll: true });
  }

  const isTyping = () => peek.querySelector("form[data-dirty]") !== null;
  const mayLeave = () => !isTyping() || window.confirm("Discard what you typed?");

  /** Shows the record in the panel, which is open or opens. */
  function show(uid) {
    if (uid === shown) return;
    shown = uid;
    if (!peek.open) openPanel();
    content.scrollTop = 0;
    const row = findRow(uid);
    if (row) window.rows.setCurrent(row);
    drawLoading(uid);
    describe();
    load(uid);
  }

  function openBeside(row) {
    if (!peek.open) {
      // An entry of its own, so that Back closes the panel. The one before is this very page: nothing has to be loaded.
      history.replaceState(null, "");
      history.pushState({ peek: true }, "", buildAddress(row.dataset.uid));
    } else if (!mayLeave()) {
      return;
    } else {
      replaceAddress(row.dataset.uid);
    }
    show(row.dataset.uid);
  }

  function hide() {
    answer?.abort();
    shown = "";
    peek.close();
    content.replaceChildren();
    const back = window.rows.getCurrent()?.querySelector(".cell-link") ?? document.getElementById("list-results");
    back?.focus({ preventScroll: true });
  }

  function close() {
    hide();
    if (history.state?.peek) history.back();
    else replaceAddress("");
  }

  /** What the address says, after Back, Forward or a reload. */
  function followAddress() {
    const uid = readAddress();
    if (uid) show(uid);
    else if (peek.open) hide();
  }

  window.addEventListener("popstate", ({ state }) => {
    if (state?.htmx) return; // htmx loads the page
    if (readList() !== listed) window.location.reload();
    else followAddress();
  });

  room.addEventListener("change", () => {
    if (!peek.open) return;
    peek.close();
    openPanel();
  });

  // -- The panel follows the current row ----------------------------------------------------------------------------

  document.addEventListener("row:current", ({ detail: row }) => {
    if (!peek.open || row.dataset.uid === shown) return;
    if (mayLeave()) {
      replaceAddress(row.dataset.uid);
      show(row.dataset.uid);
    } else if (findRow(shown)) {
      window.rows.setCurrent(findRow(shown));
    }
  });

  document.addEventListener("click", (event) => {
    const { target } = event;
    const link = target.closest?.("[data-peek]");
    if (link && window.vault.isPlain(event)) {
      event.preventDefault();
      window.vault.closeMenusExcept(null);
      openBeside(link.closest("tr"));
    } else if (target === peek) {
      if (mayLeave()) close(); // beside the sheet
    } else if (target.closest?.("[data-peek-close]")) {
      if (mayLeave()) close();
    } else if (target.closest?.("[data-peek-step]")) {
      window.rows.move(Number(target.closest("[data-peek-step]").dataset.peekStep));
    } else if (peek.open && !target.closest?.("a, button, input, label, summary") && target.closest?.(".list-table tbody tr")) {
      window.rows.setCurrent(target.closest("tr"));
    }
  });

  // -- Keys ---------------------------------------------------------------------------------------------------------

  const INTERACTIVE = "a, button, input, select, textarea, summary, label";
  const ENTRY = "input:not([type=checkbox]), select, textarea, .inline-edit";

  function findKey(event) {
    const { target, key } = event;
    const isInPeek = peek.contains(target);
    const isInRow = target.closest?.(".list-table tbody :is(.cell-link, td[data-field])") || target.matches?.("body, #list-results, #main, .table-region");
    if (key === "Escape" && peek.open && !target.closest?.(ENTRY) && !document.querySelector(".menu-holder[open], dialog[open]:not(.peek)")) return close;
    if (!window.vault.isFree(event)) return null;
    if (key === "Enter" && isInPeek && !target.closest(INTERACTIVE)) return () => window.location.assign(buildUrl(shown));
    if (key !== " ") return null;
    if (isInPeek) return target.closest(INTERACTIVE) ? null : close;
    if (!isInRow) return null;
    if (peek.open) return close;
    const row = window.rows.getCurrent();
    return row && (() => openBeside(row));
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || !window.vault.isPlain(event)) return;
    const act = findKey(event);
    if (!act) return;
    event.preventDefault();
    if (act !== close || mayLeave()) act();
  });

  // The gesture by which phones go back; vault.js has asked before about what was typed.
  peek.addEventListener("cancel", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    if (!document.activeElement?.closest(".inline-edit")) close();
  });

  // -- What is changed here is seen in the list, and the other way round ------------------------------------------------

  const refreshed = { target: "#list-results", select: "#list-results", swap: "outerHTML show:none" };
  const getSource = () => document.getElementById("list-refresh");

  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target.closest?.("#peek .page-actions form");
      if (!form) return;
      // The way back: this list, with the record beside it.
      const query = document.createElement("input");
      Object.assign(query, { type: "hidden", name: "query", value: window.location.search.slice(1) });
      form.append(query);
      if (!form.matches("[data-quick-change]")) return;
      event.preventDefault();
      window.vault.closeMenusExcept(null);
      content.focus({ preventScroll: true });
      const values = Object.fromEntries(new FormData(form, event.submitter));
      query.remove();
      window.htmx.ajax("POST", form.action, { ...refreshed, values, source: getSource() });
    },
    true,
  );

  document.addEventListener("record:saved", ({ target }) => {
    if (!peek.contains(target)) return;
    isOwnRefresh = true;
    window.htmx.ajax("GET", window.location.pathname + window.location.search, { ...refreshed, source: getSource() });
  });

  document.addEventListener("htmx:afterSettle", ({ target, detail }) => {
    // Each part that was drawn anew says so.
    if (target.id !== "list-results" || detail.target?.id !== "list-results") return;
    listed = readList();
    const isOwn = isOwnRefresh;
    isOwnRefresh = false;
    if (!peek.open) return;
    if (readAddress() !== shown) replaceAddress(shown);
    describe();
    if (!isOwn && !peek.querySelector(".inline-edit")) load(shown);
  });

  followAddress();
})();
