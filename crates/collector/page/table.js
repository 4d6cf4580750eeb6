// The table of paths: an ARIA treegrid, of which only the rows in sight are there.

import { count, number, percent, time } from "./format.js";
import { MANY, change, changeText, errorShare, mean, perRoot, perRootText, share } from "./measures.js";

const ROW = 26;
const SPARE = 6;

/** Columns: name, title, text and number (to sort by) of a node, and what marks a cell. */
export const COLUMNS = [
  { key: "rate", title: "calls/s", number: (node) => node.now.calls, text: (node, at) => number(node.now.calls / at.seconds) },
  {
    key: "perRoot",
    title: "per root",
    hint: "calls for one call of the root: mean (largest)",
    number: (node) => (node.depth ? perRoot(node) : 0),
    text: (node, at) => (at.sandwich ? "" : perRootText(node)),
    mark: (node, at) => (!at.sandwich && node.depth > 1 && perRoot(node) >= MANY ? "many" : ""),
  },
  { key: "mean", title: "mean", number: (node) => mean(node.now), text: (node) => time(mean(node.now)) },
  { key: "p50", title: "p50", number: (node) => node.now.p50, text: (node) => quantile(node.now.p50) },
  { key: "p95", title: "p95", number: (node) => node.now.p95, text: (node) => quantile(node.now.p95) },
  { key: "p99", title: "p99", number: (node) => node.now.p99, text: (node) => quantile(node.now.p99) },
  {
    key: "errors",
    title: "errors",
    number: (node) => errorShare(node),
    text: (node) => percent(errorShare(node)),
    mark: (node) => (node.now.errors ? "failing" : "none"),
  },
  { key: "self", title: "self", number: (node) => node.self, text: (node, at) => (at.sandwich && node.isWithin(at.sandwich.callers) ? "" : time(node.self)) },
  { key: "total", title: "total", number: (node) => node.weight, text: (node) => time(node.now.total) },
  {
    key: "share",
    title: "share",
    hint: "share of the root's time",
    number: (node) => share(node),
    text: (node, at) => percent(at.sandwich ? node.weight / (at.top.weight || 1) : share(node)),
  },
  {
    key: "change",
    title: "change",
    hint: "of the mean, since the other window",
    number: (node) => {
      const found = change(node, true);
      return found && ["slower", "faster"].includes(found.kind) ? found.ratio : 0;
    },
    text: (node, at) => changeText(node, at.comparing),
    mark: (node, at) => change(node, at.comparing)?.kind ?? "",
  },
];

function quantile(seconds) {
  return Number.isNaN(seconds) ? "–" : time(seconds);
}

