// Where a record is: while a line is about to change, it is read anew, for two minutes at most. Without it one reloads.
"use strict";

(() => {
  const SECONDS = 2;
  const MOST = 60; // what has not come by then comes with a later transfer, and shows when the page is opened again
  let asked = 0;
  let shown = null; // what stands on the page, as far as it was asked for here
  const find = () => document.querySelector(".record-places");

  async function read(address) {
    const response = await fetch(address, {
      credentials: "same-origin",
      headers: { "Vault-Background": "1" }, // nobody may be looking: it does not keep the session alive
    });
    if (!response.ok || response.redirected) throw new Error("There is no answer.");
    return new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".record-places");
  }

  async function refresh(places) {
    const fresh = await read(places.dataset.moving);
    await window.replacing.whenReleased();
    if (!fresh || places !== find() || fresh.outerHTML === places.outerHTML) return;
    window.replacing.replacePart(places, fresh);
    shown = find();
  }

  async function keepFresh() {
    const places = find();
    if (places !== shown) {
      shown = places; // drawn anew because something was saved
      asked = 0;
    }
    if (places?.dataset.moving && asked < MOST && !document.hidden) {
      asked += 1;
      try {
        await refresh(places);
      } catch {
        // The next time may work, and reloading shows what is wrong.
      }
    }
    setTimeout(keepFresh, SECONDS * 1000);
  }

  setTimeout(keepFresh, SECONDS * 1000);
})();
