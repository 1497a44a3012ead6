// Forms: references with suggestions, what choosing one says about the others, forms in dialogs, unsaved changes.
// Every form reads and saves without it.
"use strict";

(() => {
  const WAIT_FOR_TYPING = 150; // milliseconds
  const SHORTEST_SEARCHED = 3; // as the server searches
  const boxes = new WeakMap();

  const getLabel = (input) => input.labels?.[0]?.textContent.trim() ?? input.getAttribute("aria-label") ?? "";
  const isElement = (element) => element instanceof Element;

  function drawIcon(name) {
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", "icon small");
    icon.setAttribute("aria-hidden", "true");
    icon.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
    icon.firstChild.setAttribute("href", `#icon-${name}`);
    return icon;
  }

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

  // -- References: <div data-combobox>, the WAI-ARIA combobox ------------------------------------------------------

  class Combobox {
    constructor(root) {
      this.root = root;
      this.input = root.querySelector("[role=combobox]");
      this.list = root.querySelector("[role=listbox]");
      this.status = root.querySelector("[role=status]");
      [this.hidden, this.shown] = root.querySelectorAll(":scope > input[type=hidden]");
      this.fills = JSON.parse(this.hidden?.dataset.fills || "{}");
      this.wider = (root.dataset.wider ?? "").split(" ").filter(Boolean);
      this.answer = null; // the request that is under way
      this.timer = 0;
      this.results = [];
      this.answered = null; // what was typed when the suggestions shown were asked for
      this.wanted = ""; // the key by which a choice was asked for before they came
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

    /** Whether the suggestions shown answer what is typed now. */
    get isCurrent() {
      return this.isOpen && this.answered === this.typed;
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
      this.timer = setTimeout(async () => {
        try {
          const { results, more } = await this.fetchResults({ q: query });
          this.show(results, more, query);
        } catch (error) {
          if (error.name !== "AbortError") this.showNothing("The suggestions did not answer. Type on, or type the exact name.");
        }
      }, wait);
    }

    show(results, more, query) {
      const { wanted } = this;
      this.wanted = "";
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
      if (this.isOpen) this.activate(chosen >= 0 ? chosen : query && results.length ? 0 : -1);
      this.say(results.length ? `${results.length}${more ? " or more" : ""} to choose from` : "Nothing to choose from");
    }

    showNothing(text) {
      this.results = [];
      this.answered = null;
      this.wanted = "";
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
        openInPlace(this, query);
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

    open() {
      if (document.activeElement !== this.input) return;
      this.list.hidden = false;
      this.input.setAttribute("aria-expanded", "true");
    }

    close() {
      clearTimeout(this.timer);
      this.answer?.abort();
      this.wanted = "";
      this.hide();
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
        const known = box.wider.filter((name) => result.fills[name]).map((name) => [name, result.fills[name]]);
        box.set({ ...result.fills[box.name], fills: Object.fromEntries(known) });
      }
      for (const changed of [this, ...filled]) changed.clearContradicting([this, ...filled]);
      const labels = filled.map((box) => getLabel(box.input)).join(", ");
      this.say(`${result.label} chosen${labels ? `. Filled: ${labels}` : ""}`);
    }

    canFill(box, { fills }) {
      return fills[box.name] !== undefined && box.uid !== fills[box.name].uid;
    }

    /** Choosing a wider reference empties narrower ones that belong to another, and says so. */
    clearContradicting(kept) {
      for (const box of this.listOthers()) if (!kept.includes(box)) box.leave(this);
    }

    /** Empty itself if what is chosen belongs to another than what the wider reference names now. */
    leave(wider) {
      const expected = this.uid ? this.fills[wider.name] : null;
      if (!expected || expected.uid === wider.uid) return;
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
      this.wanted = "";
      this.search(WAIT_FOR_TYPING);
    }

    onKey(event) {
      const { key } = event;
      const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
      if (key === "ArrowDown" || key === "ArrowUp") {
        if (this.isOpen) this.move(key === "ArrowDown" ? 1 : -1);
        else this.search();
      } else if (key === "Enter" && !hasModifier && this.isOpen && this.active && this.isCurrent) {
        this.active.click();
      } else if (key === "Enter" && !hasModifier && this.typed) {
        this.wanted = key;
        this.search();
      } else if (key === "Escape" && this.isOpen) {
        this.close();
      } else {
        if (key === "Tab" && this.typed) this.onTab();
        return;
      }
      event.preventDefault();
      event.stopPropagation();
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

    leave(wider) {
      const leaving = this.ticked.filter(({ dataset }) => {
        const expected = JSON.parse(dataset.fills || "{}")[wider.name];
        return expected && wider.uid && expected.uid !== wider.uid;
      });
      if (!leaving.length) return;
      const labels = leaving.map((box) => `“${box.parentElement.textContent.trim()}”`).join(", ");
      for (const box of leaving) box.closest("li").remove();
      this.notice(`${labels} removed: ${leaving.length > 1 ? "they belong" : "it belongs"} to another ${getLabel(wider.input)}.`);
    }
  }

  function getBox(root) {
    if (!boxes.has(root)) boxes.set(root, root.dataset.several === undefined ? new Combobox(root) : new Several(root));
    return boxes.get(root);
  }

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

  // -- Forms in dialogs: what is missing is created in place, and activities are logged quickly ---------------------

  const parsePage = (text) => new DOMParser().parseFromString(text, "text/html");

  function buildDialog(label) {
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    dialog.setAttribute("aria-label", label);
    dialog.dataset.inPlace = "";
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    return dialog;
  }

  async function openInPlace(box, typed) {
    const url = new URL(box.root.dataset.createUrl, window.location.href);
    const plain = url.href;
    url.searchParams.set("in_place", "1");
    if (typed) url.searchParams.set("name__v", typed);
    try {
      const response = await fetch(url);
      const content = response.ok && parsePage(await response.text()).querySelector(".dialog-form");
      if (!content) return window.open(plain, "_blank");
      const dialog = buildDialog(`Create ${box.root.dataset.noun}`);
      dialog.append(content);
      dialog.showModal();
      dialog.querySelector("[autofocus]")?.focus();
      dialog.addEventListener("saved", async ({ detail }) => {
        dialog.close();
        box.input.focus();
        try {
          const { results } = await box.fetchResults({ uid: detail.uid });
          if (results.length) box.choose(results[0]);
          else box.notice(`${detail.label} was created, but does not fit here.`);
        } catch {
          box.notice(`${detail.label} was created. Type its name to choose it.`);
        }
      });
    } catch {
      window.open(plain, "_blank");
    }
    return null;
  }

  function showProblem(form, text) {
    form.querySelector(".dialog-problem")?.remove();
    const alert = document.createElement("div");
    alert.className = "alert dialog-problem";
    alert.setAttribute("role", "alert");
    alert.append(drawIcon("warning"), text);
    (form.querySelector(".dialog-body") ?? form).prepend(alert);
  }

  function toast(message) {
    document.querySelector(".toast")?.remove();
    const holder = document.createElement("div");
    const line = document.createElement("p");
    holder.className = "toast";
    holder.setAttribute("role", "status");
    line.className = "message success";
    line.append(drawIcon("check"));
    const text = addText(line, `${message.text} `);
    const link = document.createElement("a");
    link.href = message.url;
    link.textContent = message.label;
    text.append(link);
    document.body.append(holder);
    // What is added to a region that is there is announced; a region that appears is not.
    requestAnimationFrame(() => holder.append(line));
    setTimeout(() => holder.remove(), 12000);
  }

  async function saveInDialog(form, submitter) {
    const holder = form.closest(".dialog-form");
    const dialog = form.closest("dialog");
    const headers = { Accept: "application/json" };
    const send = () => fetch(form.action, { method: "POST", body: new FormData(form, submitter), headers });
    form.dataset.submitting = "";
    try {
      let response = await send();
      if (response.status === 403 && (await window.vault.renewTokens())) response = await send();
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      if (response.ok && isJson) {
        const saved = await response.json();
        delete form.dataset.dirty;
        document.dispatchEvent(new CustomEvent("vault:saved", { detail: saved }));
        if (dialog.dataset.inPlace !== undefined) return dialog.dispatchEvent(new CustomEvent("saved", { detail: saved }));
        toast(saved.message);
        if (!saved.next) return dialog.close();
        return await showNext(dialog, holder, saved.next);
      }
      if (!response.redirected && response.ok) return showForm(dialog, holder, await response.text());
      if (response.redirected) return showProblem(form, "You were logged out. Log in in another tab, then save again.");
      showProblem(form, `This could not be saved: the server answered ${response.status}. What you typed is still here.`);
    } catch {
      showProblem(form, "This could not be saved: the server did not answer. What you typed is still here; try again.");
    } finally {
      delete form.dataset.submitting;
    }
    return null;
  }

  /** What was saved is saved, even if there is no form for the next. */
  async function showNext(dialog, holder, url) {
    try {
      const response = await fetch(url);
      if (response.ok && !response.redirected) return showForm(dialog, holder, await response.text());
    } catch {
      // As without an answer.
    }
    return dialog.close();
  }

  function showForm(dialog, holder, text) {
    const content = parsePage(text).querySelector(".dialog-form");
    if (!content) return;
    holder.replaceWith(content);
    (dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[autofocus]"))?.focus();
  }

  // On a page of its own the link leaves; in a dialog it closes that.
  document.addEventListener("click", (event) => {
    const link = isElement(event.target) ? event.target.closest("a[data-close-dialog]") : null;
    if (link?.closest("dialog")) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.submitting !== undefined) return event.preventDefault(); // a second click saves no second record
    if (!form.closest(".dialog-form") || !form.closest("dialog")) return undefined;
    event.preventDefault();
    return saveInDialog(form, event.submitter);
  });

  // -- Whole pages: unsaved changes, keys, another object type -----------------------------------------------------

  const isUnsaved = () => document.querySelector("form[data-guard][data-dirty]:not([data-submitting])") !== null;

  for (const name of ["input", "change"]) {
    document.addEventListener(name, ({ target }) => {
      const form = isElement(target) ? target.closest("form[data-guard]") : null;
      if (form && !target.matches("[data-reload]")) form.dataset.dirty = "";
    });
  }
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && event.target.matches("[data-guard]")) event.target.dataset.submitting = "";
  });
  document.addEventListener("click", ({ target }) => {
    const link = isElement(target) ? target.closest("a[data-discard]") : null;
    if (link) delete link.closest("form").dataset.dirty;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isUnsaved()) event.preventDefault();
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-submitting]")) delete form.dataset.submitting;
  });
  document.addEventListener("change", ({ target }) => {
    if (!isElement(target) || !target.matches("select[data-reload]")) return;
    target.form.requestSubmit(); // the server shows the fields of the other type before it saves anything
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    const form = isElement(event.target) ? event.target.closest("form[data-guard], .dialog-form form") : null;
    if (!form) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector("button.primary[type=submit]"));
  });
})();
