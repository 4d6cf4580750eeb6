// The page: one view, from the address; numbers, from the stream; both drawn once a frame.

import * as address from "./address.js";
import { Chart } from "./chart.js";
import { onSchemeChange } from "./colours.js";
import { detailText, liveText, notices, showEmpty, showFindings, showNotices } from "./detail.js";
import * as exporting from "./exports.js";
import { clock, number, percent } from "./format.js";
import { describe, findings, promql } from "./measures.js";
import { sandwich } from "./sandwich.js";
import { Spread } from "./spread.js";
import { Stream, keepToken } from "./stream.js";
import { COLUMNS, Table } from "./table.js";
import { Tree } from "./tree.js";

/** Rows keep their places for so long after the pointer has moved over them. */
const STILL_MS = 5000;
/** Paths that are open at first: those with so much of all time, up to so many. */
const OPEN_SHARE = 0.03;
const OPEN_ROWS = 24;

const WINDOWS = [["1m", "last minute"], ["5m", "last 5 min"], ["15m", "last 15 min"], ["1h", "last hour"], ["6h", "last 6 hours"], ["all", "since the start"]];
const COMPARES = [["before", "the time before"], ["hour", "the hour before"], ["day", "a day ago"], ["none", "nothing"], ["other", "another time…"]];

const get = (id) => document.getElementById(id);
const page = Object.fromEntries(
  ["job", "window", "compare", "live", "pause", "search", "found", "width", "colour", "export", "help", "notices", "empty", "findings", "crumbs", "chart", "icicle", "detail", "detail-path", "detail-text", "zoom", "sandwich", "copy-text", "copy-promql", "copied", "table", "keys", "keys-close", "other", "other-form", "other-window", "other-compare", "token", "token-text", "token-form"].map((id) => [id, get(id)]),
);

let view = address.read();
let tree = new Tree();
let answer = null; // The newest.
let sides = null; // Callers and callees, while they are shown.
let state = "connecting";
let since = Date.now();
let refusal = "";
let hovered = null;
let selected = null;
let open = new Set();
let opened = false;
let sidesOpened = "";
let pattern = null;
let matches = null;
let touched = 0;
let pending = false;

const spread = new Spread(draw);
const stream = new Stream({
  answer(newest) {
    if (newest.whole) begin();
    const isFirst = answer === null;
    answer = newest;
    refusal = "";
    state = "live";
    tree.apply(newest);
    tree.sum(width());
    if (isFirst || performance.now() - touched > STILL_MS) sort();
    if (isFirst) find();
    draw();
  },
  lost(reason) {
    if (state !== "lost") since = Date.now();
    state = "lost";
    refusal = reason;
    draw();
  },
  refused(text) {
    state = "lost";
    since = Date.now();
    refusal = text.trim();
    draw();
  },
  token() {
    if (!page.token.open) page.token.showModal();
  },
});

/** Forgets numbers: what comes next is all of it. */
function begin() {
  const path = selected?.path ?? view.select;
  tree = new Tree();
  answer = null;
  hovered = null;
  selected = null;
  view.select = path;
  opened = false;
}

function ask() {
  const given = new URLSearchParams({ window: view.window });
  if (view.job) given.set("job", view.job);
  const other = address.compareWindow(view);
  if (other) given.set("compare", other);
  if (state === "paused") page.pause.setAttribute("aria-pressed", "false");
  state = "connecting";
  stream.open(given.toString());
}

const width = () => view.width;
const comparing = () => Boolean(answer?.compare) && overall().hasBefore;
const seconds = () => Math.max(0.001, (answer.window.to - answer.window.from) / 1000);

/** What takes a look at every path: looked at once for each answer, not for each frame. */
const known = { answer: null, calls: 0, hasBefore: false, gone: [], findings: [] };

