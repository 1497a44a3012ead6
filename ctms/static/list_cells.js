// Lists: a value is changed in its cell, by a double click or by `e`. Without it, fields are edited on the record's page.
"use strict";

(() => {
  const CELL = ".list-table tbody [data-field]";
  const getEditor = () => document.getElementById("cell-editor");
  let opened = null; // the cell that is edited: of which record, which field

  const findCell = ({ uid, field }) => document.querySelector(`tr[data-uid="${uid}"] [data-field="${CSS.escape(field)}"]`);

  /** Over its cell, and within the window. */
  function place(editor, cell) {
    const at = cell.getBoundingClientRect();
    const { width, height } = editor.getBoundingClientRect();
    const edge = 8;
    editor.style.left = `${Math.max(edge, Math.min(at.left, document.documentElement.clientWidth - width - edge))}px`;
    editor.style.top = `${Math.max(edge, Math.min(at.top, window.innerHeight - height - edge))}px`;
  }

  async function open(row, field) {
    const editor = getEditor();
    const cell = row.querySelector(`[data-field="${CSS.escape(field)}"]`) ?? row.querySelector(".title-cell");
    if (!editor || !row.dataset.edit) return;
    const url = `${row.dataset.edit}fields/${field}/`;
    const response = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!response?.ok || response.redirected) return window.location.assign(url);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    editor.replaceChildren(...page.body.children);
    opened = { uid: row.dataset.uid, field };
    if (!editor.matches(":popover-open")) editor.showPopover();
    place(editor, cell);
    window.htmx.process(editor);
    editor.querySelector("input:not([type=hidden]), select, textarea")?.focus();
    return undefined;
  }

  function close() {
    const editor = getEditor();
    if (!editor?.matches(":popover-open")) return;
    editor.hidePopover();
    editor.replaceChildren();
    focusCell(opened && findCell(opened));
    opened = null;
  }

  function focusCell(cell) {
    if (!cell) return;
    cell.tabIndex = -1;
    cell.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  document.addEventListener("dblclick", ({ target }) => {
    const cell = target.closest?.(CELL);
    if (!cell || target.closest("a, button, input")) return;
    open(cell.closest("tr"), cell.dataset.field);
  });

  // What asks for a value, such as Reschedule, is answered in the list.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".list-table [data-edit-field]");
    if (!link || !window.vault.isPlain(event)) return;
    event.preventDefault();
    window.vault.closeMenusExcept(null);
    open(link.closest("tr"), link.dataset.editField);
  });

  // -- Cells by keyboard: to the right and to the left of the record's link -----------------------------------------

  function moveInRow(step) {
    const focused = document.activeElement;
    const row = focused.closest(".list-table tbody tr");
    const stops = [row.querySelector(".cell-link"), ...row.querySelectorAll("td[data-field]")];
    const next = stops[stops.indexOf(focused) + step];
    if (next?.matches("td")) focusCell(next);
    else next?.focus();
  }

  document.addEventListener(
    "keydown",
    (event) => {
      const focused = document.activeElement;
      const isCell = focused.matches?.(CELL);
      if (!window.vault.isFree(event) || !window.vault.isPlain(event) || !focused.closest?.(".list-table tbody :is(td, th)")) return;
      if (event.key === "ArrowRight" || event.key === "ArrowLeft") moveInRow(event.key === "ArrowRight" ? 1 : -1);
      else if (isCell && (event.key === "e" || event.key === "Enter")) open(focused.closest("tr"), focused.dataset.field);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // -- The form --------------------------------------------------------------------------------------------------

  document.addEventListener(
    "click",
    (event) => {
      if (!event.target.closest?.("#cell-editor [data-cancel]")) return;
      event.preventDefault();
      event.stopPropagation();
      close();
    },
    true,
  );
  document.addEventListener("pointerdown", ({ target }) => {
    const editor = getEditor();
    if (editor?.matches(":popover-open") && !editor.contains(target) && !editor.querySelector("form[data-dirty]")) close();
  });
  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    const editor = getEditor();
    const cell = opened && findCell(opened);
    if (editor?.contains(detail.elt) && cell) place(editor, cell);
  });

  document.addEventListener("record:saved", () => {
    const saved = opened;
    if (!saved) return;
    close();
    const again = ({ detail }) => {
      if (detail.target?.id !== "list-results") return;
      document.removeEventListener("htmx:afterSettle", again);
      focusCell(findCell(saved));
    };
    document.addEventListener("htmx:afterSettle", again);
    const { pathname, search } = window.location;
    window.htmx.ajax("GET", pathname + search, { source: document.getElementById("list-results"), target: "#list-results", swap: "outerHTML show:none", select: "#list-results" });
  });
})();
