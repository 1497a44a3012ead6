// The console by keyboard: its menus, the dialog of the filters, and the way from an error to its field. The theme's
// Alpine takes `consoleMenu` and `consoleDialog` from here.
(() => {
  const FOCUSABLE = [
    "a[href]",
    "button:not([disabled])",
    "input:not([type=hidden]):not([disabled])",
    "select:not([disabled])",
    "textarea:not([disabled])",
    "[tabindex='0']",
  ].join();

  const listFocusable = (holder) => [...holder.querySelectorAll(FOCUSABLE)].filter((item) => item.checkVisibility() && item.tabIndex >= 0);

  /** A button (x-ref `opener`) that shows and hides what it stands for (x-ref `items`). */
  window.consoleMenu = () => ({
    openMenu: false,
    menuKeys: {
      "x-on:click.outside"() {
        this.openMenu = false;
      },
      "x-on:focusout"(event) {
        if (event.relatedTarget && !this.$root.contains(event.relatedTarget)) this.openMenu = false;
      },
      "x-on:keydown"(event) {
        if (event.key === "Escape" && this.openMenu) {
          event.preventDefault();
          this.openMenu = false;
          this.$refs.opener.focus();
        } else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
          this.move(event);
        }
      },
    },
    move(event) {
      const isOpener = event.target === this.$refs.opener;
      if (!this.openMenu && !(isOpener && event.key.startsWith("Arrow"))) return;
      event.preventDefault();
      if (this.openMenu) {
        this.focusItem(event.key);
      } else {
        this.openMenu = true;
        this.$nextTick(() => this.focusItem(event.key));
      }
    },
    focusItem(key) {
      const items = listFocusable(this.$refs.items);
      const at = items.indexOf(document.activeElement);
      const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
      items.at(next % items.length)?.focus();
    },
  });

  /** The dialog of the filters. While it is open, Tab stays in it. */
  window.consoleDialog = () => ({
    closeDialog() {
      this.filterOpen = false;
      document.getElementById("filters-opener").focus();
    },
    dialogKeys: {
      "x-on:keydown.escape"(event) {
        if (event.defaultPrevented) return;
        event.preventDefault();
        this.closeDialog();
      },
      "x-on:keydown.tab"(event) {
        const items = listFocusable(this.$root);
        const [last, next] = event.shiftKey ? [items[0], items.at(-1)] : [items.at(-1), items[0]];
        const isBeforeFirst = event.shiftKey && !items.includes(document.activeElement);
        if (document.activeElement !== last && !isBeforeFirst) return;
        event.preventDefault();
        next.focus();
      },
    },
  });

  /** The icons' names are text of the theme's icon font: nobody is to hear them. */
  function hideIcons(holder) {
    for (const icon of holder.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
      icon.setAttribute("aria-hidden", "true");
    }
  }

  /** The input that a link of the summary leads to: of a group its first, of a type-ahead what stands for the select. */
  function findInput(id) {
    const field = document.getElementById(id);
    if (!field || field.matches(".select2-hidden-accessible")) return field?.parentElement.querySelector(".select2-selection");
    return field.matches(FOCUSABLE) ? field : field.querySelector(FOCUSABLE);
  }

  /** A type-ahead is called what its label says, and then what is chosen. */
  function nameTypeAheads(holder) {
    for (const select of holder.querySelectorAll("select.select2-hidden-accessible")) {
      const label = select.labels[0];
      const shown = select.parentElement.querySelector(".select2-selection__rendered");
      if (!label || !shown || select.multiple) continue;
      label.id ||= `${select.id}_label`;
      shown.removeAttribute("role");
      shown.removeAttribute("aria-readonly");
      shown.closest(".select2-selection").setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#form-problems a");
    const input = link && findInput(decodeURIComponent(link.hash.slice(1)));
    if (!input) return;
    event.preventDefault();
    input.focus();
    input.scrollIntoView({ block: "center" });
  });
  document.addEventListener("htmx:afterSwap", (event) => hideIcons(event.target));
  document.addEventListener("DOMContentLoaded", () => {
    hideIcons(document);
    document.querySelector("#nav-sidebar-apps [aria-current]")?.scrollIntoView({ block: "nearest" });
  });
  // The theme makes type-aheads in jQuery's handlers, which run in the order of their registration, and when a row is added.
  window.addEventListener("load", () => {
    window.django?.jQuery?.(() => nameTypeAheads(document));
    // The theme shows nothing before its scripts have run, and what is not shown takes no focus.
    if (document.activeElement === document.body) document.getElementById("form-problems")?.focus();
  });
  document.addEventListener("formset:added", (event) => {
    hideIcons(event.target);
    requestAnimationFrame(() => nameTypeAheads(event.target));
  });
})();
