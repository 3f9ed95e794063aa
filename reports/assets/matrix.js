"use strict";
// The heat map can be read without this script: it filters rows and columns, and sorts.
{
  const heat = document.getElementById("heat"), form = document.getElementById("heat-filter");
  const rows = [...heat.querySelectorAll("tbody > tr[data-name]")], columns = [...heat.querySelectorAll("th[data-column]")];
  const severity = ["passed", "accepted", "unsupported", "not-run", "unexpected-pass", "failed", "broken"];

  const filter = () => {
    const want = Object.fromEntries(new FormData(form));
    const words = want.text.toLowerCase().split(/\s+/).filter(Boolean);
    const open = new Set();
    for (const c of columns) {
      c.hidden = (want.system && want.system !== c.dataset.initiator && want.system !== c.dataset.responder) || (want.driver && want.driver !== c.dataset.driver);
      if (!c.hidden) open.add(c.dataset.column);
    }
    for (const pair of heat.querySelectorAll("th.pair")) {
      const left = pair.dataset.columns.trim().split(" ").filter((i) => open.has(i)).length;
      pair.hidden = left === 0;
      pair.colSpan = Math.max(left, 1);
    }
    let shown = 0, cells = 0;
    for (const row of rows) {
      const text = row.querySelector("th").textContent.toLowerCase();
      let hits = 0;
      for (const td of row.querySelectorAll("td")) {
        td.hidden = !open.has(td.dataset.column);
        const fits = td.dataset.kind && (!want.kind || (want.kind === "changed" ? td.classList.contains("changed") : td.dataset.kind === want.kind));
        td.classList.toggle("faded", Boolean(want.kind) && !fits);
        if (fits && !td.hidden) hits++;
      }
      row.hidden = hits === 0 || !words.every((w) => text.includes(w));
      if (!row.hidden) { shown++; cells += hits; }
    }
    for (const group of heat.tBodies) group.hidden = ![...group.rows].some((r) => r.dataset.name && !r.hidden);
    form.querySelector(".hits").textContent = cells + (cells === 1 ? " cell of " : " cells of ") + shown + (shown === 1 ? " case" : " cases");
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (e) => e.preventDefault());

  const rank = (row, column) => {
    const td = row.querySelector('td[data-column="' + column + '"]');
    return td && td.dataset.kind ? severity.indexOf(td.dataset.kind) : -1;
  };
  for (const head of heat.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const column = head.dataset.sort, down = head.getAttribute("aria-sort") !== "descending";
      for (const other of heat.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      for (const group of heat.tBodies) {
        const own = rows.filter((r) => r.parentElement === group);
        own.sort((a, b) => {
          const byName = a.dataset.name < b.dataset.name ? -1 : 1;
          if (column === "") return down ? -byName : byName;
          return (down ? rank(b, column) - rank(a, column) : rank(a, column) - rank(b, column)) || byName;
        });
        group.append(...own);
      }
    });
  }
}
