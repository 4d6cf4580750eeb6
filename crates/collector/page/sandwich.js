// One function, wherever it is called: all callers above it, all that it calls below.

import { Node, sum } from "./tree.js";

const KEYS = ["calls", "errors", "total"];

function added(numbers, more) {
  const sums = { largest: Math.max(numbers.largest, more.largest), p50: NaN, p95: NaN, p99: NaN };
  for (const key of KEYS) sums[key] = numbers[key] + more[key];
  return sums;
}

class Builder {
  constructor() {
    this.list = [];
  }

  node(name, path, parent) {
    const node = new Node(name, path, parent);
    node.ids = []; // Of the paths that are counted here.
    parent?.children.push(node);
    this.list.push(node);
    return node;
  }

  child(parent, name, path) {
    const known = parent.byName?.get(name);
    if (known) return known;
    parent.byName ??= new Map();
    const node = this.node(name, path, parent);
    parent.byName.set(name, node);
    return node;
  }

  count(node, from) {
    node.now = added(node.now, from.now);
    node.before = added(node.before, from.before);
    if (from.id !== null) node.ids.push(from.id);
  }

  callees(into, from) {
    for (const child of from.children) {
      const node = this.child(into, child.name, `${into.path}.${child.name}`);
      this.count(node, child);
      this.callees(node, child);
    }
  }

  /** Callers, each with the time of the function when it was called from there. */
  callers(into, from) {
    let at = into;
    for (const caller of from.ancestors()) {
      if (caller.depth === 0) break;
      at = this.child(at, caller.name, caller.path);
      this.count(at, from);
    }
  }
}

/**
 * `{callers, callees}`: trees whose first node is the function, in all paths that end with `name`.
 * `spread` has the buckets of their quantiles.
 */
export function sandwich(tree, name, width, spread) {
  const builders = [new Builder(), new Builder()];
  const [callers, callees] = builders.map((builder) => builder.node(name, name, null));
  for (const node of tree.list) {
    if (node.name !== name || node.depth === 0) continue;
    builders[0].count(callers, node);
    builders[0].callers(callers, node);
    // One that calls itself is counted with the call that it is part of.
    if ([...node.ancestors()].some((other) => other.name === name)) continue;
    builders[1].count(callees, node);
    builders[1].callees(callees, node);
  }
  for (const builder of builders) {
    sum(builder.list, width === "self" ? "time" : width);
    for (const node of builder.list) {
      node.children.sort((one, other) => other.weight - one.weight);
      if (node.now.calls) Object.assign(node.now, spread.quantiles(node.ids));
    }
  }
  return { callers, callees };
}
