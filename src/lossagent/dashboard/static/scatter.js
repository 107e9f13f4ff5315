// Points of two scores against each other, the best compromises joined by a line.

import { drawAxes, yTicks } from "./axes.js";
import { change, el, fill, svg } from "./dom.js";
import { extent, linear } from "./scales.js";
import { outline } from "./shapes.js";
import { makeTooltip } from "./tooltip.js";

const HEIGHT = 460;
const TOP = 10;
const BOTTOM = 26;
const MARKS = [["behind", "dot", 3.5], ["front", "diamond", 5.5], ["selected", "star", 9], ["start", "triangle", 6]];

/** A scatter plot; `update({points, x, y, tell})`, a point is {state, x, y, front, mark}. */
export function makeScatter() {
  const axes = svg("g", { "aria-hidden": "true" });
  const line = svg("path", { class: "line front", "data-layer": "front-line" });
  const paths = Object.fromEntries(MARKS.map(([key]) => [key, svg("path", { class: `mark ${key}`, "data-layer": key })]));
  const ring = svg("circle", { class: "ring", r: 9, cx: -50, cy: -50 });
  const picture = svg("svg", { class: "plot", width: "100%", height: HEIGHT, tabindex: 0, role: "application", "aria-roledescription": "scatter plot" }, axes, line, Object.values(paths), ring);
  const stage = el("div", { class: "stage" }, picture);
  const across = el("p", { class: "axisname" });
  const upward = el("p", { class: "axisname" });
  const node = el("figure", { class: "chart", "data-chart": "pareto" }, upward, stage, across);
  const tooltip = makeTooltip(stage);
  let model = null;
  let placed = [];
  let index = -1;
  let pinned = false;
  let width = 0;
  const watcher = new ResizeObserver(() => {
    if (width === (width = Math.floor(stage.clientWidth))) return;
    draw();
  });
  watcher.observe(stage);

  function update(wanted) {
    model = wanted;
    fill(across, `${wanted.x.name} \u2192 (${wanted.x.better})`);
    fill(upward, `\u2191 ${wanted.y.name} (${wanted.y.better})`);
    change(picture, "aria-label", `${wanted.y.name} against ${wanted.x.name}, ${wanted.points.length} states, ${wanted.points.filter((p) => p.front).length} of them not beaten in both. Arrow keys move along the states.`);
    draw();
  }

  function draw() {
    if (!model || width < 60) return;
    const [low, high] = extent(model.points.map((p) => p.x));
    const [bottom, top] = extent(model.points.map((p) => p.y));
    const Y = linear(bottom, top, HEIGHT - BOTTOM, TOP);
    const labels = yTicks(Y, HEIGHT - TOP - BOTTOM);
    const box = { left: Math.round(labels.room), right: width - 12, top: TOP, bottom: HEIGHT - BOTTOM };
    const X = linear(low, high, box.left, box.right);
    drawAxes(axes, box, X, Y, labels, { whole: false });
    placed = model.points.map((p) => ({ ...p, px: X(p.x), py: Y(p.y) }));
    const front = placed.filter((p) => p.front).sort((a, b) => a.x - b.x);
    change(line, "d", front.length > 1 ? `M${front.map((p) => `${p.px.toFixed(1)},${p.py.toFixed(1)}`).join("L")}` : "");
    for (const [key, shape, size] of MARKS) {
      const members = placed.filter((p) => (key === "front" ? p.front : key === "behind" ? !p.front : p.mark === key));
      change(paths[key], "d", members.map((p) => outline(shape, p.px, p.py, size)).join(""));
      change(paths[key], "data-points", members.length);
    }
    point();
  }

  function point() {
    const p = placed[index];
    change(ring, "cx", p ? p.px : -50);
    change(ring, "cy", p ? p.py : -50);
    if (p) tooltip.show(p.px, Math.min(p.py, HEIGHT - 130), model.tell(p), pinned);
    else tooltip.hide();
  }

  function nearest(event) {
    const box = picture.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let found = -1;
    let least = 40 ** 2;
    placed.forEach((p, i) => {
      const distance = (p.px - x) ** 2 + (p.py - y) ** 2;
      if (distance < least) [least, found] = [distance, i];
    });
    return found;
  }

  picture.addEventListener("pointermove", (event) => {
    if (pinned) return;
    index = nearest(event);
    point();
  });
  picture.addEventListener("pointerleave", () => {
    if (pinned) return;
    index = -1;
    point();
  });
  picture.addEventListener("click", (event) => {
    const found = nearest(event);
    pinned = found >= 0 && !(pinned && found === index);
    index = found;
    point();
  });
  picture.addEventListener("keydown", (event) => {
    const order = placed.map((p, i) => i).sort((a, b) => placed[a].px - placed[b].px);
    const at = order.indexOf(index);
    if (event.key === "ArrowRight") index = order[Math.min(order.length - 1, at + 1)];
    else if (event.key === "ArrowLeft") index = order[Math.max(0, at - 1)];
    else if (event.key === "Escape") [index, pinned] = [-1, false];
    else if (event.key === "Enter" && placed[index]) location.hash = model.tell(placed[index]).href;
    else return;
    event.preventDefault();
    point();
  });

  return { node, update, destroy: () => watcher.disconnect() };
}
