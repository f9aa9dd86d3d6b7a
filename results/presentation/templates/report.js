(() => {
  "use strict";
  const key = (row, column) => row.cells[column].dataset.order;
  const compare = (a, b) => {
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, place) => { row.dataset.place ??= String(place); });
    const pinned = rows.filter((row) => row.classList.contains("floor"));
    const free = rows.filter((row) => !row.classList.contains("floor"));
    free.sort((a, b) => {
      const x = key(a, column), y = key(b, column);
      if (x === "" || y === "") return (x === "") - (y === "");
      return (down ? compare(y, x) : compare(x, y)) || a.dataset.place - b.dataset.place;
    });
    body.append(...pinned, ...free);
  };
  document.querySelectorAll("thead button").forEach((button) => {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      head.parentElement.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(head.closest("table"), head.cellIndex, down);
    });
  });
  // The filter hides rows, curves, pictures and legend entries of samplers that are not wanted.
  const filter = document.querySelector(".filter");
  const show = (wanted, all) => {
    document.querySelectorAll("[data-sampler]").forEach((part) => {
      const name = part.dataset.sampler;
      part.hidden = all.has(name) && !wanted.has(name);
    });
    const joined = (name) => name.replace(/^-+|-+$|-{2,}/g, (run) => "+".repeat(run.length));
    const slug = (name) => [...joined(name)].map((c) => /[A-Za-z0-9_-]/.test(c) ? c
      : `.${c.codePointAt(0).toString(16)}.`).join("");
    all.forEach((name) => {
      document.querySelectorAll(`g[id*="-of-${slug(name)}-"]`).forEach((line) => {
        line.style.display = wanted.has(name) ? "" : "none";
      });
    });
  };
  if (filter) {
    const boxes = [...filter.querySelectorAll("[data-members]")];
    const search = filter.querySelector("[type=search]");
    const told = filter.querySelector("output");
    const members = (box) => JSON.parse(box.dataset.members);
    const apply = () => {
      const word = search.value.trim().toLowerCase();
      const all = new Set(boxes.flatMap(members));
      const wanted = new Set(boxes.filter((box) => box.checked).flatMap(members)
        .filter((name) => name.toLowerCase().includes(word)));
      show(wanted, all);
      told.textContent = wanted.size < all.size ? `${wanted.size} of ${all.size} samplers` : "";
    };
    filter.hidden = false;
    filter.addEventListener("input", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
    boxes.forEach((box) => box.parentElement.addEventListener("dblclick", () => {
      boxes.forEach((other) => { other.checked = other === box; });
      apply();
    }));
    apply();
  }
  window.addEventListener("beforeprint", () => {
    document.querySelector(".how")?.closest("details").setAttribute("open", "");
  });
})();
