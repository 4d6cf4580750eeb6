// What is shown, as files for other programs.

function stackOf(node) {
  return [...node.ancestors()].reverse().slice(1).concat(node);
}

/** Folded stacks, as flame graph programs read them: self time in microseconds. */
export function folded(tree) {
  const lines = [];
  for (const node of tree.list) {
    const self = Math.round(node.self * 1e6);
    if (node.depth < 1 || self <= 0) continue;
    lines.push(`${stackOf(node).map((one) => one.name.replace(/[;\n]/g, "_")).join(";")} ${self}`);
  }
  return `${lines.join("\n")}\n`;
}

/** For https://www.speedscope.app: one sample for each path, as heavy as its self time. */
export function speedscope(tree, name) {
  const frames = [];
  const places = new Map();
  const samples = [];
  const weights = [];
  const place = (node) => {
    if (!places.has(node.name)) {
      places.set(node.name, frames.length);
      frames.push({ name: node.name });
    }
    return places.get(node.name);
  };
  for (const node of tree.list) {
    if (node.depth < 1 || !(node.self > 0)) continue;
    samples.push(stackOf(node).map(place));
    weights.push(node.self);
  }
  const endValue = weights.reduce((sum, weight) => sum + weight, 0);
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    exporter: "phanos",
    name,
    shared: { frames },
    profiles: [{ type: "sampled", name, unit: "seconds", startValue: 0, endValue, samples, weights }],
  });
}

/** All numbers, in seconds. */
export function json(tree, answer) {
  const paths = tree.list.filter((node) => node.depth > 0 && node.lives);
  return JSON.stringify(
    {
      job: answer.job,
      window: answer.window,
      compare: answer.compare,
      paths: paths.map((node) => ({
        path: node.path,
        ...node.now,
        self: node.self,
        ...(answer.compare ? { before: node.before } : {}),
      })),
    },
    null,
    1,
  );
}

/** Has the browser keep text as a file. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
