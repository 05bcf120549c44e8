"use strict";
// From the journal's records of one test to what a timeline shows: items in lanes, and series of samples.
const LANES = [
  ["steps", "Steps"], ["windows", "Commands to Windows"], ["instruments", "Instruments"], ["link", "Link and adapter"],
  ["traffic", "Traffic"], ["rate", "Rate, Mbit/s"], ["watts", "Power, W"], ["load", "Processors, %"],
  ["events", "Windows events"], ["captures", "Captures"], ["seen", "Seen"],
];
const LANE_OF = {
  step: "steps", wait: "steps", undo: "steps", run: "steps", command: "windows", instrument: "instruments",
  traffic: "traffic", capture: "captures", event: "events",
};
const SERIES_OF = {
  wire: [["rate", "sent_mbps", "sent by the machine"], ["rate", "received_mbps", "received"]],
  watts: [["watts", "watts", "drawn"]], windows: [["load", "load_percent", "busy"]],
};
const FRAME = new Set(["t_s", "utc", "phase", "kind", "what", "id", "parent", "test", "duration_s"]);

// All of one test. Times are seconds since its start.
function readItems(records) {
  const zero = records.length ? (records.find((one) => one.kind === "test") ?? records[0]).t_s : 0;
  const items = [], open = new Map(), series = new Map(), states = new Map();
  let end = 0;
  for (const record of records) {
    const at = record.t_s - zero - (record.age_s ?? 0);
    if (record.kind === "test") {
      end = Math.max(end, at);
    } else if (record.kind === "sample") {
      addSample(record, at, items, series, states);
    } else if (record.phase === "end") {
      const item = open.get(record.id);
      if (!item) continue;
      Object.assign(item, { to: at, error: record.error ?? "", records: [...item.records, record] });
    } else {
      const item = {
        lane: LANE_OF[record.kind] ?? "seen", kind: record.kind, what: record.what, at, to: at + (record.lasted_s ?? 0), records: [record],
        depth: (open.get(record.parent)?.depth ?? -1) + 1, error: ["error", "failing"].includes(record.kind) ? record.what : record.error ?? "",
        spread: record.uncertainty_s && record.kind === "event" ? record.uncertainty_s : 0,
        serious: record.kind === "event" && record.level > 0 && record.level < 3,
      };
      items.push(item);
      if (record.phase === "start") {
        item.to = null;
        open.set(record.id, item);
      }
    }
    if (record.kind !== "event") end = Math.max(end, at);
  }
  for (const item of items) item.to ??= end;
  items.push(...[...states.values()].flatMap((state) => closed(state, end)));
  items.sort((one, other) => one.at - other.at || other.to - one.to);
  return { items, series: [...series.values()], end: Math.max(end, 0.001), begin: Math.min(0, items[0]?.at ?? 0) };
}

function addSample(record, at, items, series, states) {
  if (record.missing) {
    items.push({ lane: "seen", kind: "sample", what: `${record.what} could not be sampled: ${record.missing}`, at, to: at,
      records: [record], depth: 0, error: "", spread: 0 });
  }
  for (const [lane, field, name] of SERIES_OF[record.what] ?? []) {
    if (!series.has(field)) series.set(field, { lane, field, name, points: [] });
    if (record[field] !== undefined) series.get(field).points.push([at, record[field]]);
    else if (record.missing) series.get(field).points.push([at, null]);
  }
  if (record.link !== undefined) addState(states, "link", at, record.link ? "partner: link up" : "partner: no link", !record.link, record);
  if (record.adapter !== undefined) addState(states, "adapter", at, `adapter: ${record.adapter}`, record.adapter !== "Up", record);
}

// A state lasts until the next sample says something else.
function addState(states, name, at, what, down, record) {
  const known = states.get(name) ?? [];
  if (known.at(-1)?.what !== what) {
    known.push({ lane: "link", kind: name, what, at, down, records: [record], depth: name === "link" ? 0 : 1, error: "", spread: 0 });
  }
  states.set(name, known);
}

function closed(state, end) {
  return state.map((item, index) => ({ ...item, to: state[index + 1]?.at ?? end }));
}

// The fields of an item that are not in its frame, as text.
function fieldsOf(item) {
  const fields = Object.assign({}, ...item.records);
  return Object.entries(fields).filter(([name, value]) => !FRAME.has(name) && value !== null && value !== "")
    .map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]);
}

function inWords(item) {
  const took = item.to > item.at && item.lane !== "link" ? `, took ${duration(item.to - item.at)}` : "";
  const spread = item.spread ? `, known to ± ${duration(item.spread)}` : "";
  return `${item.kind} at ${item.at.toFixed(3)} s${spread}${took}: ${item.what}${item.error && item.error !== item.what ? `\n${item.error}` : ""}`;
}
