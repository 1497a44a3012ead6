// Shows of the form "Enter Connected App Details" what the chosen flow takes.
(() => {
  let flows = [];
  const takenBy = {
    consumer_secret: ["client_credentials", "password"],
    audience: ["jwt_bearer"],
  };
  const findRow = (name) => {
    const form = flows[0].form;
    let row = form.querySelector(`[name="${name}"]`);
    while (row && row.parentElement !== form) row = row.parentElement;
    return row;
  };
  const show = () => {
    const chosen = [...flows].find((flow) => flow.checked)?.value;
    for (const [name, by] of Object.entries(takenBy)) {
      const row = findRow(name);
      if (row) row.style.display = by.includes(chosen) ? "" : "none";
    }
  };
  const start = () => {
    flows = document.querySelectorAll('input[name="grant_flow"]');
    flows.forEach((flow) => flow.addEventListener("change", show));
    if (flows.length) show();
  };
  document.addEventListener("DOMContentLoaded", start);
})();
