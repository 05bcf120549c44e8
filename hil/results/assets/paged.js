"use strict";
// A table that holds one page of rows, however many there are: show(rows) fills it, the buttons turn the pages.
function paged(table, perPage, cells) {
  const body = table.tBodies[0], controls = document.createElement("div"), said = document.createElement("span");
  controls.className = "controls";
  said.setAttribute("role", "status");
  const turn = (text, by) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => draw(page + by));
    return button;
  };
  const earlier = turn("Previous page", -1), later = turn("Next page", 1);
  controls.append(earlier, later, said);
  table.parentElement.after(controls);
  let rows = [], page = 0;
  function draw(wanted) {
    page = Math.max(0, Math.min(wanted, Math.ceil(rows.length / perPage) - 1));
    const first = page * perPage, shown = rows.slice(first, first + perPage);
    body.replaceChildren(...shown.map((row) => {
      const line = document.createElement("tr");
      line.append(...cells(row));
      return line;
    }));
    earlier.disabled = page === 0;
    later.disabled = first + perPage >= rows.length;
    earlier.hidden = later.hidden = rows.length <= perPage;
    said.textContent = rows.length ? `${first + 1} to ${first + shown.length} of ${rows.length}` : "none";
  }
  return {
    show(all) { rows = all; draw(0); },
    reveal(row) { draw(Math.floor(Math.max(0, rows.indexOf(row)) / perPage)); },
  };
}

// An element with its text or children; text is never read as HTML.
function make(tag, content, properties = {}) {
  const element = document.createElement(tag);
  element.append(...(Array.isArray(content) ? content : [content]));
  return Object.assign(element, properties);
}

// Seconds with a unit that fits.
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return `${+(seconds * 1000).toPrecision(3)} ms`;
  return seconds < 120 ? `${seconds.toFixed(seconds < 10 ? 2 : 1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
