// The icicle: a box for each path, callers above what they call, as wide as their time.

import { colourOf, scheme } from "./colours.js";
import { cutLeft, count } from "./format.js";
import { MANY, change, changeText, errorShare, overlaps, perRoot } from "./measures.js";

const ROW = 23;
const GAP = 1;
/** Narrower boxes are not drawn one by one, and narrower ones have no text. */
const NARROWEST = 0.7;
const NARROWEST_TEXT = 26;
const ZOOM_MS = 120;
const FONT = '12px system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif';
const MOST_ROWS = 200;

export class Chart {
  /** `on`: hover(node), select(node), zoom(node). */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.on = on;
    this.top = null;
    this.boxes = [];
    this.widths = new Map();
    this.from = null;
    this.hovered = null;
    this.shown = {};
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    canvas.addEventListener("pointermove", (event) => on.hover(this.at(event)));
    canvas.addEventListener("pointerleave", () => on.hover(null));
    canvas.addEventListener("click", (event) => {
      const node = this.at(event);
      if (node) on.zoom(node);
    });
    canvas.addEventListener("dblclick", (event) => {
      const node = this.at(event);
      if (node) on.select(node);
    });
  }

  /** Shows trees; `shown` has zoom, selected, hovered, matches, colour, comparing, upward. */
  show(trees, shown) {
    const zoomed = this.shown.zoom !== shown.zoom && this.trees?.[0] === trees[0];
    if (zoomed && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.from = { view: this.view(this.trees[0], this.shown.zoom), since: performance.now() };
    }
    this.trees = trees;
    this.shown = shown;
    this.draw();
  }

  /** The part of the whole width that a node takes. */
  view(tree, node) {
    if (!node || !node.isWithin(tree)) return [0, 1];
    const line = [node, ...node.ancestors()].reverse();
    let [begin, width] = [0, 1];
    for (let step = 1; step < line.length; step++) {
      const parent = line[step - 1];
      if (!(parent.weight > 0)) return [0, 1];
      const scale = width / parent.weight;
      for (const child of parent.children) {
        if (child === line[step]) break;
        begin += child.weight * scale;
      }
      width = line[step].weight * scale;
    }
    return width > 0 ? [begin, begin + width] : [0, 1];
  }

  draw() {
    if (!this.trees) return;
    const { clientWidth: width } = this.canvas.parentElement;
    if (!width) return;
    const progress = this.from ? Math.min(1, (performance.now() - this.from.since) / ZOOM_MS) : 1;
    this.boxes = [];
    let row = 0;
    for (const [place, tree] of this.trees.entries()) {
      // The function that both trees begin with is drawn once.
      if (place > 0) row -= 1;
      let view = this.view(tree, this.shown.zoom);
      if (this.from && progress < 1) {
        const eased = 1 - (1 - progress) ** 3;
        view = view.map((end, side) => this.from.view[side] + (end - this.from.view[side]) * eased);
      }
      row = this.place(tree, view, width, row);
    }
    if (this.shown.upward && this.trees.length === 2) this.turn();
    this.paint(width, Math.max(row, 1) * ROW);
    if (progress < 1) requestAnimationFrame(() => this.draw());
    else this.from = null;
  }

  /** Works out the boxes of a tree from a row on; returns the row below the last one. */
  place(tree, [begin, end], width, row) {
    const scale = width / (end - begin);
    let last = row;
    const boxes = this.boxes;
    const walk = (node, x, wide, at) => {
      if (at - row >= MOST_ROWS) return;
      last = Math.max(last, at + 1);
      const left = Math.max(0, x);
      const right = Math.min(width, x + wide);
      const isAgain = node === tree && tree !== this.trees[0];
      if (!isAgain) boxes.push({ node, tree, x: left, y: at * ROW, w: right - left });
      if (!(node.weight > 0)) return;
      const part = wide / node.weight;
      let childX = x;
      let rest = 0;
      let restX = x;
      for (const child of node.children) {
        const childWide = child.weight * part;
        if (childX + childWide > 0 && childX < width) {
          if (childWide >= NARROWEST) walk(child, childX, childWide, at + 1);
          else {
            if (rest === 0) restX = childX;
            rest += childWide;
          }
        }
        childX += childWide;
      }
      if (rest >= NARROWEST) {
        last = Math.max(last, at + 2);
        boxes.push({ node: null, tree, x: restX, y: (at + 1) * ROW, w: Math.min(rest, width - restX) });
      }
    };
    if (tree.weight > 0) walk(tree, -begin * scale, scale, row);
    return last;
  }

  /** Turns the first tree upside down: callers stand above the function. */
  turn() {
    const own = this.boxes.filter((box) => box.tree === this.trees[0]);
    const height = Math.max(0, ...own.map((box) => box.y));
    for (const box of own) box.y = height - box.y;
  }

  paint(width, height) {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.height = `${height}px`;
    }
    const colours = scheme();
    const { selected, hovered, matches, colour, comparing } = this.shown;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = FONT;
    context.textBaseline = "middle";
    for (const box of this.boxes) {
      const { node, x, y, w: wide } = box;
      const shownWide = Math.max(0.5, wide - (wide > 3 ? GAP : 0));
      context.globalAlpha = matches && !(node && matches.has(node)) ? colours.dim : 1;
      context.fillStyle = node ? colourOf(node, colour, comparing) : colours.grey;
      context.fillRect(x, y, shownWide, ROW - GAP);
      if (!node) continue;
      const failing = errorShare(node);
      if (failing > 0 && wide > 4 && node.depth > 0) this.hatch(box, failing, colours.hatch);
      if (wide >= NARROWEST_TEXT) this.label(box, colours);
    }
    context.globalAlpha = 1;
    for (const { node, x, y, w: wide } of this.boxes) {
      if (!node) continue;
      if (comparing && node.depth && change(node, comparing)?.kind === "new" && wide > 4) {
        context.setLineDash([4, 3]);
        this.outline(x, y, wide, colours.accent, 1);
        context.setLineDash([]);
      }
      if (node === selected) this.outline(x, y, wide, colours.accent, 2);
      else if (node === hovered) this.outline(x, y, wide, colours.text, 1);
    }
  }

  outline(x, y, wide, style, line) {
    const { context } = this;
    context.strokeStyle = style;
    context.lineWidth = line;
    const inset = line / 2;
    context.strokeRect(x + inset, y + inset, Math.max(1, wide - GAP - line), ROW - GAP - line);
  }

  /** Stripes over the share of the calls that failed, from the right. */
  hatch({ x, y, w: wide }, share, style) {
    const { context } = this;
    const part = Math.max(3, (wide - GAP) * share);
    context.save();
    context.beginPath();
    context.rect(x + wide - GAP - part, y + ROW - GAP - 6, part, 6);
    context.clip();
    context.strokeStyle = style;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let at = x + wide - part - 8; at < x + wide + 2; at += 5) {
      context.moveTo(at, y + ROW);
      context.lineTo(at + 8, y + ROW - 9);
    }
    context.stroke();
    context.restore();
  }

  label({ node, x, y, w: wide }, colours) {
    const { context } = this;
    const room = wide - 10;
    let end = "";
    if (node.depth > 1) {
      const each = perRoot(node);
      if (each >= 1.95) end = `×${count(each)}`;
    }
    if (this.shown.colour === "change") {
      const text = changeText(node, this.shown.comparing);
      if (text.length > 1) end = end ? `${end} ${text}` : text;
    }
    if (overlaps(node) && node.depth > 0) end = end ? `${end} ‖` : "‖";
    const width = (text) => this.width(text);
    context.fillStyle = colours.text;
    const endWidth = end ? width(end) + 8 : 0;
    const many = end.startsWith("×") && perRoot(node) >= MANY;
    if (end && endWidth + 14 > room) {
      // The mark tells more than three letters of a name.
      if (many && width(end) <= room) context.fillText(end, x + 5, y + ROW / 2);
      else this.text(node.name, x, y, room);
      return;
    }
    this.text(node.name, x, y, room - endWidth);
    if (!end) return;
    if (many) context.font = `bold ${FONT}`;
    context.fillText(end, x + wide - 5 - this.context.measureText(end).width, y + ROW / 2);
    if (many) context.font = FONT;
  }

  text(name, x, y, room) {
    const text = cutLeft(name, room, (part) => this.width(part));
    if (text) this.context.fillText(text, x + 5, y + ROW / 2);
  }

  width(text) {
    let width = this.widths.get(text);
    if (width === undefined) {
      if (this.widths.size > 20000) this.widths.clear();
      width = this.context.measureText(text).width;
      this.widths.set(text, width);
    }
    return width;
  }

  at(event) {
    const { offsetX: x, offsetY: y } = event;
    const box = this.boxes.find(
      (one) => one.node && x >= one.x && x < one.x + one.w && y >= one.y && y < one.y + ROW,
    );
    return box?.node ?? null;
  }

  /** Scrolls to the box of a node. */
  reveal(node) {
    const box = this.boxes.find((one) => one.node === node);
    if (!box) return;
    const section = this.canvas.parentElement;
    if (box.y < section.scrollTop) section.scrollTop = box.y;
    const below = box.y + ROW - section.clientHeight;
    if (below > section.scrollTop) section.scrollTop = below;
  }
}
