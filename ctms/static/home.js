// Home: what is due is done or rescheduled where it stands. Every button and link of it works without this script.
"use strict";

(() => {
  const HOME = "home";
  const OFFERED = 10_000; // milliseconds
  const listRows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  const getLink = (row) => row.querySelector("[data-row-link]");
  const findRow = (element) => element?.closest?.("[data-row]");
  const getReschedule = () => document.getElementById("reschedule");
  let passing = null; // the form that is sent as without this script
  let opened = null; // the link from which the new date is asked for

  // -- Keys: j and k go from row to row; c and r are those of the row with the focus --------------------------------

  function move(step) {
    const rows = listRows();
    const at = rows.indexOf(findRow(document.activeElement));
    const next = at < 0 ? rows.at(step > 0 ? 0 : -1) : rows[at + step];
    if (!next) return;
    getLink(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (!window.vault.isFree(event) || !window.vault.isPlain(event) || event.target.closest?.(".menu-holder, [popover], .site-header")) return;
    const row = findRow(event.target);
    const isArrow = row && event.target.matches("[data-row-link]");
    const actions = { j: () => move(1), k: () => move(-1) };
    if (isArrow) Object.assign(actions, { ArrowDown: actions.j, ArrowUp: actions.k });
    const own = row && /^[a-z]$/.test(event.key) && row.querySelector(`[aria-keyshortcuts="${event.key}"]`);
    const act = actions[event.key] ?? (own && (() => own.click()));
    if (!act || event.repeat) return;
    event.preventDefault();
    act();
  });

  // -- What was done is said for ten seconds, with Undo -------------------------------------------------------------

  function showMessages(messages) {
    document.querySelector(".toast")?.remove();
    const lines = [...(messages?.querySelectorAll(".message") ?? [])];
    if (!lines.length) return;
    const toast = document.createElement("div");
    toast.className = "toast";
    toast.setAttribute("role", "status");
    document.body.append(toast);
    // What is added to a region that is there is announced; a region that appears is not.
    requestAnimationFrame(() => toast.append(...lines));
    const isFailure = lines.some((line) => !line.classList.contains("success"));
    const leave = () => {
      if (!toast.isConnected || isFailure) return;
      if (toast.matches(":hover") || toast.contains(document.activeElement)) setTimeout(leave, 1000);
      else toast.remove();
    };
    setTimeout(leave, OFFERED);
  }

  function tell(text) {
    const part = document.createElement("div");
    const line = document.createElement("p");
    line.className = "message error";
    line.append(window.vault.drawIcon("warning"), document.createElement("span"));
    line.lastChild.textContent = text;
    part.append(line);
    showMessages(part);
  }

  // -- Forms of the page are sent without leaving it ----------------------------------------------------------------

  async function send(url, body) {
    const post = () => fetch(url, { method: "POST", body });
    const response = await post();
    if (response.status !== 403 || !(await window.vault.renewTokens())) return response;
    body.set("csrfmiddlewaretoken", document.querySelector("#done [name=csrfmiddlewaretoken]").value);
    return post();
  }

  /** The row that comes into the place of the one that leaves. */
  function focusPlace(place) {
    const rows = listRows();
    const row = rows[Math.min(place, rows.length - 1)];
    (row ? getLink(row) : document.querySelector("#panel-due h2"))?.focus({ preventScroll: true });
  }

  /** Panels that were loaded later stay in sight until they are loaded anew. */
  function keepLate(fresh) {
    const kept = [...document.querySelectorAll("[data-late]")].filter(({ id }) => fresh.querySelector(`#${id}`));
    for (const section of kept) fresh.querySelector(`#${section.id}`).replaceWith(section);
    return kept;
  }

  function renew(sections) {
    for (const section of sections) {
      window.htmx.ajax("GET", section.dataset.late, { source: section, target: section, select: `#${section.id}`, swap: "outerHTML ignoreTitle:true" });
    }
  }

  /** Puts the page as it is now in the place of what is shown. */
  async function replaceHome(fresh) {
    await window.replacing.whenReleased();
    const isOpen = document.querySelector(".due-done")?.open;
    const kept = keepLate(document.adoptNode(fresh));
    document.getElementById(HOME).replaceWith(fresh);
    if (isOpen) document.querySelector(".due-done")?.setAttribute("open", "");
    window.htmx.process(fresh);
    renew(kept);
  }

  const parse = (text) => new DOMParser().parseFromString(text, "text/html");

  // What is logged over the page is on it at once.
  document.addEventListener("vault:saved", async () => {
    const response = await fetch(window.location.href).catch(() => null);
    const fresh = response?.ok && parse(await response.text()).getElementById(HOME);
    if (fresh) await replaceHome(fresh);
  });

  async function show(response, { form, submitter, place }) {
    const page = parse(await response.text());
    const fresh = page.getElementById(HOME);
    if (fresh) {
      await replaceHome(fresh);
      showMessages(page.getElementById("messages"));
      focusPlace(place);
    } else if (response.redirected) {
      window.location.assign(response.url); // something is asked first
    } else {
      passing = form; // both values, or what is wrong with the date: on a page of its own
      form.requestSubmit(submitter);
    }
  }

  document.addEventListener("submit", async (event) => {
    const { target: form, submitter } = event;
    if (!["done", "reschedule", "undo"].includes(form.id) || form === passing || event.defaultPrevented) return;
    event.preventDefault();
    delete form.dataset.submitting; // the page stays, and its forms are sent again
    if (form.dataset.sending !== undefined) return;
    form.dataset.sending = "";
    const row = findRow(form.id === "reschedule" ? opened : submitter);
    const place = Math.max(0, listRows().indexOf(row));
    const body = new FormData(form, submitter);
    const url = submitter?.getAttribute("formaction") || form.action;
    if (form.matches("[popover]")) form.hidePopover();
    try {
      const response = await send(url, body);
      if (response.ok) await show(response, { form, submitter, place });
      else tell(`Nothing was saved: the server answered ${response.status}. Load the page again.`);
    } catch {
      tell("Nothing was saved: the server did not answer. Try again.");
    } finally {
      delete form.dataset.sending;
    }
  });

  // -- Reschedule: the date is asked for beside the row -------------------------------------------------------------

  function place(form, link) {
    const at = link.getBoundingClientRect();
    const { width, height } = form.getBoundingClientRect();
    const edge = 8;
    const below = at.bottom + 4;
    const top = below + height + edge <= window.innerHeight ? below : at.top - height - 4;
    form.style.left = `${Math.max(edge, Math.min(at.right - width, document.documentElement.clientWidth - width - edge))}px`;
    form.style.top = `${Math.max(edge, Math.min(top, window.innerHeight - height - edge))}px`;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-reschedule]");
    if (link && window.vault.isPlain(event) && event.button === 0 && getReschedule()?.showPopover) {
      event.preventDefault();
      opened = link;
      const form = getReschedule();
      form.action = link.dataset.reschedule;
      form.elements.expected_version.value = link.dataset.version;
      form.elements.date__v.value = link.dataset.date;
      form.querySelector("[data-name]").textContent = getLink(findRow(link)).textContent;
      form.showPopover();
      place(form, link);
      form.elements.date__v.focus();
      return;
    }
    const step = event.target.closest?.("#reschedule [data-step]");
    if (!step) return;
    const form = getReschedule();
    form.elements.date__v.value = opened.dataset.steps.split(" ")[Number(step.dataset.step)];
    form.requestSubmit();
  });
  for (const name of ["scroll", "resize"]) {
    window.addEventListener(name, () => getReschedule()?.matches(":popover-open") && opened?.isConnected && place(getReschedule(), opened), {
      capture: true,
      passive: true,
    });
  }

  // The page that is come back to sends its forms by itself again.
  window.addEventListener("pageshow", () => (passing = null));
})();
