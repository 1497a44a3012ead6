// The form of a custom field: the API name follows the label until it is typed, and a kind is asked its own properties.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const label = document.getElementById("id_label");
  const apiName = document.getElementById("id_api_name");
  const kind = document.getElementById("id_kind");

  // As the server does it where no name is given.
  function suggest(text) {
    const words = text
      .normalize("NFKD")
      .replace(/[^\x20-\x7e]/g, "")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_")
      .replace(/^[0-9_]+/, "")
      .slice(0, 60)
      .replace(/_+$/, "");
    return words ? `${words}__c` : "";
  }

  if (label && apiName) {
    let suggested = apiName.value;
    label.addEventListener("input", () => {
      if (apiName.value === suggested) {
        suggested = suggest(label.value);
        apiName.value = suggested;
      }
    });
  }

  // What a property stays visible for, although the kind does not have it: it was typed and will be refused.
  function isTyped(input) {
    return input.tagName !== "SELECT" && Boolean(input.value);
  }

  if (kind && kind.dataset.properties) {
    const properties = JSON.parse(kind.dataset.properties);
    const inputs = [...new Set(Object.values(properties).flat())]
      .map((name) => [name, document.getElementById(`id_${name}`)])
      .filter(([, input]) => input);
    const follow = () => {
      for (const [name, input] of inputs) {
        const row = input.closest(".field-line") || input.closest(".field-row") || input.parentElement;
        row.hidden = !(properties[kind.value] || []).includes(name) && !isTyped(input);
      }
    };
    kind.addEventListener("change", follow);
    follow();
  }
});