function overall() {
  if (known.answer === answer) return known;
  Object.assign(known, { answer, calls: 0, hasBefore: false, gone: [] });
  for (const node of tree.list) {
    known.calls += node.now.calls;
    // Without any calls in the other window everything would be new.
    if (node.before.calls > 0) {
      known.hasBefore = true;
      if (!node.now.calls) known.gone.push(node.name);
    }
  }
  known.findings = findings(tree, Boolean(answer.compare) && known.hasBefore);
  return known;
}

function sort() {
  const column = COLUMNS.find((one) => one.key === view.sort);
  if (view.sort === "path") tree.sort(null, true);
  else tree.sort(column ? column.number : (node) => node.weight);
}

function windowName(window) {
  const known = WINDOWS.find(([key]) => key === window);
  return known ? known[1].replace("last", "the last") : window;
}

// --- What is to be seen -------------------------------------------------------------------

function openAtFirst() {
  const all = tree.all.weight || 1;
  const queue = [...tree.all.shown];
  let rows = queue.length;
  while (queue.length && rows < OPEN_ROWS) {
    queue.sort((one, other) => other.weight - one.weight);
    const node = queue.shift();
    if (node.weight / all < OPEN_SHARE) break;
    const children = node.shown;
    if (!children.length) continue;
    open.add(node.path);
    rows += children.length;
    queue.push(...children);
  }
}

/** Callers and callees, made anew with each answer; what was selected stays so. */
function makeSides() {
  spread.ask(answer, view.of);
  const made = [answer, view.of, width(), spread.rows];
  if (sides && made.every((part, place) => part === sides.made[place])) return;
  const before = sides && selected ? key(selected) : null;
  sides = { ...sandwich(tree, view.of, width(), spread), made };
  hovered = null;
  selected = null;
  const queue = before === null ? [] : [sides.callers, sides.callees];
  while (queue.length && !selected) {
    const node = queue.pop();
    if (key(node) === before) selected = node;
    queue.push(...node.children);
  }
}

/** Callers and callees are open down to a screenful, when they are first shown. */
function openSides() {
  if (sidesOpened === view.of) return;
  sidesOpened = view.of;
  const queue = [sides.callers, sides.callees];
  for (let rows = 2; queue.length && rows < OPEN_ROWS; ) {
    const node = queue.shift();
    open.add(key(node));
    rows += node.children.length;
    queue.push(...node.children);
  }
}

function zoomed() {
  return tree.byPath.get(view.zoom) ?? tree.all;
}

/** The rows of the table: what is open, in the order of the tree. */
function rows() {
  const found = [];
  const walk = (node, level, label) => {
    const shown = node.shown.filter((child) => !matches || sides || matches.lines.has(child));
    const isOpen = shown.length > 0 && (open.has(key(node)) || (matches !== null && !sides));
    found.push({ node, level, open: shown.length ? isOpen : null, label });
    if (isOpen) for (const child of shown) walk(child, level + 1);
  };
  if (sides) {
    walk(sides.callers, 1, `${sides.callers.name}: called by`);
    walk(sides.callees, 1, `${sides.callees.name}: calls`);
    return found;
  }
  const top = zoomed();
  if (top.depth) walk(top, 1);
  else for (const node of top.shown) if (!matches || matches.lines.has(node)) walk(node, 1);
  return found;
}

/** By what it is remembered that a node is open. */
function key(node) {
  if (!sides) return node.path;
  const side = node.isWithin(sides.callers) ? "up" : "down";
  return `${side} ${[...node.ancestors()].map((one) => one.name).join(" ")} ${node.name}`;
}

function find() {
  matches = null;
  page.search.removeAttribute("aria-invalid");
  page.found.textContent = "";
  if (!view.search) return;
  try {
    pattern = new RegExp(view.search, "i");
  } catch {
    page.search.setAttribute("aria-invalid", "true");
    page.found.textContent = "no regular expression yet";
    return;
  }
  matches = new Set();
  matches.lines = new Set();
  let time = 0;
  for (const node of tree.list) {
    if (!node.depth || !node.lives || !pattern.test(node.name)) continue;
    matches.add(node);
    matches.lines.add(node);
    let inner = false;
    for (const other of node.ancestors()) {
      matches.lines.add(other);
      inner ||= matches.has(other);
    }
    if (!inner) time += node.weight;
  }
  page.found.textContent = `${matches.size} paths, ${percent(time / (tree.all.weight || 1))}`;
}