function element(tag, role, className = "") {
  const made = document.createElement(tag);
  if (role) made.setAttribute("role", role);
  made.className = className;
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class Table {
  /** `on`: hover(node), select(node), zoom(node), toggle(node), sort(key). */
  constructor(section, on) {
    this.on = on;
    this.rows = [];
    this.pool = [];
    this.grid = element("div", "treegrid", "grid");
    this.grid.setAttribute("aria-label", "Call paths");
    this.grid.setAttribute("aria-colcount", String(COLUMNS.length + 1));
    this.head = element("div", "row", "row head");
    this.head.setAttribute("aria-rowindex", "1");
    this.heads = [["path", "path", "the call path"], ...COLUMNS.map((one) => [one.key, one.title, one.hint])].map(
      ([key, title, hint]) => {
        const cell = element("div", "columnheader", `cell ${key}`);
        const button = element("button");
        button.type = "button";
        button.textContent = title;
        if (hint) button.title = hint;
        button.addEventListener("click", () => on.sort(key));
        cell.append(button);
        this.head.append(cell);
        return [key, cell];
      },
    );
    this.body = element("div", "rowgroup", "body");
    const headGroup = element("div", "rowgroup", "headgroup");
    headGroup.append(this.head);
    this.grid.append(headGroup, this.body);
    section.append(this.grid);
    this.section = section;
    section.addEventListener("scroll", () => this.fill());
    new ResizeObserver(() => this.fill()).observe(section);
    window.addEventListener("scroll", () => this.fill(), { passive: true });
    this.grid.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("pointerleave", () => on.hover(null));
  }

  /** Shows rows: `{node, level, open}`, open null without children; `at` has what cells need. */
  show(rows, at) {
    this.rows = rows;
    this.at = at;
    this.places = new Map(rows.map((row, place) => [row.node, place]));
    this.grid.setAttribute("aria-rowcount", String(rows.length + 1));
    this.grid.classList.toggle("comparing", at.comparing);
    this.body.style.height = `${rows.length * ROW}px`;
    for (const [key, cell] of this.heads) {
      cell.setAttribute("aria-sort", key === at.sort ? (key === "path" ? "ascending" : "descending") : "none");
    }
    this.fill();
  }

  /** Makes the rows in sight be there. */
  fill() {
    if (!this.at) return;
    const inner = this.section.scrollHeight > this.section.clientHeight + 1;
    const top = inner ? this.section.scrollTop : Math.max(0, -this.section.getBoundingClientRect().top);
    const height = inner ? this.section.clientHeight : window.innerHeight;
    const first = Math.max(0, Math.floor(top / ROW) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((top + height) / ROW) + SPARE);
    const focused = this.rows.findIndex((row) => row.node === this.at.selected);
    const tabStop = focused >= 0 ? focused : 0;
    const wanted = new Set();
    for (let place = first; place < last; place++) wanted.add(place);
    // The one that has the focus stays, wherever it is scrolled to.
    if (this.rows.length) wanted.add(tabStop);
    const free = this.pool.filter((one) => !wanted.has(one.place));
    const by = new Map(this.pool.filter((one) => wanted.has(one.place)).map((one) => [one.place, one]));
    for (const place of [...wanted].sort((one, other) => one - other)) {
      const drawn = by.get(place) ?? free.pop() ?? this.make();
      this.write(drawn, place, place === tabStop);
    }
    for (const one of free) {
      one.place = -1;
      one.row.hidden = true;
    }
  }

  make() {
    const row = element("div", "row", "row");
    const path = element("div", "rowheader", "cell path");
    const bar = element("span", "", "share-bar");
    const fill = element("span", "", "share-fill");
    bar.append(fill);
    const indent = element("span", "", "indent");
    const arrow = element("span", "", "arrow");
    const name = element("span", "", "name");
    arrow.setAttribute("aria-hidden", "true");
    bar.setAttribute("aria-hidden", "true");
    path.append(bar, indent, arrow, name);
    row.append(path);
    const cells = COLUMNS.map((column) => {
      const cell = element("div", "gridcell", `cell ${column.key}`);
      row.append(cell);
      return cell;
    });
    const drawn = { row, fill, indent, arrow, name, cells, place: -1, node: null };
    row.addEventListener("pointerenter", () => this.on.hover(drawn.node));
    row.addEventListener("click", () => {
      this.on.select(drawn.node);
      this.focus(drawn.node);
    });
    row.addEventListener("dblclick", () => this.on.zoom(drawn.node));
    arrow.addEventListener("click", (event) => {
      event.stopPropagation();
      this.on.toggle(drawn.node);
    });
    row.addEventListener("focus", () => this.on.select(drawn.node));
    this.body.append(row);
    this.pool.push(drawn);
    return drawn;
  }

  write(drawn, place, isTabStop) {
    const { node, level, open, label } = this.rows[place];
    const { row, fill, indent, arrow, name, cells } = drawn;
    const { at } = this;
    drawn.place = place;
    drawn.node = node;
    row.hidden = false;
    row.style.transform = `translateY(${place * ROW}px)`;
    row.tabIndex = isTabStop ? 0 : -1;
    row.setAttribute("aria-rowindex", String(place + 2));
    row.setAttribute("aria-level", String(level));
    if (open === null) row.removeAttribute("aria-expanded");
    else row.setAttribute("aria-expanded", String(open));
    row.setAttribute("aria-selected", String(node === at.selected));
    row.classList.toggle("hovered", node === at.hovered);
    row.classList.toggle("dim", Boolean(at.matches) && !at.matches.has(node));
    row.classList.toggle("gone", !node.now.calls && node.before.calls > 0);
    indent.style.width = `${(level - 1) * 14}px`;
    setText(arrow, open === null ? "" : open ? "▾" : "▸");
    setText(name, label ?? node.name);
    name.title = node.path;
    fill.style.width = `${Math.min(1, node.weight / (at.top.weight || 1)) * 100}%`;
    COLUMNS.forEach((column, index) => {
      setText(cells[index], column.text(node, at));
      const mark = column.mark?.(node, at) ?? (cells[index].textContent === "0" ? "none" : "");
      const className = `cell ${column.key}${mark ? ` ${mark}` : ""}`;
      if (cells[index].className !== className) cells[index].className = className;
    });
  }

  /** Moves the focus to the row of a node. */
  focus(node) {
    this.reveal(node);
    this.pool.find((one) => one.node === node && !one.row.hidden)?.row.focus({ preventScroll: true });
  }

  reveal(node) {
    const place = this.places?.get(node);
    if (place === undefined) return;
    const head = this.head.offsetHeight;
    const { section } = this;
    const [top, bottom] = [place * ROW, (place + 1) * ROW + head];
    if (top < section.scrollTop) section.scrollTop = top;
    else if (bottom > section.scrollTop + section.clientHeight) {
      section.scrollTop = bottom - section.clientHeight;
    }
    this.fill();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.matches('[role="row"]')) return;
    this.on.settle();
    const place = this.rows.findIndex((row) => row.node === this.at.selected);
    const row = this.rows[place];
    const page = Math.max(1, Math.floor(this.section.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const move = moves[event.key];
    let to = null;
    if (move !== undefined) to = Math.max(0, Math.min(this.rows.length - 1, place + move));
    else if (event.key === "ArrowRight" && row) {
      if (row.open === false) this.on.toggle(row.node);
      else if (row.open) to = place + 1;
    } else if (event.key === "ArrowLeft" && row) {
      if (row.open) this.on.toggle(row.node);
      else to = this.rows.slice(0, place).findLastIndex((other) => other.level < row.level);
    } else if (event.key === "Enter" && row) this.on.zoom(row.node);
    else return;
    event.preventDefault();
    if (to !== null && this.rows[to]) {
      this.on.select(this.rows[to].node);
      this.focus(this.rows[to].node);
    }
  }
}
