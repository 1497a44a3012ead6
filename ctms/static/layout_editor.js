// The layout editor: every button is a submit button, and the server does what it says. This script asks for the form
// alone instead of the whole page, keeps the focus where it belongs, lets sections and fields be dragged, and shows the
// record page while titles are typed. Without it the same buttons load the page anew.
(() => {
  "use strict";

  const form = document.getElementById("layout_form");
  if (!form) {
    return;
  }
  const status = document.getElementById("layout-status");
  const unsaved = document.getElementById("layout-unsaved");
  const PREVIEW_DELAY = 250; // milliseconds after the last key
  const SCROLL_EDGE = 80; // pixels from the window's edge at which a drag scrolls
  const SCROLL_STEP = 10;
  let leaving = false;
  let previewTimer = 0;
  // One after the other: each change is made to what the one before it has left.
  const waiting = [];
  let current = null; // the change that the server is making

  form.classList.add("is-live");

  // -- Changes ------------------------------------------------------------------------------------
  const getBody = () => document.getElementById("layout-body");

  // A change is what a button posts, or a function that says it when its turn comes; `taken` is what it needs to know.
  function enqueue(edit, taken = {}) {
    waiting.push({ edit, taken, focused: document.activeElement });
    if (!current) {
      work();
    }
  }

  async function work() {
    try {
      while (waiting.length) {
        current = waiting.shift();
        if (current.button) {
          return leave(current.button);
        }
        await perform(current);
      }
    } catch {
      tellFailure(
        "The server did not answer as it should. Nothing is lost: what you see is still here. Try again, " +
          "and if you have been logged out, log in again in another tab.",
      );
    } finally {
      current = null;
    }
    return null;
  }

  async function perform({ edit, taken, focused }) {
    const sent = new FormData(form);
    const since = window.replacing.readEntries(getBody());
    sent.set("edit", typeof edit === "function" ? edit() : edit);
    for (const [name, value] of Object.entries(taken)) {
      sent.set(name, value);
    }
    const response = await fetch(window.location.href, {
      method: "POST",
      body: sent,
      headers: { "X-Layout-Fragment": "1" },
    });
    if (!response.ok || response.redirected) {
      throw new Error(`answered ${response.status}`);
    }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    await window.replacing.whenReleased();
    unsaved.hidden = fresh.getElementById("layout-unsaved").hidden && !previewTimer;
    if (edit === "refresh") {
      window.replacing.replacePart(document.getElementById("layout-preview"), fresh.getElementById("layout-preview"));
      return;
    }
    showAnswer(fresh, forgetUntaken(since, taken), focused);
  }

  // What is entered for a change to come is nothing that the answer to another knows of: it stays as it is.
  function forgetUntaken(since, taken) {
    for (const name of since.keys()) {
      if (/^(new_|choice-)/.test(name)) {
        since.delete(name);
      }
    }
    return new Map([...since, ...Object.entries(taken)]);
  }

  function showAnswer(fresh, since, focused) {
    const answer = fresh.getElementById("layout-status");
    // Who has gone on to something else meanwhile is not called back.
    const isElsewhere = getIdentity(document.activeElement) !== getIdentity(focused);
    const isKept = window.replacing.replacePart(getBody(), fresh.getElementById("layout-body"), since);
    if (!(isElsewhere && isKept)) {
      getBody().querySelector("[autofocus]")?.focus();
    }
    status.textContent = answer.textContent;
    if ("refused" in answer.dataset) {
      tellFailure(answer.textContent);
    }
  }

  const getIdentity = (element) => element.id || `${element.name}=${element.value}`;

  // Nothing is done to what a change that failed has not made.
  function tellFailure(text) {
    const undone = waiting.splice(0);
    const isSave = undone.some(({ button }) => button);
    const count = undone.filter(({ button }) => !button).length;
    const changes = count === 1 ? "The change after it was not made." : count ? `The ${count} changes after it were not made.` : "";
    status.textContent = [text, changes, isSave ? "The layout was not saved." : ""].filter(Boolean).join(" ");
  }

  function readTaken(edit) {
    const [verb, key] = edit.split("|");
    const name = { "fields-add": "new_title", "related-add": "new_related", "item-choose": `choice-${key}` }[verb];
    return name ? { [name]: form.elements.namedItem(name).value } : {};
  }

  // A second press before the answer adds no second section.
  function isUnderWay(edit, taken) {
    return [current, ...waiting].some(
      (each) => each && each.edit === edit && JSON.stringify(each.taken) === JSON.stringify(taken),
    );
  }

  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    const isEdit = button?.name === "edit";
    if (!leaving && !isEdit && !current) {
      leaving = true;
      return;
    }
    event.preventDefault();
    if (leaving) {
      return; // a second click saves nothing twice
    }
    if (!isEdit) {
      waiting.push({ button });
      return;
    }
    const taken = readTaken(button.value);
    if (!Object.keys(taken).length || !isUnderWay(button.value, taken)) {
      enqueue(button.value, taken);
    }
  });

  // Save as it was pressed, when everything before it is done.
  function leave(button) {
    current = null;
    if (!button.isConnected) {
      button.hidden = true;
      form.append(button);
    }
    form.requestSubmit(button);
  }

  window.addEventListener("pageshow", () => {
    leaving = false;
  });

  form.addEventListener("input", (event) => {
    if (!/^(name$|title-|prevent-)/.test(event.target.name)) {
      return;
    }
    unsaved.hidden = false;
    window.clearTimeout(previewTimer);
    previewTimer = window.setTimeout(() => {
      previewTimer = 0;
      if (!waiting.length) {
        enqueue("refresh"); // what waits brings the preview along
      }
    }, PREVIEW_DELAY);
  });

  window.addEventListener("beforeunload", (event) => {
    if (!leaving && (!unsaved.hidden || current)) {
      event.preventDefault();
    }
  });

  // -- Dragging -----------------------------------------------------------------------------------
  let drag = null;

  form.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-drag]");
    if (!handle || event.button !== 0) {
      return;
    }
    event.preventDefault();
    const row = handle.closest("[data-item], [data-palette], [data-section]");
    const marker = document.createElement(row.tagName === "LI" ? "li" : "div");
    marker.className = "vault-drop";
    const ghost = document.createElement("div");
    ghost.className = "vault-ghost";
    ghost.textContent = describe(row);
    document.body.append(ghost);
    row.classList.add("is-dragged");
    drag = { row, marker, ghost, x: event.clientX, y: event.clientY };
    follow();
    window.requestAnimationFrame(scroll);
  });

  document.addEventListener("pointermove", (event) => {
    if (drag) {
      drag.x = event.clientX;
      drag.y = event.clientY;
      follow();
    }
  });

  document.addEventListener("pointerup", () => {
    if (drag) {
      const edit = readDrop();
      endDrag();
      if (edit) {
        enqueue(edit);
      }
    }
  });

  document.addEventListener("pointercancel", endDrag);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      endDrag();
    }
  });

  function describe(row) {
    const label = row.querySelector(".vault-item-label");
    return label ? label.firstChild.textContent.trim() : row.querySelector("input.title").value;
  }

  function follow() {
    drag.ghost.style.transform = `translate(${drag.x + 12}px, ${drag.y + 8}px)`;
    const place = findPlace();
    if (place) {
      place.list.insertBefore(drag.marker, place.before);
    } else {
      drag.marker.remove();
    }
  }

  // The list below the pointer, and the row before which the dragged one would stand.
  function findPlace() {
    const list = listTargets().find((each) => {
      const box = (each.closest("[data-section]") || each).getBoundingClientRect();
      return drag.x >= box.left && drag.x <= box.right && drag.y >= box.top && drag.y <= box.bottom;
    });
    if (!list) {
      return null;
    }
    const before = listRows(list).find((row) => {
      const box = row.getBoundingClientRect();
      return drag.y < box.top + box.height / 2;
    });
    return { list, before: before || (drag.row.dataset.section ? list.querySelector(".vault-layout-add") : null) };
  }

  function listTargets() {
    if (drag.row.dataset.section) {
      return [document.getElementById("layout-sections")];
    }
    const own = drag.row.closest("[data-section]");
    return own && "related" in own.dataset
      ? [own.querySelector("[data-items]")]
      : [...form.querySelectorAll("[data-section]:not([data-related]) [data-items]")];
  }

  function listRows(list) {
    return [...list.children].filter((row) => row !== drag.row && (row.dataset.item || row.dataset.section));
  }

  // What a button would post for the place where the marker stands; nothing where it stands nowhere.
  function readDrop() {
    const { row, marker } = drag;
    const list = marker.parentElement;
    if (!list) {
      return null;
    }
    const before = listRows(list).find(
      (each) => each.compareDocumentPosition(marker) & Node.DOCUMENT_POSITION_PRECEDING,
    )?.dataset;
    if (row.dataset.section) {
      const { section } = row.dataset;
      return () => ["section-place", section, countBefore("section", section, before)].join("|");
    }
    const target = list.dataset.items;
    const { item, palette } = row.dataset;
    const source = row.closest("[data-section]")?.dataset.section;
    const count = () => countBefore("item", item, before, `[data-items="${target}"] `);
    return palette
      ? () => ["item-add", target, palette, count()].join("|")
      : () => ["item-place", source, item, target, count()].join("|");
  }

  // The place when its turn comes: changes made before it may have moved the others.
  function countBefore(kind, name, before, list = "") {
    const names = [...form.querySelectorAll(`${list}[data-${kind}]`)].map((row) => row.dataset[kind]);
    const others = names.filter((each) => each !== name);
    const index = before ? others.indexOf(before[kind]) : -1;
    return index < 0 ? others.length : index;
  }

  function endDrag() {
    if (drag) {
      drag.marker.remove();
      drag.ghost.remove();
      drag.row.classList.remove("is-dragged");
      drag = null;
    }
  }

  function scroll() {
    if (!drag) {
      return;
    }
    const step = drag.y < SCROLL_EDGE ? -SCROLL_STEP : drag.y > window.innerHeight - SCROLL_EDGE ? SCROLL_STEP : 0;
    if (step) {
      window.scrollBy(0, step);
      follow();
    }
    window.requestAnimationFrame(scroll);
  }
})();
