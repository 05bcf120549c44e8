"use strict";
// The timeline of one test: an SVG with lanes on one clock. Only what is in view is drawn, and bars that would be
// narrower than a pixel are drawn as one, so that a test of an hour is as quick as one of a second.
(() => {
  const NAMESPACE = "http://www.w3.org/2000/svg", ROW = 16, GAP = 8, GRAPH = 44, MOST_ROWS = 5, LETTER = 6.2;
  const { items, series, begin, end } = readItems(JSON.parse(document.getElementById("journal").textContent));
  const stage = document.getElementById("timeline"), hint = document.getElementById("hint");
  const said = document.getElementById("said"), detail = document.getElementById("exchange");
  const failing = items.filter((item) => item.kind === "failing");
  const failures = failing.length ? failing : items.filter((item) => item.kind === "error");
  const lanes = layOut();
  let view = [begin, end], chosen = null, drawn = [];

  function layOut() {
    return LANES.map(([key, name]) => {
      const own = items.filter((item) => item.lane === key), lines = series.filter((one) => one.lane === key && one.points.length);
      const free = [];
      for (const item of own) {
        let row = key === "steps" || key === "link" ? item.depth : free.findIndex((until) => until <= item.at);
        if (row < 0) row = free.length;
        item.row = Math.min(row, MOST_ROWS - 1);
        free[item.row] = Math.max(item.to, free[item.row] ?? 0);
      }
      const rows = own.reduce((most, item) => Math.max(most, item.row + 1), 0);
      return { key, name, own, lines, height: lines.length ? GRAPH : rows * ROW };
    }).filter((lane) => lane.own.length || lane.lines.length);
  }

  function svg(tag, attributes, text) {
    const element = document.createElementNS(NAMESPACE, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function draw() {
    const width = stage.clientWidth, left = width > 640 ? 150 : 4, right = width - 6;
    const x = (at) => left + (at - view[0]) / (view[1] - view[0]) * (right - left);
    const parts = [];
    drawn = [];
    let top = 22;
    for (const lane of lanes) {
      if (left < 100) top += 12;
      parts.push(svg("text", { x: 4, y: left < 100 ? top - 3 : top + 12, class: "lane-name" }, lane.name));
      parts.push(...(lane.lines.length ? graph(lane, top, x, left, right) : bars(lane, top, x, left, right)));
      top += lane.height + GAP;
      parts.push(svg("line", { x1: 0, x2: width, y1: top - GAP / 2, y2: top - GAP / 2, class: "grid" }));
    }
    parts.unshift(...axis(x, top));
    for (const item of failures.filter((one) => one.at >= view[0] && one.at <= view[1])) {
      const at = x(item.at), beside = at > (left + right) / 2 ? { x: at - 4, "text-anchor": "end" } : { x: at + 4 };
      parts.push(svg("line", { x1: at, x2: at, y1: 16, y2: top, class: "failure" }));
      parts.push(svg("text", { ...beside, y: 28, class: "failure-name" }, item === failures[0] ? "failed here" : ""));
    }
    const picture = svg("svg", { width, height: top, "aria-hidden": "true" });
    picture.append(...parts);
    stage.replaceChildren(picture);
  }

  function axis(x, bottom) {
    const rough = (view[1] - view[0]) / Math.max(2, stage.clientWidth / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough), parts = [];
    for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
      parts.push(svg("line", { x1: x(at), x2: x(at), y1: 16, y2: bottom, class: "grid" }));
      if (x(at) < stage.clientWidth - 50) parts.push(svg("text", { x: x(at) + 3, y: 12, class: "axis" }, `${+at.toFixed(6)} s`));
    }
    return parts;
  }

  // Bars of one lane; those that share a pixel are one bar, which tells how many they are.
  function bars(lane, top, x, left, right) {
    const parts = [], last = [];
    for (const item of lane.own) {
      if (item.to < view[0] || item.at > view[1]) continue;
      const from = Math.max(left, x(item.at)), wide = Math.max(2, Math.min(right, x(item.to)) - from), before = last[item.row];
      if (before && wide <= 2 && from < before.from + before.wide + 0.5 && before.wide <= 3) {
        before.group.push(item);
        before.wide = Math.max(before.wide, from + wide - before.from);
        continue;
      }
      last[item.row] = { from, wide, group: [item], row: item.row };
      parts.push(last[item.row]);
    }
    return parts.flatMap((bar) => shape(lane, bar, top + bar.row * ROW, x));
  }

  function shape(lane, { from, wide, group }, top, x) {
    const item = group[0], index = drawn.push(group) - 1, state = item.down ? " down" : group.some((one) => one.serious) ? " serious" : "";
    const wrong = group.some((one) => one.error) ? " wrong" : "", mine = chosen && group.includes(chosen) ? " chosen" : "";
    const parts = [svg("rect", { x: from, y: top, width: wide, height: ROW - 3, rx: 2, "data-bar": index,
      class: `bar bar-${lane.key}${state}${wrong}${mine}` })];
    if (group.length === 1 && item.spread) {
      const middle = top + (ROW - 3) / 2;
      parts.push(svg("line", { x1: x(item.at - item.spread), x2: x(item.at + item.spread), y1: middle, y2: middle, class: "whisker" }));
    }
    const letters = Math.floor((wide - 6) / LETTER);
    if (letters > 3) {
      const text = item.what.length > letters ? `${item.what.slice(0, letters - 1)}…` : item.what;
      parts.push(svg("text", { x: from + 3, y: top + 10, "pointer-events": "none" }, text));
    }
    return parts;
  }

  function graph(lane, top, x, left, right) {
    const most = lane.lines.flatMap((line) => line.points).reduce((top, point) => Math.max(top, point[1] ?? 0), 1);
    const y = (value) => top + GRAPH - value / most * (GRAPH - 4);
    const parts = [svg("text", { x: right, y: top + 10, "text-anchor": "end", class: "axis" }, String(+most.toPrecision(4)))];
    let beside = left + lane.name.length * LETTER + 12;
    lane.lines.forEach((line, number) => {
      const path = [];
      let column = null, pen = "M";
      for (const [at, value] of line.points) {
        if (value === null) { pen = "M"; continue; }
        const here = Math.round(x(at));
        if (here < left - 50 || here > right + 50) { if (here < left) path.length = 0; pen = path.length ? pen : "M"; if (here > right) break; }
        if (here === column && value < line.top) continue;
        path.push(`${pen}${Math.max(left, Math.min(right, here))} ${y(value).toFixed(1)}`);
        [column, line.top, pen] = [here, value, "L"];
      }
      if (path.length) parts.push(svg("path", { d: path.join(""), class: `series-${number + 1}` }));
      const name = svg("text", { x: left > 100 ? 4 : beside, y: left > 100 ? top + 26 + number * 12 : top - 3, class: "axis" });
      name.append(svg("tspan", { class: `key-${number + 1}` }, "— "), line.name);
      parts.push(name);
      beside += (line.name.length + 3) * LETTER;
    });
    return parts;
  }

  // what is looked at

  function zoom(factor, around = (view[0] + view[1]) / 2) {
    const span = Math.min(end - begin, Math.max(1e-3, (view[1] - view[0]) * factor));
    const from = around - (around - view[0]) / (view[1] - view[0]) * span;
    look(from, from + span);
  }

  function look(from, to) {
    const span = to - from, first = Math.max(begin, Math.min(from, end - span));
    view = [first, Math.min(end, first + span)];
    draw();
  }

  function around(item) {
    const span = Math.max((item.to - item.at) * 3, (end - begin) / 20, 0.05);
    look((item.at + item.to) / 2 - span / 2, (item.at + item.to) / 2 + span / 2);
  }

  function choose(item, { open }) {
    chosen = item;
    if (item.to < view[0] || item.at > view[1]) around(item);
    else draw();
    said.textContent = inWords(item);
    if (open) show(item);
  }

  // the raw exchange
  function show(item) {
    const fields = fieldsOf(item).flatMap(([name, value]) => [make("dt", name.replaceAll("_", " ")), make("dd", value, { className: "mono" })]);
    detail.replaceChildren(make("h3", inWords(item)), make("dl", fields), make("pre", item.records.map((one) => JSON.stringify(one, null, 1)).join("\n")));
    detail.hidden = false;
  }

  const barAt = (event) => drawn[event.target.closest?.("[data-bar]")?.dataset.bar];
  const timeAt = (event) => {
    const box = stage.getBoundingClientRect(), left = box.width > 640 ? 150 : 4;
    return view[0] + (event.clientX - box.left - left) / (box.width - left - 6) * (view[1] - view[0]);
  };

  const held = new Map();
  let moved = 0;
  stage.addEventListener("pointerdown", (event) => { held.set(event.pointerId, event.clientX); moved = 0; });
  addEventListener("pointerup", (event) => held.delete(event.pointerId));
  addEventListener("pointercancel", (event) => held.delete(event.pointerId));
  stage.addEventListener("pointerleave", () => { hint.hidden = true; });
  stage.addEventListener("pointermove", (event) => {
    const group = barAt(event), before = held.get(event.pointerId);
    if (before !== undefined) {
      const others = [...held].filter(([pointer]) => pointer !== event.pointerId).map(([, at]) => at);
      held.set(event.pointerId, event.clientX);
      moved += Math.abs(event.clientX - before);
      if (others.length) zoom(Math.abs(before - others[0]) / Math.max(1, Math.abs(event.clientX - others[0])), timeAt(event));
      else if (moved > 4) { const by = (before - event.clientX) / stage.clientWidth * (view[1] - view[0]); look(view[0] + by, view[1] + by); }
    }
    hint.hidden = !group;
    if (group) {
      hint.textContent = group.length === 1 ? inWords(group[0]) : `${group.length} in one: ${inWords(group[0])}`;
      hint.style.left = `${Math.min(event.clientX + 12, innerWidth - hint.offsetWidth - 8)}px`;
      hint.style.top = `${Math.min(event.clientY + 14, innerHeight - hint.offsetHeight - 8)}px`;
    }
  });
  stage.addEventListener("click", (event) => {
    const group = barAt(event);
    if (!group || moved > 4) return;
    if (group.length > 1) { around({ at: group[0].at, to: group.at(-1).to }); }
    choose(group[0], { open: true });
  });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
  }, { passive: false });

  // by keyboard: left and right go through the items, up and down through the lanes
  function step(by, sameLane) {
    const within = sameLane && chosen ? items.filter((one) => one.lane === chosen.lane) : items;
    const next = within[chosen ? within.indexOf(chosen) + by : 0];
    if (next) choose(next, { open: false });
  }
  function jump(by) {
    const at = lanes.findIndex((lane) => lane.key === chosen?.lane), rest = by > 0 ? lanes.slice(at + 1) : lanes.slice(0, Math.max(0, at)).reverse();
    const lane = rest.find((one) => one.own.length);
    if (lane) choose(lane.own.find((one) => one.at >= (chosen?.at ?? begin)) ?? lane.own.at(-1), { open: false });
  }
  const KEYS = {
    ArrowRight: () => step(1, true), ArrowLeft: () => step(-1, true), ArrowDown: () => jump(1), ArrowUp: () => jump(-1),
    "+": () => zoom(0.5, chosen?.at), "-": () => zoom(2, chosen?.at), 0: () => look(begin, end),
    Enter: () => { if (chosen) { show(chosen); detail.focus(); } },
  };
  stage.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
  const button = (id, act) => document.getElementById(id).addEventListener("click", act);
  button("zoom-in", () => zoom(0.5, chosen?.at));
  button("zoom-out", () => zoom(2, chosen?.at));
  button("zoom-all", () => look(begin, end));
  if (failures.length) button("to-failure", () => { around(failures[0]); choose(failures[0], { open: true }); });
  document.getElementById("to-failure").hidden = !failures.length;

  // the same as a table, for reading, searching and screen readers
  const table = paged(document.getElementById("steps"), 50, (item) => {
    const open = make("button", item.what, { type: "button", className: `link mono ${item.error ? "failed" : ""}` });
    open.addEventListener("click", () => { choose(item, { open: true }); detail.focus(); });
    return [make("td", item.at.toFixed(3), { className: "number" }), make("td", duration(item.to - item.at || null), { className: "number" }),
      make("td", item.kind, { className: "word" }), make("td", open)];
  });
  const search = document.getElementById("search");
  const refresh = () => table.show(items.filter((item) => `${item.kind} ${item.what}`.toLowerCase().includes(search.value.toLowerCase())));
  search.addEventListener("input", refresh);
  refresh();

  const clock = items.findLast((item) => item.spread)?.records[0] ?? items.findLast((item) => item.what === "clock of the machine")?.records[0];
  if (clock) {
    document.getElementById("clock").textContent = `The machine's clock was ${duration(Math.abs(clock.offset_s))} `
      + `${clock.offset_s < 0 ? "behind" : "ahead of"} the controller's, known to ± ${duration(clock.uncertainty_s)}; its events are shown on the controller's.`;
  }
  new ResizeObserver(draw).observe(stage);
  draw();
})();
