// The frame of the study teams' pages: menus, keys, quick log. Every page reads and saves without it.
"use strict";

(() => {
  const FOCUSABLE = "a[href], button:not(:disabled), input:not(:disabled, [type=hidden]), select, textarea";
  const EDITABLE = "input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select, textarea, [contenteditable]";

  const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);

  // -- Menus: <details class="menu-holder"> ----------------------------------------------------------------------

  const getMenu = (holder) => holder.querySelector(":scope > .menu");

  /** Beside its button and within the window: below if there is room, otherwise above. */
  function placeMenu(holder) {
    const menu = getMenu(holder);
    if (!menu?.matches("[popover]")) return; // the stylesheet places it
    const button = holder.querySelector("summary").getBoundingClientRect();
    const gap = 4;
    const edge = 8;
    menu.style.maxHeight = "";
    const { width, height } = menu.getBoundingClientRect();
    const below = window.innerHeight - button.bottom - gap - edge;
    const above = button.top - gap - edge;
    const upwards = height > below && above > below;
    const wanted = holder.classList.contains("at-end") ? button.right - width : button.left;
    menu.style.left = `${Math.max(edge, Math.min(wanted, document.documentElement.clientWidth - width - edge))}px`;
    menu.style.maxHeight = `${Math.min(height, upwards ? above : below)}px`;
    menu.style.top = upwards ? `${button.top - gap - Math.min(height, above)}px` : `${button.bottom + gap}px`;
  }

  function showMenu(holder) {
    const menu = getMenu(holder);
    if (!menu?.showPopover) return;
    // In the top layer no scrolling table can cut it off.
    menu.popover = "manual";
    menu.showPopover();
    placeMenu(holder);
  }

  function hideMenu(holder) {
    const menu = getMenu(holder);
    if (menu?.matches("[popover]:popover-open")) menu.hidePopover();
  }

  const listOpenMenus = () => document.querySelectorAll(".menu-holder[open]");

  function closeMenusExcept(node) {
    for (const holder of listOpenMenus()) if (!holder.contains(node)) holder.open = false;
  }

  function moveInMenu(event, holder) {
    const items = [...getMenu(holder).querySelectorAll(FOCUSABLE)].filter((item) => item.checkVisibility?.() ?? true);
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined || !items.length) return;
    event.preventDefault();
    items.at(next % items.length).focus();
  }

  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.matches?.(".menu-holder")) return;
      if (target.open) {
        closeMenusExcept(target);
        showMenu(target);
      } else {
        hideMenu(target);
      }
    },
    true,
  );
  document.addEventListener("click", ({ target }) => closeMenusExcept(target));
  document.addEventListener("focusin", ({ target }) => closeMenusExcept(target));
  for (const name of ["scroll", "resize"]) {
    window.addEventListener(
      name,
      ({ target }) => {
        for (const holder of listOpenMenus()) if (!(target instanceof Node && getMenu(holder).contains(target))) placeMenu(holder);
      },
      { capture: true, passive: true },
    );
  }
  document.addEventListener("keydown", (event) => {
    const holder = event.target.closest?.(".menu-holder");
    if (!holder || event.defaultPrevented) return;
    const summary = holder.querySelector("summary");
    if (event.key === "Escape" && holder.open) {
      event.preventDefault();
      holder.open = false;
      summary.focus();
    } else if (event.target === summary && event.key === "ArrowDown" && !holder.open) {
      event.preventDefault();
      holder.open = true;
      // The next key may have come first.
      const enter = () => document.activeElement === summary && getMenu(holder).querySelector(FOCUSABLE)?.focus();
      holder.addEventListener("toggle", enter, { once: true });
    } else if (holder.open && !event.target.matches(EDITABLE)) {
      moveInMenu(event, holder);
    }
  });

  // -- What the other scripts share ------------------------------------------------------------------------------

  function drawIcon(name, size = "") {
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", `icon ${size}`.trim());
    icon.setAttribute("aria-hidden", "true");
    icon.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
    icon.firstChild.setAttribute("href", `#icon-${name}`);
    return icon;
  }

  /** After a log-in in another tab the tokens of this page are good no more: takes new ones. False: logged out. */
  async function renewTokens() {
    const response = await fetch(document.getElementById("palette").dataset.searchUrl);
    if (!response.ok || response.redirected) return false;
    const headers = new DOMParser().parseFromString(await response.text(), "text/html").body.getAttribute("hx-headers");
    document.body.setAttribute("hx-headers", headers);
    const token = JSON.parse(headers)["X-CSRFToken"];
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = token;
    return true;
  }

  window.vault = { drawIcon, renewTokens, openForm, openQuickLog, closeMenusExcept, isFree, isPlain };

  // -- Dialogs ---------------------------------------------------------------------------------------------------

  /** What was typed into a dialog is not thrown away by a slip of the finger. */
  const mayClose = (dialog) => !dialog.querySelector("form[data-dirty]") || window.confirm("Discard what you typed?");

  document.addEventListener("click", (event) => {
    const dialog = event.target.closest("[data-close-dialog]")?.closest("dialog");
    if (dialog && mayClose(dialog)) dialog.close();
  });
  // Neither of these bubbles.
  document.addEventListener("cancel", (event) => event.target.matches("dialog") && !mayClose(event.target) && event.preventDefault(), true);
  document.addEventListener(
    "close",
    ({ target }) => {
      for (const form of target.querySelectorAll("form[data-dirty]")) delete form.dataset.dirty;
    },
    true,
  );

  async function fetchForm(url) {
    const response = await fetch(url).catch(() => null);
    if (!response?.ok || response.redirected) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".dialog-form");
  }

  /** Fills a dialog that opens at once, so that what is typed before the form is there goes into it. False: no form. */
  async function openForm(dialog, holder, url) {
    const handOver = window.replacing.catchTyping(dialog);
    const loading = document.createElement("p");
    loading.className = "dialog-body";
    loading.setAttribute("role", "status");
    loading.textContent = "Loading…";
    holder.replaceChildren(loading);
    dialog.showModal();
    const form = await fetchForm(url);
    if (!loading.isConnected || !dialog.open) return true; // closed meanwhile
    if (!form) return false;
    holder.replaceChildren(form);
    handOver(form.querySelector("[autofocus]"));
    return true;
  }

  /** Resolves once all scripts of the page have run: those after this one may still be on their way. */
  const whenRun = new Promise((resolve) => {
    document.addEventListener("DOMContentLoaded", resolve, { once: true });
  });

  /** Opens quick log over the page, with the inputs that stand there, and puts the form in their place when it comes. */
  async function openQuickLog(url) {
    const dialog = document.getElementById("quick-log");
    const first = document.getElementById("quick-log-first")?.content.firstElementChild.cloneNode(true);
    if (!first) return window.location.assign(url);
    if (dialog.open) return undefined;
    document.getElementById("quick-log-content").replaceChildren(first);
    const since = window.replacing.readEntries(first);
    dialog.showModal();
    first.querySelector("[data-focus]")?.focus();
    const box = first.querySelector("[data-opens]");
    const suggest = () => box?.isConnected && window.combobox.getBox(box).search();
    if (window.combobox) suggest();
    else whenRun.then(suggest);
    const form = await fetchForm(url);
    await whenRun;
    await window.replacing.whenReleased();
    if (!first.isConnected || !dialog.open) return undefined; // closed meanwhile
    if (!form) return window.location.assign(url);
    const listBoxes = (part) => [...part.querySelectorAll("[data-combobox]")].map(window.combobox.getBox);
    await Promise.all(listBoxes(first).map((each) => each.choosing));
    const { dirty, wanted } = first.querySelector("form").dataset;
    const suggesting = listBoxes(first).find((each) => each.isSuggesting);
    const marked = suggesting?.markedAt;
    if (suggesting) since.delete(suggesting.root); // it goes along with its suggestions, whatever was typed
    if (!window.replacing.replacePart(first, form, since)) form.querySelector("[autofocus]")?.focus();
    suggesting?.resume(marked);
    for (const entry of form.querySelectorAll("input[type=text]:not([role]), textarea")) {
      // Whatever follows from what is typed, such as how many characters are left, follows from what came along too.
      if (entry.value !== entry.defaultValue) entry.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
    if (dirty !== undefined) form.querySelector("form").dataset.dirty = "";
    if (wanted !== undefined) form.querySelector("form").requestSubmit(form.querySelector("button.primary[type=submit]"));
    return undefined;
  }

  // What is sent before the form is there is sent as soon as it is.
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target.dataset.first === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      event.target.dataset.wanted = "";
    },
    true,
  );

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-quick-log]");
    if (!link || !isPlain(event) || event.button !== 0) return;
    event.preventDefault();
    closeMenusExcept(null);
    openQuickLog(link.href);
  });

  // -- Keys ------------------------------------------------------------------------------------------------------

  /** Whether a key is nobody's: it goes into no field, no dialog is open, and the user wants single keys. */
  function isFree(event) {
    // A dialog that was just closed has the focus until the page is drawn again.
    const isTyping = event.target.closest?.(EDITABLE)?.checkVisibility() || document.querySelector("dialog[open]:not(.peek)");
    return !event.defaultPrevented && !isTyping && document.documentElement.dataset.shortcuts !== "off";
  }

  /** What the page itself does by this key; what a row of a list does is up to list_keys.js. */
  const findAction = (key) => (/^[a-z]$/.test(key) ? document.querySelector(`main .page-actions [aria-keyshortcuts="${key}"]`) : null);

  document.addEventListener("keydown", (event) => {
    if (!isFree(event) || event.repeat || !isPlain(event)) return;
    const target = { "/": "[data-global-search]", l: "a[data-quick-log]" }[event.key];
    const element = target ? document.querySelector(target) : findAction(event.key);
    if (!element) return;
    event.preventDefault();
    if (!target) {
      element.click();
    } else if (event.key === "l") {
      openQuickLog(element.href);
    } else {
      element.focus();
      element.select();
    }
  });

  // -- The index of a long page follows what is being read --------------------------------------------------------

  const index = document.querySelector(".section-index");
  if (index) {
    const links = new Map([...index.querySelectorAll("a[href^='#']")].map((link) => [link.hash.slice(1), link]));
    const visible = new Set();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) visible[isIntersecting ? "add" : "delete"](target.id);
        const current = [...links.keys()].find((id) => visible.has(id));
        if (!current) return;
        for (const [id, link] of links) {
          if (id === current) link.setAttribute("aria-current", "true");
          else link.removeAttribute("aria-current");
        }
      },
      { rootMargin: "-8px 0px -60% 0px" },
    );
    for (const id of links.keys()) {
      const section = document.getElementById(id);
      if (section) observer.observe(section);
    }
  }
})();
