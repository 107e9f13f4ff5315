// A chart: layers of paths over axes, a shared cursor, zoom along x, a legend. Redraws what changed and no more.

import { drawAxes, yTicks } from "./axes.js";
import { change, el, say, svg, unique } from "./dom.js";
import { makeLegend } from "./legend.js";
import { steer } from "./pointer.js";
import { extent, linear, logarithmic } from "./scales.js";
import { makeTooltip } from "./tooltip.js";

const TOP = 8;
const BOTTOM = 24;

/**
 * @param options {title, note, link, height, name}
 * `update(model)`: {layers, legend, xs, log, domain, whole, yText, xLabel, tell(x), describe}. `tell` gives a tooltip's content.
 */
export function makeChart({ title, link, height = 210, name = title }) {
  const clip = unique("clip");
  const hidden = new Set();
  const layerNodes = new Map();
  const rect = svg("rect", { x: 0, y: 0, width: 0, height: 0 });
  const axes = svg("g", { "aria-hidden": "true" });
  const layers = svg("g", { "clip-path": `url(#${clip})` });
  const cursor = svg("line", { class: "cursor" });
  const brush = svg("rect", { class: "brush", y: TOP, width: 0, height: height - TOP - BOTTOM });
  const picture = svg(
    "svg",
    { class: "plot", height, width: "100%", tabindex: 0, role: "application", "aria-roledescription": "chart", "data-focus": name, "aria-keyshortcuts": "ArrowLeft ArrowRight Enter + - 0" },
    svg("defs", {}, svg("clipPath", { id: clip }, rect)), axes, layers, brush, cursor,
  );
  const heading = el("span", {}, title);
  const note = el("span", { class: "note" });
  const reset = el("button", { type: "button", class: "small", hidden: true, onclick: () => link.zoom(null) }, "Whole run");
  const stage = el("div", { class: "stage" }, picture);
  const tooltip = makeTooltip(stage);
  const legend = makeLegend(hidden, () => draw());
  const under = el("div", { class: "under" }, legend.node);
  const node = el("figure", { class: "chart", "data-chart": name }, el("figcaption", {}, el("h3", {}, heading), reset, note), stage, under);
  const chart = { node, picture, hidden, pinned: null, box: null, X: null, model: null, link, brush, update, draw, destroy, pin };
  let width = 0;

  const watcher = new ResizeObserver(() => {
    const now = Math.floor(stage.clientWidth);
    if (now === width) return;
    width = now;
    draw();
  });
  watcher.observe(stage);
  const unsubscribe = link.subscribe((what) => (what === "zoom" ? draw() : point()));
  steer(chart);

  function update(model) {
    chart.model = model;
    say(heading, model.title ?? title);
    say(note, model.note ?? "");
    legend.update(model.legend ?? []);
    legend.node.hidden = !(model.legend ?? []).length;
    change(picture, "aria-label", `${model.title ?? title}. ${model.describe ?? ""} Arrow keys move along the states, plus and minus zoom.`);
    draw();
  }

  function draw() {
    const { model } = chart;
    if (!model || width < 60) return;
    reset.hidden = link.domain === null;
    const [low, high] = link.domain ?? wholeOf(model);
    // Layers that stand on each other are made anew when one of them is switched off.
    const all = typeof model.layers === "function" ? model.layers(hidden) : model.layers;
    const visible = all.filter((layer) => !hidden.has(layer.series));
    const scale = model.log ? logarithmic : linear;
    const [bottom, top] = model.domain ?? extent(inside(visible, low, high), model.log);
    const Y = scale(bottom, top, height - BOTTOM, TOP);
    const labels = yTicks(Y, height - TOP - BOTTOM, model.yText);
    const box = { left: Math.round(labels.room), right: width - 10, top: TOP, bottom: height - BOTTOM };
    const X = linear(low, high, box.left, box.right);
    Object.assign(chart, { box, X, Y });
    change(rect, "x", box.left - 8);
    change(rect, "width", box.right - box.left + 17);
    change(rect, "height", height);
    drawAxes(axes, box, X, Y, labels, { whole: model.whole ?? true, xText: model.xText });
    drawLayers(visible, X, Y);
    point();
  }

  function drawLayers(visible, X, Y) {
    const wanted = new Set(visible.map((layer) => layer.key));
    for (const [key, path] of layerNodes) {
      if (!wanted.has(key)) {
        path.remove();
        layerNodes.delete(key);
      }
    }
    let before = null;
    for (const layer of visible) {
      let path = layerNodes.get(layer.key);
      if (!path) {
        path = svg("path", { "data-layer": layer.key });
        layerNodes.set(layer.key, path);
      }
      const place = before ? before.nextSibling : layers.firstChild;
      if (place !== path) layers.insertBefore(path, place);
      before = path;
      change(path, "class", layer.look);
      change(path, "data-points", layer.points);
      change(path, "d", layer.path(X, Y));
    }
  }

  function pin(x) {
    chart.pinned = x;
    point();
  }

  function point() {
    const { model, X, box } = chart;
    if (!model || !X) return;
    const x = chart.pinned ?? link.cursor;
    const seen = x !== null && x >= X.low && x <= X.high;
    cursor.classList.toggle("on", seen);
    if (seen) {
      const pixel = Math.round(X(x)) + 0.5;
      for (const [key, value] of Object.entries({ x1: pixel, x2: pixel, y1: TOP, y2: box.bottom })) change(cursor, key, value);
    }
    const content = seen && (chart.pinned !== null || link.owner === chart) ? model.tell(x) : null;
    if (content) tooltip.show(X(x), TOP, content, chart.pinned !== null);
    else tooltip.hide();
  }

  function destroy() {
    watcher.disconnect();
    unsubscribe();
  }

  return chart;
}

/** First and last x of a model, a little apart where there is one state only. */
export function wholeOf(model) {
  const { xs } = model;
  if (!xs.length) return [0, 1];
  return xs.length === 1 ? [xs[0] - 0.5, xs[0] + 0.5] : [xs[0], xs.at(-1)];
}

function* inside(layers, low, high) {
  for (const layer of layers) {
    for (const [x, y] of layer.values) if (x === null || (x >= low - 1 && x <= high + 1)) yield y;
  }
}
