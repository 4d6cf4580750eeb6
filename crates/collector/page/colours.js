// Colours of boxes. Hues have one lightness and one chroma, so that no box shouts, and text on them
// keeps a contrast of 4.5 and more in light and dark.

import { change, errorShare } from "./measures.js";

function hash(text) {
  let value = 2166136261;
  for (let place = 0; place < text.length; place++) {
    value = Math.imul(value ^ text.charCodeAt(place), 16777619);
  }
  // FNV leaves the last letters in the low bits: mixed, names that differ by one get other hues.
  value ^= value >>> 15;
  value = Math.imul(value, 2246822507);
  return (value ^ (value >>> 13)) >>> 0;
}

const SCHEMES = {
  light: {
    text: "#1a1c1f",
    faint: "#5c6570",
    ground: "#ffffff",
    line: "#ffffff",
    accent: "#1d4ed8",
    hatch: "#b3261e",
    grey: "oklch(0.90 0.006 250)",
    all: "oklch(0.93 0.006 250)",
    dim: 0.25,
    hue: (hue) => `oklch(0.86 0.075 ${hue})`,
    slower: (strength) => `oklch(${0.9 - 0.14 * strength} ${0.02 + 0.13 * strength} 62)`,
    faster: (strength) => `oklch(${0.9 - 0.14 * strength} ${0.02 + 0.1 * strength} 250)`,
    error: (strength) => `oklch(${0.9 - 0.14 * strength} ${0.02 + 0.13 * strength} 25)`,
  },
  dark: {
    text: "#f2f4f6",
    faint: "#a3acb7",
    ground: "#14171b",
    line: "#14171b",
    accent: "#8ab4ff",
    hatch: "#ff9d94",
    grey: "oklch(0.36 0.008 250)",
    all: "oklch(0.30 0.008 250)",
    dim: 0.3,
    hue: (hue) => `oklch(0.42 0.075 ${hue})`,
    slower: (strength) => `oklch(${0.38 + 0.08 * strength} ${0.02 + 0.09 * strength} 62)`,
    faster: (strength) => `oklch(${0.38 + 0.08 * strength} ${0.02 + 0.1 * strength} 250)`,
    error: (strength) => `oklch(${0.38 + 0.06 * strength} ${0.02 + 0.11 * strength} 25)`,
  },
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The colours of now. */
export const scheme = () => (dark.matches ? SCHEMES.dark : SCHEMES.light);

export const onSchemeChange = (listener) => dark.addEventListener("change", listener);

const hues = new Map();

function hueOf(text) {
  let hue = hues.get(text);
  if (hue === undefined) {
    // Steps of five degrees: fewer fill styles to parse.
    hue = (hash(text) % 72) * 5;
    hues.set(text, hue);
  }
  return hue;
}

/** The colour of a node's box: `by` is function, owner, errors or change. */
export function colourOf(node, by, comparing) {
  const colours = scheme();
  if (node.depth === 0 && !node.path) return colours.all;
  if (by === "errors") {
    const share = errorShare(node);
    return share > 0 ? colours.error(Math.min(1, 0.25 + Math.sqrt(share))) : colours.grey;
  }
  if (by === "change") {
    const found = change(node, comparing);
    if (!found || !["slower", "faster"].includes(found.kind)) return colours.grey;
    // Four times as slow is as strong as it gets.
    return colours[found.kind](Math.min(1, 0.2 + Math.abs(Math.log2(found.ratio)) / 2));
  }
  // A root has its owner's hue; so has everything below it, by owner.
  const isRoot = node.name === node.path;
  return colours.hue(hueOf((by === "owner" || isRoot) && node.owner ? node.owner : node.name));
}
