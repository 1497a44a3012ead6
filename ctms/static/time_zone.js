// Offers the browser's time zone to users who have not settled theirs.
"use strict";

(() => {
  const offer = document.querySelector("template[data-time-zone]");
  const found = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isUtc = (zone) => ["UTC", "Etc/UTC", "GMT", "Etc/GMT"].includes(zone);
  if (!offer || !found) return;
  if (found === offer.dataset.timeZone || (isUtc(found) && isUtc(offer.dataset.timeZone))) return;
  const form = offer.content.firstElementChild;
  for (const each of form.querySelectorAll("[data-found]")) each.textContent = found.replaceAll("_", " ");
  form.querySelector("button[name=zone]").value = found;
  offer.replaceWith(form);
})();
