"use strict";
// Sort the table by a column: numbers by size, texts by the alphabet; again turns the order round.
for (const head of document.querySelectorAll("#scenes th")) {
  head.firstChild.addEventListener("click", () => {
    const body = document.querySelector("#scenes tbody");
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[head.cellIndex].dataset.key;
    const order = (one, other) => {
      const numbers = [Number(key(one)), Number(key(other))];
      const byNumber = row => row.cells[head.cellIndex].className === "number";
      return byNumber(one) && byNumber(other) ? numbers[0] - numbers[1] : key(one).localeCompare(key(other), undefined, { numeric: true });
    };
    const rows = [...body.rows].sort(order);
    body.append(...(down ? rows.reverse() : rows));
  });
}
