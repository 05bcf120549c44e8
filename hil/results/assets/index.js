"use strict";
// The list of all tests: what assets/tests.js holds, filtered and paged.
(() => {
  const { rows, claims, verdicts, changes } = globalThis.hilTests;
  const NAME = 0, VERDICT = 1, SECONDS = 2, PAGE = 3, CLAIM = 4, CAUSE = 5, CHANGE = 6;
  const search = document.getElementById("search"), chosen = document.getElementById("chosen-cause");
  const buttons = [...document.querySelectorAll("#verdicts button")];
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  let cause = null;

  const list = paged(document.getElementById("tests"), 100, (row) => {
    const verdict = verdicts[row[VERDICT]], change = changes[row[CHANGE]];
    const name = [make("a", row[NAME], { href: row[PAGE], className: "mono" }), make("div", claims[row[CLAIM]], { className: "soft" })];
    const told = [make("span", verdict, { className: verdict })];
    if (change) told.push(" ", make("span", change, { className: `badge ${change.split(" ")[0]}` }));
    return [make("td", told), make("td", name), make("td", duration(row[SECONDS]), { className: "number" })];
  });

  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(buttons.filter(pressed).map((one) => verdicts.indexOf(one.value)));
    list.show(rows.filter((row) => {
      const text = `${row[NAME]} ${claims[row[CLAIM]]}`.toLowerCase();
      return (!wanted.size || wanted.has(row[VERDICT])) && (cause === null || row[CAUSE] === cause)
        && words.every((word) => text.includes(word));
    }));
  }

  function choose(number) {
    cause = number;
    chosen.hidden = number === null;
    if (number !== null) chosen.textContent = "Show all causes";
    refresh();
  }

  search.addEventListener("input", refresh);
  chosen.addEventListener("click", () => { choose(null); search.focus(); });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!pressed(button)));
      refresh();
    });
  }
  for (const button of document.querySelectorAll("button[data-cause]")) {
    button.addEventListener("click", () => {
      choose(Number(button.dataset.cause));
      document.getElementById("all-tests").scrollIntoView();
      search.focus({ preventScroll: true });
    });
  }
  refresh();
})();
