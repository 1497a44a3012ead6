// A field rule is checked while it is typed: what cannot work, and what to mind, stands below the target.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const target = document.querySelector("[data-mapping-check]");
  if (!target) {
    return;
  }
  const form = target.form;
  const told = document.createElement("div");
  told.className = "vault-mapping-check";
  told.setAttribute("role", "status");
  target.closest(".form-row, .field-row, .flex")?.parentElement.append(told);
  if (!told.isConnected) {
    target.after(told);
  }

  let asked = 0;
  async function check() {
    const address = new URL(target.dataset.mappingCheck, window.location.href);
    for (const name of ["source", "target", "constant", "kind", "picklist_map", "reference_object", "reference_field", "is_required"]) {
      const input = form.elements[name];
      if (input && (input.type !== "checkbox" || input.checked)) {
        address.searchParams.set(name, input.value);
      }
    }
    asked += 1;
    const mine = asked;
    const answer = await fetch(address, { credentials: "same-origin" });
    // A later question overtakes an earlier one.
    if (mine === asked && answer.ok) {
      told.innerHTML = await answer.text();
    }
  }

  let waiting;
  function checkSoon() {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(check, 250);
  }

  // The searchable selects tell their changes through jQuery alone.
  const jQuery = window.django && window.django.jQuery;
  if (jQuery) {
    jQuery(form).on("change", checkSoon);
  } else {
    form.addEventListener("change", checkSoon);
  }
  form.addEventListener("input", checkSoon);
  check();
});
