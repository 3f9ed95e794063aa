"use strict";
// Everything on the page can be read without this script: it filters tables and folds messages.
for (const e of document.querySelectorAll(".needs-script")) e.hidden = false;

for (const input of document.querySelectorAll("input[data-filter]")) {
  const hits = input.closest(".filter").querySelector(".hits");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const row of document.querySelectorAll(input.dataset.filter + " > tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((w) => text.includes(w));
      all++;
      if (!row.hidden) shown++;
    }
    hits.textContent = words.length ? shown + " of " + all + " rows" : "";
  });
}

for (const [attribute, open] of [["data-open", true], ["data-close", false]]) {
  for (const button of document.querySelectorAll("button[" + attribute + "]")) {
    button.addEventListener("click", () => {
      for (const d of document.querySelectorAll(button.getAttribute(attribute))) d.open = open;
    });
  }
}

// A link to something inside a fold opens the fold.
const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  for (let d = target && target.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();
