// What is said of a node beside its counts, and what leaps to the eye.

import { count, percent, time, times } from "./format.js";

/** Calls for one call of the root from which on they are marked. */
export const MANY = 10;
/** Below so many calls, or within so much, a change says nothing. */
const FEW = 30;
const NOISE = 1.1;
/** A finding costs so much of all time, at least. */
const MATTERS = 0.005;
/** Children that take so much more than their caller ran at the same time. */
const OVERLAP = 1.02;

export const mean = (numbers) => (numbers.calls ? numbers.total / numbers.calls : 0);

export function perRoot(node, which = "now") {
  const root = node.root;
  return root && root[which].calls ? node[which].calls / root[which].calls : 0;
}

export const errorShare = (node) => (node.now.calls ? node.now.errors / node.now.calls : 0);

export const overlaps = (node) => node.now.calls > 0 && node.inside > node.now.total * OVERLAP;

/** Share of the root's time. */
export function share(node) {
  const root = node.root;
  return root && root.weight ? node.weight / root.weight : 0;
}

/**
 * How a node has changed since the other window: `{kind, ratio}`, kind one of `new`, `gone`, `same`,
 * `slower`, `faster`; null if there is nothing to compare with.
 */
export function change(node, comparing) {
  const { now, before } = node;
  if (!comparing || (!now.calls && !before.calls)) return null;
  if (!before.calls) return { kind: "new", ratio: 1 };
  if (!now.calls) return { kind: "gone", ratio: 1 };
  const ratio = mean(before) > 0 ? mean(now) / mean(before) : 1;
  const noise = Math.min(now.calls, before.calls) < FEW || (ratio < NOISE && ratio > 1 / NOISE);
  if (noise) return { kind: "same", ratio };
  return { kind: ratio > 1 ? "slower" : "faster", ratio };
}

export function changeText(node, comparing) {
  const found = change(node, comparing);
  if (!found) return "";
  const { kind, ratio } = found;
  if (kind === "slower") return `▲ ${times(ratio)}`;
  if (kind === "faster") return `▼ ${times(1 / ratio)}`;
  return kind === "same" ? "·" : kind;
}

/** `48 (96)`: the mean, and the largest if it is more than that. */
export function perRootText(node) {
  if (node.depth < 1 || !node.now.calls || !node.root?.now.calls) return "";
  const average = perRoot(node);
  const text = average >= 9.95 ? count(average) : average.toFixed(1).replace(/\.0$/, "");
  const most = node.now.largest;
  return most > Math.ceil(average) && node.depth > 1 ? `${text} (${count(most)})` : text;
}

/** What is worth a look: `{kind, node, text}`, the worst of each kind first. */
export function findings(tree, comparing) {
  const repeated = [];
  const failing = [];
  const slower = [];
  for (const node of tree.list) {
    if (node.depth < 1 || !node.now.calls) continue;
    if (node.depth > 1 && perRoot(node) >= MANY && perRoot(node) >= 2 * perRoot(node.parent) &&
      node.now.total > MATTERS * tree.all.inside) {
      repeated.push([node.now.total, node]);
    }
    if (node.now.errors >= 3 && errorShare(node) >= 0.02) {
      // Where it began: not in what it was raised through.
      const inner = Math.max(0, ...node.children.map((child) => child.now.errors));
      if (inner < node.now.errors * 0.8) failing.push([node.now.errors, node]);
    }
    const found = change(node, comparing);
    if (found?.kind === "slower" && found.ratio >= 1.25) {
      const own = node.self / node.now.calls - node.selfBefore / node.before.calls;
      // What costs next to nothing is no finding, however slow it got.
      const matters = own * node.now.calls > MATTERS * tree.all.inside;
      if (matters) slower.push([own * node.now.calls, node, found.ratio]);
    }
  }
  const worst = (list, most) => list.sort((one, other) => other[0] - one[0]).slice(0, most);
  return [
    ...worst(slower, 2).map(([, node, ratio]) => ({
      kind: "slower",
      node,
      text: `${times(ratio)} slower: ${time(mean(node.now))} instead of ${time(mean(node.before))}`,
    })),
    ...worst(repeated, 2).map(([, node]) => ({
      kind: "repeated",
      node,
      text: `${perRootText(node)} times per ${node.root.name}`,
    })),
    ...worst(failing, 2).map(([, node]) => ({
      kind: "failing",
      node,
      text: `${percent(errorShare(node))} of calls fail`,
    })),
  ];
}

/** The selection as a few lines for a chat. */
export function describe(node, seconds, span) {
  const { now } = node;
  const lines = [
    node.path,
    `${count(now.calls)} calls in ${span} (${(now.calls / seconds).toPrecision(3)}/s), ` +
      `${time(now.total)} in all, ${time(node.self)} of it own`,
    `mean ${time(mean(now))}, p50 ${time(now.p50)}, p95 ${time(now.p95)}, p99 ${time(now.p99)}`,
  ];
  if (node.depth > 1) lines.push(`${perRootText(node)} per ${node.root.name}`);
  if (now.errors) lines.push(`${count(now.errors)} errors (${percent(errorShare(node))})`);
  return lines.join("\n");
}

/** A line for Prometheus that says the same of the node. */
export function promql(node, job, jobLabel, seconds) {
  const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
  const selector = `${jobLabel}=${quoted(job)},method=${quoted(node.path)}`;
  const range = seconds >= 3600 ? `${Math.round(seconds / 3600)}h` : `${Math.max(1, Math.round(seconds / 60))}m`;
  return `histogram_quantile(0.95, sum by (le) (rate(phanos_time_profiler_seconds_bucket{${selector}}[${range}])))`;
}
