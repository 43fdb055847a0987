"use strict";
// The table of all trials: sorted by a click on a head, filtered as one types, a hundred rows at a time.
(() => {
  const SHOWN = 100;
  const data = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("trials");
  const said = document.getElementById("said");
  const filter = document.getElementById("filter");
  const count = data.count;
  const value = (column, row) => (column.of ? (column.values[row] < 0 ? null : column.of[column.values[row]]) : column.values[row]);
  const text = (column, row) => {
    const found = value(column, row);
    return found === null ? "" : String(found);
  };
  let rows = [...Array(count).keys()];
  let kept = rows;
  let sorted = null;
  let rising = true;
  let start = 0;

  const heads = data.columns.map((column) => {
    const head = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = column.name;
    button.addEventListener("click", () => sort(column, head));
    head.append(button);
    return head;
  });

  function sort(column, head) {
    rising = sorted === column ? !rising : typeof value(column, 0) !== "number";
    sorted = column;
    const sign = rising ? 1 : -1;
    const compare = (a, b) => {
      const x = value(column, a), y = value(column, b);
      if (x === null || y === null) return (x === null) - (y === null) || a - b; // nothing comes last
      return (x < y ? -sign : x > y ? sign : 0) || a - b;
    };
    rows = [...Array(count).keys()].sort(compare);
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    choose();
  }

  function choose() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => words.every((word) => data.columns.some((column) => text(column, row).toLowerCase().includes(word)));
    kept = words.length ? rows.filter(fits) : rows;
    start = 0;
    show();
  }

  function show() {
    const end = Math.min(start + SHOWN, kept.length);
    const body = document.createElement("tbody");
    for (const row of kept.slice(start, end)) {
      const line = body.insertRow();
      for (const column of data.columns) {
        const cell = line.insertCell();
        cell.textContent = text(column, row);
        if (typeof value(column, row) === "number") cell.className = "n";
      }
    }
    table.tBodies[0].replaceWith(body);
    said.textContent = kept.length ? `${start + 1} to ${end} of ${kept.length}` : "no trial has all of these words";
  }

  const step = (by) => () => {
    if (start + by >= 0 && start + by < kept.length) {
      start += by;
      show();
    }
  };
  const line = document.createElement("tr");
  line.append(...heads);
  table.tHead.replaceChildren(line);
  filter.addEventListener("input", choose);
  document.getElementById("back").addEventListener("click", step(-SHOWN));
  document.getElementById("on").addEventListener("click", step(SHOWN));
  document.getElementById("tools").hidden = false;
  show();
})();