function draw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    render();
  });
}

/** Shows what has changed now: the next key is pressed on what the last one led to. */
function settle() {
  if (pending) render();
}

function render() {
  const begun = performance.now();
  page.live.textContent = liveText(state, answer, since, answer ? overall().calls / seconds() : 0);
  page.live.dataset.state = state;
  const lines = notices(answer?.status);
  if (state === "lost") lines.unshift(["error", `${refusal}. What is shown is from ${clock(since, true)}.`]);
  showNotices(page.notices, lines);
  const isEmpty = answer !== null && !tree.all.lives;
  const hasData = answer !== null && !isEmpty;
  page.empty.hidden = !isEmpty;
  for (const part of [page.chart, page.table]) part.hidden = !hasData;
  if (answer) options();
  if (isEmpty) showEmpty(page.empty, answer, windowName(view.window));
  if (!hasData) {
    page.findings.hidden = page.detail.hidden = page.crumbs.hidden = true;
    return;
  }
  if (!opened) {
    opened = true;
    openAtFirst();
  }
  selected ??= view.select ? tree.byPath.get(view.select) ?? null : null;
  if (matches) find();
  if (view.of) {
    makeSides();
    openSides();
  } else {
    sides = null;
    sidesOpened = "";
  }
  const two = comparing();
  const top = sides ? sides.callees : zoomed();
  const at = { seconds: seconds(), comparing: two, selected, hovered, matches: sides ? null : matches, top: top.weight ? top : tree.all, sort: view.sort, sandwich: sides, otherName: compareName() };
  const colour = view.colour || "function";
  chart.show(sides ? [sides.callers, sides.callees] : [tree.all], { zoom: sides ? null : zoomed(), selected, hovered, matches: at.matches, colour, comparing: two, upward: true });
  tree.all.name = `all · ${number(tree.all.weight / (width() === "calls" ? at.seconds : at.seconds))}${width() === "calls" ? " calls/s" : " s/s"}`;
  table.show(rows(), at);
  showFindings(page.findings, sides ? [] : overall().findings, look);
  crumbs();
  detail(at);
  document.title = answer.job ? `${answer.job} – phanos` : "phanos";
  page.table.dataset.frame = String(Math.round((performance.now() - begun) * 10) / 10);
}

function compareName() {
  return COMPARES.find(([key]) => key === view.compare)?.[1] ?? "the other window";
}

function options() {
  choose(page.job, answer.jobs.map(([job]) => [job, job]), answer.job);
  choose(page.window, WINDOWS, view.window);
  const able = view.window === "all" ? COMPARES.slice(3) : COMPARES;
  choose(page.compare, able, view.window === "all" && address.compareWindow(view) === "" ? "none" : view.compare);
  page.width.value = view.width;
  page.colour.value = view.colour || "function";
  if (document.activeElement !== page.search) page.search.value = view.search;
}

function choose(select, choices, value) {
  const all = choices.some(([key]) => key === value) || !value ? choices : [...choices, [value, value]];
  const wanted = all.map(([key, text]) => `${key}\n${text}`).join("\n\n");
  if (select.dataset.choices !== wanted) {
    select.dataset.choices = wanted;
    select.replaceChildren(...all.map(([key, text]) => new Option(text, key)));
  }
  if (select.value !== value) select.value = value;
}

function crumbs() {
  const node = sides ? null : zoomed();
  page.crumbs.hidden = !view.of && !node?.depth;
  const line = node ? [...node.ancestors()].reverse() : [tree.all];
  const parts = [];
  for (const one of line) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = one.depth ? one.name : "all";
    button.addEventListener("click", () => (sides ? leaveSandwich() : zoom(one)));
    const slash = document.createElement("span");
    slash.textContent = "›";
    parts.push(button, slash);
  }
  const last = document.createElement("strong");
  last.textContent = sides ? `callers and callees of ${view.of}` : (node?.name ?? "");
  const wanted = parts.map((part) => part.textContent).join("") + last.textContent;
  if (page.crumbs.dataset.wanted === wanted) return;
  page.crumbs.dataset.wanted = wanted;
  page.crumbs.replaceChildren(...parts, last);
}

