// Grid lines, ticks and labels, on whole pixels.

import { fill, svg } from "./dom.js";
import { number } from "./format.js";
import { roundSteps } from "./scales.js";

const crisp = (pixel) => Math.round(pixel) + 0.5;

/** Texts of the ticks of a y scale, and the room on the left that they need. */
export function yTicks(Y, height, text = (value) => number(value, 5)) {
  const ticks = Y.ticks(Math.max(2, Math.floor(height / 36)));
  const texts = ticks.map(text);
  return { ticks, texts, room: Math.max(30, 12 + 6.6 * Math.max(0, ...texts.map((t) => t.length))) };
}

/** Draws both axes into a group. */
export function drawAxes(group, box, X, Y, labels, { xText = (value) => number(value, 6), whole = true } = {}) {
  const parts = [];
  labels.ticks.forEach((tick, i) => {
    const y = crisp(Y(tick));
    parts.push(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: y, y2: y }));
    parts.push(svg("text", { class: "tick", x: box.left - 6, y, "text-anchor": "end", "dominant-baseline": "central" }, labels.texts[i]));
  });
  const room = Math.max(2, Math.floor((box.right - box.left) / 56));
  for (const tick of roundSteps(X.low, X.high, room, whole ? 1 : 0)) {
    const x = crisp(X(tick));
    parts.push(svg("line", { class: "axis", x1: x, x2: x, y1: box.bottom, y2: box.bottom + 4 }));
    parts.push(svg("text", { class: "tick", x, y: box.bottom + 15, "text-anchor": "middle" }, xText(tick)));
  }
  const y = crisp(box.bottom);
  parts.push(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: y, y2: y }));
  fill(group, parts);
}
