// References: what is typed into <div data-combobox> is answered with suggestions (the WAI-ARIA combobox), and what is
// chosen fills and empties the other references around it. It needs vault.js for its icons, and nothing else.
"use strict";

(() => {
  const WAIT_FOR_TYPING = 150; // milliseconds
  const SHORTEST_SEARCHED = 3; // as the server searches
  const boxes = new WeakMap();

  const getLabel = (input) => input.labels?.[0]?.textContent.trim() ?? input.getAttribute("aria-label") ?? "";
  const isElement = (element) => element instanceof Element;
  const drawIcon = (name) => window.vault.drawIcon(name, "small");

  function addText(parent, text, className = "") {
    const part = document.createElement("span");
    part.className = className;
    part.textContent = text;
    parent.append(part);
    return part;
  }

  /** The label with the words that were typed marked: a letter or two where a word begins, more anywhere. */
  function addMarked(parent, text, query) {
    const part = addText(parent, "");
    const words = query.split(/\s+/).filter(Boolean).map((word) => {
      const literal = word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
      return word.length < SHORTEST_SEARCHED ? `(?<![\\p{L}\\p{N}])${literal}` : literal;
    });
    const pieces = words.length ? text.split(new RegExp(`(${words.join("|")})`, "giu")) : [text];
    pieces.forEach((piece, at) => {
      if (at % 2 === 0) return part.append(piece);
      const mark = document.createElement("mark");
      mark.textContent = piece;
      part.append(mark);
    });
  }

  class Combobox {
    constructor(root) {
      this.root = root;
      this.input = root.querySelector("[role=combobox]");
      this.list = root.querySelector("[role=listbox]");
      this.status = root.querySelector("[role=status]");
      [this.hidden, this.shown] = root.querySelectorAll(":scope > input[type=hidden]");
      this.fills = JSON.parse(this.hidden?.dataset.fills || "{}");
      this.parents = (root.dataset.parents ?? "").split(" ").filter(Boolean);
      this.answer = null; // the request that is under way
      this.timer = 0;
      this.results = [];
      this.answered = null; // what was typed when the suggestions shown were asked for
      this.wanted = ""; // the key by which a choice was asked for before they came
      this.isAsking = false;
      this.steps = 0; // arrow keys pressed before they came
    }

    get name() {
      return this.root.dataset.field;
    }

    get uid() {
      return this.hidden.value;
    }

    /** The uids of all that is chosen. */
    get uids() {
      return this.uid ? [this.uid] : [];
    }

    get isOpen() {
      return !this.list.hidden;
    }

    get typed() {
      return this.uid ? "" : this.input.value.trim();
    }

    /** Whether suggestions are shown, or are to be shown as soon as they come. */
    get isSuggesting() {
      return this.isOpen || (this.isAsking && !this.wanted);
    }

    /** Whether the first suggestion is marked although nothing was typed, because it is likely. */
    get marksFirst() {
      return this.root.dataset.opens !== undefined && !this.uids.length;
    }

    get isBeingTyped() {
      return Boolean(this.typed) && document.activeElement === this.input;
    }

    /** Whether the suggestions shown answer what is typed now. */
    get isCurrent() {
      return this.isOpen && this.answered === this.typed;
    }

    /** What is chosen, as `set` takes it. */
    readChosen() {
      return this.uid ? [{ uid: this.uid, label: this.shown.value, fills: this.fills }] : [];
    }

    /** The other references of the same form. */
    listOthers() {
      const scope = this.root.closest("form") ?? document;
      return [...scope.querySelectorAll("[data-combobox]")].map(getBox).filter((box) => box !== this);
    }

    async fetchResults(parameters) {
      this.answer?.abort();
      this.answer = new AbortController();
      const url = new URL(this.root.dataset.url, window.location.href);
      for (const box of this.listOthers()) for (const uid of box.uids) url.searchParams.append(box.name, uid);
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      const headers = { Accept: "application/json" };
      const response = await fetch(url, { signal: this.answer.signal, headers });
      if (!response.ok) throw new Error(`The server answered ${response.status}`);
      return response.json();
    }

    search(wait = 0) {
      clearTimeout(this.timer);
      const query = this.typed;
      this.isAsking = true;
      this.timer = setTimeout(async () => {
        this.timer = 0;
        try {
          const { results, more } = await this.fetchResults({ q: query });
          this.show(results, more, query);
        } catch (error) {
          if (error.name !== "AbortError") this.showNothing("The suggestions did not answer. Type on, or type the exact name.");
        }
      }, wait);
    }

    show(results, more, query) {
      const { wanted, steps } = this;
      this.stopAsking();
      // Whoever asked before seeing them gets the only one, never one of several.
      if (wanted && results.length === 1) return this.choose(results[0]);
      this.results = results;
      this.answered = query;
      this.list.replaceChildren(...results.map((result, at) => this.buildOption(result, at, query)));
      if (!results.length) this.list.append(this.buildNote(query ? `Nothing fits “${query}”` : (this.root.dataset.nothing ?? "There is nothing to choose")));
      if (more) this.list.append(this.buildNote("There are more: type on"));
      if (this.root.dataset.createUrl && !this.root.closest("[data-in-place]")) this.list.append(this.buildCreate(query));
      this.open();
      const chosen = results.findIndex(({ uid }) => uid === this.uid);
      if (this.isOpen) this.activate(chosen >= 0 ? chosen : (query || this.marksFirst) && results.length ? 0 : -1);
      if (this.isOpen) for (let left = Math.abs(steps); left > 0; left -= 1) this.move(Math.sign(steps));
      this.say(results.length ? `${results.length}${more ? " or more" : ""} to choose from` : "Nothing to choose from");
    }

    showNothing(text) {
      this.results = [];
      this.answered = null;
      this.stopAsking();
      this.list.replaceChildren(this.buildNote(text));
      this.open();
      this.say(text);
    }

    buildItem(at) {
      const option = document.createElement("li");
      option.id = `${this.list.id}_${at}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      return option;
    }

    buildOption(result, at, query) {
      const option = this.buildItem(at);
      addMarked(option, result.label, query);
      if (result.detail) addText(option, result.detail, "hint");
      if (this.uids.includes(result.uid)) {
        option.setAttribute("aria-selected", "true");
        option.append(drawIcon("check"));
      }
      option.addEventListener("click", () => this.choose(result));
      return option;
    }

    buildNote(text) {
      const note = this.buildItem("note");
      note.className = "nothing";
      note.setAttribute("aria-disabled", "true");
      note.textContent = text;
      return note;
    }

    buildCreate(query) {
      const option = this.buildItem("create");
      const noun = this.root.dataset.noun;
      option.className = "create-option";
      addText(option, query ? `Create ${noun} “${query}”…` : `Create ${noun}…`);
      option.append(drawIcon("plus"));
      option.addEventListener("click", () => {
        this.close();
        this.root.dispatchEvent(new CustomEvent("combobox:create", { bubbles: true, detail: { box: this, typed: query } }));
      });
      return option;
    }

    listOptions() {
      return [...this.list.querySelectorAll("[role=option]:not([aria-disabled])")];
    }

    get active() {
      return this.list.querySelector(".active");
    }

    activate(at) {
      this.active?.classList.remove("active");
      const options = this.listOptions();
      const option = at < 0 ? null : options[at];
      if (!option) return this.input.removeAttribute("aria-activedescendant");
      option.classList.add("active");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    }

    move(step) {
      const options = this.listOptions();
      if (!options.length) return;
      const at = options.indexOf(this.active);
      this.activate(at < 0 ? (step > 0 ? 0 : options.length - 1) : (at + step + options.length) % options.length);
    }

    /** The place of the marked suggestion among those that are shown, -1 if none is; undefined if none are shown. */
    get markedAt() {
      return this.isOpen ? this.listOptions().indexOf(this.active) : undefined;
    }

    /** After it was moved in the page, which takes the focus away for a moment and so closes its suggestions. */
    resume(markedAt) {
      if (document.activeElement !== this.input) return;
      if (markedAt === undefined) return this.search();
      this.open();
      this.activate(markedAt);
    }

    open() {
      if (document.activeElement !== this.input) return;
      this.list.hidden = false;
      this.input.setAttribute("aria-expanded", "true");
    }

    close() {
      clearTimeout(this.timer);
      this.answer?.abort();
      this.stopAsking();
      this.hide();
    }

    stopAsking() {
      this.wanted = "";
      this.isAsking = false;
      this.steps = 0;
    }

    hide() {
      this.list.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.input.removeAttribute("aria-activedescendant");
    }

    say(text) {
      this.status.textContent = text;
    }

    set({ uid, label, fills }) {
      this.hidden.value = uid;
      this.shown.value = label;
      this.input.value = label;
      this.fills = fills;
      this.notice("");
      this.hidden.dispatchEvent(new Event("change", { bubbles: true }));
    }

    /** What is typed is no longer what was chosen. */
    forget() {
      if (!this.uid) return;
      this.hidden.value = "";
      this.shown.value = "";
      this.fills = {};
    }

    choose(result) {
      this.close();
      this.set(result);
      const filled = this.listOthers().filter((box) => this.canFill(box, result));
      for (const box of filled) {
        const known = box.parents.filter((name) => result.fills[name]).map((name) => [name, result.fills[name]]);
        box.set({ ...result.fills[box.name], fills: Object.fromEntries(known) });
      }
      for (const changed of [this, ...filled]) changed.clearContradicting([this, ...filled]);
      const labels = filled.map((box) => getLabel(box.input)).join(", ");
      this.say(`${result.label} chosen${labels ? `. Filled: ${labels}` : ""}`);
    }

    canFill(box, { fills }) {
      return fills[box.name] !== undefined && box.uid !== fills[box.name].uid && !box.isBeingTyped;
    }

    /** Choosing a reference empties those that belong to another one, and says so. */
    clearContradicting(kept) {
      for (const box of this.listOthers()) if (!kept.includes(box)) box.leave(this);
    }

    /** Empty itself if what is chosen belongs to another than what the reference that it depends on names now. */
    leave(parent) {
      const expected = this.uid ? this.fills[parent.name] : null;
      if (!expected || expected.uid === parent.uid) return;
      const text = `“${this.input.value}” was removed: it belongs to ${expected.label}.`;
      this.set({ uid: "", label: "", fills: {} });
      this.notice(text);
    }

    notice(text) {
      this.note?.remove();
      this.note = null;
      if (!text) return;
      this.note = document.createElement("div");
      this.note.className = "help";
      this.note.setAttribute("role", "status");
      this.note.textContent = text;
      this.root.after(this.note);
    }

    onInput() {
      this.forget();
      this.notice("");
      this.stopAsking();
      this.search(WAIT_FOR_TYPING);
    }

    onKey(event) {
      const { key } = event;
      const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
      if (key === "ArrowDown" || key === "ArrowUp") {
        this.onArrow(key === "ArrowDown" ? 1 : -1);
      } else if (key === "Enter" && !hasModifier && this.isOpen && this.active && this.isCurrent) {
        this.active.click();
      } else if (key === "Enter" && !hasModifier && this.typed) {
        this.wanted = key;
        this.search();
      } else if (key === "Escape" && this.isOpen) {
        this.close();
      } else {
        if (key === "Tab" && (this.typed || (this.marksFirst && this.isCurrent && !event.shiftKey))) this.onTab();
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }

    /** Among suggestions that are still to come, an arrow counts when they are there. */
    onArrow(step) {
      if (!this.isAsking) {
        if (this.isOpen) this.move(step);
        else this.search();
        return;
      }
      this.steps += step;
      if (this.timer) this.search();
    }

    /** Leaving takes what is marked, if it answers what was typed. */
    onTab() {
      if (!this.isCurrent) {
        this.wanted = "Tab";
        this.search();
      } else if (this.results.length) {
        this.active?.click();
      }
    }

    onLeave() {
      if (this.wanted) this.hide();
      else this.close();
    }

    toggle() {
      if (this.isOpen) return this.close();
      this.input.focus();
      this.search();
    }
  }

  /** Several records: each that is chosen is a box to untick, and the text is empty again for the next. */
  class Several extends Combobox {
    constructor(root) {
      super(root);
      this.chosen = root.querySelector(".chosen");
    }

    get uid() {
      return "";
    }

    get uids() {
      return this.ticked.map((box) => box.value);
    }

    readChosen() {
      return this.ticked.map((box) => ({
        uid: box.value,
        label: box.parentElement.textContent.trim(),
        fills: JSON.parse(box.dataset.fills || "{}"),
      }));
    }

    get ticked() {
      return [...this.chosen.querySelectorAll("input[type=checkbox]:checked")];
    }

    set({ uid, label, fills }) {
      const known = [...this.chosen.querySelectorAll("input[type=checkbox]")].find(({ value }) => value === uid);
      const box = known ?? this.add(uid, label, fills);
      box.checked = true;
      this.input.value = "";
      this.notice("");
      box.dispatchEvent(new Event("change", { bubbles: true }));
    }

    add(uid, label, fills) {
      const item = document.createElement("li");
      const holder = document.createElement("label");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name: this.name, value: uid });
      box.dataset.fills = JSON.stringify(fills);
      holder.append(box);
      addText(holder, label);
      item.append(holder);
      this.chosen.append(item);
      return box;
    }

    /** Each of several fills the rest itself when it is saved. */
    canFill(box, result) {
      return this.root.dataset.filled.split(" ").includes(box.name) && super.canFill(box, result);
    }

    clearContradicting() {}

    /** Chooses all that belong together, such as the people of the site that is chosen beside it. */
    chooseTogether() {
      this.close();
      this.choosing = this.fetchTogether();
      return this.choosing;
    }

    async fetchTogether() {
      try {
        const { results, more } = await this.fetchResults({ together: "1" });
        for (const result of results) this.choose(result);
        if (!results.length) this.notice("Nobody is known there yet. Choose a site first, or type a name.");
        else if (more) this.notice(`These are the first ${results.length}: save them, then log the others.`);
        if (results.length) this.say(`${results.length} chosen`);
      } catch (error) {
        if (error.name !== "AbortError") this.notice("They could not be found: the server did not answer. Try again.");
      }
    }

    onKey(event) {
      if (event.altKey && event.code === "KeyA" && this.root.querySelector("[data-together]")) {
        event.preventDefault();
        return this.chooseTogether();
      }
      return super.onKey(event);
    }

    leave(parent) {
      const leaving = this.ticked.filter(({ dataset }) => {
        const expected = JSON.parse(dataset.fills || "{}")[parent.name];
        return expected && parent.uid && expected.uid !== parent.uid;
      });
      if (!leaving.length) return;
      const labels = leaving.map((box) => `“${box.parentElement.textContent.trim()}”`).join(", ");
      for (const box of leaving) box.closest("li").remove();
      this.notice(`${labels} removed: ${leaving.length > 1 ? "they belong" : "it belongs"} to another ${getLabel(parent.input)}.`);
    }
  }

  function getBox(root) {
    if (!boxes.has(root)) boxes.set(root, root.dataset.several === undefined ? new Combobox(root) : new Several(root));
    return boxes.get(root);
  }

  window.combobox = { getBox };

  const findBox = (target) => {
    const root = isElement(target) ? target.closest("[data-combobox]") : null;
    return root && getBox(root);
  };
  const findInput = ({ target }) => (isElement(target) && target.matches("[role=combobox]") ? findBox(target) : null);

  document.addEventListener("input", (event) => findInput(event)?.onInput());
  document.addEventListener("keydown", (event) => findInput(event)?.onKey(event));
  document.addEventListener("click", (event) => {
    if (findInput(event) || (isElement(event.target) && event.target.closest(".open-list"))) findBox(event.target)?.toggle();
  });
  document.addEventListener("click", ({ target }) => {
    const button = isElement(target) ? target.closest("[data-together]") : null;
    if (button) findBox(button).chooseTogether();
  });
  document.addEventListener("focusout", (event) => findInput(event)?.onLeave());
  // The focus stays in the input while an option is clicked.
  document.addEventListener("mousedown", (event) => {
    if (isElement(event.target) && event.target.closest("[data-combobox] .listbox, [data-combobox] .open-list")) event.preventDefault();
  });
  // A filter's address names the record, not what was typed to find it.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.method !== "get") return;
    for (const root of target.querySelectorAll("[data-combobox]")) {
      const { hidden, shown, input } = getBox(root);
      if (hidden.value) formData.delete(input.name);
      else formData.delete(hidden.name);
      formData.delete(shown.name);
    }
  });
})();
