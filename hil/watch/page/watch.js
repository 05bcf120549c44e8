"use strict";
// The live view: the server tells the whole state whenever it changed; clocks go on in between.
(() => {
  const FIGURES = [["sent_mbps", "sent", "Mbit/s"], ["received_mbps", "received", "Mbit/s"], ["watts", "power", "W"]];
  const ENDED = { 0: ["all good", "passed"], 1: ["the device failed", "failed"], 2: ["stopped", "interrupted"],
    3: ["a mistake in a suite or in hil", "error"], 4: ["something for a person to mend", "error"], 5: ["no test", "soft"],
    6: ["the bench is unfit", "error"] };
  const WINDOW_S = 120;
  const now = document.getElementById("now"), told = document.getElementById("told"), template = document.getElementById("card");
  const connection = document.getElementById("connection"), past = document.getElementById("past").tBodies[0];
  const cards = new Map();
  const none = document.getElementById("none");
  let state = null, ahead = 0, connected = false, pastShown = "";

  const make = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className });
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const serverTime = () => Date.now() / 1000 + ahead;
  const clock = (time) => new Date(time * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
  function rough(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 120) return `${whole} s`;
    return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  }
  const spent = (one, limit) => one ? rough(serverTime() - one.since) + (one.limit_s === null ? "" : ` of ${limit} ${rough(one.limit_s)}`) : "";

  // what is worth being said aloud; the rest is only shown
  function tell(text) {
    told.append(make("span", `${text}. `));
    while (told.childElementCount > 5) told.firstElementChild.remove();
  }
  function tellChanges(before, after) {
    const old = new Map(before.now.map((run) => [run.run, run])), next = new Set(after.now.map((run) => run.run));
    for (const run of after.now) {
      const was = old.get(run.run);
      if (!was) tell(`${run.bench} began run ${run.run}`);
      else {
        if (was.answers && !run.answers) tell(`${run.bench} no longer answers`);
        for (const one of run.last.slice(0, Math.max(0, run.done - was.done))) {
          if (["failed", "error"].includes(one.verdict)) tell(`${run.bench}: ${one.verdict}, ${one.test}, ${one.why}`);
        }
      }
    }
    for (const run of after.past) if (old.has(run.run) && !next.has(run.run)) tell(`${run.bench} ended: ${howItEnded(run)[0]}`);
  }

  const howItEnded = (run) => run.ended === null ? ["killed, or its computer went down", "error"] : ENDED[run.exit_code] ?? [`exit code ${run.exit_code}`, "error"];

  function stateInWords(run) {
    if (!run.test && !run.done) return "Starts";
    return run.counts.failed ? "Runs, the device has failed tests" : run.counts.error ? "Runs, with errors" : "Runs, all good so far";
  }

  function cardOf(run) {
    if (!cards.has(run.run)) {
      const element = template.content.firstElementChild.cloneNode(true);
      const parts = Object.fromEntries([...element.querySelectorAll("[data-is]")].map((one) => [one.dataset.is, one]));
      parts.journal.href = `reports/${encodeURIComponent(run.run)}/journal.jsonl`;
      parts.bench.parentElement.id = `run-${run.run}`;
      element.setAttribute("aria-labelledby", `run-${run.run}`);
      cards.set(run.run, { element, parts });
    }
    return cards.get(run.run);
  }

  // what stays the same is left alone, so that focus and selection stay where they are
  function show() {
    for (const name of cards.keys()) if (!state.now.some((run) => run.run === name)) { cards.get(name).element.remove(); cards.delete(name); }
    state.now.forEach((run, number) => {
      const { element } = cardOf(run);
      if (now.children[number] !== element) now.insertBefore(element, now.children[number] ?? null);
      fill(cardOf(run), run);
    });
    none.hidden = state.now.length > 0;
    const told = JSON.stringify(state.past);
    if (told !== pastShown) showPast();
    pastShown = told;
    tick();
  }

  function showPast() {
    past.closest("section").hidden = state.past.length === 0;
    past.replaceChildren(...state.past.map((run) => {
      const row = make("tr", ""), [how, kind] = howItEnded(run), name = make(run.report ? "a" : "span", run.run, "mono");
      if (run.report) name.href = `reports/${encodeURIComponent(run.run)}/index.html`;
      const cells = [make("td", ""), make("td", clock(run.ended ?? run.started)), make("td", how, kind), make("td", "")];
      const bench = make(run.report ? "a" : "span", run.bench);
      if (run.report) { bench.href = name.href; bench.setAttribute("aria-label", `${run.bench}: report of run ${run.run}`); }
      cells[0].append(bench);
      cells[3].append(name);
      row.append(...cells);
      return row;
    }));
  }

  function fill({ element, parts }, run) {
    const bad = (run.counts.failed ?? 0) > 0, wrong = (run.counts.error ?? 0) > 0;
    element.className = `tile ${run.answers ? bad ? "bad" : wrong ? "error" : "good" : "error"}`;
    set(parts.bench, run.bench);
    set(parts.about, run.about);
    parts.progress.max = Math.max(1, run.total);
    parts.progress.value = run.done;
    set(parts.test, run.test ? run.test.what : "between two tests");
    set(parts.kind, run.doing ? run.doing.kind === "wait" ? "Waits for" : run.doing.kind : "Waits for");
    set(parts.what, run.doing ? run.doing.what : "nothing");
    set(parts.states, [run.states.adapter && `adapter ${run.states.adapter}`,
      run.states.link !== undefined && (run.states.link ? "link up" : "no link")].filter(Boolean).join(", ") || "not seen yet");
    set(parts.run, run.run);
    set(parts.started, `Began ${clock(run.started)}`);
    parts.trouble.hidden = run.causes.length === 0;
    parts.causes.replaceChildren(...run.causes.map((cause) => {
      const line = make("li", "");
      line.append(make("span", cause.verdict, cause.verdict), ` ${cause.text} `, make("span", cause.count === 1 ? "1 test" : `${cause.count} tests`, "soft"));
      return line;
    }));
    parts.last.replaceChildren(...run.last.map((one) => {
      const line = make("li", "");
      line.append(make("span", one.verdict, one.verdict), " ", make("span", one.test, "mono"), " ", make("span", rough(one.duration_s), "soft"));
      return line;
    }));
  }

  // what changes with time alone
  function tick() {
    if (!state) return;
    set(connection, connected ? "" : "The connection to hil watch is lost; it is tried again. What is shown may be old.");
    for (const run of state.now) {
      const { parts } = cardOf(run), left = run.over === null || !run.answers ? "" : `, about ${rough(run.over - serverTime())} left`;
      const counts = ["failed", "error", "skipped"].filter((name) => run.counts[name]).map((name) => `, ${run.counts[name]} ${name}`);
      set(parts.counts, `${run.done} of ${run.total} tests${counts.join("")}${left}`);
      set(parts.state, run.answers ? stateInWords(run) : `No longer answers, last seen ${clock(run.last_seen)}`);
      set(parts["test-spent"], run.answers ? spent(run.test, "about") : "");
      set(parts.spent, run.answers ? spent(run.doing, "at most") : "");
      const limited = run.answers && run.doing && run.doing.limit_s;
      parts.deadline.hidden = !limited;
      if (limited) {
        parts.deadline.max = run.doing.limit_s;
        parts.deadline.value = serverTime() - run.doing.since;
      }
      draw(parts.figures, run);
    }
    const running = state.now.filter((run) => run.answers), bad = running.reduce((sum, run) => sum + (run.counts.failed ?? 0), 0);
    document.title = running.length ? `${running.length} running${bad ? `, ${bad} failed` : ""} - hil watch` : "hil watch";
  }

  // sparklines: a value holds until the next one; null is a gap
  function draw(place, run) {
    const end = run.answers ? serverTime() : run.last_seen, shown = FIGURES.filter(([name]) => run.samples[name]);
    if (place.childElementCount !== shown.length) place.replaceChildren(...shown.map(() => figure()));
    shown.forEach(([name, word, unit], number) => {
      const points = run.samples[name], last = points.at(-1)[1], box = place.children[number];
      const most = Math.max(1, ...points.map((point) => point[1] ?? 0));
      const x = (at) => Math.max(0, (at - end + WINDOW_S) / WINDOW_S * 100), y = (value) => 29 - value / most * 28;
      let path = "", gap = true;
      points.forEach(([at, value], index) => {
        const until = points[index + 1]?.[0] ?? end;
        if (value !== null && until >= end - WINDOW_S) {
          path += `${gap ? "M" : "L"}${x(at).toFixed(2)} ${y(value).toFixed(1)}H${x(until).toFixed(2)}`;
        }
        gap = value === null;
      });
      box.querySelector("path").setAttribute("d", path);
      set(box.querySelector("p"), `${word} ${last === null ? "not known" : `${+last.toPrecision(4)} ${unit}`}, at most ${+most.toPrecision(4)}`);
    });
  }
  function figure() {
    const box = make("div", ""), picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    picture.setAttribute("viewBox", "0 0 100 30");
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    path.setAttribute("class", "series-1");
    picture.append(path);
    box.append(make("p", "", "soft"), picture);
    return box;
  }

  function listen() {
    const events = new EventSource("events");
    events.onmessage = (event) => {
      const next = JSON.parse(event.data);
      ahead = next.time - Date.now() / 1000;
      connected = true;
      if (state) tellChanges(state, next);
      state = next;
      show();
    };
    events.onerror = () => {
      connected = false;
      tick();
      // a browser tries again by itself, but for an answer that was no stream
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  }
  setInterval(tick, 500);
  listen();
})();
