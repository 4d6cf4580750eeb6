// The call tree: a node for each path, numbers of one or two windows.

const NONE = Object.freeze({ calls: 0, errors: 0, total: 0, largest: 0, p50: 0, p95: 0, p99: 0 });

function numbers(row, at) {
  const [calls, errors, total, largest, p50, p95, p99] = row.slice(at, at + 7);
  return { calls, errors, total, largest, p50, p95, p99 };
}

/** One path. `path` is as in the label `method`: `Orders:get.load`. */
export class Node {
  constructor(name, path, parent) {
    this.name = name;
    this.path = path;
    this.id = null; // The collector's number for the path.
    this.parent = parent;
    this.depth = parent ? parent.depth + 1 : 0;
    this.children = [];
    this.now = NONE;
    this.before = NONE;
    // What follows is worked out by `sum`.
    this.self = 0;
    this.selfBefore = 0;
    this.inside = 0; // Time of the children, which may overlap.
    this.weight = 0;
    this.lives = false; // It, or something below it, was called in one of the windows.
  }

  get root() {
    let node = this;
    while (node.depth > 1) node = node.parent;
    return node;
  }

  get owner() {
    return ownerOf(this.path);
  }

  /** Children that were called, in their order. */
  get shown() {
    return this.children.filter((child) => child.lives);
  }

  *ancestors() {
    for (let node = this.parent; node; node = node.parent) yield node;
  }

  isWithin(other) {
    let node = this;
    while (node && node !== other) node = node.parent;
    return node === other;
  }
}

/** Between the names of a path of qualified ones: `Orders.get > Database.query`. */
const QUALIFIED = " > ";

/** The path of the caller and the name of the call; null for a root. */
function callerOf(path) {
  const sign = path.lastIndexOf(QUALIFIED);
  if (sign > 0) return [path.slice(0, sign), path.slice(sign + QUALIFIED.length)];
  const colon = path.indexOf(":");
  const dot = path.lastIndexOf(".");
  // Without an owner before a colon it is one qualified name, whose dots are its own.
  return colon >= 0 && dot > colon ? [path.slice(0, dot), path.slice(dot + 1)] : null;
}

/** The class or module of a path's root: `Orders` of `Orders:get.load` and `Orders.get > load`. */
export function ownerOf(path) {
  const root = path.split(QUALIFIED, 1)[0];
  const colon = root.indexOf(":");
  return root.slice(0, Math.max(0, colon >= 0 ? colon : root.lastIndexOf(".")));
}

export class Tree {
  constructor() {
    this.all = new Node("all", "", null);
    /** Parents come before their children. */
    this.list = [this.all];
    this.byPath = new Map();
    this.byId = new Map();
  }

  /** Takes an answer of the server: all of it, or what has changed. */
  apply(answer) {
    const two = answer.compare !== null;
    for (const [id, path] of answer.paths) {
      const node = this.enter(path);
      node.id = id;
      this.byId.set(id, node);
    }
    for (const row of answer.rows) {
      const node = this.byId.get(row[0]);
      if (!node) continue;
      node.now = numbers(row, 1);
      node.before = two ? numbers(row, 8) : NONE;
    }
  }

  enter(path) {
    const known = this.byPath.get(path);
    if (known) return known;
    const parts = callerOf(path);
    const parent = parts ? this.enter(parts[0]) : this.all;
    const node = new Node(parts ? parts[1] : path, path, parent);
    parent.children.push(node);
    this.byPath.set(path, node);
    this.list.push(node);
    return node;
  }

  /** Works out sums: widths by `time`, `calls` or `self`. */
  sum(width) {
    sum(this.list, width);
  }

  /** Sorts siblings by a number, largest first; by name if `key` is null. */
  sort(key, ascending = false) {
    const sign = ascending ? 1 : -1;
    const compare = key
      ? (one, other) => sign * (key(one) - key(other)) || (one.name < other.name ? -1 : 1)
      : (one, other) => sign * (one.name < other.name ? -1 : 1);
    for (const node of this.list) if (node.children.length > 1) node.children.sort(compare);
  }
}

/** Works out sums of nodes, of which parents come before their children. */
export function sum(list, width) {
  for (const node of list) {
    node.inside = 0;
    node.insideBefore = 0;
    node.weight = 0;
    node.lives = node.now.calls > 0 || node.before.calls > 0;
  }
  for (let place = list.length - 1; place >= 0; place--) {
    const node = list[place];
    const { calls, total } = node.now;
    node.self = Math.max(0, total - node.inside);
    node.selfBefore = Math.max(0, node.before.total - node.insideBefore);
    // Children that ran at the same time take more than their caller, which gets as wide.
    if (width === "self") node.weight += node.self;
    else node.weight = Math.max(node.weight, width === "calls" ? calls : total);
    const parent = node.parent;
    if (!parent) continue;
    // A caller without records of its own, since it still runs, takes what it called.
    parent.inside += calls > 0 ? total : node.inside;
    parent.insideBefore += node.before.calls > 0 ? node.before.total : node.insideBefore;
    parent.weight += node.weight;
    parent.lives ||= node.lives;
  }
}
