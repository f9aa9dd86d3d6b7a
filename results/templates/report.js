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
  window.addEventListener("beforeprint", () => {
    document.querySelector(".how").open = true;
  });
})();
