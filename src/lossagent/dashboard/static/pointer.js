// Pointer and keyboard of a chart: move, pin, drag to zoom, double click to see all.

import { change } from "./dom.js";
import { wholeOf } from "./chart.js";
import { stretched } from "./link.js";

/** Makes a chart listen. */
export function steer(chart) {
  const { picture, brush, link } = chart;
  let start = null;

  const place = (event) => event.clientX - picture.getBoundingClientRect().left;
  const nearest = (pixel) => closest(chart.model.xs, chart.X.invert(pixel));

  picture.addEventListener("pointermove", (event) => {
    if (!chart.X) return;
    const pixel = place(event);
    if (start !== null && Math.abs(pixel - start) > 4 && event.pointerType === "mouse") {
      const [a, b] = [Math.min(start, pixel), Math.max(start, pixel)];
      change(brush, "x", Math.max(chart.box.left, a));
      change(brush, "width", Math.min(chart.box.right, b) - Math.max(chart.box.left, a));
    }
    link.point(nearest(pixel), chart);
  });
  picture.addEventListener("pointerleave", () => {
    if (link.owner === chart) link.point(null, null);
  });
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !chart.X) return;
    start = place(event);
    if (event.pointerType === "mouse") picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const pixel = place(event);
    change(brush, "width", 0);
    if (Math.abs(pixel - start) > 8 && event.pointerType === "mouse") {
      zoomTo(chart.X.invert(Math.min(start, pixel)), chart.X.invert(Math.max(start, pixel)));
    } else {
      const x = nearest(pixel);
      chart.pin(chart.pinned === x ? null : x);
    }
    start = null;
  });
  picture.addEventListener("pointercancel", () => {
    start = null;
    change(brush, "width", 0);
  });
  picture.addEventListener("dblclick", () => {
    chart.pin(null);
    link.zoom(null);
  });
  picture.addEventListener("wheel", (event) => {
    if (!(event.ctrlKey || event.metaKey) || !chart.X) return;
    event.preventDefault();
    link.zoom(stretched([chart.X.low, chart.X.high], wholeOf(chart.model), chart.X.invert(place(event)), event.deltaY > 0 ? 1.25 : 0.8));
  }, { passive: false });
  picture.addEventListener("keydown", (event) => keys(event, chart));
  picture.addEventListener("blur", () => {
    if (link.owner === chart) link.point(null, null);
  });

  function zoomTo(low, high) {
    const [first, last] = wholeOf(chart.model);
    const from = Math.max(first, low);
    const to = Math.min(last, high);
    if (to - from >= Math.min(1, (last - first) / 50)) link.zoom([from, to]);
  }
}

function keys(event, chart) {
  const { link, model, X } = chart;
  if (!X || event.ctrlKey || event.metaKey || event.altKey) return;
  const { xs } = model;
  const index = xs.indexOf(chart.pinned ?? link.cursor ?? xs.at(-1));
  const steps = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: xs.length - 1, PageUp: index - 10, PageDown: index + 10 };
  const current = xs[Math.max(0, index)];
  if (event.key in steps) {
    chart.pinned = null;
    link.point(xs[Math.min(xs.length - 1, Math.max(0, steps[event.key]))], chart);
  } else if (event.key === "+" || event.key === "-") {
    link.zoom(stretched([X.low, X.high], wholeOf(model), current, event.key === "-" ? 1.25 : 0.8));
  } else if (event.key === "0") {
    link.zoom(null);
  } else if (event.key === "Escape") {
    chart.pin(null);
    link.point(null, null);
  } else if (event.key === "Enter") {
    const { href } = model.tell(current) ?? {};
    if (href) location.hash = href;
  } else {
    return;
  }
  event.preventDefault();
}

function closest(xs, wanted) {
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - xs[low - 1] < xs[low] - wanted ? xs[low - 1] : xs[low] ?? null;
}
