// The palette: what the page can do, pages, what may be created, recent records, and what the search finds.
"use strict";

(() => {
  const WAIT_FOR_TYPING = 180; // milliseconds
  const palette = document.getElementById("palette");
  const paletteInput = palette?.querySelector("input");
  const paletteList = palette?.querySelector("[role=listbox]");
  let paletteAnswer = null; // the request that is under way
  let paletteTimer = 0;
  let isPlaceWanted = false; // Enter came before there was anything to go to

  // What the page can do stands in its menus and bars. What moves columns, or is in the menu of another row, is left out.
  const ACTIONS = "main .page-actions :is(a.button, button.button, .menu-item), .bulk-bar :is(a, button), tr.is-current .menu-item";
  const KEY = "aria-keyshortcuts";

  function readAction(element) {
    const row = (element.closest("tr")?.querySelector(".cell-link") ?? element.closest(".peek")?.querySelector("h1"))?.textContent.trim();
    const isBar = element.closest(".bulk-bar");
    return {
      element,
      icon: element.querySelector("use")?.getAttribute("href").replace("#icon-", "") ?? "arrow-right",
      href: "",
      label: (element.dataset.action ?? element.textContent).trim().replace(/\s+/g, " ").replace(/…$/, ""),
      note: row ?? (isBar ? "Selected rows" : "This page"),
      key: element.getAttribute(KEY) ?? "",
    };
  }

  function listActions() {
    const isOffered = (element) =>
      !element.closest("[data-column-list], .menu-foot") && (!element.closest(".bulk-bar") || element.closest(".bulk-bar").checkVisibility());
    const actions = [...document.querySelectorAll(ACTIONS)].filter(isOffered).map(readAction);
    const isNew = ({ label, note }, at, all) => all.findIndex((other) => other.label === label && other.note === note) === at;
    // What concerns the row where the user is comes first.
    const ofRow = actions.filter(({ element }) => element.closest("tr"));
    return [...ofRow, ...actions.filter((action) => !ofRow.includes(action))].filter((action, at, all) => action.label && isNew(action, at, all));
  }

  const readPlace = (link, icon) => ({
    link,
    icon,
    href: link.href,
    label: (link.querySelector(".truncate") ?? link).textContent.trim(),
    note: link.closest("[data-object-label]")?.dataset.objectLabel ?? "",
    key: link.getAttribute(KEY) ?? "",
  });

  function listPlaces() {
    const places = [
      ...[...document.querySelectorAll(".recent-menu .menu a")].map((link) => readPlace(link, "clock")),
      ...[...document.querySelectorAll(".site-header > .tabs a")].map((link) => readPlace(link, "arrow-right")),
      ...[...document.querySelectorAll(".create-menu .menu a")].map((link) => readPlace(link, "plus")),
      ...[...document.querySelectorAll(".user-menu .menu a")].map((link) => readPlace(link, "user")),
    ];
    const once = places.filter((place, at) => places.findIndex((other) => other.href === place.href) === at);
    return [...listActions(), ...once];
  }

  function buildOption(place, at) {
    const option = document.createElement("li");
    const label = document.createElement("span");
    const note = document.createElement("span");
    option.id = `palette-option-${at}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.addEventListener("click", () => goTo(place));
    label.className = "truncate";
    label.textContent = place.label;
    note.className = "end";
    note.textContent = place.note;
    if (place.key) {
      const key = document.createElement("kbd");
      key.className = "key";
      key.textContent = place.key;
      note.append(" ", key);
    }
    option.append(window.vault.drawIcon(place.icon), label, note);
    return option;
  }

  function chooseOption(at) {
    const options = [...paletteList.children];
    for (const option of options) option.setAttribute("aria-selected", "false");
    const chosen = options.at(at % (options.length || 1));
    if (!chosen) return paletteInput.removeAttribute("aria-activedescendant");
    chosen.setAttribute("aria-selected", "true");
    chosen.scrollIntoView({ block: "nearest" });
    paletteInput.setAttribute("aria-activedescendant", chosen.id);
  }

  function showPlaces(places) {
    paletteList.replaceChildren(...places.map(buildOption));
    paletteInput.setAttribute("aria-expanded", String(places.length > 0));
    chooseOption(0);
  }

  function goTo(place) {
    palette.close();
    if (place.element) return place.element.click();
    if (place.link?.matches("[data-quick-log]")) window.vault.openQuickLog(place.href);
    else window.location.assign(place.href);
    return undefined;
  }

  /** The first results of the search page: whatever is a .result-link there is a place to go. */
  async function findRecords(term) {
    paletteAnswer?.abort();
    paletteAnswer = new AbortController();
    const url = new URL(palette.dataset.searchUrl, window.location.href);
    url.searchParams.set("q", term);
    const response = await fetch(url, { signal: paletteAnswer.signal });
    if (!response.ok) return [];
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return [...page.querySelectorAll(".result-link")].slice(0, 12).map((link) => ({
      ...readPlace(link, "search"),
      link: null,
      href: new URL(link.getAttribute("href"), url).href,
    }));
  }

  async function filterPlaces() {
    const status = palette.querySelector("[data-palette-status]");
    const term = paletteInput.value.trim();
    const words = term.toLowerCase().split(/\s+/);
    const places = listPlaces().filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
    showPlaces(places);
    status.textContent = "";
    isPlaceWanted = false;
    clearTimeout(paletteTimer);
    paletteAnswer?.abort();
    if (term.length < 2 || !palette.dataset.searchUrl) return;
    paletteTimer = setTimeout(async () => {
      try {
        const found = await findRecords(term);
        const known = new Set(places.map(({ href }) => href));
        const chosen = [...paletteList.children].findIndex((option) => option.getAttribute("aria-selected") === "true");
        showPlaces([...places, ...found.filter(({ href }) => !known.has(href))]);
        chooseOption(Math.max(0, chosen));
        status.textContent = paletteList.children.length ? "" : "Nothing found";
        if (isPlaceWanted && paletteList.children.length === 1) paletteList.firstChild.click();
      } catch (error) {
        if (error.name !== "AbortError") status.textContent = "The search did not answer";
      }
    }, WAIT_FOR_TYPING);
  }

  function openPalette() {
    if (!palette || document.querySelector("dialog[open]:not(.peek)")) return;
    window.vault.closeMenusExcept(null);
    paletteInput.value = "";
    filterPlaces();
    palette.showModal();
    paletteInput.focus();
  }

  paletteInput?.addEventListener("input", filterPlaces);
  paletteInput?.addEventListener("keydown", (event) => {
    const options = [...paletteList.children];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") chooseOption(at + 1);
    else if (event.key === "ArrowUp") chooseOption(at - 1);
    else if (event.key === "Enter" && options[at]) options[at].click();
    else if (event.key === "Enter") isPlaceWanted = true;
    else return;
    event.preventDefault();
  });
  palette?.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });

  // -- Keys ------------------------------------------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    if (event.key?.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      openPalette();
    } else if (event.key === "?" && window.vault.isFree(event)) {
      event.preventDefault();
      document.getElementById("keys")?.showModal();
    }
  });
})();