function detail(at) {
  const node = hovered ?? selected;
  page.detail.hidden = false;
  const zoomable = selected?.depth > 0 && !sides;
  page.zoom.hidden = page["copy-promql"].hidden = !zoomable;
  page.sandwich.hidden = page["copy-text"].hidden = !(selected?.depth > 0);
  page.sandwich.textContent = sides ? "Back to the tree" : "Callers and callees";
  page.sandwich.hidden &&= !sides;
  const path = node ? node.path || "all" : windowLine();
  if (page["detail-path"].textContent !== path) page["detail-path"].textContent = path;
  const text = node ? detailText(node, at) : "click a box or a row; ? lists keys";
  if (page["detail-text"].textContent !== text) page["detail-text"].textContent = text;
}

function windowLine() {
  const { from, to } = answer.window;
  const { gone } = overall();
  const lost = gone.length ? ` · gone: ${gone.slice(0, 3).join(", ")}${gone.length > 3 ? "…" : ""}` : "";
  return `${clock(from, true)} – ${clock(to, true)}${lost}`;
}

// --- What is done -------------------------------------------------------------------------

function keep(step = false) {
  address.write({ ...view, select: sides ? view.select : (selected?.path ?? "") }, step);
}

function select(node) {
  touched = performance.now();
  if (!node || node === selected) return;
  selected = node;
  if (!sides) for (const one of node.ancestors()) open.add(one.path);
  page.copied.textContent = "";
  keep();
  draw();
}

/** Goes to a finding: selected, in sight, in chart and table. */
function look(node) {
  if (!node.isWithin(zoomed())) view.zoom = "";
  select(node);
  render();
  chart.reveal(node);
  table.reveal(node);
}

function zoom(node) {
  if (sides) return;
  view.zoom = node.path;
  if (node.depth) {
    selected = node;
    open.add(node.path);
  }
  keep(true);
  draw();
}

function zoomOut() {
  const node = zoomed();
  if (node.depth) zoom(node.parent);
}

function toggle(node) {
  if (!open.delete(key(node))) open.add(key(node));
  draw();
}

function showSandwich(node) {
  view.of = node.name;
  selected = null;
  keep(true);
  draw();
}

function leaveSandwich() {
  view.of = "";
  sides = null;
  selected = null;
  keep(true);
  draw();
}

function pause() {
  if (state === "paused") {
    page.pause.setAttribute("aria-pressed", "false");
    ask();
  } else {
    stream.close();
    state = "paused";
    since = Date.now();
    page.pause.setAttribute("aria-pressed", "true");
  }
  draw();
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    page.copied.textContent = `${what} copied`;
  } catch {
    page.copied.textContent = "the browser does not let this page copy";
  }
}

const copyText = () => selected?.depth && copy(describe(selected, seconds(), windowName(view.window)), "text");

function save(kind) {
  const name = `${answer.job || "phanos"}-${view.window}`;
  if (kind === "folded") exporting.save(`${name}.folded`, "text/plain", exporting.folded(tree));
  if (kind === "speedscope") {
    exporting.save(`${name}.speedscope.json`, "application/json", exporting.speedscope(tree, name));
  }
  if (kind === "json") exporting.save(`${name}.json`, "application/json", exporting.json(tree, answer));
}

