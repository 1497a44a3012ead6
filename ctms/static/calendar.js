// The calendar: arrow keys between days, entries moved by drag or by Shift and an arrow key. Without it, links and the
// form Move do the same.
"use strict";

(() => {
  const DAY = 86_400_000; // milliseconds
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  const form = document.getElementById("calendar-move");
  const query = new URLSearchParams(form.elements.query.value);
  const grid = document.querySelector("[data-calendar]");

  const read = (text) => Date.parse(`${text}T00:00:00Z`);
  const write = (moment) => new Date(moment).toISOString().slice(0, 10);
  const shift = (text, days) => write(read(text) + days * DAY);

  // -- Moving an entry -------------------------------------------------------------------------------------------

  function moveEntry(entry, days) {
    if (!days) return;
    form.action = entry.dataset.move;
    form.elements.date.value = shift(entry.dataset.start, days);
    form.elements.expected_version.value = entry.dataset.version;
    document.querySelector("[data-calendar-status]").textContent = "Moving…";
    form.requestSubmit();
  }

  let dragged = null;
  const getTarget = ({ target }) => target.closest?.("[data-calendar] [data-date]");

  function markTarget(cell) {
    for (const each of document.querySelectorAll(".day.is-target")) each.classList.toggle("is-target", each === cell);
    cell?.classList.add("is-target");
  }

  document.addEventListener("dragstart", (event) => {
    const entry = event.target.closest?.("[data-move][draggable]");
    if (!entry) return;
    dragged = entry;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", entry.title);
    entry.classList.add("is-dragged");
  });
  document.addEventListener("dragover", (event) => {
    const cell = dragged && getTarget(event);
    markTarget(cell ?? null);
    if (cell) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const cell = dragged && getTarget(event);
    if (!cell) return;
    event.preventDefault();
    moveEntry(dragged, Math.round((read(cell.dataset.date) - read(dragged.dataset.day)) / DAY));
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("is-dragged");
    dragged = null;
    markTarget(null);
  });

  // -- Keys ------------------------------------------------------------------------------------------------------

  const findDay = (date) => document.getElementById(`day-${date}`);

  /** One day is in the order of the Tab key: the one that was last at, else today or the day of the address. */
  function setCurrent(link) {
    if (!grid) return;
    for (const each of grid.querySelectorAll(".day-link")) each.tabIndex = each === link ? 0 : -1;
  }

  const getCurrent = () => grid?.querySelector('.day-link[tabindex="0"]');

  function goTo(date) {
    const link = findDay(date);
    if (link) {
      setCurrent(link);
      link.focus();
    } else {
      query.set("date", date);
      window.location.assign(`?${query}#day-${date}`);
    }
  }

  const getDate = (node) => node.closest?.("[data-date]")?.dataset.date;

  function handleArrow(event) {
    const step = STEPS[event.key];
    const focused = document.activeElement;
    const entry = focused.closest?.("[data-move]");
    if (event.shiftKey) {
      if (!entry) return false;
      moveEntry(entry, step);
      return true;
    }
    if (!grid) return false;
    if (grid.contains(focused)) goTo(shift(getDate(focused), step));
    else if (focused === document.body || focused.id === "main") getCurrent()?.focus();
    else return false;
    return true;
  }

  function handleKey(event) {
    const focused = document.activeElement;
    const entry = focused.closest?.("[data-move]");
    if (event.key === "r" && entry) {
      window.location.assign(`${entry.dataset.move}?${new URLSearchParams({ query: form.elements.query.value })}`);
      return true;
    }
    const plan = event.key === "v" && focused.closest?.("[data-date]")?.querySelector(".day-plan");
    if (plan) plan.click();
    return Boolean(plan);
  }

  document.addEventListener(
    "keydown",
    (event) => {
      if (!window.vault.isFree(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest?.(".menu-holder[open], .menu")) return;
      const isHandled = event.key in STEPS ? handleArrow(event) : !event.shiftKey && handleKey(event);
      if (!isHandled) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
  document.addEventListener("focusin", ({ target }) => {
    const date = grid?.contains(target) && getDate(target);
    if (date) setCurrent(findDay(date));
  });

  setCurrent(findDay(query.get("date")) ?? grid?.querySelector(".is-today .day-link") ?? grid?.querySelector(".day-link"));

  // -- Where the page was left: at a day, or at the entry that was moved --------------------------------------------

  const at = decodeURIComponent(window.location.hash.slice(1));
  const uid = at.startsWith("entry-") ? at.slice("entry-".length) : "";
  const there = uid ? document.querySelector(`[data-entry="${CSS.escape(uid)}"]`) : document.getElementById(at);
  if (at && there) there.focus();

  // -- Print -----------------------------------------------------------------------------------------------------

  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
})();
