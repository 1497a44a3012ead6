// Parts of a page are replaced by what the server answered. What the user did while it answered stays: what was typed and
// ticked, the focus, and the key or button that is being pressed.
"use strict";

(() => {
  const ENTRIES = "input:not([type=hidden], [type=submit], [type=button]), select, textarea";
  const held = new Set(); // what is pressed just now
  let waiting = [];

  const hold = (what) => held.add(what);

  function release(...whats) {
    for (const what of whats) held.delete(what);
    // The click follows the release of key or button: it still has to find what was pressed.
    if (!held.size) setTimeout(() => waiting.splice(0).forEach((resume) => resume()));
  }

  /** Resolves when no key or button is half pressed: in what is replaced meanwhile the press would be lost. */
  async function whenReleased() {
    while (held.size) await new Promise((resume) => waiting.push(resume));
  }

  const listen = (name, listener) => window.addEventListener(name, listener, { capture: true, passive: true });
  listen("pointerdown", ({ button }) => button === 0 && hold("pointer"));
  listen("pointerup", () => release("pointer"));
  listen("pointercancel", () => release("pointer"));
  listen("pointermove", ({ buttons }) => buttons === 0 && release("pointer")); // released where nobody could see it
  listen("keydown", ({ key }) => key === " " && hold("space"));
  listen("keyup", ({ key }) => key === " " && release("space"));
  listen("compositionstart", () => hold("composition"));
  listen("compositionend", () => release("composition"));
  listen("blur", ({ target }) => target === window && release(...held));

  const isTick = (entry) => entry.type === "checkbox" || entry.type === "radio";
  const getKey = (entry) => (isTick(entry) ? `${entry.name}=${entry.value}` : entry.name);
  const readEntry = (entry) => (isTick(entry) ? entry.checked : entry.value);
  const listReferences = (part) => [...part.querySelectorAll("[data-combobox]")];
  const listEntries = (part) => [...part.querySelectorAll(ENTRIES)].filter((entry) => entry.name && !entry.closest("[data-combobox]"));
  const readReference = (root) => JSON.stringify([...root.querySelectorAll("input")].map((input) => [input.value, input.checked]));

  /** What stands in the entries of a part of the page. */
  const readEntries = (part) =>
    new Map([
      ...listEntries(part).map((entry) => [getKey(entry), readEntry(entry)]),
      ...listReferences(part).map((root) => [root, readReference(root)]),
    ]);

  function writeEntry(entry, value) {
    if (isTick(entry)) entry.checked = value;
    else if (entry.type === "file") return;
    else if (!entry.options || [...entry.options].some((option) => option.value === value)) entry.value = value;
  }

  /** Whatever differs from `since` was entered after that: it goes along. */
  function carryEntries(part, fresh, since) {
    const successors = new Map(listEntries(fresh).map((entry) => [getKey(entry), entry]));
    for (const entry of listEntries(part)) {
      const successor = successors.get(getKey(entry));
      if (successor && readEntry(entry) !== since.get(getKey(entry))) writeEntry(successor, readEntry(entry));
    }
    // A reference goes along as it is: its suggestions may be under way.
    for (const root of listReferences(part)) {
      const successor = listReferences(fresh).find(({ dataset }) => dataset.field === root.dataset.field);
      if (successor && readReference(root) !== since.get(root)) successor.replaceWith(root);
    }
  }

  function findSuccessor(element, fresh) {
    const all = [fresh, ...fresh.querySelectorAll("*")];
    if (element.id) return all.find(({ id }) => id === element.id);
    if (!element.name && !element.href) return undefined;
    return all.find((each) => ["tagName", "name", "value", "href"].every((property) => each[property] === element[property]));
  }

  /** What puts the focus at the same place of a successor. */
  function moveFocus(element) {
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = element;
    return (successor) => {
      successor.focus({ preventScroll: true });
      successor.scrollTop = scrollTop;
      if (typeof selectionStart === "number") successor.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
    };
  }

  /** Puts `fresh` in the place of `part`, with what was entered after `since` was read. Gives whether the focus stayed. */
  function replacePart(part, fresh, since = new Map()) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const refocus = focused && moveFocus(focused);
    carryEntries(part, document.adoptNode(fresh), since);
    const successor = focused && findSuccessor(focused, fresh);
    part.replaceWith(fresh);
    if (successor) refocus(successor);
    return Boolean(successor) && document.activeElement === successor;
  }

  /** Takes what is typed before the entry for it is there. Gives what hands it over to that entry. */
  function catchTyping(place) {
    const catcher = document.createElement("span");
    catcher.className = "visually-hidden";
    catcher.contentEditable = "true";
    place.append(catcher);
    catcher.focus({ preventScroll: true });
    return (entry) => {
      const text = catcher.textContent;
      catcher.remove();
      entry?.focus();
      if (!text || !entry?.matches("textarea, input:not([type=checkbox], [type=radio], [type=date])")) return;
      if (typeof entry.selectionStart === "number") entry.setRangeText(text, entry.selectionStart, entry.selectionEnd, "end");
      else entry.value += text;
      entry.dispatchEvent(new InputEvent("input", { bubbles: true }));
    };
  }

  window.replacing = { whenReleased, readEntries, carryEntries, replacePart, catchTyping };
})();
