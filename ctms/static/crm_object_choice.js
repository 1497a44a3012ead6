// A CRM object is described as soon as it is chosen in a rule; the fields beside it then offer what it has. Whatever the
// CRM answers, the form can be saved: the server checks what is stored of the object.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const chosen = document.getElementById("id_crm_object");
  if (!chosen || chosen.disabled) {
    return;
  }
  const form = chosen.form;
  const address = new URL("../describe/", window.location.href);
  const told = document.createElement("p");
  told.className = "vault-hint vault-object-choice";
  told.setAttribute("role", "status");
  (chosen.closest(".field-crm_object") || chosen.parentElement).append(told);

  // A choice that the object does not have stays, and is said to be none of its fields.
  function offer(input, choices) {
    const names = new Map(choices.map(([name]) => [name.toLowerCase(), name]));
    const value = input.value;
    const isKnown = !value || names.has(value.toLowerCase());
    if (input.tagName === "SELECT") {
      const rows = [["", "–"], ...choices];
      if (!isKnown) {
        rows.splice(1, 0, [value, `${value} (not a fitting field of this object)`]);
      }
      const options = rows.map(([name, text]) => new Option(text, name));
      input.replaceChildren(...options);
      input.value = names.get(value.toLowerCase()) || value;
      const jQuery = window.django && window.django.jQuery;
      if (jQuery) {
        jQuery(input).trigger("change.select2");
      }
    } else {
      const list = document.getElementById(`${input.id}-choices`) || document.createElement("datalist");
      list.id = `${input.id}-choices`;
      list.replaceChildren(...choices.map(([name, text]) => new Option(text, name)));
      input.after(list);
      input.setAttribute("list", list.id);
    }
    return isKnown;
  }

  let asked = 0;
  let last = chosen.value;
  async function describe() {
    const name = chosen.value.trim();
    if (!name || name === last) {
      return;
    }
    last = name;
    asked += 1;
    const mine = asked;
    told.textContent = `Asking the CRM how it describes ${name} …`;
    const body = new FormData();
    body.set("crm_object", name);
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    let answer;
    try {
      const response = await fetch(address, { method: "POST", body, credentials: "same-origin" });
      if (!response.ok) {
        throw new Error(response.statusText);
      }
      answer = await response.json();
    } catch {
      answer = {
        told: "The CRM could not be asked just now. The rule can be saved all the same; Test Connection checks it.",
        choices: {},
      };
    }
    // A later choice overtakes an earlier one.
    if (mine !== asked) {
      return;
    }
    const unfit = Object.entries(answer.choices)
      .filter(([field, choices]) => form.elements[field] && !offer(form.elements[field], choices))
      .map(([field]) => form.elements[field].value);
    const warning = unfit.length ? ` Choose again what it does not have: ${unfit.join(", ")}.` : "";
    told.textContent = answer.told + warning;
  }

  // The searchable selects tell their changes through jQuery alone.
  const jQuery = window.django && window.django.jQuery;
  if (jQuery) {
    jQuery(chosen).on("change", describe);
  } else {
    chosen.addEventListener("change", describe);
  }
});
