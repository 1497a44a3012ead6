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
  let queue = Promise.resolve();

  form.classList.add("is-live");

  // -- Changes ------------------------------------------------------------------------------------
  function enqueue(edit) {
    queue = queue.then(() => perform(edit)).catch(tellFailure);
  }

  async function perform(edit) {
    const sent = new FormData(form);
    sent.set("edit", edit);
    const response = await fetch(window.location.href, {
      method: "POST",
      body: sent,
      headers: { "X-Layout-Fragment": "1" },
    });
    if (!response.ok || response.redirected) {
      throw new Error(`answered ${response.status}`);
    }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    unsaved.hidden = fresh.getElementById("layout-unsaved").hidden;
    if (edit === "refresh") {
      replace(fresh, "layout-preview");
      return;
    }
    keepTyped(sent, fresh);
    replace(fresh, "layout-body");
    const focused = document.querySelector("#layout-body [autofocus]");
    if (focused) {
      focused.focus();
    }
    status.textContent = fresh.getElementById("layout-status").textContent;
  }

  function replace(fresh, id) {
    document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  }

  // What was typed while the server answered.
  function keepTyped(sent, fresh) {
    for (const input of form.querySelectorAll('#layout-body input[name^="title-"]')) {
      const successor = fresh.getElementsByName(input.name)[0];
      if (successor && input.value !== sent.get(input.name)) {
        successor.value = input.value;
      }
    }
  }

  function tellFailure() {
    status.textContent =
      "The server did not answer as it should. Nothing is lost: what you see is still here. Try again, " +
      "and if you have been logged out, log in again in another tab.";
  }

  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || button.name !== "edit") {
      leaving = true;
      return;
    }
    event.preventDefault();
    enqueue(button.value);
  });

  form.addEventListener("input", (event) => {
    if (!/^(name$|title-|prevent-)/.test(event.target.name)) {
      return;
    }
    unsaved.hidden = false;
    window.clearTimeout(previewTimer);
    previewTimer = window.setTimeout(() => enqueue("refresh"), PREVIEW_DELAY);
  });

  window.addEventListener("beforeunload", (event) => {
    if (!leaving && !unsaved.hidden) {
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
      return "";
    }
    const index = listRows(list).filter(
      (each) => each.compareDocumentPosition(marker) & Node.DOCUMENT_POSITION_FOLLOWING,
    ).length;
    if (row.dataset.section) {
      return ["section-place", row.dataset.section, index].join("|");
    }
    const target = list.dataset.items;
    return row.dataset.palette
      ? ["item-add", target, row.dataset.palette, index].join("|")
      : ["item-place", row.closest("[data-section]").dataset.section, row.dataset.item, target, index].join("|");
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
