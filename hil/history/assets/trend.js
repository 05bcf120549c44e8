"use strict";
// Charts of one measurement over the runs: dots, the mean and noise of each group of runs, and where it moved.
(() => {
  const NAMESPACE = "http://www.w3.org/2000/svg", HEIGHT = 200, TOP = 20, BOTTOM = 22, LEFT = 62, RIGHT = 10;
  const RUN = 0, VALUE = 1, TAKEN = 2, NAME = 0, STARTED = 1, DRIVER = 2, REPORT = 3;
  const { runs, series } = JSON.parse(document.getElementById("data").textContent);
  const hint = document.getElementById("hint");
  const short = (value) => (Math.abs(value) >= 1000 && Math.abs(value) < 1e7 ? value.toFixed(0) : String(+value.toPrecision(4)));

  function svg(tag, attributes, text) {
    const element = document.createElementNS(NAMESPACE, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function told(one, number) {
    const [run, value, taken] = one.points[number], [name, started, driver] = runs[run];
    const several = taken > 1 ? `, median of ${taken}` : "";
    return `${short(value)} ${one.unit}${several}\n${name}, ${started} UTC\ndriver ${driver || "not known"}`;
  }

  // Room for all figures, bands and limits, but a lone outlier may not flatten the rest: it is drawn at the edge.
  function range(one) {
    const bands = one.groups.flatMap(([, , mean, deviation]) => [mean - 3 * deviation, mean + 3 * deviation]);
    const values = one.points.map((point) => point[VALUE]).sort((a, b) => a - b), cut = Math.floor(values.length / 50);
    const seen = [...bands, ...one.limits, values[cut], values[values.length - 1 - cut]];
    const low = Math.min(...seen), high = Math.max(...seen), pad = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - pad, high + pad];
  }

  function draw(stage, one, title) {
    const width = stage.clientWidth, [low, high] = range(one), many = one.points.length, bottom = HEIGHT - BOTTOM;
    const step = (width - LEFT - RIGHT) / many;
    const x = (number) => LEFT + (number + 0.5) * step;
    const y = (value) => TOP + (high - Math.max(low, Math.min(high, value))) / (high - low) * (bottom - TOP);
    const picture = svg("svg", { width, height: HEIGHT, role: "img" });
    picture.append(svg("title", {}, title), svg("desc", {}, described(one)));
    for (const value of [0.1, 0.5, 0.9].map((part) => low + part * (high - low))) {
      picture.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid" }));
      picture.append(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
    }
    for (const value of one.limits) picture.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "limit" }));
    for (const [start, end, mean, deviation] of one.groups) {
      const from = x(start - 0.5), to = x(end - 0.5), top = y(mean + 2 * deviation);
      picture.append(svg("rect", { x: from, y: top, width: to - from, height: Math.max(1, y(mean - 2 * deviation) - top), class: "band" }));
      picture.append(svg("line", { x1: from, x2: to, y1: y(mean), y2: y(mean), class: "mean" }));
    }
    picture.append(svg("path", { d: one.points.map((point, number) => `M${x(number).toFixed(1)} ${y(point[VALUE]).toFixed(1)}h0`).join(""), class: "dots" }));
    for (const [start, kind, share] of one.moves) {
      const at = x(start - 0.5), end = at > width - 90;
      picture.append(svg("line", { x1: at, x2: at, y1: 4, y2: bottom, class: `move ${kind}` }));
      picture.append(svg("text", { x: end ? at - 4 : at + 4, y: 14, "text-anchor": end ? "end" : "start", class: `move-name ${kind}` }, share));
    }
    const day = (number) => runs[one.points[number][RUN]][STARTED].slice(0, 10);
    picture.append(svg("text", { x: LEFT, y: HEIGHT - 6 }, day(0)));
    if (many > 1) picture.append(svg("text", { x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, day(many - 1)));
    const ring = svg("circle", { r: 6, class: "chosen-run", visibility: "hidden" });
    picture.append(ring);
    stage.replaceChildren(picture);
    return {
      at: (position) => Math.max(0, Math.min(many - 1, Math.floor((position - LEFT) / step))),
      mark(number) {
        for (const [name, value] of [["cx", x(number)], ["cy", y(one.points[number][VALUE])], ["visibility", "visible"]]) ring.setAttribute(name, value);
      },
      middle: (number) => x(number),
    };
  }

  function described(one) {
    const moves = one.moves.map(([start, kind, share]) => `${share} ${kind} at ${runs[one.points[start][RUN]][NAME]}`);
    const [, , mean, deviation] = one.groups[one.groups.length - 1];
    return `${one.points.length} runs, now ${short(mean)} ${one.unit} ± ${short(deviation)}; ${moves.join(", ") || "it has not moved"}.`;
  }

  function open(one, number) {
    const report = runs[one.points[number][RUN]][REPORT];
    if (report) location.href = report;
  }

  for (const stage of document.querySelectorAll(".chart")) {
    const one = series[stage.dataset.series], said = stage.nextElementSibling;
    const title = document.getElementById(`t${stage.dataset.series}`).textContent;
    let chosen = one.points.length - 1, chart = draw(stage, one, title), width = stage.clientWidth;
    const choose = (number) => { chosen = number; chart.mark(number); };
    stage.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (event.key === "Enter") open(one, chosen);
      if (by === undefined) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(one.points.length - 1, chosen + by)));
      said.textContent = told(one, chosen);
    });
    stage.addEventListener("pointermove", (event) => {
      const number = chart.at(event.clientX - stage.getBoundingClientRect().left);
      choose(number);
      hint.textContent = told(one, number);
      hint.hidden = false;
      hint.style.left = `${Math.min(event.clientX + 12, innerWidth - hint.offsetWidth - 8)}px`;
      hint.style.top = `${event.clientY + 16}px`;
    });
    stage.addEventListener("pointerleave", () => { hint.hidden = true; });
    stage.addEventListener("click", () => open(one, chosen));
    new ResizeObserver(() => {
      if (stage.clientWidth === width) return;
      width = stage.clientWidth;
      chart = draw(stage, one, title);
    }).observe(stage);
  }

  for (const details of document.querySelectorAll("details[data-table]")) {
    details.addEventListener("toggle", () => {
      const one = series[details.dataset.table];
      paged(details.querySelector("table"), 25, (point) => {
        const [name, started, driver, report] = runs[point[RUN]];
        const link = report ? make("a", name, { href: report, className: "mono" }) : make("span", name, { className: "mono" });
        return [make("td", [link]), make("td", started), make("td", driver), make("td", `${short(point[VALUE])} ${one.unit}`, { className: "number" })];
      }).show([...one.points].reverse());
    }, { once: true });
  }
})();
