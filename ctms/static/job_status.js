// Job Status: reads the running jobs anew every few seconds while somebody looks, and says when it cannot.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const SECONDS = 3;
  const problem = document.querySelector("[data-live-problem]");

  async function read() {
    const response = await fetch(window.location.href, {
      credentials: "same-origin",
      headers: { "Vault-Background": "1" }, // nobody may be looking: it does not keep the session alive
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!response.ok || !fresh) {
      throw new Error("No running jobs in the answer.");
    }
    return fresh;
  }

  async function refresh() {
    if (document.hidden) {
      return;
    }
    try {
      const fresh = await read();
      await window.replacing.whenReleased();
      window.replacing.replacePart(document.querySelector("[data-live]"), fresh);
      problem.hidden = true;
    } catch {
      problem.hidden = false;
    }
  }

  async function keepFresh() {
    await refresh();
    window.setTimeout(keepFresh, SECONDS * 1000);
  }

  window.setTimeout(keepFresh, SECONDS * 1000);
  document.addEventListener("visibilitychange", refresh);
});
