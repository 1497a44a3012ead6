// Offers the browser's time zone to users who have not settled theirs.
"use strict";

(() => {
  const form = document.querySelector("[data-time-zone]");
  const found = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isUtc = (zone) => ["UTC", "Etc/UTC", "GMT", "Etc/GMT"].includes(zone);
  if (!form || !found) return;
  if (found === form.dataset.timeZone || (isUtc(found) && isUtc(form.dataset.timeZone))) return;
  for (const each of form.querySelectorAll("[data-found]")) each.textContent = found.replaceAll("_", " ");
  form.querySelector("button[name=zone]").value = found;
  form.hidden = false;
})();