/** Arrow keys in the chart: up to the caller, down to the callee, sideways. */
function walk(event) {
  const tops = sides ? [sides.callers, sides.callees] : [zoomed()];
  const node = selected ?? tops[0];
  const beside = node.parent ? node.parent.shown.filter((one) => one.weight > 0) : [];
  const place = beside.indexOf(node);
  const next = {
    ArrowUp: () => (tops.includes(node) ? null : node.parent),
    ArrowDown: () => node.shown.find((one) => one.weight > 0),
    ArrowLeft: () => beside[place - 1],
    ArrowRight: () => beside[place + 1],
  }[event.key];
  if (event.key === "Enter" && node.depth) zoom(node);
  else if (!next) return;
  event.preventDefault();
  const to = next?.();
  if (!to) return;
  select(to);
  render();
  chart.reveal(to);
  table.reveal(to);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (typing && page.search.value) {
      page.search.value = "";
      search();
    } else if (typing) event.target.blur();
    else if (sides) leaveSandwich();
    else if (zoomed().depth) zoomOut();
    else if (view.search) {
      page.search.value = "";
      search();
    } else return;
    event.preventDefault();
    return;
  }
  if (typing) return;
  const done = {
    "/": () => page.search.focus(),
    "?": () => page.keys.showModal(),
    p: pause,
    c: copyText,
    s: () => (sides ? leaveSandwich() : selected?.depth && showSandwich(selected)),
  }[event.key];
  if (!done) return;
  event.preventDefault();
  done();
}

function search() {
  view.search = page.search.value.trim();
  find();
  keep();
  draw();
}

// --- From here on it runs -----------------------------------------------------------------

const hover = (node) => {
  touched = performance.now();
  if (node === hovered) return;
  hovered = node;
  draw();
};
const chart = new Chart(page.icicle, { hover, select: (node) => { select(node); render(); table.focus(node); }, zoom });
const table = new Table(page.table, {
  hover,
  select,
  zoom,
  toggle,
  settle,
  sort(column) {
    view.sort = column;
    sort();
    keep();
    draw();
  },
});

function changed(key, value) {
  view[key] = value;
  keep(true);
}

for (const name of ["job", "window", "compare"]) {
  page[name].addEventListener("change", () => {
    if (page[name].value === "other") {
      page[name].value = view.compare;
      page.other.showModal();
      return;
    }
    if (name === "job") view.zoom = view.select = view.of = "";
    if (name === "job") selected = null;
    changed(name, page[name].value);
    if (name === "compare" && view.colour === "" && view.compare !== "none") view.colour = "change";
    ask();
  });
}
page["other-form"].addEventListener("submit", () => {
  if (page["other-window"].value) view.window = page["other-window"].value.trim();
  if (page["other-compare"].value) view.compare = page["other-compare"].value.trim();
  keep(true);
  ask();
});
page.width.addEventListener("change", () => {
  changed("width", page.width.value);
  tree.sum(width());
  sort();
  draw();
});
page.colour.addEventListener("change", () => {
  changed("colour", page.colour.value);
  draw();
});
page.export.addEventListener("change", () => {
  if (answer) save(page.export.value);
  page.export.value = "";
});
page.search.addEventListener("input", search);
page.pause.addEventListener("click", pause);
page.help.addEventListener("click", () => page.keys.showModal());
page["keys-close"].addEventListener("click", () => page.keys.close());
page.zoom.addEventListener("click", () => selected && zoom(selected));
page.sandwich.addEventListener("click", () => (sides ? leaveSandwich() : selected && showSandwich(selected)));
page["copy-text"].addEventListener("click", copyText);
page["copy-promql"].addEventListener("click", () =>
  copy(promql(selected, answer.job, answer.status.job_label, seconds()), "PromQL"));
page["token-form"].addEventListener("click", () => {
  keepToken(page["token-text"].value.trim());
  page["token-text"].value = "";
  ask();
});
page.icicle.addEventListener("keydown", walk);
document.addEventListener("keydown", pressed);
window.addEventListener("popstate", () => {
  const before = view;
  view = address.read();
  selected = null;
  if (["job", "window", "compare"].some((name) => before[name] !== view[name])) ask();
  tree.sum(width());
  sort();
  page.search.value = view.search;
  find();
  draw();
});
onSchemeChange(draw);
choose(page.window, WINDOWS, view.window);
choose(page.compare, COMPARES, view.compare);
page.search.value = view.search;
ask();
draw();
