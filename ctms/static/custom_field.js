// The form of a custom field: the API name follows the label until it is typed, and values are asked of picklists alone.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const label = document.getElementById("id_label");
  const apiName = document.getElementById("id_api_name");
  const kind = document.getElementById("id_kind");
  const values = document.getElementById("id_picklist_values");

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

  if (kind && values) {
    const row = values.closest(".field-row") || values.parentElement;
    const follow = () => {
      row.hidden = kind.value !== "picklist" && !values.value;
    };
    kind.addEventListener("change", follow);
    follow();
  }
});
